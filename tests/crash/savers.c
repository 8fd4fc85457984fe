/*
 * The savers that have their files for themselves: one thread each, writing the way that programs
 * save checkpoints, until a call fails.
 */
#include "tests/crash/crash.h"
#include "tests/crash/saver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { path_bytes = 512 };

static const char *format_path(char path[path_bytes], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *format_path(char path[path_bytes], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(path, path_bytes, format, arguments);
    va_end(arguments);
    return path;
}

enum { want_fsync = 1, want_size_first = 2 };

/* Makes or empties `path` and writes a whole version; closes it in any case. */
static bool write_whole(struct saver *saver, const char *path, uint64_t file, uint64_t version,
                        int wants)
{
    size_t size = crash_size(file, version);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    bool good;

    if (fd == -1)
        return saver_failed(saver, "open");
    good = !(wants & want_size_first) || ftruncate(fd, (off_t)size) == 0 ||
           saver_failed(saver, "ftruncate");
    good = good && saver_write_range(saver, fd, file, version, 0, size);
    good = good && (!(wants & want_fsync) || fsync(fd) == 0 || saver_failed(saver, "fsync"));
    if (close(fd) == -1 && good)
        return saver_failed(saver, "close");
    return good;
}

static bool sync_directory(struct saver *saver, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    bool good;

    if (fd == -1)
        return saver_failed(saver, "open of a directory");
    good = fsync(fd) == 0 || saver_failed(saver, "fsync of a directory");
    (void)close(fd); /* nothing was written through it */
    return good;
}

/* After a rename in the root: makes it as durable as the death that is awaited asks for. */
static bool settle(struct saver *saver)
{
    return saver->death == crash_of_process || sync_directory(saver, ".");
}

static bool point_latest(struct saver *saver)
{
    struct crash_slot *slot = &saver->record->latest;
    char link[path_bytes], temporary[path_bytes], target[64];

    format_path(link, "latest");
    format_path(temporary, "latest.new");
    slot->attempted++;
    (void)snprintf(target, sizeof(target), "version-%llu", (unsigned long long)slot->attempted);
    (void)unlink(temporary); /* a crash may have left it */
    if (symlink(target, temporary) == -1)
        return saver_failed(saver, "symlink");
    if (rename(temporary, link) == -1)
        return saver_failed(saver, "rename of a symlink");
    if (!settle(saver))
        return false;
    slot->acked = slot->attempted;
    return true;
}

/* torch.save in a careful trainer: temporary name, fsync, rename, fsync of the directory. */
static bool save_torch(struct saver *saver)
{
    uint64_t which = saver_roll(saver, crash_checkpoints);
    struct crash_slot *slot = &saver->record->torch[which];
    char path[path_bytes], temporary[path_bytes];

    format_path(path, "torch-%llu.pt", (unsigned long long)which);
    format_path(temporary, "torch-%llu.tmp", (unsigned long long)which);
    slot->attempted++;
    if (!write_whole(saver, temporary, crash_file_torch + which, slot->attempted, want_fsync))
        return false;
    if (rename(temporary, path) == -1)
        return saver_failed(saver, "rename");
    if (!settle(saver))
        return false;
    slot->acked = slot->attempted;
    return point_latest(saver) && sync_directory(saver, ".");
}

/*
 * safetensors: full size first, then filled, renamed, never synced. Where the machine dies,
 * somebody else syncs the directory now and then; that must be enough for all of the file.
 */
static bool save_safetensors(struct saver *saver)
{
    uint64_t which = saver_roll(saver, crash_checkpoints);
    struct crash_slot *slot = &saver->record->safetensors[which];
    char path[path_bytes], temporary[path_bytes];

    format_path(path, "model-%llu.safetensors", (unsigned long long)which);
    format_path(temporary, "model-%llu.tmp", (unsigned long long)which);
    slot->attempted++;
    if (!write_whole(saver, temporary, crash_file_safetensors + which, slot->attempted,
                     want_size_first))
        return false;
    if (rename(temporary, path) == -1)
        return saver_failed(saver, "rename");
    if (saver->death == crash_of_machine && saver_roll(saver, 2) == 0)
        return true;
    if (!settle(saver))
        return false;
    slot->acked = slot->attempted;
    return true;
}

static bool begin_log(struct saver *saver, uint64_t number)
{
    struct crash_log *log = &saver->record->logs[number % crash_logs];
    char path[path_bytes];
    uint64_t old = log->number;

    log->number = 0; /* from here on nobody expects the old one */
    if (old != 0 && unlink(format_path(path, "log-%llu", (unsigned long long)old)) == -1)
        return saver_failed(saver, "unlink of a log");
    log->bytes.attempted = 0;
    log->bytes.acked = 0;
    log->number = number;
    return true;
}

/* The newest log, or a new one when that is full. */
static struct crash_log *current_log(struct saver *saver)
{
    struct crash_log *newest = NULL;
    uint64_t number = 0;

    for (int i = 0; i < crash_logs; i++) {
        if (saver->record->logs[i].number > number) {
            newest = &saver->record->logs[i];
            number = newest->number;
        }
    }
    if (newest && newest->bytes.acked < crash_log_bytes_max)
        return newest;
    return begin_log(saver, number + 1) ? &saver->record->logs[(number + 1) % crash_logs] : NULL;
}

/* Appends of odd lengths, each with fsync, a few hundred to an open of the file. */
static bool save_log(struct saver *saver)
{
    struct crash_log *log = current_log(saver);
    uint64_t number = log ? (uint64_t)log->number : 0;
    char path[path_bytes];
    bool good = true;
    struct stat seen;
    int fd;

    if (!log)
        return false;
    format_path(path, "log-%llu", (unsigned long long)number);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd == -1)
        return saver_failed(saver, "open of a log");
    if (fstat(fd, &seen) == -1) {
        (void)close(fd);
        return saver_failed(saver, "fstat");
    }
    for (uint64_t at = (uint64_t)seen.st_size, i = 0; good && i < 300; i++) {
        size_t length = 1 + saver_roll(saver, i % 10 ? 300 : 9000);
        ssize_t count;

        log->bytes.attempted = at + length;
        crash_content(crash_file_log, number, at, saver->buffer, length);
        count = write(fd, saver->buffer, length);
        good = count == (ssize_t)length || saver_failed(saver, "append");
        good = good && (fsync(fd) == 0 || saver_failed(saver, "fsync of a log"));
        at += length;
        if (good)
            log->bytes.acked = at;
    }
    if (close(fd) == -1 && good)
        return saver_failed(saver, "close of a log");
    return good;
}

