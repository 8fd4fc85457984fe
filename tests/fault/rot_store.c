/*
 * Making the store and reading it back. Content follows from the file's number, so that nothing has
 * to be remembered.
 */
#include "tests/fault/rot_store.h"

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { small_files = 24, first_small = 100, tag_bytes = 300 };

static const struct {
    const char *name;
    uint64_t number;
    uint64_t size;
    bool compressible;
    bool late; /* written in the second session */
} files[] = {
    {"bytes", 1, 300, false, false},       {"text", 2, 3500, true, false},
    {"medium", 3, 150000, true, false},    {"noise", 4, 200001, false, false},
    {"of-today", 5, 120000, true, true},   {"small-of-today", 6, 900, false, true},
    {"two-chunks", 7, 300000, true, true}, {"empty", 8, 0, false, true},
};
enum { file_count = sizeof(files) / sizeof(files[0]) };

static const char link_target[] = "somewhere/else/entirely";

/* SplitMix64's output function: Steele, Lea, Flood, 2014. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void fill(uint8_t *bytes, size_t size, uint64_t number, bool compressible)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(mix(number * 0x9e3779b97f4a7c15ull + i / 8) >> (8 * (i % 8)));

        bytes[i] = compressible ? 'a' + byte % 5 : byte;
    }
}

static void options_init(struct tfs_volume_options *options, const char *path)
{
    tfs_volume_options_init(options);
    options->path = path;
    options->memory_size = TFS_MEMORY_SIZE_MIN;
    options->threads = 1;
    options->commit_interval_s = 0;
    options->lock_wait_ms = 0;
    options->chunk_size = 256 * TFS_KIB;
}

/* ---- making ---- */

static int make_file(struct tfs_volume *volume, uint64_t parent, const char *name, uint64_t number,
                     uint64_t size, bool compressible)
{
    struct tfs_make what = {.mode = S_IFREG | 0640};
    struct tfs_xattr tag = {.name = "user.tag", .size = tag_bytes};
    uint8_t bytes[tag_bytes];
    uint8_t *content = malloc(size + 1);
    struct tfs_file *file;
    struct tfs_attr attr;
    int err = content ? tfs_make(volume, parent, name, &what, &attr) : -ENOMEM;

    if (!err)
        err = tfs_file_open(volume, attr.inode, O_RDWR, &file);
    if (err) {
        free(content);
        return err;
    }
    fill(content, size, number, compressible);
    if (size > 0 && tfs_file_write(file, 0, content, size, 0) != (int64_t)size)
        err = -EIO;
    fill(bytes, sizeof(bytes), number + 1000, false);
    tag.value = bytes;
    err = err ? err : tfs_setxattr(volume, attr.inode, &tag);
    err = err ? err : tfs_file_sync(file, false);
    tfs_file_close(file);
    free(content);
    return err;
}

static int make_small_files(struct tfs_volume *volume)
{
    struct tfs_make directory = {.mode = S_IFDIR | 0750};
    struct tfs_make link = {.mode = S_IFLNK | 0777, .target = link_target};
    struct tfs_attr attr, ignored;
    int err = tfs_make(volume, TFS_ROOT_INODE, "directory", &directory, &attr);

    for (uint64_t i = 0; i < small_files && !err; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "small-%llu", (unsigned long long)i);
        err = make_file(volume, attr.inode, name, first_small + i, 50 * i, i % 2);
    }
    return err ? err : tfs_make(volume, TFS_ROOT_INODE, "link", &link, &ignored);
}

static int make_session(struct tfs_volume *volume, bool late)
{
    int err = 0;

    for (size_t i = 0; i < file_count && !err; i++) {
        if (files[i].late == late)
            err = make_file(volume, TFS_ROOT_INODE, files[i].name, files[i].number, files[i].size,
                            files[i].compressible);
    }
    if (!err && !late)
        err = make_small_files(volume);
    return err ? err : tfs_volume_sync(volume);
}

bool rot_store_make(const char *path, enum rot_end end)
{
    struct tfs_volume_options options;
    int err = 0;

    options_init(&options, path);
    for (int late = 0; late < 2 && !err; late++) {
        struct tfs_volume *volume;

        err = tfs_volume_open(&options, NULL, &volume);
        if (err)
            break;
        err = make_session(volume, late);
        if (!err && !(late && end == rot_crashed))
            err = tfs_volume_close(volume);
    }
    if (err)
        (void)fprintf(stderr, "cannot make the store: %s\n", strerror(-err));
    return !err;
}

/* ---- reading ---- */

struct reading {
    struct tfs_volume *volume;
    enum rot_verdict verdict; /* the worst so far */
};

static void find(struct reading *reading, enum rot_verdict verdict, const char *name,
                 const char *what)
{
    static const char *const words[] = {"right", "refused", "unreadable", "LOST", "WRONG"};

    (void)printf("%s: '%s': %s\n", words[verdict], name, what);
    if (verdict > reading->verdict)
        reading->verdict = verdict;
}

/* An error is what a user may get for damage; a missing name is not an error but a loss. */
static void find_error(struct reading *reading, const char *name, int err)
{
    if (err == -ENOENT || err == -ENODATA)
        find(reading, rot_lost, name, "is missing");
    else if (err == -EIO || err == -EUCLEAN || err == -EBADMSG)
        find(reading, rot_unreadable, name, strerror(-err));
    else
        find(reading, rot_wrong, name, strerror(-err));
}

