/*
 * A manifest whose end a power cut has torn, or whose name it took.
 *
 * RocksDB syncs its manifest behind each append. An append that the power cut short is one that did
 * not happen, but where a filesystem had made the file longer before its bytes were on the disk
 * there is one with some of its bytes, and for RocksDB that is corruption. Cut off from there the
 * manifest tells the state before the append: its logs and tables are all there, for they are
 * removed when the append is durable, not before.
 *
 * When RocksDB opens an index it begins a new manifest, lets CURRENT name that, syncs the directory
 * and then removes the old one. Where a filesystem does not keep the order of names, CURRENT may be
 * the new one and the manifest's name be lost. The old manifest is still there, and tells the state
 * before.
 *
 * Damage that came later looks the same, and then the state before it is an older one whose logs
 * are gone. Nothing tells the two apart. So this is done for a person who asks for it (check with
 * --repair), and what was cut off is kept beside it.
 *
 * The format of the records: https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format.
 * Blocks of 32 KiB; of each record the CRC32C of type and payload, masked, the payload's size in
 * two bytes, the type, the payload. A record that does not fit into its block goes on in the next.
 */
#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/base/regular.h"
#include "store/index/rocksdb_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 32 * 1024,
    HEADER_SIZE = 7,
    AT_SIZE = 4,
    AT_TYPE = 6,
    RECORD_WHOLE = 1,
    RECORD_FIRST = 2,
    RECORD_MIDDLE = 3,
    RECORD_LAST = 4,
    NUMBER_DIGITS_MAX = 18,
    MANIFEST_SIZE_MAX = 256 * 1024 * 1024, /* RocksDB begins a new one long before */
};

/* RocksDB stores checksums like this, so that one of bytes with a checksum in them is none of 0. */
static uint32_t mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* The record at `at`, checked. Returns: its type, or 0; *ret_size is its size with the header. */
static int record_at(const uint8_t *bytes, size_t size, size_t at, size_t *ret_size)
{
    size_t in_block = BLOCK_SIZE - at % BLOCK_SIZE;
    size_t payload;

    if (size - at < HEADER_SIZE)
        return 0;
    payload = tfs_get_le16(bytes + at + AT_SIZE);
    if (HEADER_SIZE + payload > in_block || HEADER_SIZE + payload > size - at ||
        mask(tfs_crc32c(0, bytes + at + AT_TYPE, 1 + payload)) != tfs_get_le32(bytes + at))
        return 0;
    *ret_size = HEADER_SIZE + payload;
    return bytes[at + AT_TYPE];
}

size_t rocks_manifest_whole_size(const uint8_t *bytes, size_t size)
{
    size_t whole = 0;
    size_t at = 0;
    bool inside = false;

    while (at < size) {
        size_t in_block = BLOCK_SIZE - at % BLOCK_SIZE;
        size_t record_size;
        int type;

        if (in_block < HEADER_SIZE) {
            at += in_block;
            continue;
        }
        type = record_at(bytes, size, at, &record_size);
        if (inside ? type != RECORD_MIDDLE && type != RECORD_LAST
                   : type != RECORD_WHOLE && type != RECORD_FIRST)
            break;
        inside = type == RECORD_FIRST || type == RECORD_MIDDLE;
        at += record_size;
        if (!inside)
            whole = at;
    }
    return whole;
}

static int directory_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return tfs_fail(-errno, "index '%s': open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        (void)close(fd); /* a directory, nothing to lose */
        return tfs_fail(-EBUSY, "index '%s': in use", path);
    }
    return fd;
}

/* All of a file. Ownership: *ret is the caller's, to be freed. Returns: its size. */
static ssize_t file_read(int directory, const char *name, size_t size_max, uint8_t **ret)
{
    int fd = tfs_regular_open(directory, name, O_RDONLY);
    struct stat status;
    uint8_t *bytes;
    ssize_t size;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0 || (uint64_t)status.st_size > size_max) {
        (void)close(fd); /* read-only, nothing to lose */
        return -EFBIG;
    }
    bytes = malloc((size_t)status.st_size + 1);
    size = bytes ? pread(fd, bytes, (size_t)status.st_size, 0) : -1;
    (void)close(fd); /* read-only, nothing to lose */
    if (size != status.st_size) {
        free(bytes);
        return -EIO;
    }
    bytes[size] = '\0';
    *ret = bytes;
    return size;
}

static void kept_name(const struct rocks_repaired *repaired, char ret[ROCKS_MANIFEST_NAME_MAX + 16])
{
    (void)snprintf(ret, ROCKS_MANIFEST_NAME_MAX + 16, "%s.damaged", repaired->manifest); /* fits */
}

