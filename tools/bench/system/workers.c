/*
 * Threads are started for each loop; their start lies outside of what is timed, because ranks take
 * their time from the gate on.
 */
#include "tools/bench/system/workers.h"

#include "store/base/clock.h"
#include "store/base/lock.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct workers {
    workers_function *function;
    void *argument;
    size_t count;
    atomic_size_t next; /* relaxed: an index is all that it hands out */
    atomic_int error;   /* relaxed: read again after the threads were joined */
};

unsigned workers_core_count(void)
{
    cpu_set_t cores;

    if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&cores);
}

static void *workers_loop(void *argument)
{
    struct workers *workers = argument;
    int none = 0;

    while (atomic_load_explicit(&workers->error, memory_order_relaxed) == 0) {
        size_t index = atomic_fetch_add_explicit(&workers->next, 1, memory_order_relaxed);
        int err;

        if (index >= workers->count)
            break;
        err = interrupt_is_pending() ? -EINTR : workers->function(workers->argument, index);
        if (err < 0)
            (void)atomic_compare_exchange_strong(&workers->error, &none, err);
    }
    return NULL;
}

int workers_run(unsigned threads, size_t count, workers_function *function, void *argument)
{
    struct workers workers = {.function = function, .argument = argument, .count = count};
    pthread_t helpers[WORKERS_MAX];
    unsigned started = 0;

    assert(threads >= 1 && threads <= WORKERS_MAX);
    /* The caller works too, so that one thread costs no thread. */
    while (started + 1 < threads && started + 1 < count) {
        if (pthread_create(&helpers[started], NULL, workers_loop, &workers) != 0)
            break; /* fewer helpers do the same work */
        started++;
    }
    (void)workers_loop(&workers);
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(helpers[i], NULL);
    return atomic_load(&workers.error);
}

/* Ranks wait at the gate until all of them exist, or until one could not be started. */
struct gate {
    struct tfs_mutex lock; /* rank TFS_RANK_LEAF */
    struct tfs_cond moved;
    unsigned waiting; /* guarded by lock */
    bool open;        /* guarded by lock */
    bool abandoned;   /* guarded by lock: nobody shall run */
};

struct rank {
    pthread_t thread;
    struct gate *gate;
    workers_function *function;
    void *argument;
    size_t index;
    double seconds;
    int error;
};

/* Returns false when the start was called off. */
static bool gate_wait(struct gate *gate)
{
    bool run;

    tfs_mutex_lock(&gate->lock);
    gate->waiting++;
    tfs_cond_broadcast(&gate->moved);
    while (!gate->open)
        tfs_cond_wait(&gate->moved, &gate->lock);
    run = !gate->abandoned;
    tfs_mutex_unlock(&gate->lock);
    return run;
}

static void gate_open(struct gate *gate, unsigned count, bool abandoned)
{
    tfs_mutex_lock(&gate->lock);
    while (gate->waiting < count)
        tfs_cond_wait(&gate->moved, &gate->lock);
    gate->open = true;
    gate->abandoned = abandoned;
    tfs_cond_broadcast(&gate->moved);
    tfs_mutex_unlock(&gate->lock);
}

static void *rank_main(void *argument)
{
    struct rank *rank = argument;
    uint64_t start_ns;

    if (!gate_wait(rank->gate))
        return NULL;
    start_ns = tfs_clock_ns();
    rank->error = rank->function(rank->argument, rank->index);
    rank->seconds = (double)(tfs_clock_ns() - start_ns) / 1e9;
    return NULL;
}

static int ranks_run_all(struct rank *ranks, unsigned count, workers_function *function,
                         void *argument)
{
    struct gate gate = {.waiting = 0};
    unsigned started = 0;
    int error = 0;

    tfs_mutex_init(&gate.lock, TFS_RANK_LEAF);
    tfs_cond_init(&gate.moved);
    for (; started < count && error == 0; started++) {
        ranks[started] = (struct rank){
            .gate = &gate, .function = function, .argument = argument, .index = started};
        error = pthread_create(&ranks[started].thread, NULL, rank_main, &ranks[started]);
    }
    if (error != 0)
        started--; /* the last one does not exist */
    gate_open(&gate, started, error != 0);
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(ranks[i].thread, NULL);
    tfs_cond_release(&gate.moved);
    tfs_mutex_release(&gate.lock);
    return error == 0 ? 0 : console_fail(-error, "thread %u of %u", started + 1, count);
}

int workers_run_ranks(unsigned ranks, workers_function *function, void *argument,
                      double *ret_seconds)
{
    struct rank *all;
    int err;

    assert(ranks >= 1 && ranks <= WORKERS_MAX);
    all = calloc(ranks, sizeof(*all));
    if (!all)
        return console_fail(-ENOMEM, "%u ranks", ranks);
    err = ranks_run_all(all, ranks, function, argument);
    for (unsigned i = 0; i < ranks && err == 0; i++)
        err = all[i].error;
    for (unsigned i = 0; i < ranks; i++)
        ret_seconds[i] = all[i].seconds;
    free(all);
    return err;
}
