/*
 * See report.h. Names come from files and are printed with control characters replaced, so that a
 * checkpoint cannot write to somebody's terminal.
 */
#include "tools/validate/report.h"

#include "store/base/utf8.h"

#include <inttypes.h>
#include <math.h>

enum { TENSORS_NAMED_MAX = 8 };

static const char *const kind_names[] = {
    [VALIDATE_CANNOT_OPEN] = "cannot_open",   [VALIDATE_MISSING] = "missing",
    [VALIDATE_MALFORMED] = "malformed",       [VALIDATE_SIZE_DIFFERS] = "size_differs",
    [VALIDATE_UNREADABLE] = "unreadable",     [VALIDATE_BLOCK_DIFFERS] = "block_differs",
    [VALIDATE_COPY_DIFFERS] = "copy_differs", [VALIDATE_MEMBER_DIFFERS] = "member_differs",
    [VALIDATE_NOT_FINITE] = "not_finite",
};

_Static_assert(TFS_ARRAY_COUNT(kind_names) == VALIDATE_PROBLEM_KIND_COUNT, "a name for each kind");

static uint64_t missing_count(const struct validate_report *report)
{
    uint64_t count = 0;

    if (!report->manifest || !report->wants_all_of_manifest || report->is_interrupted)
        return 0;
    for (size_t i = 0; i < report->manifest->count; i++)
        count += !report->manifest->files[i].is_seen;
    return count;
}

static size_t complete_count(const struct validate_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->file_count; i++)
        count += report->files[i]->is_complete;
    return count;
}

uint64_t validate_report_problems(const struct validate_report *report)
{
    uint64_t count = missing_count(report);

    for (size_t i = 0; i < report->file_count; i++)
        count += report->files[i]->problem_count;
    return count;
}

static uint64_t problems_kept(const struct validate_file *file)
{
    return tfs_min_u64(file->problem_count, VALIDATE_PROBLEMS_KEPT);
}

/* What the file was compared with. */
static const char *sources_of(const struct validate_file *file, char text[64])
{
    const char *store = file->expected[VALIDATE_EXPECT_STORE].source;
    const char *manifest = file->expected[VALIDATE_EXPECT_MANIFEST].source;
    const char *other = manifest ? manifest : file->has_copy ? "copy" : NULL; /* never both */

    (void)snprintf(text, 64, "%s%s%s", store ? store : "", store && other ? "," : "",
                   other ? other : "");
    return text;
}

static void name_print(FILE *out, const char *name)
{
    for (; *name; name++)
        (void)fputc((unsigned char)*name < 0x20 || *name == 0x7F ? '?' : *name, out);
}

static void tensors_print(FILE *out, const struct validate_file *file,
                          const struct validate_problem *problem)
{
    for (size_t i = 0; i < problem->tensor_count && i < TENSORS_NAMED_MAX; i++) {
        (void)fputs(i == 0 ? "; tensor '" : ", '", out);
        name_print(out, file->tensors.tensors[problem->tensor_first + i].name);
        (void)fputc('\'', out);
    }
    if (problem->tensor_count > TENSORS_NAMED_MAX)
        (void)fprintf(out, " and %zu more", problem->tensor_count - TENSORS_NAMED_MAX);
}

static void statistics_print(FILE *out, const struct validate_file *file)
{
    (void)fprintf(out, "  %-8s %14s %10s %10s %12s %12s %12s %12s %12s  %s\n", "dtype", "elements",
                  "nan", "inf", "zero", "min", "max", "mean", "l2", "name");
    for (size_t i = 0; i < file->tensors.count; i++) {
        const struct gpu_stats *stats = &file->stats[i];
        struct gpu_summary summary;

        gpu_stats_summarise(stats, &summary);
        (void)fprintf(out,
                      "  %-8s %14" PRIu64 " %10" PRIu64 " %10" PRIu64 " %12" PRIu64
                      " %12.5g %12.5g %12.5g %12.5g  ",
                      dtype_name(validate_dtype(&file->tensors.tensors[i])), stats->element_count,
                      stats->nan_count, stats->inf_count, stats->zero_count, summary.min,
                      summary.max, summary.mean, summary.norm);
        name_print(out, file->tensors.tensors[i].name);
        (void)fputc('\n', out);
    }
}

