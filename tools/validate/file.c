/*
 * Opening a file and putting its extents together. Problems that keep parts of the check from being
 * done (a malformed header, a counterpart of another size) leave the rest of it in place.
 */
#include "tools/validate/file.h"

#include "store/base/error.h"
#include "tools/validate/tensors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int validate_file_new(const char *path, const char *name, struct validate_file **ret)
{
    struct validate_file *file = calloc(1, sizeof(*file));

    if (!file)
        return -ENOMEM;
    file->fd = -1;
    file->copy_fd = -1;
    file->part_bytes = VALIDATE_BLOCK_BYTES_DEFAULT;
    file->path = strdup(path);
    file->name = strdup(name);
    tensor_list_init(&file->tensors);
    tfs_mutex_init(&file->lock, TFS_RANK_LEAF);
    list_init(&file->results);
    if (!file->path || !file->name) {
        validate_file_free(file);
        return -ENOMEM;
    }
    *ret = file;
    return 0;
}

void validate_file_close(struct validate_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd); /* read only, nothing to lose */
    if (file->copy_fd >= 0)
        (void)close(file->copy_fd); /* likewise */
    file->fd = -1;
    file->copy_fd = -1;
}

void validate_file_free(struct validate_file *file)
{
    if (!file)
        return;
    validate_file_close(file);
    tensor_list_release(&file->tensors);
    for (unsigned i = 0; i < VALIDATE_EXPECTATION_COUNT; i++)
        validate_blocks_release(&file->expected[i].blocks);
    validate_blocks_release(&file->recorded);
    tfs_mutex_release(&file->lock);
    free(file->extents);
    free(file->stats);
    free(file->name);
    free(file->path);
    free(file);
}

void validate_file_swap_names(struct validate_file *a, struct validate_file *b)
{
    char *path = a->path;
    char *name = a->name;

    a->path = b->path;
    a->name = b->name;
    b->path = path;
    b->name = name;
}

/* The tensors that touch [offset, offset + size); they are sorted and do not overlap. */
static void tensors_touched(const struct validate_file *file, struct validate_problem *problem)
{
    const struct tensor_place *tensors = file->tensors.tensors;
    size_t low = 0;
    size_t high = file->tensors.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tensors[middle].offset + tensors[middle].size <= problem->offset)
            low = middle + 1;
        else
            high = middle;
    }
    problem->tensor_first = low;
    while (low < file->tensors.count && tensors[low].offset < problem->offset + problem->size)
        low++;
    problem->tensor_count = low - problem->tensor_first;
}

void validate_file_problem(struct validate_file *file, enum validate_problem_kind kind,
                           uint64_t block, uint64_t offset, uint64_t size, const char *format, ...)
{
    struct validate_problem *problem;
    va_list arguments;

    if (file->problem_count++ >= VALIDATE_PROBLEMS_KEPT)
        return;
    problem = &file->problems[file->problem_count - 1];
    *problem =
        (struct validate_problem){.kind = kind, .block = block, .offset = offset, .size = size};
    if (size > 0)
        tensors_touched(file, problem);
    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, arguments); /* cut if too long */
    va_end(arguments);
}

