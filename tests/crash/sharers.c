/*
 * Threads that write one file at the same time: each its own blocks, and each promises in its own
 * way. A promise covers all that any of them had written when it was asked for.
 *
 * Two fill the first part of the file in small pieces, without a pause, while the others make it
 * grow behind that. Some of these promise then, and after that comes nothing but small pieces for a
 * moment: a filesystem that shows less than it promised because somebody still writes below has
 * lost much if it dies now. In generations of odd number the file grows
 * as it is written; in even ones it has its size from the start, and one thread writes through a
 * mapping.
 */
#include "tests/crash/saver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    file_bytes = crash_shared_blocks * crash_block,
    stripe_blocks = 64,
    stripe_count = crash_shared_blocks / stripe_blocks,
    filler_count = 2,                  /* the first roles */
    filler_stripes = stripe_count / 4, /* of each: together a chunk */
    busy_stripes = 4,                  /* of one's own between promises, in busy generations */
    changes_max = 20,
    run_blocks_max = 30,
    rest_ms_max = 1000,
};

struct sharer;

/* How a sharer fills a stripe, and how it promises. */
struct role {
    const char *name;
    bool (*fill)(struct sharer *sharer, uint64_t first);
    bool (*promise)(struct sharer *sharer);
};

/* One generation of the file. */
struct share {
    struct crash_shared *record;
    uint64_t file;
    bool sized;        /* from the start */
    unsigned promiser; /* who does it at the end */
    bool busy;         /* changed and promised all the time */
    uint8_t *mapping;  /* of the file when it is sized */
    /* The newest version of each block whose write has returned. */
    _Atomic uint64_t written[crash_shared_blocks];
    _Atomic unsigned growers; /* that have not ended: the others */
};

struct sharer {
    struct saver saver;
    struct share *share;
    const struct role *role;
    unsigned number; /* of the role */
    int fd;
    uint64_t seen[crash_shared_blocks]; /* versions that were written when a promise was asked */
    pthread_t thread;
};

static void raise_to(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t now = atomic_load(value);

    while (now < to && !atomic_compare_exchange_weak(value, &now, to))
        ;
}

/* Asks for a promise, and records it when it was given. */
static bool promise(struct sharer *sharer)
{
    struct share *share = sharer->share;

    for (size_t i = 0; i < crash_shared_blocks; i++)
        sharer->seen[i] = share->written[i];
    if (!sharer->role->promise(sharer))
        return false;
    for (size_t i = 0; i < crash_shared_blocks; i++)
        raise_to(&share->record->blocks[i].acked, sharer->seen[i]);
    return true;
}

static bool by_fsync(struct sharer *sharer)
{
    return fsync(sharer->fd) == 0 || saver_failed(&sharer->saver, "fsync");
}

static bool by_fdatasync(struct sharer *sharer)
{
    return fdatasync(sharer->fd) == 0 || saver_failed(&sharer->saver, "fdatasync");
}

static bool by_close(struct sharer *sharer)
{
    int fd = dup(sharer->fd);

    if (fd == -1)
        return saver_failed(&sharer->saver, "dup");
    return close(fd) == 0 || saver_failed(&sharer->saver, "close");
}

static bool by_rename(struct sharer *sharer)
{
    struct crash_shared *record = sharer->share->record;
    char from[crash_name_bytes], to[crash_name_bytes];

    crash_shared_name(record->generation, record->renames.acked, from);
    record->renames.attempted = record->renames.acked + 1;
    crash_shared_name(record->generation, record->renames.attempted, to);
    if (rename(from, to) == -1)
        return saver_failed(&sharer->saver, "rename");
    record->renames.acked = (uint64_t)record->renames.attempted;
    return true;
}

/* The next version that is data, or that is none. */
static uint64_t next_version(uint64_t version, bool hole)
{
    do
        version++;
    while (crash_is_hole(version) != hole);
    return version;
}

static void begin_run(struct sharer *sharer, uint64_t first, uint64_t count, bool hole)
{
    struct crash_slot *blocks = sharer->share->record->blocks;

    for (uint64_t i = first; i < first + count; i++)
        blocks[i].attempted = next_version(blocks[i].attempted, hole);
}

