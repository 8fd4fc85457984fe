#include "fs/loop.h"

#include "fs/gate.h"
#include "store/base/clock.h"
#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Wakes a thread from read(2) at the device. Its handler does nothing, but without SA_RESTART the
 * read returns. */
#define WAKE_SIGNAL SIGUSR1

enum {
    RESERVE_COUNT = 4,
    READERS_MIN = 4, /* see loop_options_init() */
    READERS_MAX = 16,
    THREADS_MIN = 16,
    SPARE_MIN = 4,
    SPARE_MAX = 64,
    WAKE_INTERVAL_MS = 5,
};

struct worker {
    struct loop *loop;
    struct list idle;      /* guarded by loop->lock */
    struct tfs_cond wake;  /* with loop->lock */
    bool is_called;        /* guarded by loop->lock */
    struct request *given; /* guarded by loop->lock; to be served, or NULL: the call is to read */
    unsigned lane;         /* immutable */
    pthread_t thread;      /* immutable after loop_start() */
    _Atomic bool has_left; /* release: loop_join() sees all that the thread did */
};

struct loop {
    struct tfs_mutex lock;       /* rank TFS_RANK_FS_LOOP */
    struct list idle;            /* guarded by lock; last idle first */
    unsigned reader_count;       /* guarded by lock; threads that read, or are called to */
    _Atomic bool is_stopping;    /* written under lock; relaxed reads elsewhere are hints */
    int error;                   /* guarded by lock; why the loop ended */
    struct loop_options options; /* immutable */
    struct gate gate;
    struct request_pool pool;
    struct counters *counters; /* immutable */
    struct worker *workers;    /* immutable; options.thread_count */
    unsigned started_count;    /* the starter's */
    int ended_fd;              /* immutable */
};

void loop_options_init(struct loop_options *options, unsigned thread_count, size_t write_size_max,
                       uint64_t memory_size)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned core_count = cores > 0 ? (unsigned)cores : 1;

    memset(options, 0, sizeof(*options));
    options->fd = -1;
    options->thread_count = thread_count ? thread_count : 2 * core_count;
    if (thread_count == 0 && options->thread_count < THREADS_MIN)
        options->thread_count = THREADS_MIN;
    options->thread_count = (unsigned)tfs_min_u64(options->thread_count, LOOP_THREADS_MAX);
    if (options->thread_count < 2)
        options->thread_count = 2;
    options->reserve_count =
        (unsigned)tfs_min_u64(RESERVE_COUNT, tfs_max_u64(options->thread_count / 4, 1));
    /* With too few the thread that got a request has to call another to the device, a system call.
     * On 2 cores, medians of 7: create + close took 175 us with 1, 125 with 2, 87 with 4 and 92
     * with all 16; streams did not care. */
    options->reader_count =
        (unsigned)tfs_min_u64(tfs_max_u64(2 * core_count, READERS_MIN), READERS_MAX);
    options->reader_count = (unsigned)tfs_min_u64(options->reader_count, options->thread_count);
    options->message_size_max = REQUEST_DATA_OFFSET + write_size_max;
    options->spare_count =
        (unsigned)tfs_min_u64(tfs_max_u64(memory_size / 16 / write_size_max, SPARE_MIN), SPARE_MAX);
}

static void on_wake_signal(int number)
{
    (void)number;
}

