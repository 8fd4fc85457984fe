/*
 * The command: what is named on the command line becomes a list of files; one pass over them, or
 * three to compare; then the report.
 */
#include "tools/validate/validate.h"

#include "store/base/error.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/output.h"
#include "tools/validate/comparison.h"
#include "tools/validate/completeness.h"
#include "tools/validate/file_list.h"
#include "tools/validate/manifest_save.h"
#include "tools/validate/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_OK = 0, STATUS_BAD = 1, STATUS_TROUBLE = 2, STATUS_SIGNAL = 128 };

/* What a kernel's speed is measured with; a CPU's memory needs less, an emulated GPU bears less. */
#ifndef VALIDATE_SPEED_BYTES_GPU
#define VALIDATE_SPEED_BYTES_GPU (1ull << 30)
#endif
#define SPEED_BYTES_CPU (64ull << 20)
#define SPEED_ROUNDS    11u

static int trouble(int err, const char *what)
{
    (void)fprintf(stderr, "validate: %s: %s\n", what, tfs_error_text(err));
    return err;
}

/* --against is a directory with copies, or a manifest. */
static int against_open(struct validate_options *options, struct manifest *manifest)
{
    struct stat status;
    FILE *stream;
    int err;

    if (!options->against)
        return 0;
    if (stat(options->against, &status) < 0)
        return trouble(-errno, options->against);
    if (S_ISDIR(status.st_mode)) {
        options->copy_directory = options->against;
        return 0;
    }
    stream = fopen(options->against, "re");
    if (!stream)
        return trouble(-errno, options->against);
    err = manifest_read(stream, manifest);
    (void)fclose(stream); /* read only, nothing to lose */
    if (err == -EUCLEAN)
        (void)fprintf(stderr, "validate: %s: neither a directory nor a whole manifest\n",
                      options->against);
    else if (err < 0)
        (void)trouble(err, options->against);
    if (err < 0)
        return err;
    options->manifest = manifest;
    return 0;
}

/* The exit status of a shell's command that a signal ended. */
static int interrupted(const char *what)
{
    (void)fprintf(stderr, "validate: interrupted by signal %d%s\n", interrupt_signal(), what);
    return STATUS_SIGNAL + interrupt_signal();
}

/* Was there something that could have been wrong: a format, somebody's checksums, a copy? */
static bool was_checked(const struct validate_file *file)
{
    bool is_expected = file->has_copy;

    for (unsigned i = 0; i < VALIDATE_EXPECTATION_COUNT; i++)
        is_expected |= file->expected[i].source != NULL;
    return is_expected || file->problem_count > 0 || strcmp(file->tensors.format, "raw") != 0;
}

/* Bytes without a format and without checksums are read, and that is all. Says so. */
static bool nothing_was_checked(const struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (was_checked(list->files[i]))
            return false;
    }
    (void)fprintf(
        stderr,
        "validate: nothing to check: no tensors in %zu files, and no checksums to compare "
        "them with\n",
        list->count);
    return true;
}

static int check_files(struct gpu *gpu, struct validate_options *options, struct file_list *list)
{
    struct validate_report report = {.device = gpu_description(gpu),
                                     .manifest = options->manifest,
                                     .wants_all_of_manifest = list->has_directory};
    int err;

    completeness_check_folders(list);
    err = validate_run(gpu, options, list->files, list->count, &report.cost);
    if (err < 0) {
        (void)trouble(err, "the check could not be run");
        return STATUS_TROUBLE;
    }
    report.files = list->files;
    report.file_count = list->count;
    report.is_interrupted = interrupt_is_pending();
    if (!report.is_interrupted && !options->write_manifest &&
        validate_report_problems(&report) == 0 && nothing_was_checked(list))
        return STATUS_TROUBLE;
    if (options->json)
        validate_report_json(stdout, &report);
    else
        validate_report_text(stdout, &report, options->verbose);
    if (report.is_interrupted)
        return interrupted(options->write_manifest ? "; no manifest was written" : "");
    if (options->write_manifest) {
        err = manifest_save(options->write_manifest, list);
        if (err < 0)
            return err == -EINTR ? interrupted("; no manifest was written") : STATUS_TROUBLE;
    }
    return validate_report_problems(&report) ? STATUS_BAD : STATUS_OK;
}

/* One timed pass over fresh files. Items are files, or one file's tensors. */
static int pass(struct gpu *gpu, const struct validate_options *options, struct validate_cost *ret,
                uint64_t *ret_problem_count, size_t *ret_item_count)
{
    struct file_list list = {0};
    uint64_t problem_count = 0;
    size_t tensor_count = 0;
    int err = file_list_find(options, &list);

    if (err == 0)
        err = validate_run(gpu, options, list.files, list.count, ret);
    if (err == 0 && interrupt_is_pending())
        err = -EINTR;
    for (size_t i = 0; i < list.count; i++) {
        problem_count += list.files[i]->problem_count;
        tensor_count += list.files[i]->tensors.count;
    }
    *ret_problem_count = problem_count;
    *ret_item_count = list.count > 1 ? list.count : tensor_count;
    file_list_release(&list);
    return err;
}

