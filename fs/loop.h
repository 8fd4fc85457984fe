/*
 * The threads that take requests from the kernel and have them served.
 *
 *                    +-------------------- reader_enter ---------------------+
 *                    v                                                       |
 *   idle --called--> reading --request--> serving (metadata, ready reads) ---+
 *                    |                                                       |
 *                    +--data request--> gate --in--> serving --gate_leave----+
 *                                        |                 ^   |
 *                                        +--full--> queue -+---+
 *
 * 1. At most reader_count threads read at a time and, while any thread is idle, at least one does.
 *    The idle ones are called last in, first out. A wait queue of all threads at the device would
 *    be served round robin, each request in another megabyte: all of them would be touched.
 * 2. At most thread_count - reserve_count threads serve data requests (gate.h). The others are for
 *    requests that take microseconds.
 * 3. Memory is bounded by the pool (request.h). When all buffers wait in the queue, reading stops
 *    until one is free: the kernel then keeps the rest.
 *
 * The loop knows nothing of libfuse: it is given a descriptor that yields one message per read(2).
 */
#ifndef TFS_FS_LOOP_H
#define TFS_FS_LOOP_H

#include "fs/counters.h"
#include "fs/request.h"

struct loop_ops {
    /* Whether the request may wait for the disk, for memory or for other data requests. What needs
     * no waiting may be begun: when the answer is no, `process` comes next on this thread. */
    bool (*is_data)(void *context, const struct fuse_in_header *header, size_t size);
    /* Serve and answer. The message is the callee's during the call. */
    void (*process)(void *context, struct fuse_in_header *header, size_t size);
};

struct loop_options {
    int fd;                 /* borrowed until loop_free() */
    unsigned thread_count;  /* 2 .. LOOP_THREADS_MAX */
    unsigned reserve_count; /* of them never in data requests, 1 .. thread_count - 1 */
    unsigned reader_count;  /* of them at the device at a time, 1 .. thread_count */
    unsigned spare_count;   /* buffers for large requests that wait, beyond one a thread */
    size_t message_size_max;
    struct loop_ops ops;
    void *context;
};

enum { LOOP_THREADS_MAX = 1024 };

struct loop;

/*
 * Fill in all but fd, ops and context: threads by the cores (thread_count 0) or as given.
 * Units: write_size_max in bytes, memory_size: the budget, of which a sixteenth is for requests
 * that wait.
 */
void loop_options_init(struct loop_options *options, unsigned thread_count, size_t write_size_max,
                       uint64_t memory_size);

/* Ownership: returned; loop_free(), which accepts NULL. Errors: -ENOMEM, -EMFILE. */
TFS_MUST_CHECK int loop_new(const struct loop_options *options, struct loop **ret);

/* Only after loop_join() when loop_start() succeeded. */
void loop_free(struct loop *loop);

/* Receive and serve one request in the calling thread, before loop_start(). Errors: negative errno
 * of read(2); -ENODEV: the connection is gone. */
TFS_MUST_CHECK int loop_serve_one(struct loop *loop);

/* Start the threads. Errors: -EAGAIN and others of pthread_create(3); nothing runs then. */
TFS_MUST_CHECK int loop_start(struct loop *loop);

/* Readable (poll(2)) once the loop has ended by itself: the connection is gone, or failed. */
int loop_ended_fd(const struct loop *loop);

/* Ask the threads to end when their requests are served. Returns at once. Threads: any. */
void loop_stop(struct loop *loop);

/*
 * Wait until the threads have ended; requests that wait are served first.
 * Returns: 0, or the negative errno that ended the loop.
 */
int loop_join(struct loop *loop);

/* Threads: any, until loop_free(). */
const struct counters *loop_counters(const struct loop *loop);

/* Queues and threads, as they are now. Threads: any, until loop_free(). */
struct loop_status {
    unsigned thread_count;
    unsigned slot_count; /* data requests that are served at a time */
    unsigned slots_busy;
    unsigned waiting; /* data requests that wait for one */
    unsigned waiting_highest;
    uint64_t buffer_bytes; /* of requests; those never used yet are not touched memory */
};
void loop_get_status(struct loop *loop, struct loop_status *ret);

#endif
