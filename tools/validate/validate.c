/*
 * The command: what is named on the command line becomes a list of files; one pass over them, or
 * three to compare; then the report.
 */
#include "tools/validate/validate.h"

#include "store/base/error.h"
#include "tools/common/console.h"
#include "tools/common/output.h"
#include "tools/validate/comparison.h"
#include "tools/validate/report.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_OK = 0, STATUS_BAD = 1, STATUS_TROUBLE = 2 };

#define FILE_COUNT_MAX (1u << 20)
/* What a kernel's speed is measured with; a CPU's memory needs less, an emulated GPU bears less. */
#ifndef VALIDATE_SPEED_BYTES_GPU
#define VALIDATE_SPEED_BYTES_GPU (1ull << 30)
#endif
#define SPEED_BYTES_CPU (64ull << 20)
#define SPEED_ROUNDS    11u

struct file_list {
    struct validate_file **files;
    size_t count;
    size_t capacity;
    bool has_directory;
};

static int trouble(int err, const char *what)
{
    (void)fprintf(stderr, "validate: %s: %s\n", what, tfs_error_text(err));
    return err;
}

static void files_release(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        validate_file_free(list->files[i]);
    free(list->files);
    memset(list, 0, sizeof(*list));
}

static int files_add(struct file_list *list, const char *path, const char *name)
{
    int err;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct validate_file **grown;

        if (list->count >= FILE_COUNT_MAX)
            return -EMFILE;
        grown = realloc(list->files, capacity * sizeof(struct validate_file *));
        if (!grown)
            return -ENOMEM;
        list->files = grown;
        list->capacity = capacity;
    }
    err = validate_file_new(path, name, &list->files[list->count]);
    if (err == 0)
        list->count++;
    return err;
}

static int name_compare(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* All regular files below a directory, in the order of their names; links are not followed. */
static int directory_add(struct file_list *list, char *directory)
{
    char *roots[] = {directory, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, name_compare);
    size_t prefix = strlen(directory);
    FTSENT *entry;
    int err = 0;

    if (!tree)
        return -errno;
    while (err == 0 && (errno = 0, entry = fts_read(tree)) != NULL) {
        const char *name = entry->fts_path + prefix;

        while (*name == '/')
            name++;
        if (entry->fts_info == FTS_F)
            err = files_add(list, entry->fts_path, name);
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
                 entry->fts_info == FTS_NS)
            err = -entry->fts_errno;
    }
    if (err == 0 && errno != 0)
        err = -errno;      /* the walk ended before the tree did */
    (void)fts_close(tree); /* its memory only */
    return err;
}

static int paths_add(struct file_list *list, const struct validate_options *options)
{
    for (size_t i = 0; i < options->path_count; i++) {
        const char *slash = strrchr(options->paths[i], '/');
        struct stat status;
        int err;

        if (stat(options->paths[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            list->has_directory = true;
            err = directory_add(list, options->paths[i]);
        } else {
            err = files_add(list, options->paths[i], slash ? slash + 1 : options->paths[i]);
        }
        if (err < 0)
            return trouble(err, options->paths[i]);
    }
    return 0;
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

static int file_name_compare(const void *a, const void *b)
{
    return strcmp((*(struct validate_file *const *)a)->name,
                  (*(struct validate_file *const *)b)->name);
}

/* A file that could not be read whole has no place in a manifest. */
static int manifest_write_files(FILE *stream, const struct file_list *list)
{
    int err = manifest_write_begin(stream);

    for (size_t i = 0; err == 0 && i < list->count; i++) {
        const struct validate_file *file = list->files[i];

        if (i > 0 && strcmp(file->name, list->files[i - 1]->name) == 0)
            return tfs_fail(-EEXIST, "two files named '%s'", file->name);
        if (!file->recorded.crcs)
            return tfs_fail(-EIO, "'%s' was not read", file->path);
        for (uint64_t p = 0; p < tfs_min_u64(file->problem_count, VALIDATE_PROBLEMS_KEPT); p++) {
            if (file->problems[p].kind == VALIDATE_UNREADABLE)
                return tfs_fail(-EIO, "'%s' cannot be read", file->path);
        }
        err = manifest_write_file(stream, file->name, &file->recorded);
    }
    return err < 0 ? err : manifest_write_end(stream, list->count);
}

static int manifest_save(const char *path, struct file_list *list)
{
    FILE *stream = fopen(path, "we");
    struct stat status;
    bool is_file;
    int err;

    if (!stream)
        return trouble(-errno, path);
    is_file = fstat(fileno(stream), &status) == 0 && S_ISREG(status.st_mode);
    if (list->count > 0)
        qsort(list->files, list->count, sizeof(struct validate_file *), file_name_compare);
    err = manifest_write_files(stream, list);
    if (fclose(stream) != 0 && err == 0)
        err = -errno;
    if (err < 0) {
        if (is_file)
            (void)unlink(path); /* rather none than half of one, but never a device */
        return trouble(err, path);
    }
    return 0;
}

static int check_files(struct gpu *gpu, struct validate_options *options, struct file_list *list)
{
    struct validate_report report = {.device = gpu_description(gpu),
                                     .manifest = options->manifest,
                                     .wants_all_of_manifest = list->has_directory};
    int err = validate_run(gpu, options, list->files, list->count, &report.cost);

    if (err < 0) {
        (void)trouble(err, "the check could not be run");
        return STATUS_TROUBLE;
    }
    report.files = list->files;
    report.file_count = list->count;
    if (options->json)
        validate_report_json(stdout, &report);
    else
        validate_report_text(stdout, &report, options->verbose);
    if (options->write_manifest && manifest_save(options->write_manifest, list) < 0)
        return STATUS_TROUBLE;
    return validate_report_problems(&report) ? STATUS_BAD : STATUS_OK;
}

/* One timed pass over fresh files. Items are files, or one file's tensors. */
static int pass(struct gpu *gpu, const struct validate_options *options, struct validate_cost *ret,
                uint64_t *ret_problem_count, size_t *ret_item_count)
{
    struct file_list list = {0};
    uint64_t problem_count = 0;
    size_t tensor_count = 0;
    int err = paths_add(&list, options);

    if (err == 0)
        err = validate_run(gpu, options, list.files, list.count, ret);
    for (size_t i = 0; i < list.count; i++) {
        problem_count += list.files[i]->problem_count;
        tensor_count += list.files[i]->tensors.count;
    }
    *ret_problem_count = problem_count;
    *ret_item_count = list.count > 1 ? list.count : tensor_count;
    files_release(&list);
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
        err = gpu_measure(gpu, comparison.speed_byte_count, GPU_BF16, SPEED_ROUNDS,
                          &comparison.speed);
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
    int status = STATUS_TROUBLE;
    int err = gpu_open(options->device, &gpu);

    if (err < 0) {
        (void)fprintf(stderr, "validate: no GPU: %s\n",
                      gpu_absence() ? gpu_absence() : tfs_error_text(err));
        return STATUS_TROUBLE;
    }
    if (options->compare_sequential)
        status = compare_sequential(gpu, options);
    else if (paths_add(&list, options) == 0)
        status = check_files(gpu, options, &list);
    files_release(&list);
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