static void end_run(struct sharer *sharer, uint64_t first, uint64_t count)
{
    struct share *share = sharer->share;

    for (uint64_t i = first; i < first + count; i++)
        share->written[i] = (uint64_t)share->record->blocks[i].attempted;
}

static void make_run(struct sharer *sharer, uint64_t first, uint64_t count)
{
    struct share *share = sharer->share;

    for (uint64_t i = 0; i < count; i++)
        crash_block_content(share->file, share->record->blocks[first + i].attempted, first + i,
                            sharer->saver.buffer + i * crash_block);
}

static bool write_run(struct sharer *sharer, uint64_t first, uint64_t count)
{
    size_t size = count * crash_block;

    begin_run(sharer, first, count, false);
    make_run(sharer, first, count);
    if (pwrite(sharer->fd, sharer->saver.buffer, size, (off_t)(first * crash_block)) !=
        (ssize_t)size)
        return saver_failed(&sharer->saver, "write");
    end_run(sharer, first, count);
    return true;
}

static bool punch_run(struct sharer *sharer, uint64_t first, uint64_t count)
{
    begin_run(sharer, first, count, true);
    if (fallocate(sharer->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(first * crash_block), (off_t)(count * crash_block)) == -1)
        return saver_failed(&sharer->saver, "fallocate");
    end_run(sharer, first, count);
    return true;
}

static bool fill_at_once(struct sharer *sharer, uint64_t first)
{
    return write_run(sharer, first, stripe_blocks);
}

/* Pieces of any size, so that others never find the blocks at rest. */
static bool fill_in_pieces(struct sharer *sharer, uint64_t first)
{
    struct saver *saver = &sharer->saver;

    for (uint64_t block = first; block < first + stripe_blocks; block++) {
        begin_run(sharer, block, 1, false);
        make_run(sharer, block, 1);
        for (size_t done = 0; done < crash_block;) {
            size_t piece = 8 + saver_roll(saver, 300);

            if (piece > crash_block - done)
                piece = crash_block - done;
            if (pwrite(sharer->fd, saver->buffer + done, piece,
                       (off_t)(block * crash_block + done)) != (ssize_t)piece)
                return saver_failed(saver, "write of a piece");
            done += piece;
        }
        end_run(sharer, block, 1);
    }
    return true;
}

/* A page that a dead filesystem should bring is SIGBUS. */
static _Thread_local sigjmp_buf *out_of_bus;

static void on_bus(int number)
{
    (void)number;
    if (!out_of_bus)
        abort();
    siglongjmp(*out_of_bus, 1);
}

static bool store(uint8_t *to, const uint8_t *from, size_t size)
{
    sigjmp_buf out;

    if (sigsetjmp(out, 1)) {
        out_of_bus = NULL;
        return false;
    }
    out_of_bus = &out;
    memcpy(to, from, size);
    out_of_bus = NULL;
    return true;
}

/* Pieces stored, and sent off by the kernel, beside whom a write waits for an fsync. Nobody is told
 * that they are there. */
static bool fill_in_stores(struct sharer *sharer, uint64_t first)
{
    struct share *share = sharer->share;
    struct saver *saver = &sharer->saver;

    if (!share->mapping)
        return fill_in_pieces(sharer, first);
    for (uint64_t block = first; block < first + stripe_blocks; block++) {
        begin_run(sharer, block, 1, false);
        make_run(sharer, block, 1);
        for (size_t done = 0; done < crash_block; done += 512) {
            off_t at = (off_t)(block * crash_block + done);

            errno = EIO;
            if (!store(share->mapping + at, saver->buffer + done, 512))
                return saver_failed(saver, "store of a piece");
            if (sync_file_range(sharer->fd, at, 512, SYNC_FILE_RANGE_WRITE) == -1)
                return saver_failed(saver, "sync_file_range");
        }
    }
    return true;
}

/* Stored and synced: what was only stored no other way of promising covers. */
static bool fill_by_mapping(struct sharer *sharer, uint64_t first)
{
    struct share *share = sharer->share;
    size_t size = stripe_blocks * crash_block;
    uint8_t *at;

    if (!share->mapping)
        return write_run(sharer, first, stripe_blocks);
    at = share->mapping + first * crash_block;
    begin_run(sharer, first, stripe_blocks, false);
    make_run(sharer, first, stripe_blocks);
    errno = EIO;
    if (!store(at, sharer->saver.buffer, size))
        return saver_failed(&sharer->saver, "store");
    if (msync(at, size, MS_SYNC) == -1)
        return saver_failed(&sharer->saver, "msync");
    end_run(sharer, first, stripe_blocks);
    for (uint64_t i = first; i < first + stripe_blocks; i++)
        raise_to(&share->record->blocks[i].acked, share->written[i]);
    return true;
}