static void file_print(FILE *out, const struct validate_file *file, bool verbose)
{
    char sources[64];

    name_print(out, file->path);
    (void)fprintf(out, ": %s, %zu tensors, %" PRIu64 " bytes, ", file->tensors.format,
                  file->tensors.count, file->size);
    if (sources_of(file, sources)[0])
        (void)fprintf(out, "checked against %s: ", sources);
    else if (file->recorded.crcs && file->problem_count == 0)
        (void)fputs("no checksums to compare with: ", out);
    (void)fputs(file->problem_count ? "BAD\n" : file->is_complete ? "ok\n" : "not finished\n", out);
    for (uint64_t i = 0; i < problems_kept(file); i++) {
        (void)fputs("  ", out);
        name_print(out, file->problems[i].text);
        tensors_print(out, file, &file->problems[i]);
        (void)fputc('\n', out);
    }
    if (file->problem_count > VALIDATE_PROBLEMS_KEPT)
        (void)fprintf(out, "  and %" PRIu64 " more\n",
                      file->problem_count - VALIDATE_PROBLEMS_KEPT);
    if (verbose && file->stats && file->tensors.count > 0)
        statistics_print(out, file);
}

static double gigabytes_per_second(const struct validate_cost *cost)
{
    return (double)cost->byte_count / cost->wall_s * 1e-9;
}

void validate_report_text(FILE *out, const struct validate_report *report, bool verbose)
{
    uint64_t problem_count = validate_report_problems(report);

    (void)fprintf(out, "device: %s\n", report->device);
    for (size_t i = 0; i < report->file_count; i++) {
        const struct validate_file *file = report->files[i];

        if (file->is_complete || file->problem_count > 0)
            file_print(out, file, verbose && file->is_complete);
    }
    for (size_t i = 0; missing_count(report) > 0 && i < report->manifest->count; i++) {
        if (report->manifest->files[i].is_seen)
            continue;
        name_print(out, report->manifest->files[i].name);
        (void)fputs(": in the manifest, but not found: BAD\n", out);
    }
    if (report->is_interrupted)
        (void)fprintf(out, "interrupted: %zu of %zu files were checked to their end\n",
                      complete_count(report), report->file_count);
    (void)fprintf(
        out,
        "%zu files, %.3f GB in %.3f s: %.2f GB/s, %.2f s of CPU time, device busy %.0f %% "
        "copying, %.0f %% checking; %" PRIu64 " problems\n",
        report->file_count, (double)report->cost.byte_count * 1e-9, report->cost.wall_s,
        gigabytes_per_second(&report->cost), report->cost.cpu_s, 100 * report->cost.copy_share,
        100 * report->cost.check_share, problem_count);
}

/* ---- JSON ---- */

/* Names of files and of tensors may be any bytes, JSON only UTF-8: what is none becomes U+FFFD. */
void validate_report_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    while (*text != '\0') {
        const size_t size = tfs_utf8_size(text);
        const unsigned char c = (unsigned char)*text;

        if (size == 0)
            (void)fputs("\\ufffd", out);
        else if (c == '"' || c == '\\')
            (void)fprintf(out, "\\%c", c);
        else if (c < 0x20)
            (void)fprintf(out, "\\u%04x", c);
        else
            (void)fwrite(text, 1, size, out);
        text += size ? size : 1;
    }
    (void)fputc('"', out);
}

void validate_report_number(FILE *out, double value)
{
    if (isfinite(value))
        (void)fprintf(out, "%.17g", value);
    else
        (void)fputs("null", out);
}

void validate_report_member(FILE *out, const char *key, double value)
{
    (void)fprintf(out, ",\"%s\":", key);
    validate_report_number(out, value);
}