static int install_wake_signal(void)
{
    struct sigaction action = {.sa_handler = on_wake_signal};

    (void)sigemptyset(&action.sa_mask);
    return sigaction(WAKE_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

static void worker_init(struct loop *loop, unsigned lane)
{
    struct worker *worker = &loop->workers[lane];

    worker->loop = loop;
    worker->lane = lane;
    list_init(&worker->idle);
    tfs_cond_init(&worker->wake);
}

static void loop_free_p(struct loop **loop)
{
    loop_free(*loop);
}

int loop_new(const struct loop_options *options, struct loop **ret)
{
    tfs_cleanup(loop_free_p) struct loop *loop = calloc(1, sizeof(*loop));
    int err;

    assert(options->reserve_count >= 1 && options->reserve_count < options->thread_count);
    assert(options->reader_count >= 1 && options->reader_count <= options->thread_count);
    if (!loop)
        return tfs_fail(-ENOMEM, "request loop");
    loop->options = *options;
    loop->ended_fd = -1;
    tfs_mutex_init(&loop->lock, TFS_RANK_FS_LOOP);
    list_init(&loop->idle);
    gate_init(&loop->gate, options->thread_count - options->reserve_count);

    loop->workers = calloc(options->thread_count, sizeof(*loop->workers));
    if (!loop->workers)
        return tfs_fail(-ENOMEM, "%u request threads", options->thread_count);
    for (unsigned lane = 0; lane < options->thread_count; lane++)
        worker_init(loop, lane);
    err = counters_new(options->thread_count, &loop->counters);
    if (err < 0)
        return err;
    err = request_pool_init(&loop->pool, options->thread_count + options->spare_count,
                            options->reader_count + 1, options->message_size_max);
    if (err < 0)
        return err;
    loop->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->ended_fd < 0)
        return tfs_fail(-errno, "eventfd of the request loop");
    err = install_wake_signal();
    if (err < 0)
        return err;
    *ret = TAKE_PTR(loop);
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    assert(loop->started_count == 0); /* joined */
    if (loop->ended_fd >= 0)
        (void)close(loop->ended_fd); /* an eventfd has nothing to lose */
    request_pool_release(&loop->pool);
    counters_free(loop->counters);
    for (unsigned lane = 0; loop->workers && lane < loop->options.thread_count; lane++)
        tfs_cond_release(&loop->workers[lane].wake);
    free(loop->workers);
    gate_release(&loop->gate);
    tfs_mutex_release(&loop->lock);
    free(loop);
}

int loop_ended_fd(const struct loop *loop)
{
    return loop->ended_fd;
}

const struct counters *loop_counters(const struct loop *loop)
{
    return loop->counters;
}

void loop_get_status(struct loop *loop, struct loop_status *ret)
{
    struct gate_status gate;

    gate_get_status(&loop->gate, &gate);
    *ret = (struct loop_status){
        .thread_count = loop->options.thread_count,
        .slot_count = loop->options.thread_count - loop->options.reserve_count,
        .waiting = gate.queue_length,
        .waiting_highest = gate.queue_length_highest,
        .buffer_bytes = loop->pool.memory_size,
    };
    ret->slots_busy = ret->slot_count - gate.slots_free;
}

/* ---- who reads ---- */

static void call_locked(struct loop *loop, struct worker *worker) TFS_REQUIRES(&loop->lock)
{
    worker->is_called = true;
    tfs_cond_signal(&worker->wake);
}

/*
 * Wait until it is this thread's turn to read, or until a reader has a data request for it, which
 * is inside the gate. Returns false when the loop is stopping and there is none.
 */
static bool reader_enter(struct worker *worker, struct request **ret_given)
{
    struct loop *loop = worker->loop;
    bool is_stopping;

    tfs_mutex_lock(&loop->lock);
    worker->given = NULL;
    if (loop->reader_count < loop->options.reader_count) {
        loop->reader_count++;
    } else if (!loop->is_stopping) {
        worker->is_called = false;
        list_push_front(&loop->idle, &worker->idle);
        while (!worker->is_called)
            tfs_cond_wait(&worker->wake, &loop->lock);
    }
    is_stopping = loop->is_stopping;
    *ret_given = worker->given;
    tfs_mutex_unlock(&loop->lock);
    return *ret_given || !is_stopping;
}

/* The thread goes to serve a request; somebody has to be at the device. */
static void reader_leave(struct loop *loop)
{
    struct list *node;

    tfs_mutex_lock(&loop->lock);
    loop->reader_count--;
    node = loop->reader_count == 0 ? list_pop_front(&loop->idle) : NULL;
    if (node) {
        loop->reader_count++; /* for the one that is called */
        call_locked(loop, list_entry(node, struct worker, idle));
    }
    tfs_mutex_unlock(&loop->lock);
}

/*
 * The same for a data request, which may take long. The last reader gives it to an idle thread and
 * stays: it is running, while the one that is called has to wait for a processor, behind all the
 * threads of a storm; and what comes behind in the kernel's queue, a lookup perhaps, would wait for
 * each such call in turn. Returns true when the caller goes on reading; the request is given then.
 */
static bool reader_leave_or_give(struct loop *loop, struct request *request)
{
    struct list *node;

    tfs_mutex_lock(&loop->lock);
    node = loop->reader_count == 1 ? list_pop_front(&loop->idle) : NULL;
    if (node) {
        struct worker *worker = list_entry(node, struct worker, idle);

        worker->given = request;
        call_locked(loop, worker);
    } else {
        loop->reader_count--;
    }
    tfs_mutex_unlock(&loop->lock);
    return node;
}

static void stop_locked(struct loop *loop) TFS_REQUIRES(&loop->lock)
{
    struct list *node;

    loop->is_stopping = true;
    while ((node = list_pop_front(&loop->idle)))
        call_locked(loop, list_entry(node, struct worker, idle));
}

void loop_stop(struct loop *loop)
{
    tfs_mutex_lock(&loop->lock);
    stop_locked(loop);
    tfs_mutex_unlock(&loop->lock);
    request_pool_close(&loop->pool);
}

/* The device has nothing more to give. `error` is 0 when that is how it should be. */
static void loop_end(struct loop *loop, int error)
{
    const uint64_t one = 1;

    tfs_mutex_lock(&loop->lock);
    if (error < 0 && loop->error == 0)
        loop->error = error;
    stop_locked(loop);
    tfs_mutex_unlock(&loop->lock);
    request_pool_close(&loop->pool);
    (void)!write(loop->ended_fd, &one, sizeof(one)); /* full only when it is readable already */
}

/* ---- requests ---- */

/*
 * One message. Returns: 0, -EINTR (try again), or what ended the connection: -ENODEV when the mount
 * is gone.
 */
static int receive(struct loop *loop, struct request *request)
{
    const struct fuse_in_header *header = request_header(request);
    ssize_t size = read(loop->options.fd, request->message, loop->options.message_size_max);

    if (size < 0) {
        /* ENOENT: the request was given up before we got it. EAGAIN: another thread was faster. */
        if (errno == EINTR || errno == ENOENT || errno == EAGAIN)
            return -EINTR;
        /* ECONNABORTED: aborted through /sys/fs/fuse/connections. Over, like an unmount. */
        return errno == ECONNABORTED ? -ENODEV : -errno;
    }
    if (size == 0)
        return -ENODEV;
    if ((size_t)size < sizeof(*header) || header->len != (size_t)size)
        return tfs_fail(-EPROTO, "request of %zd bytes", size);
    request->size = (size_t)size;
    return 0;
}

static void serve(struct loop *loop, unsigned lane, struct request *request)
{
    struct fuse_in_header *header = (struct fuse_in_header *)(void *)request->message;
    uint32_t opcode = header->opcode;
    uint64_t start_ns = tfs_clock_ns();

    loop->options.ops.process(loop->options.context, header, request->size);
    counters_add(loop->counters, lane, opcode, tfs_clock_ns() - start_ns);
    request_pool_put(&loop->pool, request);
}

static void serve_data(struct loop *loop, unsigned lane, struct request *request)
{
    do {
        serve(loop, lane, request);
        request = gate_leave(&loop->gate);
    } while (request);
}

/* Whether the request, which may be replaced, got a place at the gate. If not, it was queued and is
 * the gate's. */
static bool enter_gate(struct loop *loop, struct request **request)
{
    if (gate_try_enter(&loop->gate))
        return true;
    *request = request_make_small(&loop->pool, *request);
    return gate_enter_or_queue(&loop->gate, *request);
}

static int read_one(struct loop *loop, struct request **ret)
{
    struct request *request = request_pool_get(&loop->pool);
    int err;

    if (!request)
        return -ENODEV; /* stopping */
    do
        err = receive(loop, request);
    while (err == -EINTR && !loop->is_stopping);
    if (err < 0) {
        request_pool_put(&loop->pool, request);
        return err;
    }
    *ret = request;
    return 0;
}

int loop_serve_one(struct loop *loop)
{
    struct request *request;
    int err = read_one(loop, &request);

    if (err < 0)
        return err;
    serve(loop, 0, request);
    return 0;
}

/* ---- threads ---- */

/*
 * Serves a request that this reader got, or leaves it to others. Given: the request. Returns true
 * when the thread is still a reader.
 */
static bool dispatch(struct worker *worker, struct request *request)
{
    struct loop *loop = worker->loop;
    const struct loop_ops *ops = &loop->options.ops;

    if (!ops->is_data(loop->options.context, request_header(request), request->size)) {
        reader_leave(loop);
        serve(loop, worker->lane, request);
        return false;
    }
    if (!enter_gate(loop, &request) || reader_leave_or_give(loop, request))
        return true;
    serve_data(loop, worker->lane, request);
    return false;
}

/* Reads until a request takes the thread away from the device. */
static int read_requests(struct worker *worker)
{
    struct request *request;
    int err;

    do
        err = read_one(worker->loop, &request);
    while (!err && dispatch(worker, request));
    return err;
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    struct loop *loop = worker->loop;
    struct request *given;
    int err = 0;

    while (!err && reader_enter(worker, &given)) {
        if (given)
            serve_data(loop, worker->lane, given);
        else
            err = read_requests(worker);
    }
    if (err < 0 && !loop->is_stopping)
        loop_end(loop, err == -ENODEV ? 0 : err);
    atomic_store_explicit(&worker->has_left, true, memory_order_release);
    return NULL;
}

/* Signals are for the main thread, except the one that ends a read. */
static void block_signals(sigset_t *before)
{
    sigset_t blocked;

    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, WAKE_SIGNAL);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, before);
}