static const struct role roles[] = {
    {"filler", fill_in_pieces, by_close}, {"second filler", fill_in_stores, by_fsync},
    {"syncer", fill_at_once, by_fsync},   {"closer", fill_at_once, by_close},
    {"renamer", fill_at_once, by_rename}, {"mapper", fill_by_mapping, by_fdatasync},
};
enum { sharer_count = sizeof(roles) / sizeof(roles[0]) };

static bool is_filler(const struct sharer *sharer)
{
    return sharer->number < filler_count;
}

static uint64_t own_stripes(const struct sharer *sharer)
{
    if (is_filler(sharer))
        return filler_stripes;
    return (stripe_count - filler_count * filler_stripes) / (sharer_count - filler_count);
}

/* Parts lie one behind the other: much is still on its way when the end of one is promised. */
static uint64_t own_stripe(const struct sharer *sharer, uint64_t turn)
{
    if (is_filler(sharer))
        return sharer->number * filler_stripes + turn;
    return filler_count * filler_stripes + (sharer->number - filler_count) * own_stripes(sharer) +
           turn;
}

/* Fillers end with the others: their part may stay half filled. */
static bool fill(struct sharer *sharer)
{
    struct share *share = sharer->share;

    for (uint64_t i = 0; i < own_stripes(sharer); i++) {
        if (is_filler(sharer) && share->growers == 0)
            break;
        if (!sharer->role->fill(sharer, own_stripe(sharer, i) * stripe_blocks))
            return false;
        if (share->busy && i % busy_stripes == busy_stripes - 1 && !promise(sharer))
            return false;
    }
    return true;
}

/* Overwrites and punches blocks of its own. The mapper does not: its pages would be written by
 * whoever is asked to promise, whole. */
static bool change_again(struct sharer *sharer)
{
    struct saver *saver = &sharer->saver;
    uint64_t stripe = own_stripe(sharer, saver_roll(saver, own_stripes(sharer)));
    uint64_t count = 1 + saver_roll(saver, run_blocks_max);
    uint64_t first = stripe * stripe_blocks + saver_roll(saver, stripe_blocks - count + 1);
    bool good;

    if (sharer->role->fill == fill_by_mapping)
        good = fill_by_mapping(sharer, stripe * stripe_blocks);
    else if (saver_roll(saver, 4) == 0)
        good = punch_run(sharer, first, count);
    else
        good = write_run(sharer, first, count);
    return good && promise(sharer);
}

/* Mostly for a moment, so that there are many generations; often long enough to be killed in. */
static void rest(struct sharer *sharer)
{
    struct saver *saver = &sharer->saver;
    long ms = (long)saver_roll(saver, saver_roll(saver, 2) ? rest_ms_max : rest_ms_max / 50);
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL); /* cut short is as good */
}

static bool grow(struct sharer *sharer)
{
    struct saver *saver = &sharer->saver;
    bool good = fill(sharer);

    for (uint64_t left = saver_roll(saver, changes_max); sharer->share->busy && left > 0; left--)
        good = good && change_again(sharer);
    if (sharer->number == sharer->share->promiser)
        good = good && promise(sharer);
    if (good)
        rest(sharer);
    return good;
}

static void *share_one_generation(void *context)
{
    struct sharer *sharer = context;

    if (is_filler(sharer)) {
        (void)fill(sharer); /* who fails says so in its saver */
    } else {
        (void)grow(sharer);
        sharer->share->growers--;
    }
    return NULL;
}

/* A write waits for an fsync of the same file in the kernel already; one that comes out of a
 * mapping does not, nor for a close or a rename. */
static unsigned draw_promiser(struct saver *saver, bool sized)
{
    unsigned drawn;

    do
        drawn = filler_count + (unsigned)saver_roll(saver, sharer_count - filler_count);
    while (!sized && roles[drawn].promise != by_close && roles[drawn].promise != by_rename);
    return drawn;
}

