/*
 * cut: what a disk may hold after a power cut.
 *
 *     cut JOURNAL BASE OUT SEED    with the seed "none" nothing is lost
 *
 * BASE is the store as it was before the daemon ran, all of it durable, and is used up; JOURNAL is
 * what the daemon did to it; OUT becomes a store as it might be found after the cut.
 *
 * The model of a power cut
 * ------------------------
 * What a sync covered is there. Of the rest, for each file by itself, so that nothing keeps the
 * order between files:
 *
 *   - sizes, truncation and allocation are the file's metadata, which a filesystem keeps in order:
 *     they are there up to some moment between the last sync and the cut;
 *   - data is there sector by sector (512 bytes or 4 KiB). Each holds what it held at some moment
 *     of its own in that time, so writes are lost, torn, and reordered, the last one too. Inside of
 *     the size, what was lost reads as what was there before, and where nothing was, as zeros, as
 *     blocks do that were allocated only;
 *   - what was written after a truncation is not there without the truncation;
 *   - O_DIRECT makes nothing durable: disks have caches.
 *
 * Names are there when their directory was synced since; syncing the file is not enough. Else
 * the newest changes are lost, those of a directory from some moment on, or those of each name from
 * a moment of its own. A rename happens as a whole.
 *
 * How much is lost varies by chance: nothing, all, all from a moment on, or each sector for itself.
 */
#include "tests/fault/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { path_bytes = 8192 };

struct cut {
    struct history history;
    const char *base;
    const char *out;
    uint64_t seed;
    bool loses_nothing;
    uint64_t sector; /* bytes */
    bool names_apart;
    uint64_t lost_bytes, lost_names, torn_writes;
};

/* SplitMix64's output function: Steele, Lea, Flood, 2014. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint64_t roll(const struct cut *cut, uint64_t first, uint64_t second)
{
    return mix(mix(cut->seed + mix(first)) + second);
}

/* A moment between `synced` and the end: one of the two, or any. */
static uint64_t moment(const struct cut *cut, uint64_t synced, uint64_t dice)
{
    uint64_t span = cut->history.end - synced;

    switch (cut->loses_nothing ? 1 : dice % 4) {
    case 0:
        return synced;
    case 1:
        return cut->history.end;
    default:
        return synced + (dice >> 8) % (span + 1);
    }
}

/* How one file came through the cut. */
struct fate {
    uint64_t metadata; /* changes of size up to this number are there */
    uint64_t barrier;  /* the first truncation that is not */
    uint64_t data;     /* all sectors' moment, unless each has its own */
    bool sectors_apart;
};

static struct fate choose_fate(const struct cut *cut, size_t index)
{
    const struct history_file *file = &cut->history.files[index];
    uint64_t dice = roll(cut, index, 1);
    struct fate fate = {.metadata = moment(cut, file->synced, dice),
                        .barrier = UINT64_MAX,
                        .sectors_apart = (dice >> 40) % 2};

    fate.data = (dice >> 41) % 2 ? fate.metadata : moment(cut, file->synced, roll(cut, index, 2));
    for (size_t i = 0; i < file->count && fate.barrier == UINT64_MAX; i++) {
        if (file->changes[i].kind == fault_record_truncate &&
            file->changes[i].number > fate.metadata)
            fate.barrier = file->changes[i].number;
    }
    return fate;
}

static bool sector_has(const struct cut *cut, const struct fate *fate, size_t index,
                       uint64_t offset, uint64_t number)
{
    const struct history_file *file = &cut->history.files[index];
    uint64_t own = roll(cut, index, 1000 + offset / cut->sector);

    return number <= (fate->sectors_apart ? moment(cut, file->synced, own) : fate->data);
}

static void put_bytes(int fd, const struct history_change *change, uint64_t offset, size_t size)
{
    static const uint8_t zeros[4096];
    const uint8_t *bytes = change->data + (offset - change->offset);

    if (change->kind == fault_record_punch)
        bytes = zeros;
    if (pwrite(fd, bytes, size, (off_t)offset) != (ssize_t)size)
        history_die("write of a sector");
}

/* The sectors of a write, or of a hole, that made it. */
static void put_sectors(struct cut *cut, int fd, const struct fate *fate, size_t index,
                        const struct history_change *change)
{
    uint64_t end = change->offset + change->size, next;
    uint64_t lost = 0;

    for (uint64_t at = change->offset; at < end; at = next) {
        next = (at / cut->sector + 1) * cut->sector;
        next = next < end ? next : end;
        if (change->number < fate->barrier && sector_has(cut, fate, index, at, change->number))
            put_bytes(fd, change, at, next - at);
        else
            lost += next - at;
    }
    cut->lost_bytes += lost;
    cut->torn_writes += lost > 0 && lost < change->size;
}

