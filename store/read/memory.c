/*
 * The pool of buffers. Invariants:
 *
 * 1. dirty_count <= dirty_count_max < buffer_count: a load can always be served by eviction.
 * 2. Takers get all their buffers at once or wait with none, so no two of them can block each
 * other.
 * 3. `returns` grows with every buffer given back, under the lock: a taker that saw no buffer
 * sleeps only while it has not grown, and so misses none.
 * 4. The lowest untouched_count of the stack were never given out; all above them are warm.
 * 5. Writers that wait stand in a line. The first alone takes, and asks for relief; so none is
 * passed by others for ever, because it needs more buffers or is slow to wake.
 */
#include "store/read/memory.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/codec/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* How long a writer sleeps before it asks for relief again; a missed condition costs no more than
 * this. */
enum { RELIEF_INTERVAL_MS = 50, HUGE_PAGE_SIZE = 2 << 20 };

/*
 * A chunk gives its 16 buffers back together. That happens every few ms where the processors are
 * the limit, every 8 on a disk of 500 MB/s. Where it takes longer than a wait, waiting gains
 * nothing: after one in vain so many buffers are touched without another.
 */
enum { WARM_WAIT_MS = 20, WARM_WAITS_APART = 128, WARM_SPARE = 64 };

struct tfs_memory {
    struct tfs_mutex lock; /* rank TFS_RANK_POOL */
    struct tfs_cond given;
    void **free_buffers;    /* guarded by lock; a stack */
    size_t free_count;      /* guarded by lock */
    size_t untouched_count; /* guarded by lock */
    size_t dirty_count;     /* guarded by lock */
    size_t impatience;      /* guarded by lock; buffers to be touched before the next wait */
    uint64_t returns;       /* guarded by lock */
    uint64_t waits;         /* guarded by lock */
    struct list writers;    /* guarded by lock; that wait, in order */
    uint8_t *region;        /* immutable */
    struct memory_options options;
};

int memory_new(const struct memory_options *options, struct tfs_memory **ret)
{
    size_t size = options->buffer_count * FRAME_BUFFER_SIZE;
    struct tfs_memory *memory;

    assert(options->dirty_count_max < options->buffer_count);
    memory = calloc(1, sizeof(*memory));
    if (!memory)
        return -ENOMEM;
    memory->options = *options;
    memory->free_buffers = calloc(options->buffer_count, sizeof(memory->free_buffers[0]));
    memory->region = aligned_alloc(HUGE_PAGE_SIZE, tfs_align_up(size, HUGE_PAGE_SIZE));
    if (!memory->free_buffers || !memory->region) {
        free(memory->region);
        free(memory->free_buffers);
        free(memory);
        return tfs_fail(-ENOMEM, "no room for %zu buffers", options->buffer_count);
    }
    (void)madvise(memory->region, size, MADV_HUGEPAGE); /* only faster */
    tfs_mutex_init(&memory->lock, TFS_RANK_POOL);
    tfs_cond_init(&memory->given);
    list_init(&memory->writers);
    for (size_t i = options->buffer_count; i > 0; i--)
        memory->free_buffers[memory->free_count++] = memory->region + (i - 1) * FRAME_BUFFER_SIZE;
    memory->untouched_count = memory->free_count;
    *ret = memory;
    return 0;
}

void memory_prefault(struct tfs_memory *memory)
{
    size_t count = tfs_min_u64(memory->options.warm_count, memory->options.buffer_count);

    (void)madvise(memory->region, count * FRAME_BUFFER_SIZE, MADV_POPULATE_WRITE); /* only faster */
}

void memory_free(struct tfs_memory *memory)
{
    if (!memory)
        return;
    assert(memory->free_count == memory->options.buffer_count);
    free(memory->region);
    tfs_cond_release(&memory->given);
    tfs_mutex_release(&memory->lock);
    free(memory->free_buffers);
    free(memory);
}