int loop_start(struct loop *loop)
{
    sigset_t before;
    int err = 0;

    block_signals(&before);
    for (unsigned lane = 0; lane < loop->options.thread_count; lane++) {
        struct worker *worker = &loop->workers[lane];

        err = -pthread_create(&worker->thread, NULL, worker_main, worker);
        if (err < 0)
            break;
        loop->started_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err < 0) {
        (void)tfs_fail(err, "request thread %u of %u", loop->started_count,
                       loop->options.thread_count);
        loop_stop(loop);
        (void)loop_join(loop); /* has nothing to add to this error */
    }
    return err;
}

/*
 * A thread may be between its look at is_stopping and read(2) when the signal comes, which then is
 * lost; so it is sent until the thread has left.
 */
static void worker_join(struct worker *worker)
{
    const struct timespec interval = {.tv_nsec = WAKE_INTERVAL_MS * (long)TFS_NS_PER_MS};

    while (!atomic_load_explicit(&worker->has_left, memory_order_acquire)) {
        if (worker->loop->is_stopping)
            (void)pthread_kill(worker->thread, WAKE_SIGNAL); /* not joined yet, so it exists */
        (void)nanosleep(&interval, NULL);
    }
    (void)pthread_join(worker->thread, NULL);
}

int loop_join(struct loop *loop)
{
    for (unsigned lane = 0; lane < loop->started_count; lane++)
        worker_join(&loop->workers[lane]);
    loop->started_count = 0;
    return loop->error;
}
