/*
 * One who writes, cuts, punches and copies, and two who do nothing but have the file committed, by
 * close and by fsync, at any moment: what a commit has taken of the file must not come back, and
 * what it is just putting away must not be missed. That shows while the filesystem lives, so it is
 * looked at at once, and after the crash again.
 */
#include "tests/crash/saver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { file_bytes = crash_cut_blocks * crash_block, run_blocks_max = 64, rounds = 200 };

struct cutter {
    struct saver *saver;
    struct crash_slot *blocks; /* of the file */
    struct crash_slot *copied; /* of the copy */
    int fd;
    int copy_fd;
    atomic_bool ended;
};

/* A run of blocks. */
struct run {
    uint64_t first;
    uint64_t count;
};

static struct run draw_run(struct saver *saver)
{
    struct run run = {.count = 1 + saver_roll(saver, run_blocks_max)};

    run.first = saver_roll(saver, crash_cut_blocks - run.count + 1);
    if (saver_roll(saver, 2) == 0) { /* a whole chunk, which can be shared */
        run.count = run_blocks_max;
        run.first -= run.first % run_blocks_max;
    }
    return run;
}

static void begin_run(struct crash_slot *blocks, struct run run, bool hole)
{
    for (uint64_t i = run.first; i < run.first + run.count; i++) {
        do
            blocks[i].attempted++;
        while (crash_is_hole(blocks[i].attempted) != hole);
    }
}

static bool write_run(struct cutter *cutter, struct run run)
{
    uint8_t *buffer = cutter->saver->buffer;
    size_t size = run.count * crash_block;

    begin_run(cutter->blocks, run, false);
    for (uint64_t i = 0; i < run.count; i++)
        crash_block_content(crash_file_cut, cutter->blocks[run.first + i].attempted, run.first + i,
                            buffer + i * crash_block);
    if (pwrite(cutter->fd, buffer, size, (off_t)(run.first * crash_block)) != (ssize_t)size)
        return saver_failed(cutter->saver, "write");
    return true;
}

static bool punch_run(struct cutter *cutter, struct run run)
{
    begin_run(cutter->blocks, run, true);
    return fallocate(cutter->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)(run.first * crash_block), (off_t)(run.count * crash_block)) == 0 ||
           saver_failed(cutter->saver, "fallocate");
}

/* From there on everything goes, and comes back as a hole. */
static bool cut(struct cutter *cutter, struct run run)
{
    run.count = crash_cut_blocks - run.first;
    begin_run(cutter->blocks, run, true);
    if (ftruncate(cutter->fd, (off_t)(run.first * crash_block)) == -1 ||
        ftruncate(cutter->fd, file_bytes) == -1)
        return saver_failed(cutter->saver, "ftruncate");
    return true;
}

static bool copy_run(struct cutter *cutter, struct run run)
{
    off_t from = (off_t)(run.first * crash_block), to = from;
    size_t left = run.count * crash_block;

    for (uint64_t i = run.first; i < run.first + run.count; i++)
        cutter->copied[i].attempted = (uint64_t)cutter->blocks[i].attempted;
    while (left > 0) {
        ssize_t count = copy_file_range(cutter->fd, &from, cutter->copy_fd, &to, left, 0);

        if (count <= 0)
            return saver_failed(cutter->saver, "copy_file_range");
        left -= (size_t)count;
    }
    return true;
}

/* What is read of the run is what was done to it last. */
static bool look(struct cutter *cutter, int fd, const struct crash_slot *blocks, struct run run)
{
    uint8_t seen[crash_block], wanted[crash_block];

    for (uint64_t i = run.first; i < run.first + run.count; i++) {
        if (pread(fd, seen, crash_block, (off_t)(i * crash_block)) != crash_block)
            return saver_failed(cutter->saver, "read");
        crash_block_content(crash_file_cut, blocks[i].attempted, i, wanted);
        if (memcmp(seen, wanted, crash_block) != 0)
            return saver_is_told_wrong(cutter->saver, "block %llu of the %s is not version %llu",
                                       (unsigned long long)i, fd == cutter->fd ? "file" : "copy",
                                       (unsigned long long)blocks[i].attempted);
    }
    return true;
}