static bool create_in_place(struct saver *saver, int fd)
{
    struct crash_slot *blocks = saver->record->in_place;

    if (blocks[crash_blocks - 1].acked > 0)
        return true;
    for (uint64_t i = 0; i < crash_blocks; i++) {
        blocks[i].attempted++;
        if (!saver_write_range(saver, fd, crash_file_in_place, blocks[i].attempted, i * crash_block,
                               crash_block))
            return false;
    }
    if (fsync(fd) == -1)
        return saver_failed(saver, "fsync of a new file");
    for (uint64_t i = 0; i < crash_blocks; i++)
        blocks[i].acked = (uint64_t)blocks[i].attempted;
    return true;
}

/* A run of blocks is overwritten where it is, then fsync. */
static bool overwrite_blocks(struct saver *saver, int fd)
{
    struct crash_slot *blocks = saver->record->in_place;
    uint64_t count = 1 + saver_roll(saver, 30), first = saver_roll(saver, crash_blocks - count + 1);

    for (uint64_t i = first; i < first + count; i++) {
        blocks[i].attempted++;
        if (!saver_write_range(saver, fd, crash_file_in_place, blocks[i].attempted, i * crash_block,
                               crash_block))
            return false;
    }
    if (fsync(fd) == -1)
        return saver_failed(saver, "fsync of an overwrite");
    for (uint64_t i = first; i < first + count; i++)
        blocks[i].acked = (uint64_t)blocks[i].attempted;
    return true;
}

static bool save_in_place(struct saver *saver)
{
    char path[path_bytes];
    int fd = open(format_path(path, "in-place"), O_RDWR | O_CREAT, 0644);
    bool good;

    if (fd == -1)
        return saver_failed(saver, "open");
    good = create_in_place(saver, fd);
    for (int i = 0; good && i < 20; i++)
        good = overwrite_blocks(saver, fd);
    if (close(fd) == -1 && good)
        return saver_failed(saver, "close");
    return good;
}

