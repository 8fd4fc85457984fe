/*
 * The seal of an index that was closed in order: the checksum of its manifest, which lists all its
 * other files.
 *
 * RocksDB takes a record at the manifest's end that is cut short for what a crash left, and must.
 * So one bad bit in a length there, years after, would open an older state of the index without a
 * word, and the newer files would be removed as unknown. While there is a seal there was no crash,
 * and the manifest has to be what it was.
 *
 * File SEAL, one line: the manifest's name, its size, and the CRC32C of its bytes in hexadecimal.
 * It comes with a rename when the index is closed, and goes before it is written to again. When
 * that open fails it comes back as it was: computed anew it would vouch for a manifest that nobody
 * has read.
 */
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/base/regular.h"
#include "store/index/rocksdb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_SIZE = 16 * 1024 };

static const char name_seal[] = "SEAL";
static const char name_new[] = "SEAL.new";

static int file_sum(int fd, uint64_t *ret_size, uint32_t *ret_sum)
{
    uint8_t piece[PIECE_SIZE];
    uint64_t size = 0;
    uint32_t sum = 0;
    ssize_t count;

    while ((count = pread(fd, piece, sizeof(piece), (off_t)size)) > 0) {
        sum = tfs_crc32c(sum, piece, (size_t)count);
        size += (uint64_t)count;
    }
    if (count < 0)
        return -errno;
    *ret_size = size;
    *ret_sum = sum;
    return 0;
}

/* The line as it should be for the files that are there. */
static int seal_make(const struct rocks *rocks, char seal[ROCKS_LINE_SIZE_MAX])
{
    char current[ROCKS_MANIFEST_NAME_MAX];
    uint64_t manifest_size = 0;
    uint32_t sum = 0;
    int err = rocks_current_read(rocks->directory_fd, current);
    int fd;

    if (err)
        return err;
    fd = tfs_regular_open(rocks->directory_fd, current, O_RDONLY);
    if (fd < 0)
        return fd;
    err = file_sum(fd, &manifest_size, &sum);
    (void)close(fd); /* read-only, nothing to lose */
    if (!err)
        (void)snprintf(seal, ROCKS_LINE_SIZE_MAX, "%.64s %" PRIu64 " %08" PRIx32 "\n", current,
                       manifest_size, sum); /* fits */
    return err;
}

/* Whether `seal` is true of the files that are there. */
static bool seal_is_true(const struct rocks *rocks, const char *seal)
{
    char wanted[ROCKS_LINE_SIZE_MAX] = "";

    return seal_make(rocks, wanted) == 0 && strcmp(seal, wanted) == 0;
}

int rocks_seal_check(struct rocks *rocks)
{
    char seal[ROCKS_LINE_SIZE_MAX];
    ssize_t size = rocks_line_read(rocks->directory_fd, name_seal, seal);

    if (size == -ENOENT)
        return 0;
    if (size < 0 || !seal_is_true(rocks, seal))
        return rocks_open_fail(rocks, -EUCLEAN,
                               "damaged: one of CURRENT, the manifest and SEAL is not as it was "
                               "left");
    memcpy(rocks->seal, seal, (size_t)size + 1);
    return 0;
}

int rocks_seal_break(const struct rocks *rocks)
{
    if (unlinkat(rocks->directory_fd, name_seal, 0) < 0)
        return errno == ENOENT ? 0 : tfs_fail(-errno, "index '%s': remove the seal", rocks->path);
    if (fsync(rocks->directory_fd) < 0)
        return tfs_fail(-errno, "index '%s': sync after removing the seal", rocks->path);
    return 0;
}

static int seal_write(const struct rocks *rocks, const char *seal)
{
    int err = rocks_file_write(rocks->directory_fd, name_new, seal, strlen(seal));

    return err ? err : rocks_file_rename(rocks->directory_fd, name_new, name_seal);
}

void rocks_seal_restore(const struct rocks *rocks)
{
    if (rocks->seal[0] && seal_is_true(rocks, rocks->seal))
        (void)seal_write(rocks, rocks->seal); /* without one it is as after a crash */
}

void rocks_seal_put(const struct rocks *rocks)
{
    char seal[ROCKS_LINE_SIZE_MAX];
    int err = seal_make(rocks, seal);

    if (!err)
        err = seal_write(rocks, seal);
    if (err) /* all is durable; only damage would be noticed later */
        tfs_warn("index '%s': cannot be sealed: %s", rocks->path, tfs_error_text(err));
}
