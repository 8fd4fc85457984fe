/*
 * See manifest.h for the format. A manifest is read as hostile: sizes are checked before memory is
 * taken for them, and memory for checksums grows with what is really there.
 */
#include "tools/validate/manifest.h"

#include "store/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_FILE_COUNT_MAX (1u << 20)

enum { LINE_BYTES_MAX = 8192, CRCS_PER_LINE = 8 };

static const char magic[] = "tensorfs-manifest 1\n";

void manifest_release(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        free(manifest->files[i].name);
        validate_blocks_release(&manifest->files[i].blocks);
    }
    free(manifest->files);
    memset(manifest, 0, sizeof(*manifest));
}

/* The next line with its line break. */
static int line_read(FILE *stream, char line[LINE_BYTES_MAX])
{
    if (!fgets(line, LINE_BYTES_MAX, stream))
        return ferror(stream) ? -EIO : tfs_fail(-EUCLEAN, "manifest: cut off");
    return strchr(line, '\n') ? 0 : tfs_fail(-EUCLEAN, "manifest: a line too long");
}

/* Take a number that ends with a space or the line. */
static int number_take(const char **at, int base, uint64_t limit, uint64_t *ret)
{
    char *end;
    unsigned long long value;

    if (!isxdigit((unsigned char)**at)) /* strtoull takes signs and spaces */
        return -EUCLEAN;
    errno = 0;
    value = strtoull(*at, &end, base);
    if (errno || value > limit || !strchr(" \n", *end) || *end == '\0')
        return -EUCLEAN;
    *at = *end == ' ' ? end + 1 : end;
    *ret = value;
    return 0;
}

/* One line of checksums, appended; there is room for CRCS_PER_LINE of them. */
static int crcs_line_read(FILE *stream, uint64_t wanted, struct validate_blocks *blocks)
{
    char line[LINE_BYTES_MAX];
    const char *at = line;
    int err = line_read(stream, line);

    if (err < 0)
        return err;
    for (uint64_t i = 0; i < CRCS_PER_LINE && blocks->count < wanted; i++) {
        uint64_t crc;

        if (number_take(&at, 16, UINT32_MAX, &crc) < 0)
            return tfs_fail(-EUCLEAN, "manifest: a checksum is missing");
        blocks->crcs[blocks->count++] = (uint32_t)crc;
    }
    return *at == '\n' ? 0 : tfs_fail(-EUCLEAN, "manifest: '%.40s'", line);
}

/* Memory grows with the checksums that are there, since the size that a line claims costs nothing.
 */
static int crcs_read(FILE *stream, uint64_t wanted, struct validate_blocks *blocks)
{
    uint64_t capacity = 0;
    int err = 0;

    while (blocks->count < wanted && err == 0) {
        if (blocks->count + CRCS_PER_LINE > capacity) {
            uint32_t *grown;

            capacity = 2 * capacity + 1024;
            grown = realloc(blocks->crcs, capacity * sizeof(*grown));
            if (!grown)
                return -ENOMEM;
            blocks->crcs = grown;
        }
        err = crcs_line_read(stream, wanted, blocks);
    }
    return err;
}

/* "file SIZE BLOCK_SIZE NAME" */
static int file_line_parse(const char *line, struct manifest_file *ret)
{
    const char *at = line + strlen("file ");
    uint64_t block_size;

    if (strncmp(line, "file ", strlen("file ")) != 0 ||
        number_take(&at, 10, UINT64_MAX, &ret->blocks.file_size) < 0 ||
        number_take(&at, 10, VALIDATE_BLOCK_BYTES_MAX, &block_size) < 0 ||
        block_size < VALIDATE_BLOCK_BYTES_MIN || !tfs_is_power_of_two(block_size) || *at == '\n')
        return tfs_fail(-EUCLEAN, "manifest: '%.40s'", line);
    ret->blocks.block_size = (uint32_t)block_size;
    ret->blocks.count =
        ret->blocks.file_size / block_size + (ret->blocks.file_size % block_size != 0);
    if (ret->blocks.count > VALIDATE_BLOCK_COUNT_MAX)
        return tfs_fail(-EUCLEAN, "manifest: '%.40s'", line);
    ret->name = strndup(at, strcspn(at, "\n"));
    return ret->name ? 0 : -ENOMEM;
}

