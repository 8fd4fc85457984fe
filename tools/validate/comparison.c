/*
 * See comparison.h. A figure is a row of a table: its name and how it is computed from one pass, or
 * from the passes of one round.
 */
#include "tools/validate/comparison.h"

#include "store/base/median.h"
#include "tools/validate/report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const validate_pass_names[VALIDATE_PASS_COUNT] = {
    [VALIDATE_ONE_BY_ONE] = "one by one",
    [VALIDATE_COPY_ONLY] = "together, no checking",
    [VALIDATE_TOGETHER] = "together",
};

static const char *const pass_keys[VALIDATE_PASS_COUNT] = {
    [VALIDATE_ONE_BY_ONE] = "sequential",
    [VALIDATE_COPY_ONLY] = "copy_only",
    [VALIDATE_TOGETHER] = "parallel",
};

struct validate_spread validate_spread_of(const double *values, unsigned count)
{
    double sorted[VALIDATE_ROUNDS_MAX];
    double median;

    assert(count > 0 && count <= VALIDATE_ROUNDS_MAX);
    memcpy(sorted, values, count * sizeof(*sorted));
    median = tfs_median(sorted, count);
    return (struct validate_spread){median, sorted[0], sorted[count - 1]};
}

static double wall_s(const struct validate_cost *cost)
{
    return cost->wall_s;
}

static double cpu_s(const struct validate_cost *cost)
{
    return cost->cpu_s;
}

static double bytes_per_s(const struct validate_cost *cost)
{
    return (double)cost->byte_count / cost->wall_s;
}

static double copy_share(const struct validate_cost *cost)
{
    return cost->copy_share;
}

static double check_share(const struct validate_cost *cost)
{
    return cost->check_share;
}

static double speed_up(const struct validate_cost *round)
{
    return round[VALIDATE_ONE_BY_ONE].wall_s / round[VALIDATE_TOGETHER].wall_s;
}

static double overhead_percent(const struct validate_cost *round)
{
    return 100 * (round[VALIDATE_TOGETHER].wall_s / round[VALIDATE_COPY_ONLY].wall_s - 1);
}

struct figure {
    const char *key;
    double (*compute)(const struct validate_cost *cost);
};

static const struct figure pass_figures[] = {
    {"wall_s", wall_s},           {"cpu_s", cpu_s},
    {"bytes_per_s", bytes_per_s}, {"copy_share", copy_share},
    {"check_share", check_share},
};

/* Of the first cost of a round. */
static const struct figure round_figures[] = {
    {"speed_up", speed_up},
    {"check_overhead_percent", overhead_percent},
};

/* The figure of each round, of one pass or (the first) of the round. */
static struct validate_spread samples_of(const struct validate_comparison *comparison,
                                         unsigned pass, const struct figure *figure,
                                         double samples[VALIDATE_ROUNDS_MAX])
{
    for (unsigned i = 0; i < comparison->round_count; i++)
        samples[i] = figure->compute(&comparison->costs[i][pass]);
    return validate_spread_of(samples, comparison->round_count);
}

static void spread_print(FILE *out, const struct validate_spread *spread, double scale,
                         int decimals, const char *unit)
{
    (void)fprintf(out, "%.*f [%.*f .. %.*f]%s", decimals, scale * spread->median, decimals,
                  scale * spread->min, decimals, scale * spread->max, unit);
}

static void pass_print(FILE *out, const struct validate_comparison *comparison, unsigned pass)
{
    double samples[VALIDATE_ROUNDS_MAX];
    struct validate_spread spreads[TFS_ARRAY_COUNT(pass_figures)];

    for (size_t i = 0; i < TFS_ARRAY_COUNT(pass_figures); i++)
        spreads[i] = samples_of(comparison, pass, &pass_figures[i], samples);
    (void)fprintf(out, "%-22s ", validate_pass_names[pass]);
    spread_print(out, &spreads[0], 1, 3, " s wall, ");
    spread_print(out, &spreads[1], 1, 3, " s CPU, ");
    spread_print(out, &spreads[2], 1e-9, 2, " GB/s");
    (void)fprintf(out, ", device busy %.0f %% copying, %.0f %% checking\n", 100 * spreads[3].median,
                  100 * spreads[4].median);
}