static bool take_locked(struct tfs_memory *memory, size_t count, bool dirty, void **ret)
    TFS_REQUIRES(&memory->lock)
{
    if (memory->free_count < count)
        return false;
    if (dirty && memory->dirty_count + count > memory->options.dirty_count_max)
        return false;
    for (size_t i = 0; i < count; i++)
        ret[i] = memory->free_buffers[--memory->free_count];
    if (memory->untouched_count > memory->free_count)
        memory->untouched_count = memory->free_count;
    if (dirty)
        memory->dirty_count += count;
    return true;
}

/* Returns true when it took clean ones; else *ret_returns is what memory->returns was at that
 * moment. */
static bool try_take(struct tfs_memory *memory, size_t count, void **ret, uint64_t *ret_returns)
{
    bool taken;

    tfs_mutex_lock(&memory->lock);
    taken = take_locked(memory, count, false, ret);
    *ret_returns = memory->returns;
    tfs_mutex_unlock(&memory->lock);
    return taken;
}

static void wait_for_return(struct tfs_memory *memory, uint64_t returns)
{
    uint64_t deadline = tfs_clock_ns() + RELIEF_INTERVAL_MS * TFS_NS_PER_MS;

    tfs_mutex_lock(&memory->lock);
    memory->waits++;
    while (memory->returns == returns) {
        if (!tfs_cond_wait_until(&memory->given, &memory->lock, deadline))
            break;
    }
    tfs_mutex_unlock(&memory->lock);
}

/* Whether taking so many would touch memory for the first time, though enough is warm already. */
static bool is_cold_locked(struct tfs_memory *memory, size_t count) TFS_REQUIRES(&memory->lock)
{
    size_t touched = memory->options.buffer_count - memory->untouched_count;

    return memory->free_count - memory->untouched_count < count && memory->untouched_count > 0 &&
           touched >= memory->options.warm_count;
}

/* Clean data that nobody will miss makes room. Returns true when buffers are still cold. */
static bool recycle(struct tfs_memory *memory, size_t count)
{
    bool cold;

    tfs_mutex_lock(&memory->lock);
    cold = is_cold_locked(memory, count);
    tfs_mutex_unlock(&memory->lock);
    return cold && (!memory->options.recycle ||
                    memory->options.recycle(memory->options.context, count) < count);
}

static void wait_for_warm(struct tfs_memory *memory, size_t count)
{
    uint64_t deadline = tfs_clock_ns() + WARM_WAIT_MS * TFS_NS_PER_MS;

    tfs_mutex_lock(&memory->lock);
    if (memory->impatience > 0) {
        memory->impatience -= count < memory->impatience ? count : memory->impatience;
        tfs_mutex_unlock(&memory->lock);
        return;
    }
    while (is_cold_locked(memory, count)) {
        if (!tfs_cond_wait_until(&memory->given, &memory->lock, deadline)) {
            memory->impatience = WARM_WAITS_APART;
            break;
        }
    }
    tfs_mutex_unlock(&memory->lock);
}

/* A writer in the line, on its own stack. */
struct waiting_writer {
    struct list node;
    struct tfs_cond turn; /* it is the first, or buffers were given */
};

static void wake_first_locked(struct tfs_memory *memory) TFS_REQUIRES(&memory->lock)
{
    if (!list_is_empty(&memory->writers))
        tfs_cond_signal(&list_entry(memory->writers.next, struct waiting_writer, node)->turn);
}

/* The first in the line makes room, or waits for it. Called and returns with the lock, which it
 * gives up meanwhile. Errors: of relieve(). */
static int make_room_locked(struct tfs_memory *memory, struct waiting_writer *writer, size_t count)
    TFS_REQUIRES(&memory->lock)
{
    uint64_t deadline = tfs_clock_ns() + RELIEF_INTERVAL_MS * TFS_NS_PER_MS;
    bool spent = memory->dirty_count + count > memory->options.dirty_count_max;
    uint64_t returns = memory->returns;
    size_t evicted = 0;
    int err = 0;

    tfs_mutex_unlock(&memory->lock);
    if (spent)
        err = memory->options.relieve(memory->options.context);
    else
        evicted = memory->options.evict(memory->options.context, count);
    tfs_mutex_lock(&memory->lock);
    if (err || evicted)
        return err;
    memory->waits++;
    while (memory->returns == returns) {
        if (!tfs_cond_wait_until(&writer->turn, &memory->lock, deadline))
            break;
    }
    return 0;
}