static void compare_content(struct reading *reading, struct tfs_file *file, const char *name,
                            const uint8_t *wanted, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        struct tfs_read read;
        int err = tfs_file_read(file, at, 100000, &read);
        bool same = true;

        if (err) {
            find_error(reading, name, err);
            at += 100000;
            continue;
        }
        for (int i = 0; i < read.piece_count && same; i++) {
            same = at + read.pieces[i].iov_len <= size &&
                   memcmp(read.pieces[i].iov_base, wanted + at, read.pieces[i].iov_len) == 0;
            at += read.pieces[i].iov_len;
        }
        if (!same)
            find(reading, rot_wrong, name, "has a wrong byte");
        if (read.size == 0) {
            find(reading, rot_wrong, name, "ends before its size");
            at = size;
        }
        tfs_read_release(&read);
    }
}

static void read_tag(struct reading *reading, uint64_t inode, const char *name, uint64_t number)
{
    uint8_t wanted[tag_bytes], found[2 * tag_bytes];
    int64_t size = tfs_getxattr(reading->volume, inode, "user.tag", found, sizeof(found));

    fill(wanted, sizeof(wanted), number + 1000, false);
    if (size < 0)
        find_error(reading, name, (int)size);
    else if (size != tag_bytes || memcmp(found, wanted, tag_bytes) != 0)
        find(reading, rot_wrong, name, "has a wrong attribute");
}

static void read_file(struct reading *reading, uint64_t parent, const char *name, uint64_t number,
                      uint64_t size, bool compressible)
{
    uint8_t *wanted = malloc(size + 1);
    struct tfs_file *file = NULL;
    struct tfs_attr attr;
    int err = wanted ? tfs_lookup(reading->volume, parent, name, &attr) : -ENOMEM;

    if (!err)
        err = tfs_file_open(reading->volume, attr.inode, O_RDONLY, &file);
    if (err) {
        find_error(reading, name, err);
    } else {
        fill(wanted, size, number, compressible);
        if (attr.mode != (S_IFREG | 0640) || attr.size > size)
            find(reading, rot_wrong, name, "has wrong attributes");
        else if (attr.size < size)
            find(reading, rot_lost, name, "is too short");
        compare_content(reading, file, name, wanted, tfs_min_u64(size, attr.size));
        read_tag(reading, attr.inode, name, number);
        tfs_file_close(file);
    }
    free(wanted);
}

static bool count_entry(void *context, const struct tfs_directory_entry *entry)
{
    size_t *count = context;

    (*count)++;
    return entry->name[0] != '\0';
}

/* `count` entries beside "." and "..": with every name that is looked up there, none is foreign. */
static void read_listing(struct reading *reading, uint64_t inode, const char *name, size_t count)
{
    size_t found = 0;
    int err = tfs_readdir(reading->volume, inode, 0, false, count_entry, &found);

    if (err)
        find_error(reading, name, err);
    else if (found != count + 2)
        find(reading, found < count + 2 ? rot_lost : rot_wrong, name, "has another listing");
}

static void read_all(struct reading *reading)
{
    char target[TFS_SYMLINK_SIZE_MAX + 1], name[32];
    struct tfs_attr attr;
    int err;

    for (size_t i = 0; i < file_count; i++)
        read_file(reading, TFS_ROOT_INODE, files[i].name, files[i].number, files[i].size,
                  files[i].compressible);
    err = tfs_lookup(reading->volume, TFS_ROOT_INODE, "link", &attr);
    err = err ? err : tfs_readlink(reading->volume, attr.inode, target);
    if (err)
        find_error(reading, "link", err);
    else if (strcmp(target, link_target) != 0)
        find(reading, rot_wrong, "link", "leads elsewhere");
    err = tfs_lookup(reading->volume, TFS_ROOT_INODE, "directory", &attr);
    if (err) {
        find_error(reading, "directory", err);
        return;
    }
    for (uint64_t i = 0; i < small_files; i++) {
        (void)snprintf(name, sizeof(name), "small-%llu", (unsigned long long)i);
        read_file(reading, attr.inode, name, first_small + i, 50 * i, i % 2);
    }
    read_listing(reading, attr.inode, "directory", small_files);
    read_listing(reading, TFS_ROOT_INODE, "the root", file_count + 2);
}

enum rot_verdict rot_store_read(const char *path, bool read_only)
{
    struct reading reading = {.verdict = rot_right};
    struct tfs_volume_options options;
    struct tfs_message message = {""};
    int err;

    options_init(&options, path);
    options.read_only = read_only;
    options.create = !read_only;
    err = tfs_volume_open(&options, &message, &reading.volume);
    if (err) {
        bool one_line = message.text[0] != '\0' && !strchr(message.text, '\n');

        find(&reading, one_line ? rot_refused : rot_wrong, path, message.text);
        return reading.verdict;
    }
    read_all(&reading);
    err = tfs_volume_close(reading.volume);
    if (err)
        find_error(&reading, "close", err);
    return reading.verdict;
}