void validate_comparison_text(FILE *out, const struct validate_comparison *comparison)
{
    double samples[VALIDATE_ROUNDS_MAX];
    struct validate_spread spread;

    (void)fprintf(out, "device: %s\n%zu items, %.3f GB; %u rounds: median [min .. max]\n",
                  comparison->device, comparison->item_count, (double)comparison->byte_count * 1e-9,
                  comparison->round_count);
    for (unsigned pass = 0; pass < VALIDATE_PASS_COUNT; pass++)
        pass_print(out, comparison, pass);
    spread = samples_of(comparison, 0, &round_figures[0], samples);
    (void)fputs("speed-up ", out);
    spread_print(out, &spread, 1, 2, "; checking costs ");
    spread = samples_of(comparison, 0, &round_figures[1], samples);
    spread_print(out, &spread, 1, 1, " % over reading and copying alone\n");
    (void)fprintf(out,
                  "%s, %.0f MiB of bf16: check %.1f GB/s, memory copy %.1f GB/s (read and write), "
                  "share %.2f; from the host's memory %.1f GB/s\n",
                  comparison->is_device ? "kernel" : "one core",
                  (double)comparison->speed_byte_count / (double)TFS_MIB,
                  comparison->speed.check * 1e-9, comparison->speed.copy * 1e-9,
                  comparison->speed.check / comparison->speed.copy,
                  comparison->speed.transfer * 1e-9);
}

static void figure_json(FILE *out, const struct validate_comparison *comparison, unsigned pass,
                        const struct figure *figure)
{
    double samples[VALIDATE_ROUNDS_MAX];
    const struct validate_spread spread = samples_of(comparison, pass, figure, samples);

    (void)fprintf(out, "\"%s\":{\"median\":", figure->key);
    validate_report_number(out, spread.median);
    validate_report_member(out, "min", spread.min);
    validate_report_member(out, "max", spread.max);
    (void)fputs(",\"samples\":[", out);
    for (unsigned i = 0; i < comparison->round_count; i++) {
        (void)fputs(i ? "," : "", out);
        validate_report_number(out, samples[i]);
    }
    (void)fputs("]}", out);
}

void validate_comparison_json(FILE *out, const struct validate_comparison *comparison)
{
    (void)fputs("{\"device\":", out);
    validate_report_string(out, comparison->device);
    (void)fprintf(out, ",\"items\":%zu,\"bytes\":%" PRIu64 ",\"rounds\":%u", comparison->item_count,
                  comparison->byte_count, comparison->round_count);
    for (unsigned pass = 0; pass < VALIDATE_PASS_COUNT; pass++) {
        (void)fprintf(out, ",\"%s\":{", pass_keys[pass]);
        for (size_t i = 0; i < TFS_ARRAY_COUNT(pass_figures); i++) {
            (void)fputs(i ? "," : "", out);
            figure_json(out, comparison, pass, &pass_figures[i]);
        }
        (void)fputc('}', out);
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(round_figures); i++) {
        (void)fputc(',', out);
        figure_json(out, comparison, 0, &round_figures[i]);
    }
    (void)fprintf(out, ",\"measured_bytes\":%" PRIu64, comparison->speed_byte_count);
    validate_report_member(out, "check_bytes_per_s", comparison->speed.check);
    validate_report_member(out, "memory_bytes_per_s", comparison->speed.copy);
    validate_report_member(out, "transfer_bytes_per_s", comparison->speed.transfer);
    validate_report_member(out, "share_of_memory",
                           comparison->speed.check / comparison->speed.copy);
    (void)fputs("}\n", out);
}