static int take_in_turn_locked(struct tfs_memory *memory, size_t count, void **ret)
    TFS_REQUIRES(&memory->lock)
{
    struct waiting_writer writer;
    int err = 0;

    tfs_cond_init(&writer.turn);
    list_push_back(&memory->writers, &writer.node);
    if (memory->writers.next != &writer.node)
        memory->waits++;
    while (memory->writers.next != &writer.node)
        tfs_cond_wait(&writer.turn, &memory->lock);
    while (!err && !take_locked(memory, count, true, ret))
        err = make_room_locked(memory, &writer, count);
    list_remove(&writer.node);
    wake_first_locked(memory);
    tfs_cond_release(&writer.turn);
    return err;
}

int memory_take_dirty(struct tfs_memory *memory, size_t count, void **ret)
{
    int err = 0;

    assert(count <= memory->options.dirty_count_max);
    if (recycle(memory, count))
        wait_for_warm(memory, count);
    tfs_mutex_lock(&memory->lock);
    if (!list_is_empty(&memory->writers) || !take_locked(memory, count, true, ret))
        err = take_in_turn_locked(memory, count, ret);
    tfs_mutex_unlock(&memory->lock);
    return err;
}

int memory_take_clean(struct tfs_memory *memory, size_t count, bool wait, void **ret)
{
    uint64_t returns;

    assert(count <= memory->options.buffer_count - memory->options.dirty_count_max);
    (void)recycle(memory, count); /* a load does not wait */
    while (!try_take(memory, count, ret, &returns)) {
        if (memory->options.evict(memory->options.context, count))
            continue;
        if (!wait)
            return -EAGAIN;
        wait_for_return(memory, returns);
    }
    return 0;
}

static void note_given_locked(struct tfs_memory *memory) TFS_REQUIRES(&memory->lock)
{
    wake_first_locked(memory);
    tfs_cond_broadcast(&memory->given);
}

static void give(struct tfs_memory *memory, size_t count, bool dirty, void **buffers)
{
    if (count == 0)
        return;
    tfs_mutex_lock(&memory->lock);
    for (size_t i = 0; i < count; i++)
        memory->free_buffers[memory->free_count++] = buffers[i];
    assert(memory->free_count <= memory->options.buffer_count);
    if (dirty) {
        assert(memory->dirty_count >= count);
        memory->dirty_count -= count;
    }
    memory->returns += count;
    note_given_locked(memory);
    tfs_mutex_unlock(&memory->lock);
}

void memory_give_dirty(struct tfs_memory *memory, size_t count, void **buffers)
{
    give(memory, count, true, buffers);
}

void memory_give_clean(struct tfs_memory *memory, size_t count, void **buffers)
{
    give(memory, count, false, buffers);
}

bool memory_has_warm_spare(struct tfs_memory *memory)
{
    bool spare;

    tfs_mutex_lock(&memory->lock);
    spare =
        memory->untouched_count == 0 || memory->free_count - memory->untouched_count >= WARM_SPARE;
    tfs_mutex_unlock(&memory->lock);
    return spare;
}

void memory_dirty_to_clean(struct tfs_memory *memory, size_t count)
{
    tfs_mutex_lock(&memory->lock);
    assert(memory->dirty_count >= count);
    memory->dirty_count -= count;
    memory->returns += count;
    note_given_locked(memory);
    tfs_mutex_unlock(&memory->lock);
}

void memory_get_status(struct tfs_memory *memory, struct memory_status *ret)
{
    tfs_mutex_lock(&memory->lock);
    *ret = (struct memory_status){
        .buffer_count = memory->options.buffer_count,
        .free_count = memory->free_count,
        .untouched_count = memory->untouched_count,
        .dirty_count = memory->dirty_count,
        .waits = memory->waits,
    };
    tfs_mutex_unlock(&memory->lock);
}