static int descriptor_open(struct validate_file *file)
{
    struct stat status;

    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* or a FIFO would wait */
    if (file->fd < 0 || fstat(file->fd, &status) < 0) {
        validate_file_problem(file, VALIDATE_CANNOT_OPEN, 0, 0, 0, "cannot be opened: %s",
                              tfs_error_text(-errno));
        return -EIO;
    }
    if (!S_ISREG(status.st_mode)) {
        validate_file_problem(file, VALIDATE_CANNOT_OPEN, 0, 0, 0, "is no regular file");
        return -EINVAL;
    }
    file->size = (uint64_t)status.st_size;
    (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only a hint */
    return 0;
}

static int tensors_find(struct validate_file *file)
{
    struct format_source source;
    int err;

    validate_source_of_file(file->fd, file->size, &source);
    err = validate_tensors_find(&source, file->path, &file->tensors);
    if (err == -ENOMEM || err == -EINTR)
        return err;
    if (err == -EUCLEAN)
        validate_file_problem(file, VALIDATE_MALFORMED, 0, 0, 0, "malformed %s: %s",
                              file->tensors.format, file->tensors.reason);
    else if (err < 0)
        validate_file_problem(file, VALIDATE_UNREADABLE, 0, 0, 0, "its header cannot be read: %s",
                              tfs_error_text(err));
    file->stats = calloc(file->tensors.count + 1, sizeof(*file->stats));
    if (!file->stats)
        return -ENOMEM;
    for (size_t i = 0; i < file->tensors.count; i++)
        gpu_stats_init(&file->stats[i]);
    return 0;
}

static int store_expect(struct validate_file *file)
{
    struct validate_expectation *store = &file->expected[VALIDATE_EXPECT_STORE];
    int found = validate_blocks_of_store(file->fd, file->size, &store->blocks);

    if (found == -ENOMEM || found == -EINTR)
        return found;
    if (found < 0)
        validate_file_problem(file, VALIDATE_CANNOT_OPEN, 0, 0, 0,
                              "the store does not give its checksums: %s", tfs_error_text(found));
    store->source = found == 1 ? "store" : NULL;
    return 0;
}

static int manifest_expect(struct validate_file *file, struct manifest *manifest)
{
    struct validate_expectation *expected = &file->expected[VALIDATE_EXPECT_MANIFEST];
    struct manifest_file *entry = manifest_find(manifest, file->name);
    int err;

    if (!entry) {
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0, "is not in the manifest");
        return 0;
    }
    entry->is_seen = true;
    if (entry->blocks.file_size != file->size) {
        validate_file_problem(
            file, VALIDATE_SIZE_DIFFERS, 0, 0, 0, "has %llu bytes, in the manifest %llu",
            (unsigned long long)file->size, (unsigned long long)entry->blocks.file_size);
        return 0;
    }
    err = validate_blocks_init(&expected->blocks, file->size, entry->blocks.block_size);
    if (err < 0)
        return err;
    if (entry->blocks.count > 0) /* an empty file's have no memory */
        memcpy(expected->blocks.crcs, entry->blocks.crcs,
               entry->blocks.count * sizeof(*entry->blocks.crcs));
    expected->source = "manifest";
    return 0;
}

static void copy_open(struct validate_file *file, const char *directory)
{
    char path[PATH_MAX];
    struct stat status;
    int size = snprintf(path, sizeof(path), "%s/%s", directory, file->name);

    if (size > 0 && (size_t)size < sizeof(path))
        file->copy_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* likewise */
    if (file->copy_fd < 0 || fstat(file->copy_fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0, "has no copy in '%s'", directory);
    } else if ((uint64_t)status.st_size != file->size) {
        validate_file_problem(file, VALIDATE_SIZE_DIFFERS, 0, 0, 0, "has %llu bytes, its copy %llu",
                              (unsigned long long)file->size, (unsigned long long)status.st_size);
    } else {
        file->has_copy = true;
        return;
    }
    if (file->copy_fd >= 0)
        (void)close(file->copy_fd); /* read only, nothing to lose */
    file->copy_fd = -1;
}

/* Parts end at the borders of everybody's blocks: of the smallest, since all are powers of two. */
static int recording_prepare(struct validate_file *file)
{
    uint32_t block_size = VALIDATE_BLOCK_BYTES_DEFAULT;

    if (file->expected[VALIDATE_EXPECT_STORE].source)
        block_size = file->expected[VALIDATE_EXPECT_STORE].blocks.block_size;
    file->part_bytes = block_size;
    for (unsigned i = 0; i < VALIDATE_EXPECTATION_COUNT; i++) {
        const struct validate_expectation *expected = &file->expected[i];

        if (expected->source && expected->blocks.block_size < file->part_bytes)
            file->part_bytes = expected->blocks.block_size;
    }
    return validate_blocks_init(&file->recorded, file->size, block_size);
}

/* Only clean pages are dropped. Where it fails, the file is read from memory, which is only faster.
 */
static void caches_drop(int fd)
{
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int validate_file_open(struct validate_file *file, const struct validate_options *options)
{
    int err;

    if (descriptor_open(file) < 0) {
        validate_file_close(file);
        return 0;
    }
    if (options->drop_caches)
        caches_drop(file->fd);
    err = tensors_find(file);
    err = err < 0 ? err : validate_extents_build(file);
    err = err < 0 ? err : store_expect(file);
    if (err == 0 && options->manifest)
        err = manifest_expect(file, options->manifest);
    if (err == 0 && options->copy_directory)
        copy_open(file, options->copy_directory);
    return err < 0 ? err : recording_prepare(file);
}

void validate_file_finish(struct validate_file *file, const struct validate_options *options)
{
    file->is_complete = true;
    if (!options->no_nan)
        return;
    for (size_t i = 0; i < file->tensors.count; i++) {
        const struct tensor_place *tensor = &file->tensors.tensors[i];
        const struct gpu_stats *stats = &file->stats[i];

        if (stats->nan_count + stats->inf_count > 0)
            validate_file_problem(
                file, VALIDATE_NOT_FINITE, 0, tensor->offset, tensor->size,
                "%llu NaN and %llu infinite of %llu elements", (unsigned long long)stats->nan_count,
                (unsigned long long)stats->inf_count, (unsigned long long)stats->element_count);
    }
}