static int timed_pass(struct gpu *gpu, const struct validate_options *options,
                      struct validate_comparison *comparison, unsigned round,
                      enum validate_pass which, uint64_t *problem_count)
{
    struct validate_options mine = *options;
    struct validate_cost *cost = &comparison->costs[round][which];
    uint64_t found;
    int err;

    mine.one_by_one = which == VALIDATE_ONE_BY_ONE;
    mine.copy_only = which == VALIDATE_COPY_ONLY;
    if (isatty(STDERR_FILENO))
        console_note("round %u of %u: %s", round + 1, comparison->round_count,
                     validate_pass_names[which]);
    err = pass(gpu, &mine, cost, &found, &comparison->item_count);
    if (err == 0 && !mine.copy_only)
        *problem_count = tfs_max_u64(*problem_count, found);
    comparison->byte_count = cost->byte_count;
    return err;
}

/* Who comes first of the two that are compared most closely changes from round to round. */
static int rounds_run(struct gpu *gpu, const struct validate_options *options,
                      struct validate_comparison *comparison, uint64_t *problem_count)
{
    static const enum validate_pass orders[2][VALIDATE_PASS_COUNT] = {
        {VALIDATE_ONE_BY_ONE, VALIDATE_COPY_ONLY, VALIDATE_TOGETHER},
        {VALIDATE_ONE_BY_ONE, VALIDATE_TOGETHER, VALIDATE_COPY_ONLY},
    };

    for (unsigned round = 0; round < comparison->round_count; round++) {
        for (unsigned i = 0; i < VALIDATE_PASS_COUNT; i++) {
            int err =
                timed_pass(gpu, options, comparison, round, orders[round % 2][i], problem_count);

            if (err < 0)
                return err;
        }
    }
    return 0;
}

static int compare_sequential(struct gpu *gpu, struct validate_options *options)
{
    struct validate_comparison comparison = {
        .device = gpu_description(gpu),
        .round_count = options->round_count,
        .is_device = gpu_is_cuda(gpu),
        .speed_byte_count = gpu_is_cuda(gpu) ? VALIDATE_SPEED_BYTES_GPU : SPEED_BYTES_CPU};
    uint64_t problem_count = 0;
    int err;

    options->drop_caches = true; /* or the first pass would warm them for the others */
    err = rounds_run(gpu, options, &comparison, &problem_count);
    if (err == 0)
        err = gpu_measure(gpu, comparison.speed_byte_count, DTYPE_BF16, SPEED_ROUNDS,
                          &comparison.speed);
    if (err == -EINTR)
        return interrupted("");
    if (err < 0) {
        (void)trouble(err, "the comparison could not be run");
        return STATUS_TROUBLE;
    }
    if (options->json)
        validate_comparison_json(stdout, &comparison);
    else
        validate_comparison_text(stdout, &comparison);
    if (problem_count > 0)
        (void)fprintf(stderr, "validate: %llu problems; run it without --compare-sequential\n",
                      (unsigned long long)problem_count);
    return problem_count ? STATUS_BAD : STATUS_OK;
}

static int command_run(struct validate_options *options)
{
    struct file_list list = {0};
    struct gpu *gpu;
    int status;
    int err = gpu_open(options->device, &gpu);

    if (err < 0) {
        (void)fprintf(stderr, "validate: no GPU: %s\n",
                      gpu_absence() ? gpu_absence() : tfs_error_text(err));
        return STATUS_TROUBLE;
    }
    if (options->compare_sequential) {
        status = compare_sequential(gpu, options);
    } else {
        err = file_list_find(options, &list);
        if (err == 0)
            status = check_files(gpu, options, &list);
        else
            status = err == -EINTR ? interrupted("") : STATUS_TROUBLE;
    }
    file_list_release(&list);
    gpu_close(gpu);
    return status;
}

int validate_main(int argc, char **argv)
{
    struct validate_options options;
    struct manifest manifest = {0};
    int status = STATUS_TROUBLE;
    int parsed = validate_options_parse(argc, argv, &options);

    if (parsed < 0)
        return STATUS_TROUBLE;
    if (parsed > 0)
        status = STATUS_OK;
    else if (against_open(&options, &manifest) == 0)
        status = command_run(&options);
    manifest_release(&manifest);
    /* Whoever cannot read what differs must not take it for the whole. */
    return output_end(STATUS_OK, STATUS_TROUBLE) == STATUS_OK ? status : STATUS_TROUBLE;
}
