/*
 * A stream is a thread with a queue. Before each piece of work it gives way now and then, so that
 * what should have waited for it runs first.
 */
#include "store/base/clock.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "tests/gpu/emulator/device.h"
#include "tests/gpu/emulator/grid.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct work {
    struct list node;
    void (*run)(struct work *work, cudaStream_t stream);
    void *to;
    const void *from;
    size_t size;
    int value;
    cudaEvent_t event;
    struct emulator_kernel kernel;
    unsigned block_count;
    unsigned block_size;
};

struct CUstream_st {
    pthread_t thread;
    struct tfs_mutex lock;
    struct tfs_cond changed;
    struct list queue; /* guarded by lock */
    bool is_working;   /* guarded by lock: a piece of work is off the queue and not yet done */
    bool is_ending;    /* guarded by lock */
};

struct CUevent_st {
    struct tfs_mutex lock;
    struct tfs_cond done;
    unsigned recorded_count; /* guarded by lock */
    unsigned done_count;     /* guarded by lock; never more than recorded_count */
    uint64_t time_ns;        /* guarded by lock; of the newest that is done */
    bool has_time;
};

/* The device runs one kernel at a time; its threads are made once, for the life of the process. */
static struct tfs_mutex kernel_lock = {PTHREAD_MUTEX_INITIALIZER, TFS_RANK_LEAF};
static struct grid *grid; /* guarded by kernel_lock */

/* ---- the stream's thread ---- */

static struct work *stream_take(cudaStream_t stream)
{
    struct list *node;

    tfs_mutex_lock(&stream->lock);
    stream->is_working = false;
    tfs_cond_broadcast(&stream->changed);
    while (list_is_empty(&stream->queue) && !stream->is_ending)
        tfs_cond_wait(&stream->changed, &stream->lock);
    node = list_pop_front(&stream->queue);
    stream->is_working = node != NULL;
    tfs_mutex_unlock(&stream->lock);
    return node ? list_entry(node, struct work, node) : NULL;
}

static void *stream_main(void *argument)
{
    cudaStream_t stream = argument;
    unsigned seed = 1;
    struct work *work;

    for (;;) {
        work = stream_take(stream);
        if (!work)
            return NULL;
        for (int yields = rand_r(&seed) % 3; yields > 0; yields--)
            (void)sched_yield();
        work->run(work, stream);
        free(work);
    }
}

/* The pieces of work. An event is also reached when the device is lost: nobody waits for ever. */

static void run_copy(struct work *work, cudaStream_t stream)
{
    (void)stream;
    if (device_admit_work())
        memcpy(work->to, work->from, work->size);
}

static void run_set(struct work *work, cudaStream_t stream)
{
    (void)stream;
    if (device_admit_work())
        memset(work->to, work->value, work->size);
}

static void run_kernel(struct work *work, cudaStream_t stream)
{
    (void)stream;
    if (!device_admit_work())
        return;
    tfs_mutex_lock(&kernel_lock);
    if (!grid)
        grid = grid_new();
    if (!grid)
        device_misused("no memory for a kernel's threads");
    grid_run(grid, &work->kernel, work->block_count, work->block_size);
    tfs_mutex_unlock(&kernel_lock);
}

static void run_event(struct work *work, cudaStream_t stream)
{
    cudaEvent_t event = work->event;

    (void)stream;
    tfs_mutex_lock(&event->lock);
    event->time_ns = tfs_clock_ns();
    event->done_count++;
    tfs_cond_broadcast(&event->done);
    tfs_mutex_unlock(&event->lock);
}

/* ---- queueing ---- */

/* The default stream has no thread: its work is done here. */
static cudaError_t queue(cudaStream_t stream, const struct work *template)
{
    struct work *work = malloc(sizeof(*work));

    if (!work)
        return device_report(cudaErrorMemoryAllocation);
    *work = *template;
    if (!stream) {
        work->run(work, NULL);
        free(work);
        return cudaSuccess;
    }
    tfs_mutex_lock(&stream->lock);
    list_push_back(&stream->queue, &work->node);
    tfs_cond_broadcast(&stream->changed);
    tfs_mutex_unlock(&stream->lock);
    return cudaSuccess;
}

static void copy_check(const void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                       bool *ret_pageable)
{
    const enum memory_side to_side = memory_side(to, size);
    const enum memory_side from_side = memory_side(from, size);
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;

    if ((to_side == MEMORY_DEVICE) != to_device || (from_side == MEMORY_DEVICE) != from_device)
        device_misused("a copy between other sides than it says");
    *ret_pageable = to_side == MEMORY_PAGEABLE || from_side == MEMORY_PAGEABLE;
}