/* Changes the file that is open as `fd`, from what was before into what is found. */
static void rebuild(struct cut *cut, int fd, size_t index)
{
    const struct history_file *file = &cut->history.files[index];
    struct fate fate = choose_fate(cut, index);
    uint64_t size;
    struct stat seen;

    if (fstat(fd, &seen) == -1)
        history_die("fstat");
    size = (uint64_t)seen.st_size;
    for (size_t i = 0; i < file->count; i++) {
        const struct history_change *change = &file->changes[i];
        bool sized = change->number <= fate.metadata;

        if (change->kind == fault_record_truncate && sized) {
            if (ftruncate(fd, (off_t)change->offset) == -1)
                history_die("truncation");
            size = change->offset;
        } else if (change->kind == fault_record_write || change->kind == fault_record_punch) {
            put_sectors(cut, fd, &fate, index, change);
        }
        if (sized && change->kind != fault_record_punch && change->offset + change->size > size)
            size = change->offset + change->size;
    }
    if (ftruncate(fd, (off_t)size) == -1)
        history_die("the file's size");
}

static bool name_change_survives(const struct cut *cut, const struct history_name_change *change)
{
    const struct history_directory *directory = &cut->history.directories[change->directory];
    uint64_t which = (uint64_t)change->directory;

    if (cut->names_apart) {
        which = 0;
        for (const char *c = change->name; *c; c++)
            which = mix(which + (uint8_t)*c);
    }
    return change->number <= moment(cut, directory->synced, roll(cut, which, 3));
}

/* Turns the names of before into those that are found. */
static void replay_names(struct cut *cut)
{
    struct history *history = &cut->history;
    struct history_name **names = &history->names;
    size_t *count = &history->name_count;

    for (size_t i = 0; i < history->name_change_count; i++) {
        const struct history_name_change *change = &history->name_changes[i];

        if (!name_change_survives(cut, change)) {
            cut->lost_names++;
            continue;
        }
        if (change->from && history_find(*names, *count, change->from) == change->file)
            history_remove(*names, count, change->from);
        if (!change->removal)
            history_set(names, count, change->name, change->file);
        else if (history_find(*names, *count, change->name) == change->file)
            history_remove(*names, count, change->name);
    }
}

static bool has_directories(const struct history *history, const char *name)
{
    char parent[path_bytes];
    const char *slash = strrchr(name, '/');

    if (!slash)
        return true;
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name), name);
    return history_find(history->names, history->name_count, parent) == history_no_file &&
           has_directories(history, parent);
}

static void make_file(struct cut *cut, const struct history_name *name)
{
    const struct history_file *file = &cut->history.files[name->file];
    char from[path_bytes], to[path_bytes];
    int fd;

    (void)snprintf(to, sizeof(to), "%s/%s", cut->out, name->name);
    if (file->base_name) {
        (void)snprintf(from, sizeof(from), "%s/%s", cut->base, file->base_name);
        if (link(from, to) == -1)
            history_die(from);
    }
    if (file->base_name && file->count == 0)
        return;
    fd = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        history_die(to);
    rebuild(cut, fd, (size_t)name->file);
    if (close(fd) == -1)
        history_die(to);
}

static int by_length(const void *a, const void *b)
{
    const struct history_name *first = a, *second = b;

    return (int)strlen(first->name) - (int)strlen(second->name);
}

static void make_tree(struct cut *cut)
{
    struct history *history = &cut->history;
    char path[path_bytes];

    if (mkdir(cut->out, 0700) == -1)
        history_die(cut->out);
    /* Directories before what is in them. */
    if (history->name_count > 0)
        qsort(history->names, history->name_count, sizeof(*history->names), by_length);
    for (size_t i = 0; i < history->name_count; i++) {
        const struct history_name *name = &history->names[i];

        if (!has_directories(history, name->name))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", cut->out, name->name);
        if (name->file != history_no_file)
            make_file(cut, name);
        else if (mkdir(path, 0700) == -1)
            history_die(path);
    }
}

int main(int argc, char **argv)
{
    struct cut cut = {0};

    if (argc != 5) {
        (void)fputs("usage: cut JOURNAL BASE OUT SEED\n", stderr);
        return 2;
    }
    cut.base = argv[2];
    cut.out = argv[3];
    cut.seed = strtoull(argv[4], NULL, 10);
    cut.loses_nothing = strcmp(argv[4], "none") == 0;
    cut.sector = roll(&cut, 0, 4) % 2 ? 512 : 4096;
    cut.names_apart = roll(&cut, 0, 5) % 2;
    history_read(argv[1], cut.base, &cut.history);
    replay_names(&cut);
    make_tree(&cut);
    (void)printf("records %llu lost_bytes %llu torn_writes %llu lost_names %llu\n",
                 (unsigned long long)cut.history.end, (unsigned long long)cut.lost_bytes,
                 (unsigned long long)cut.torn_writes, (unsigned long long)cut.lost_names);
    return EXIT_SUCCESS;
}
