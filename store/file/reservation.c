/*
 * Room on a full disk. A removed file can hold its space for three reasons, which end in this
 * order: it is open or looked up, of which the kernel tells only after close(2) and unlink(2) have
 * returned; it has something to commit, which pins it until the next commit; its frames wait for
 * the reclaim thread. And the disk itself may tell late of blocks that were given back.
 */
#include "store/file/reservation.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/index/index.h"
#include "store/inode/inode.h"
#include "store/segment/segment.h"
#include "store/tables/meta.h"
#include "store/volume.h"

#include <errno.h>
#include <time.h>

enum {
    /* RELEASE and FORGET were seen 20 ms after the calls that cause them, and ext4 to count the
     * blocks of a removed file as free 400 ms after unlink(). */
    WAIT_MS_MAX = 500,
    WAIT_STEP_MS = 10,
    /* Who has removed files open for long must not slow down every write on a full disk. */
    WAIT_PAUSE_MS = 2000,
};

/* Whether the index has a file without a name other than the writer's. */
static bool has_orphan(struct tfs_volume *volume, const struct tfs_inode *writer)
{
    struct index_range range = {.table = INDEX_ORPHAN};
    struct index_record record;
    struct index_scan *scan;
    bool found = false;

    if (index_scan_open(volume->index, &range, &scan) < 0)
        return false;
    while (!found && index_scan_next(scan, &record) > 0)
        found =
            record.key_size == META_INODE_KEY_SIZE && tfs_get_be64(record.key) != writer->number;
    index_scan_close(scan);
    return found;
}

/* Space was given back since somebody last waited in vain, if only a moment ago by the reclaim
 * thread: the disk may tell late of it. */
static bool was_given_back(struct tfs_volume *volume)
{
    return tfs_counter_get(&volume->stats.reclaimed_bytes) !=
           atomic_load_explicit(&volume->vain_wait_reclaimed, memory_order_relaxed);
}

/* Nobody has waited in vain lately, or names were changed since: files may have been removed. */
static bool is_worth_waiting(struct tfs_volume *volume)
{
    uint64_t vain_ns = atomic_load_explicit(&volume->vain_wait_ns, memory_order_relaxed);
    uint64_t changes = atomic_load_explicit(&volume->vain_wait_changes, memory_order_relaxed);

    return vain_ns == 0 || tfs_clock_ns() - vain_ns >= WAIT_PAUSE_MS * TFS_NS_PER_MS ||
           changes != atomic_load_explicit(&volume->namespace_changes, memory_order_relaxed);
}

static void note_vain_wait(struct tfs_volume *volume, uint64_t changes)
{
    atomic_store_explicit(&volume->vain_wait_reclaimed,
                          tfs_counter_get(&volume->stats.reclaimed_bytes), memory_order_relaxed);
    atomic_store_explicit(&volume->vain_wait_changes, changes, memory_order_relaxed);
    atomic_store_explicit(&volume->vain_wait_ns, tfs_clock_ns(), memory_order_relaxed);
}

/* What is asked for. */
struct wish {
    struct tfs_volume *volume;
    struct tfs_inode *writer;
    uint64_t size;
    uint64_t lent; /* of `size` */
    bool keep;     /* for later; nothing is lent then */
};

static int try(const struct wish *wish)
{
    struct tfs_segments *segments = wish->volume->segments;

    return wish->keep ? segments_keep(segments, wish->size)
                      : segments_reserve_kept(segments, wish->size, wish->lent);
}

/* The disk is full. */
static int make_room(const struct wish *wish)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * TFS_NS_PER_MS};
    struct tfs_volume *volume = wish->volume;
    uint64_t changes = atomic_load_explicit(&volume->namespace_changes, memory_order_relaxed);
    bool more = volume->give_back(volume, wish->writer) || was_given_back(volume) ||
                has_orphan(volume, wish->writer);
    int err = try(wish);

    if (err != -ENOSPC || !more || !is_worth_waiting(volume))
        return err;
    for (int ms = 0; ms < WAIT_MS_MAX && err == -ENOSPC; ms += WAIT_STEP_MS) {
        (void)nanosleep(&step, NULL); /* a shorter one does no harm */
        (void)volume->give_back(volume, wish->writer);
        err = try(wish);
    }
    if (err == -ENOSPC)
        note_vain_wait(volume, changes);
    return err;
}

static int take(const struct wish *wish)
{
    int err = try(wish);

    return err == -ENOSPC ? make_room(wish) : err;
}

int reservation_take(struct tfs_volume *volume, struct tfs_inode *writer, uint64_t size,
                     uint64_t lent)
{
    return take(&(struct wish){.volume = volume, .writer = writer, .size = size, .lent = lent});
}

int reservation_keep(struct tfs_volume *volume, struct tfs_inode *writer, uint64_t size)
{
    return take(&(struct wish){.volume = volume, .writer = writer, .size = size, .keep = true});
}