/* A block that was just written is no hole. */
static bool seek(struct cutter *cutter, struct run run)
{
    off_t at = (off_t)(run.first * crash_block);
    off_t found = lseek(cutter->fd, at, SEEK_DATA);

    if (found == -1 && errno != ENXIO)
        return saver_failed(cutter->saver, "lseek");
    if (found != at)
        return saver_is_told_wrong(cutter->saver, "SEEK_DATA from %lld, which is data: %lld",
                                   (long long)at, (long long)found);
    return true;
}

static bool sync_file(struct cutter *cutter, int fd, struct crash_slot *blocks)
{
    if (fsync(fd) == -1)
        return saver_failed(cutter->saver, "fsync");
    for (size_t i = 0; i < crash_cut_blocks; i++)
        blocks[i].acked = (uint64_t)blocks[i].attempted;
    return true;
}

static bool change(struct cutter *cutter)
{
    struct saver *saver = cutter->saver;
    struct run run = draw_run(saver);
    bool good = write_run(cutter, run);

    switch (saver_roll(saver, 5)) {
    case 0:
        good = good && punch_run(cutter, run);
        break;
    case 1:
        good = good && cut(cutter, run);
        break;
    case 2:
        good = good && copy_run(cutter, run) && look(cutter, cutter->copy_fd, cutter->copied, run);
        break;
    default:
        good = good && seek(cutter, run);
    }
    good = good && look(cutter, cutter->fd, cutter->blocks, run);
    if (good && saver_roll(saver, 3) == 0)
        good = sync_file(cutter, cutter->fd, cutter->blocks) &&
               sync_file(cutter, cutter->copy_fd, cutter->copied);
    return good;
}

/* Errors are the cutter's to see. */
static void *close_again(void *context)
{
    struct cutter *cutter = context;

    while (!atomic_load(&cutter->ended)) {
        int fd = dup(cutter->fd);

        if (fd == -1 || close(fd) == -1)
            break;
    }
    return NULL;
}

static void *sync_again(void *context)
{
    struct cutter *cutter = context;

    while (!atomic_load(&cutter->ended)) {
        if (fsync(cutter->fd) == -1)
            break;
    }
    return NULL;
}

/* After a crash nobody knows which of the possible versions a block has, in either file. */
static bool write_all(struct cutter *cutter)
{
    for (uint64_t first = 0; first < crash_cut_blocks; first += run_blocks_max) {
        if (!write_run(cutter, (struct run){first, run_blocks_max}))
            return false;
    }
    if (ftruncate(cutter->copy_fd, file_bytes) == -1)
        return saver_failed(cutter->saver, "ftruncate of the copy");
    return copy_run(cutter, (struct run){0, crash_cut_blocks}) &&
           sync_file(cutter, cutter->copy_fd, cutter->copied) &&
           sync_file(cutter, cutter->fd, cutter->blocks);
}

static bool work(struct cutter *cutter)
{
    pthread_t closer, syncer;
    bool good = write_all(cutter);

    if (!good)
        return false;
    if (pthread_create(&closer, NULL, close_again, cutter) != 0 ||
        pthread_create(&syncer, NULL, sync_again, cutter) != 0) {
        perror("a committer");
        exit(EXIT_FAILURE);
    }
    for (int i = 0; good && i < rounds; i++)
        good = change(cutter);
    atomic_store(&cutter->ended, true);
    (void)pthread_join(closer, NULL);
    (void)pthread_join(syncer, NULL);
    return good;
}

bool cutters_save(struct saver *saver)
{
    struct cutter cutter = {.saver = saver,
                            .blocks = saver->record->cut,
                            .copied = saver->record->copied,
                            .fd = open("cut", O_RDWR | O_CREAT, 0644),
                            .copy_fd = open("copied", O_RDWR | O_CREAT, 0644)};
    bool good = (cutter.fd != -1 && cutter.copy_fd != -1) || saver_failed(saver, "open");

    good = good && work(&cutter);
    if (cutter.fd != -1)
        (void)close(cutter.fd);
    if (cutter.copy_fd != -1)
        (void)close(cutter.copy_fd); /* whoever needs a promise asked for it */
    return good;
}