static bool map_file(struct saver *saver, struct share *share, int fd)
{
    if (!share->sized)
        return true;
    if (ftruncate(fd, file_bytes) == -1)
        return saver_failed(saver, "ftruncate");
    share->mapping = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (share->mapping != MAP_FAILED)
        return true;
    share->mapping = NULL;
    return saver_failed(saver, "mmap");
}

/* The record of a new generation: from the first line on nobody expects the old file, from the last
 * on the new one is expected. Returns its descriptor, -1 after an error. */
static int begin_generation(struct saver *saver, struct share *share)
{
    struct crash_shared *record = share->record;
    uint64_t old = record->newest, generation = old + 1;
    char name[crash_name_bytes];
    int fd;

    record->generation = 0;
    for (uint64_t renames = 0; renames < 2; renames++) {
        crash_shared_name(old, renames, name);
        if (unlink(name) == -1 && errno != ENOENT) {
            (void)saver_failed(saver, "unlink");
            return -1;
        }
    }
    memset(record->blocks, 0, sizeof(record->blocks));
    record->renames.attempted = 0;
    record->renames.acked = 0;
    record->newest = generation;
    share->file = crash_shared_file(generation);
    share->sized = generation % 3 == 0;
    share->promiser = draw_promiser(saver, share->sized);
    share->busy = saver_roll(saver, 6) == 0;
    share->growers = sharer_count - filler_count;
    crash_shared_name(generation, 0, name);
    fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
    if (fd == -1) {
        (void)saver_failed(saver, "open of a new file");
        return -1;
    }
    if (!map_file(saver, share, fd)) {
        (void)close(fd);
        return -1;
    }
    record->generation = generation;
    return fd;
}

/* A descriptor of its own, which the filesystem knows as another open. */
static bool begin_sharer(struct sharer *sharer, const struct saver *saver, struct share *share,
                         unsigned number)
{
    char name[crash_name_bytes];

    *sharer =
        (struct sharer){.saver = *saver, .share = share, .role = &roles[number], .number = number};
    sharer->saver.name = roles[number].name;
    sharer->saver.dice += number;
    sharer->saver.buffer = malloc(saver_piece_bytes);
    crash_shared_name(share->record->generation, 0, name);
    sharer->fd = open(name, number % 2 ? O_WRONLY : O_RDWR);
    if (!sharer->saver.buffer)
        return false;
    return sharer->fd != -1 || saver_failed(&sharer->saver, "open of a shared file");
}

static void end_sharer(struct sharer *sharer, struct saver *saver)
{
    saver->unexpected = saver->unexpected || sharer->saver.unexpected;
    saver->error = saver->error ? saver->error : sharer->saver.error;
    if (sharer->fd != -1)
        (void)close(sharer->fd); /* promised already, or dead */
    free(sharer->saver.buffer);
}

/* All open the file before the first renames it. */
static void run_sharers(struct saver *saver, struct share *share)
{
    static struct sharer sharers[sharer_count];
    bool good = true;

    for (unsigned i = 0; i < sharer_count; i++)
        good = begin_sharer(&sharers[i], saver, share, i) && good;
    for (unsigned i = 0; good && i < sharer_count; i++) {
        if (pthread_create(&sharers[i].thread, NULL, share_one_generation, &sharers[i]) != 0) {
            perror("a sharer");
            exit(EXIT_FAILURE);
        }
    }
    for (unsigned i = 0; good && i < sharer_count; i++)
        (void)pthread_join(sharers[i].thread, NULL);
    for (unsigned i = 0; i < sharer_count; i++)
        end_sharer(&sharers[i], saver);
    saver->error = saver->error ? saver->error : !good;
}

bool sharers_save(struct saver *saver)
{
    struct share *share = calloc(1, sizeof(*share));
    int fd = -1;

    if (share) {
        share->record = &saver->record->shared;
        (void)signal(SIGBUS, on_bus);
        fd = begin_generation(saver, share);
    }
    if (fd != -1) {
        saver->dice += saver_roll(saver, 1000);
        run_sharers(saver, share);
        (void)close(fd); /* nothing was written through it but the mapping, which was synced */
    }
    if (share && share->mapping)
        (void)munmap(share->mapping, file_bytes);
    free(share);
    return fd != -1 && !saver->error;
}