static bool is_same_file(int directory, const char *a, const char *b)
{
    struct stat status_a;
    struct stat status_b;

    return fstatat(directory, a, &status_a, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(directory, b, &status_b, AT_SYMLINK_NOFOLLOW) == 0 &&
           status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
}

/* Gives the manifest its second name; one that was interrupted behind this has left it. */
static int keep(int directory, const char *manifest, const char *kept)
{
    if (linkat(directory, manifest, directory, kept, 0) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    return is_same_file(directory, manifest, kept) ? 0 : -EEXIST;
}

/* The old one under its new name first, so that at no time there is neither. */
static int replace(int directory, const struct rocks_repaired *repaired, const uint8_t *bytes,
                   size_t whole)
{
    static const char name_new[] = "MANIFEST.new";
    char kept[ROCKS_MANIFEST_NAME_MAX + 16];
    int err = rocks_file_write(directory, name_new, bytes, whole);

    kept_name(repaired, kept);
    if (!err)
        err = keep(directory, repaired->manifest, kept);
    if (!err)
        err = rocks_file_rename(directory, name_new, repaired->manifest);
    if (err)
        (void)unlinkat(directory, name_new, 0);
    return err;
}

/* Of "MANIFEST-000012". Returns: 0 when it is no manifest's name. */
static uint64_t manifest_number(const char *name)
{
    static const char prefix[] = "MANIFEST-";
    const char *digits = name + sizeof(prefix) - 1;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || strlen(digits) > NUMBER_DIGITS_MAX ||
        digits[strspn(digits, "0123456789")] != '\0')
        return 0;
    return strtoull(digits, NULL, 10);
}

/* The newest manifest that is there. Returns: 1, or 0 when there is none. */
static int manifest_find(int directory, char ret[ROCKS_MANIFEST_NAME_MAX])
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    uint64_t newest = 0;

    if (!list) {
        if (fd >= 0)
            (void)close(fd); /* a directory, nothing to lose */
        return -EIO;
    }
    while ((entry = readdir(list))) {
        uint64_t number = manifest_number(entry->d_name);

        if (number > newest) {
            newest = number;
            memcpy(ret, entry->d_name, strlen(entry->d_name) + 1); /* fits, with so few digits */
        }
    }
    (void)closedir(list);
    return newest > 0;
}

static int current_write(int directory, const char *manifest)
{
    static const char name_new[] = "CURRENT.new";
    char line[ROCKS_MANIFEST_NAME_MAX + 1];
    int size = snprintf(line, sizeof(line), "%s\n", manifest);
    int err = rocks_file_write(directory, name_new, line, (size_t)size);

    if (!err)
        err = rocks_file_rename(directory, name_new, "CURRENT");
    if (err)
        (void)unlinkat(directory, name_new, 0);
    return err;
}

/* CURRENT names a manifest that is not there. */
static int repair_current(int directory, struct rocks_repaired *repaired,
                          struct rocks_repaired *ret)
{
    int found;
    int err;

    memcpy(repaired->missing, repaired->manifest, sizeof(repaired->missing));
    found = manifest_find(directory, repaired->manifest);
    if (found <= 0)
        return found;
    err = current_write(directory, repaired->manifest);
    if (!err)
        *ret = *repaired;
    return err;
}

static int repair_in(int directory, struct rocks_repaired *ret)
{
    struct rocks_repaired repaired = {.cut_bytes = 0};
    uint8_t *bytes = NULL;
    size_t whole;
    ssize_t size;
    int err;

    if (faccessat(directory, "SEAL", F_OK, 0) == 0)
        return 0; /* it was closed in order: that is no power cut */
    err = rocks_current_read(directory, repaired.manifest);
    if (err)
        return err;
    if (faccessat(directory, repaired.manifest, F_OK, 0) < 0 && errno == ENOENT)
        return repair_current(directory, &repaired, ret);
    size = file_read(directory, repaired.manifest, MANIFEST_SIZE_MAX, &bytes);
    if (size < 0 || !bytes)
        return (int)size;
    whole = rocks_manifest_whole_size(bytes, (size_t)size);
    repaired.cut_bytes = (size_t)size - whole;
    err = whole > 0 && repaired.cut_bytes > 0 ? replace(directory, &repaired, bytes, whole) : 0;
    if (!err && whole > 0 && repaired.cut_bytes > 0)
        *ret = repaired;
    free(bytes);
    return err;
}

int rocks_repair(const char *path, struct rocks_repaired *ret)
{
    int directory = directory_open(path);
    int err;

    *ret = (struct rocks_repaired){.cut_bytes = 0};
    if (directory < 0)
        return directory;
    err = repair_in(directory, ret);
    (void)close(directory); /* and its lock goes */
    return err;
}

int rocks_repair_undo(const char *path, const struct rocks_repaired *repaired)
{
    char kept[ROCKS_MANIFEST_NAME_MAX + 16];
    int directory = directory_open(path);
    int err = 0;

    if (directory < 0)
        return directory;
    kept_name(repaired, kept);
    if (repaired->missing[0])
        err = current_write(directory, repaired->missing);
    else
        err = rocks_file_rename(directory, kept, repaired->manifest);
    (void)close(directory); /* and its lock goes */
    return err;
}

void rocks_repaired_to_text(const struct rocks_repaired *repaired, struct index_repair *ret)
{
    if (repaired->missing[0])
        (void)snprintf(ret->text, sizeof(ret->text),
                       "%s is missing: the index is in the state of %s; unless a power cut took "
                       "it, newer changes are lost with it",
                       repaired->missing, repaired->manifest); /* fits */
    else
        (void)snprintf(ret->text, sizeof(ret->text),
                       "the end of %s was damaged, %" PRIu64 " bytes: cut off, and kept in "
                       "%s.damaged; unless a power cut tore it, newer changes are lost with it",
                       repaired->manifest, repaired->cut_bytes, repaired->manifest); /* fits */
}