/* Memory that is not pinned is copied before the call returns, as CUDA does from the host. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const struct work work = {.run = run_copy, .to = to, .from = from, .size = size};
    cudaError_t error = emulator_admit(__func__);
    bool is_pageable;

    if (error)
        return error;
    copy_check(to, from, size, kind, &is_pageable);
    error = queue(stream, &work);
    return error == cudaSuccess && is_pageable ? cudaStreamSynchronize(stream) : error;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind)
{
    return cudaMemcpyAsync(to, from, size, kind, NULL);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream)
{
    const struct work work = {.run = run_set, .to = to, .value = value, .size = size};
    cudaError_t error = emulator_admit(__func__);

    if (error)
        return error;
    if (memory_side(to, size) != MEMORY_DEVICE)
        device_misused("memory is set that is not the device's");
    return queue(stream, &work);
}

cudaError_t emulator_launch(const struct emulator_kernel *kernel, dim3 blocks, dim3 block,
                            cudaStream_t stream)
{
    const struct work work = {
        .run = run_kernel, .kernel = *kernel, .block_count = blocks.x, .block_size = block.x};
    cudaError_t error = emulator_admit(__func__);

    if (error)
        return error;
    if (blocks.x == 0 || blocks.y != 1 || blocks.z != 1 || block.y != 1 || block.z != 1)
        return device_report(cudaErrorInvalidValue);
    if (!stream)
        device_misused("kernels on the default stream are not emulated");
    return queue(stream, &work);
}

/* ---- streams and events ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *ret, unsigned flags)
{
    cudaError_t error = device_admit_allocation(__func__);
    cudaStream_t stream;

    (void)flags;
    if (error)
        return error;
    stream = calloc(1, sizeof(*stream));
    if (!stream)
        return device_report(cudaErrorMemoryAllocation);
    tfs_mutex_init(&stream->lock, TFS_RANK_LEAF);
    tfs_cond_init(&stream->changed);
    list_init(&stream->queue);
    if (pthread_create(&stream->thread, NULL, stream_main, stream) != 0)
        device_misused("no thread for a stream");
    device_count_live(1);
    *ret = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (stream) {
        tfs_mutex_lock(&stream->lock);
        while (stream->is_working || !list_is_empty(&stream->queue))
            tfs_cond_wait(&stream->changed, &stream->lock);
        tfs_mutex_unlock(&stream->lock);
    }
    return emulator_admit(__func__);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    tfs_mutex_lock(&stream->lock);
    if (stream->is_working || !list_is_empty(&stream->queue))
        device_misused("a stream is destroyed at work");
    stream->is_ending = true;
    tfs_cond_broadcast(&stream->changed);
    tfs_mutex_unlock(&stream->lock);
    (void)pthread_join(stream->thread, NULL); /* ours, and joined once */
    tfs_cond_release(&stream->changed);
    tfs_mutex_release(&stream->lock);
    free(stream);
    device_count_live(-1);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *ret, unsigned flags)
{
    cudaError_t error = device_admit_allocation(__func__);
    cudaEvent_t event;

    if (error)
        return error;
    event = calloc(1, sizeof(*event));
    if (!event)
        return device_report(cudaErrorMemoryAllocation);
    tfs_mutex_init(&event->lock, TFS_RANK_LEAF);
    tfs_cond_init(&event->done);
    event->has_time = (flags & cudaEventDisableTiming) == 0;
    device_count_live(1);
    *ret = event;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *ret)
{
    return cudaEventCreateWithFlags(ret, 0);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    const struct work work = {.run = run_event, .event = event};
    cudaError_t error = emulator_admit(__func__);

    if (error)
        return error;
    tfs_mutex_lock(&event->lock);
    event->recorded_count++;
    tfs_mutex_unlock(&event->lock);
    return queue(stream, &work);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    tfs_mutex_lock(&event->lock);
    while (event->done_count != event->recorded_count)
        tfs_cond_wait(&event->done, &event->lock);
    tfs_mutex_unlock(&event->lock);
    return emulator_admit(__func__);
}

/* The time of an event that is done; ends the process where there is none. */
static uint64_t event_time_ns(cudaEvent_t event)
{
    uint64_t time_ns;

    tfs_mutex_lock(&event->lock);
    if (!event->has_time || event->done_count == 0 || event->done_count != event->recorded_count)
        device_misused("an event's time is asked that it does not have");
    time_ns = event->time_ns;
    tfs_mutex_unlock(&event->lock);
    return time_ns;
}

cudaError_t cudaEventElapsedTime(float *ret_ms, cudaEvent_t begin, cudaEvent_t end)
{
    cudaError_t error = emulator_admit(__func__);

    if (error)
        return error;
    *ret_ms = (float)(event_time_ns(end) - event_time_ns(begin)) / (float)TFS_NS_PER_MS;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    tfs_mutex_lock(&event->lock);
    if (event->done_count != event->recorded_count)
        device_misused("an event is destroyed that was not reached");
    tfs_mutex_unlock(&event->lock);
    tfs_cond_release(&event->done);
    tfs_mutex_release(&event->lock);
    free(event);
    device_count_live(-1);
    return cudaSuccess;
}