static bool remove_step(struct saver *saver, uint64_t step)
{
    struct crash_slot *removed = &saver->record->removed;
    char path[path_bytes];

    removed->attempted = step;
    for (int i = 0; i < crash_step_files; i++) {
        for (int temporary = 0; temporary < 2; temporary++) {
            format_path(path, "step-%llu/%d%s", (unsigned long long)step, i,
                        temporary ? ".tmp" : "");
            if (unlink(path) == -1 && errno != ENOENT)
                return saver_failed(saver, "unlink");
        }
    }
    format_path(path, "step-%llu", (unsigned long long)step);
    if (rmdir(path) == -1 && errno != ENOENT)
        return saver_failed(saver, "rmdir");
    if (!sync_directory(saver, "."))
        return false;
    removed->acked = step;
    return true;
}

/* Many small files: in odd steps each with fsync, in even ones each renamed into place. */
static bool save_step(struct saver *saver)
{
    struct crash_record *record = saver->record;
    uint64_t step = record->step + 1;
    char folder[path_bytes], path[path_bytes], temporary[path_bytes];

    while (record->removed.acked + crash_steps_kept < step) {
        if (!remove_step(saver, record->removed.acked + 1))
            return false;
    }
    record->step_files = 0;
    record->step = step;
    if (mkdir(format_path(folder, "step-%llu", (unsigned long long)step), 0755) == -1)
        return saver_failed(saver, "mkdir");
    for (int i = 0; i < crash_step_files; i++) {
        uint64_t file = crash_file_step + (uint64_t)i;

        format_path(path, "step-%llu/%d", (unsigned long long)step, i);
        format_path(temporary, "step-%llu/%d.tmp", (unsigned long long)step, i);
        if (!write_whole(saver, step % 2 ? path : temporary, file, step, step % 2 ? want_fsync : 0))
            return false;
        if (step % 2 == 0 && rename(temporary, path) == -1)
            return saver_failed(saver, "rename");
        if (step % 2 || saver->death == crash_of_process)
            record->step_files++;
    }
    if (!sync_directory(saver, folder) || !sync_directory(saver, "."))
        return false;
    record->steps_acked[step % crash_steps_checked] = step;
    return true;
}

/* A careless saver that empties the old file and writes the new one in its place. */
static bool save_rewrite(struct saver *saver)
{
    struct crash_slot *slot = &saver->record->rewrite;
    char path[path_bytes];

    slot->attempted++;
    if (!write_whole(saver, format_path(path, "rewrite"), crash_file_rewrite, slot->attempted,
                     want_fsync))
        return false;
    slot->acked = slot->attempted;
    return true;
}

/* Written front to back and closed, nothing more; nothing is ever promised but the right bytes. */
static bool save_stream(struct saver *saver)
{
    uint64_t which = saver_roll(saver, crash_streams);
    struct crash_slot *slot = &saver->record->streams[which];
    char path[path_bytes];

    format_path(path, "stream-%llu", (unsigned long long)which);
    if (unlink(path) == -1 && errno != ENOENT)
        return saver_failed(saver, "unlink");
    slot->attempted++;
    return write_whole(saver, path, crash_file_stream + which, slot->attempted, 0);
}

static const struct saver_kind kinds[] = {
    {"torch", save_torch},   {"safetensors", save_safetensors},
    {"log", save_log},       {"in place", save_in_place},
    {"steps", save_step},    {"rewrite", save_rewrite},
    {"stream", save_stream},
};

bool crash_save(struct crash_record *record, uint64_t seed, enum crash_death death)
{
    return saver_run_all(kinds, sizeof(kinds) / sizeof(kinds[0]), record, seed, death);
}

/* The log beside them keeps commits on their way, so that others wait for their turn: much can
 * happen between the write-back that a promise begins with and its commit. */
bool crash_share(struct crash_record *record, uint64_t seed)
{
    static const struct saver_kind together[] = {
        {"shared", sharers_save}, {"cut", cutters_save}, {"log", save_log}};

    return saver_run_all(together, sizeof(together) / sizeof(together[0]), record, seed,
                         crash_of_process);
}