static void json_tensor(FILE *out, const struct tensor_place *tensor, const struct gpu_stats *stats)
{
    struct gpu_summary summary;

    gpu_stats_summarise(stats, &summary);
    (void)fputs("{\"name\":", out);
    validate_report_string(out, tensor->name);
    (void)fprintf(out,
                  ",\"dtype\":\"%s\",\"offset\":%" PRIu64 ",\"bytes\":%" PRIu64
                  ",\"elements\":%" PRIu64 ",\"nan\":%" PRIu64 ",\"inf\":%" PRIu64
                  ",\"zero\":%" PRIu64,
                  dtype_name(validate_dtype(tensor)), tensor->offset, tensor->size,
                  stats->element_count, stats->nan_count, stats->inf_count, stats->zero_count);
    if (validate_dtype(tensor) != DTYPE_BYTES) {
        validate_report_member(out, "min", summary.min);
        validate_report_member(out, "max", summary.max);
        validate_report_member(out, "mean", summary.mean);
        validate_report_member(out, "l2", summary.norm);
    }
    (void)fputc('}', out);
}

static void json_problem(FILE *out, const struct validate_file *file,
                         const struct validate_problem *problem)
{
    (void)fprintf(out, "{\"kind\":\"%s\"", kind_names[problem->kind]);
    if (problem->size > 0)
        (void)fprintf(out, ",\"block\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"bytes\":%" PRIu64,
                      problem->block, problem->offset, problem->size);
    (void)fputs(",\"text\":", out);
    validate_report_string(out, problem->text);
    (void)fputs(",\"tensors\":[", out);
    for (size_t i = 0; i < problem->tensor_count && i < TENSORS_NAMED_MAX; i++) {
        (void)fputs(i ? "," : "", out);
        validate_report_string(out, file->tensors.tensors[problem->tensor_first + i].name);
    }
    (void)fprintf(out, "],\"tensor_count\":%zu}", problem->tensor_count);
}

static void json_file(FILE *out, const struct validate_file *file)
{
    char sources[64];

    (void)fputs("{\"path\":", out);
    validate_report_string(out, file->path);
    (void)fprintf(out,
                  ",\"format\":\"%s\",\"bytes\":%" PRIu64 ",\"checked_against\":\"%s\",\"ok\":%s",
                  file->tensors.format, file->size, sources_of(file, sources),
                  file->problem_count || !file->is_complete ? "false" : "true");
    (void)fprintf(out, ",\"complete\":%s", file->is_complete ? "true" : "false");
    (void)fputs(",\"tensors\":[", out);
    for (size_t i = 0; file->stats && i < file->tensors.count; i++) {
        (void)fputs(i ? "," : "", out);
        json_tensor(out, &file->tensors.tensors[i], &file->stats[i]);
    }
    (void)fputs("],\"problems\":[", out);
    for (uint64_t i = 0; i < problems_kept(file); i++) {
        (void)fputs(i ? "," : "", out);
        json_problem(out, file, &file->problems[i]);
    }
    (void)fprintf(out, "],\"problem_count\":%" PRIu64 "}", file->problem_count);
}

static void json_cost(FILE *out, const struct validate_cost *cost)
{
    (void)fprintf(out, "{\"bytes\":%" PRIu64, cost->byte_count);
    validate_report_member(out, "wall_s", cost->wall_s);
    validate_report_member(out, "cpu_s", cost->cpu_s);
    validate_report_member(out, "bytes_per_s", (double)cost->byte_count / cost->wall_s);
    validate_report_member(out, "copy_share", cost->copy_share);
    validate_report_member(out, "check_share", cost->check_share);
    (void)fputc('}', out);
}

void validate_report_json(FILE *out, const struct validate_report *report)
{
    bool is_first = true;

    (void)fputs("{\"device\":", out);
    validate_report_string(out, report->device);
    (void)fputs(",\"cost\":", out);
    json_cost(out, &report->cost);
    (void)fputs(",\"files\":[", out);
    for (size_t i = 0; i < report->file_count; i++) {
        (void)fputs(i ? "," : "", out);
        json_file(out, report->files[i]);
    }
    (void)fputs("],\"missing\":[", out);
    for (size_t i = 0; missing_count(report) > 0 && i < report->manifest->count; i++) {
        if (report->manifest->files[i].is_seen)
            continue;
        (void)fputs(is_first ? "" : ",", out);
        is_first = false;
        validate_report_string(out, report->manifest->files[i].name);
    }
    (void)fprintf(out, "],\"problem_count\":%" PRIu64 ",\"interrupted\":%s,\"ok\":%s}\n",
                  validate_report_problems(report), report->is_interrupted ? "true" : "false",
                  validate_report_problems(report) || report->is_interrupted ? "false" : "true");
}