static int file_parse(FILE *stream, const char *line, struct manifest_file *ret)
{
    struct manifest_file file = {0};
    int err = file_line_parse(line, &file);
    uint64_t wanted = file.blocks.count;

    file.blocks.count = 0;
    if (err == 0)
        err = crcs_read(stream, wanted, &file.blocks);
    if (err < 0) {
        free(file.name);
        validate_blocks_release(&file.blocks);
        return err;
    }
    *ret = file;
    return 0;
}

static int file_read(FILE *stream, const char *line, struct manifest *manifest)
{
    int err;

    if (manifest->count == manifest->capacity) {
        size_t capacity = manifest->capacity ? 2 * manifest->capacity : 64;
        struct manifest_file *grown;

        if (manifest->count >= MANIFEST_FILE_COUNT_MAX)
            return tfs_fail(-EUCLEAN, "manifest: too many files");
        grown = realloc(manifest->files, capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        manifest->files = grown;
        manifest->capacity = capacity;
    }
    err = file_parse(stream, line, &manifest->files[manifest->count]);
    if (err == 0)
        manifest->count++;
    return err;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

static int names_check(struct manifest *manifest)
{
    if (manifest->count > 0)
        qsort(manifest->files, manifest->count, sizeof(*manifest->files), name_compare);
    for (size_t i = 1; i < manifest->count; i++) {
        if (name_compare(&manifest->files[i - 1], &manifest->files[i]) == 0)
            return tfs_fail(-EUCLEAN, "manifest: '%s' twice", manifest->files[i].name);
    }
    return 0;
}

static int files_read(FILE *stream, struct manifest *manifest)
{
    char line[LINE_BYTES_MAX];
    const char *at = line + strlen("end ");
    uint64_t count;
    int err = line_read(stream, line);

    if (err < 0)
        return err;
    if (strcmp(line, magic) != 0)
        return tfs_fail(-EUCLEAN, "no manifest");
    for (;;) {
        err = line_read(stream, line);
        if (err < 0)
            return err;
        if (strncmp(line, "end ", strlen("end ")) == 0)
            break;
        err = file_read(stream, line, manifest);
        if (err < 0)
            return err;
    }
    if (number_take(&at, 10, MANIFEST_FILE_COUNT_MAX, &count) < 0 || count != manifest->count)
        return tfs_fail(-EUCLEAN, "manifest: %zu files, but '%.40s'", manifest->count, line);
    return names_check(manifest);
}

int manifest_read(FILE *stream, struct manifest *ret)
{
    struct manifest manifest = {0};
    int err = files_read(stream, &manifest);

    if (err < 0)
        manifest_release(&manifest);
    else
        *ret = manifest;
    return err;
}

struct manifest_file *manifest_find(struct manifest *manifest, const char *name)
{
    size_t low = 0;
    size_t high = manifest->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, manifest->files[middle].name);

        if (order == 0)
            return &manifest->files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static int stream_status(FILE *stream)
{
    return ferror(stream) ? tfs_fail(-EIO, "manifest: cannot be written") : 0;
}

int manifest_write_begin(FILE *stream)
{
    (void)fputs(magic, stream); /* the stream keeps its error */
    return stream_status(stream);
}

int manifest_write_file(FILE *stream, const char *name, const struct validate_blocks *blocks)
{
    if (strchr(name, '\n'))
        return tfs_fail(-EINVAL, "manifest: a name with a line break");
    (void)fprintf(stream, "file %" PRIu64 " %" PRIu32 " %s\n", blocks->file_size,
                  blocks->block_size, name);
    for (uint64_t i = 0; i < blocks->count; i++) {
        bool is_last = i % CRCS_PER_LINE == CRCS_PER_LINE - 1 || i == blocks->count - 1;

        (void)fprintf(stream, "%08x%c", blocks->crcs[i], is_last ? '\n' : ' ');
    }
    return stream_status(stream);
}

int manifest_write_end(FILE *stream, size_t file_count)
{
    (void)fprintf(stream, "end %zu\n", file_count);
    if (fflush(stream) != 0)
        return tfs_fail(-EIO, "manifest: cannot be written");
    return stream_status(stream);
}
