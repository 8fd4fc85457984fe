/*
 * Goal: data requests never use up the threads that metadata needs; waiting requests are served in
 * order; the loop ends when it is told to, and when the connection does.
 *
 * Method: the loop on one end of a socket that keeps messages apart, as the device does. Requests
 * with the opcode READ are data and block until the test lets them go; others answer at once. Each
 * answer is the request's unique number.
 */
#include "fs/gate.h"
#include "fs/loop.h"
#include "store/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 6, RESERVE = 2, DATA_SLOTS = THREADS - RESERVE, MESSAGE_MAX = 64 * 1024 };

struct bench {
    int kernel; /* the test's end */
    int device; /* the loop's end */
    struct loop *loop;
    struct tfs_mutex lock;
    struct tfs_cond changed;
    unsigned inside;     /* guarded by lock: data requests being served */
    unsigned inside_max; /* guarded by lock */
    unsigned given;      /* guarded by lock: served by another thread than the one that read it */
    unsigned allowed;    /* guarded by lock: how many may be finished */
    bool data_is_aligned;
    bool payload_is_right;
};

static _Thread_local uint64_t unique_read; /* of the last request that this thread read */

static bool is_data(void *context, const struct fuse_in_header *header, size_t size)
{
    (void)context;
    (void)size;
    unique_read = header->unique;
    return header->opcode == FUSE_READ || header->opcode == FUSE_WRITE;
}

static void block(struct bench *bench, uint64_t unique)
{
    tfs_mutex_lock(&bench->lock);
    bench->given += unique != unique_read;
    bench->inside++;
    if (bench->inside > bench->inside_max)
        bench->inside_max = bench->inside;
    tfs_cond_broadcast(&bench->changed);
    while (bench->allowed == 0)
        tfs_cond_wait(&bench->changed, &bench->lock);
    bench->allowed--;
    bench->inside--;
    tfs_mutex_unlock(&bench->lock);
}

static void check_payload(struct bench *bench, const struct fuse_in_header *header, size_t size)
{
    const unsigned char *data = (const unsigned char *)header + REQUEST_DATA_OFFSET;

    bench->data_is_aligned = ((uintptr_t)data % 4096) == 0;
    bench->payload_is_right = true;
    for (size_t i = 0; i < size - REQUEST_DATA_OFFSET; i++)
        bench->payload_is_right &= data[i] == (unsigned char)(i % 251);
}

static void process(void *context, struct fuse_in_header *header, size_t size)
{
    struct bench *bench = context;
    uint64_t unique = header->unique;

    if (header->opcode == FUSE_READ)
        block(bench, unique);
    if (header->opcode == FUSE_WRITE)
        check_payload(bench, header, size);
    assert_int_equal(write(bench->device, &unique, sizeof(unique)), sizeof(unique));
}

static void allow(struct bench *bench, unsigned count)
{
    tfs_mutex_lock(&bench->lock);
    bench->allowed += count;
    tfs_cond_broadcast(&bench->changed);
    tfs_mutex_unlock(&bench->lock);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct loop_options options;
    int fds[2];

    assert_non_null(bench);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    bench->kernel = fds[0];
    bench->device = fds[1];
    tfs_mutex_init(&bench->lock, TFS_RANK_LEAF);
    tfs_cond_init(&bench->changed);
    loop_options_init(&options, THREADS, MESSAGE_MAX - REQUEST_DATA_OFFSET, 0);
    options.reserve_count = RESERVE;
    options.reader_count = 2;
    options.spare_count = 2;
    options.fd = bench->device;
    options.ops = (struct loop_ops){.is_data = is_data, .process = process};
    options.context = bench;
    assert_int_equal(loop_new(&options, &bench->loop), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    allow(bench, 100000); /* after a failed test */
    loop_stop(bench->loop);
    (void)loop_join(bench->loop);
    loop_free(bench->loop);
    tfs_cond_release(&bench->changed);
    tfs_mutex_release(&bench->lock);
    if (bench->kernel >= 0)
        (void)close(bench->kernel);
    (void)close(bench->device);
    free(bench);
    return 0;
}

static void send_request(struct bench *bench, uint32_t opcode, uint64_t unique)
{
    const struct fuse_in_header header = {
        .len = sizeof(header), .opcode = opcode, .unique = unique};

    assert_int_equal(write(bench->kernel, &header, sizeof(header)), sizeof(header));
}

/* The next answer; fails the test after ten seconds without one. */
static uint64_t receive_answer(struct bench *bench)
{
    struct pollfd ready = {.fd = bench->kernel, .events = POLLIN};
    uint64_t unique;

    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_int_equal(read(bench->kernel, &unique, sizeof(unique)), sizeof(unique));
    return unique;
}

static void wait_until_inside(struct bench *bench, unsigned count)
{
    uint64_t deadline_ns = tfs_clock_ns() + 10 * TFS_NS_PER_S;

    tfs_mutex_lock(&bench->lock);
    while (bench->inside < count)
        assert_true(tfs_cond_wait_until(&bench->changed, &bench->lock, deadline_ns));
    tfs_mutex_unlock(&bench->lock);
}

static void stop(struct bench *bench)
{
    loop_stop(bench->loop);
    assert_int_equal(loop_join(bench->loop), 0);
}

static void one_request_can_be_served_before_the_threads_start(void **state)
{
    struct bench *bench = *state;

    send_request(bench, FUSE_INIT, 42);
    assert_int_equal(loop_serve_one(bench->loop), 0);
    assert_int_equal(receive_answer(bench), 42);
}

static void requests_are_answered(void **state)
{
    struct bench *bench = *state;
    struct tfs_histogram_sum sum;

    assert_int_equal(loop_start(bench->loop), 0);
    for (uint64_t unique = 1; unique <= 1000; unique++) {
        send_request(bench, FUSE_GETATTR, unique);
        assert_int_equal(receive_answer(bench), unique);
    }
    stop(bench);
    counters_sum(loop_counters(bench->loop), FUSE_GETATTR, &sum);
    assert_int_equal(sum.count, 1000);
    assert_true(sum.total_ns > 0);
}

static void metadata_is_served_while_every_data_slot_is_blocked(void **state)
{
    struct bench *bench = *state;
    enum { READS = 200 };
    bool seen[READS + 1] = {false};

    assert_int_equal(loop_start(bench->loop), 0);
    for (uint64_t unique = 1; unique <= READS; unique++)
        send_request(bench, FUSE_READ, unique);
    wait_until_inside(bench, DATA_SLOTS);
    for (uint64_t unique = 1000; unique < 1100; unique++) {
        send_request(bench, FUSE_LOOKUP, unique);
        assert_int_equal(receive_answer(bench), unique);
    }
    assert_int_equal(bench->inside_max, DATA_SLOTS);

    allow(bench, READS);
    for (unsigned i = 0; i < READS; i++) {
        uint64_t unique = receive_answer(bench);

        assert_in_range(unique, 1, READS);
        assert_false(seen[unique]);
        seen[unique] = true;
    }
    assert_int_equal(bench->inside_max, DATA_SLOTS);
    stop(bench);
}

/* How often it does is up to the scheduler: the others have to be idle by then. */
static void the_last_reader_gives_data_requests_away_and_reads_on(void **state)
{
    struct bench *bench = *state;
    uint64_t deadline_ns = tfs_clock_ns() + 10 * TFS_NS_PER_S;
    unsigned given = 0;

    assert_int_equal(loop_start(bench->loop), 0);
    while (given == 0) {
        assert_true(tfs_clock_ns() < deadline_ns);
        for (unsigned i = 1; i <= 2; i++) { /* there are two readers */
            send_request(bench, FUSE_READ, i);
            wait_until_inside(bench, i);
        }
        send_request(bench, FUSE_GETATTR, 3);
        assert_int_equal(receive_answer(bench), 3);
        tfs_mutex_lock(&bench->lock);
        given = bench->given;
        tfs_mutex_unlock(&bench->lock);
        allow(bench, 2);
        assert_int_equal(receive_answer(bench) + receive_answer(bench), 1 + 2);
    }
}

static void more_large_requests_than_buffers_are_all_served(void **state)
{
    struct bench *bench = *state;
    enum { SIZE = 8192, BUFFERS = THREADS + 2 };
    char message[SIZE] = {0};
    struct fuse_in_header header = {.len = SIZE, .opcode = FUSE_READ};
    unsigned sent = 0;

    assert_int_equal(loop_start(bench->loop), 0);
    /* When all buffers wait, reading stops and the socket fills: the kernel keeps the rest. */
    for (;;) {
        header.unique = sent + 1;
        memcpy(message, &header, sizeof(header));
        if (send(bench->kernel, message, SIZE, MSG_DONTWAIT) < 0)
            break;
        sent++;
    }
    assert_int_equal(errno, EAGAIN);
    assert_true(sent > BUFFERS);
    wait_until_inside(bench, DATA_SLOTS);
    allow(bench, sent);
    for (unsigned i = 0; i < sent; i++)
        assert_in_range(receive_answer(bench), 1, sent);
    assert_int_equal(bench->inside_max, DATA_SLOTS);
    stop(bench);
}

static void the_data_of_a_write_lie_on_a_page(void **state)
{
    struct bench *bench = *state;
    unsigned char message[REQUEST_DATA_OFFSET + 10000];
    const struct fuse_in_header header = {
        .len = sizeof(message), .opcode = FUSE_WRITE, .unique = 9};

    memcpy(message, &header, sizeof(header));
    for (size_t i = 0; i < 10000; i++)
        message[REQUEST_DATA_OFFSET + i] = (unsigned char)(i % 251);
    assert_int_equal(loop_start(bench->loop), 0);
    assert_int_equal(write(bench->kernel, message, sizeof(message)), sizeof(message));
    assert_int_equal(receive_answer(bench), 9);
    stop(bench);
    assert_true(bench->data_is_aligned);
    assert_true(bench->payload_is_right);
}

static void the_loop_ends_with_the_connection(void **state)
{
    struct bench *bench = *state;
    struct pollfd ended = {.fd = loop_ended_fd(bench->loop), .events = POLLIN};

    assert_int_equal(loop_start(bench->loop), 0);
    assert_int_equal(poll(&ended, 1, 0), 0);
    (void)close(bench->kernel);
    bench->kernel = -1;
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_int_equal(loop_join(bench->loop), 0);
}

static void a_message_of_a_wrong_length_ends_the_loop_with_an_error(void **state)
{
    struct bench *bench = *state;
    const struct fuse_in_header header = {.len = 4096, .opcode = FUSE_LOOKUP, .unique = 1};
    struct pollfd ended = {.fd = loop_ended_fd(bench->loop), .events = POLLIN};

    assert_int_equal(loop_start(bench->loop), 0);
    assert_int_equal(write(bench->kernel, &header, sizeof(header)), sizeof(header));
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_int_equal(loop_join(bench->loop), -EPROTO);
}

static void stopping_serves_what_waits(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(loop_start(bench->loop), 0);
    for (uint64_t unique = 1; unique <= DATA_SLOTS + 3; unique++)
        send_request(bench, FUSE_READ, unique);
    wait_until_inside(bench, DATA_SLOTS);
    send_request(bench, FUSE_LOOKUP, 500); /* all before it have been read */
    assert_int_equal(receive_answer(bench), 500);
    loop_stop(bench->loop);
    allow(bench, DATA_SLOTS + 3);
    assert_int_equal(loop_join(bench->loop), 0);
    for (unsigned i = 0; i < DATA_SLOTS; i++)
        assert_in_range(receive_answer(bench), 1, DATA_SLOTS + 3);
}

static void the_number_of_threads_follows_the_option(void **state)
{
    struct loop_options options;

    (void)state;
    loop_options_init(&options, 0, 1 << 20, 512ull << 20);
    assert_true(options.thread_count >= 16);
    assert_in_range(options.reserve_count, 1, options.thread_count - 1);
    assert_int_equal(options.spare_count, 32);
    loop_options_init(&options, 1, 1 << 20, 0);
    assert_int_equal(options.thread_count, 2);
    assert_int_equal(options.reserve_count, 1);
    assert_int_equal(options.reader_count, 2);
    loop_options_init(&options, 100000, 1 << 20, 1ull << 40);
    assert_int_equal(options.thread_count, LOOP_THREADS_MAX);
    assert_int_equal(options.spare_count, 64);
}

static void a_small_request_that_waits_gives_its_buffer_back(void **state)
{
    struct request_pool pool;
    struct request *request;
    struct request *small;

    (void)state;
    assert_int_equal(request_pool_init(&pool, 1, 1, MESSAGE_MAX), 0);
    request = request_pool_get(&pool);
    request->size = 100;
    memset(request->message, 'x', 100);
    small = request_make_small(&pool, request);
    assert_ptr_not_equal(small, request);
    assert_int_equal(small->size, 100);
    assert_memory_equal(small->message, request->message, 100);
    assert_ptr_equal(request_pool_get(&pool), request); /* the only buffer is free again */
    request->size = REQUEST_SMALL_SIZE_MAX + 1;
    assert_ptr_equal(request_make_small(&pool, request), request);
    request_pool_put(&pool, small);
    request_pool_put(&pool, request);
    request_pool_release(&pool);
}

static void a_gate_lets_in_as_many_as_it_has_slots(void **state)
{
    struct request requests[3] = {0};
    struct gate gate;

    (void)state;
    gate_init(&gate, 2);
    assert_true(gate_try_enter(&gate));
    assert_true(gate_enter_or_queue(&gate, &requests[0]));
    assert_false(gate_try_enter(&gate));
    assert_false(gate_enter_or_queue(&gate, &requests[1]));
    assert_false(gate_enter_or_queue(&gate, &requests[2]));
    assert_int_equal(gate.queue_length_highest, 2);
    assert_ptr_equal(gate_leave(&gate), &requests[1]);
    assert_ptr_equal(gate_leave(&gate), &requests[2]);
    assert_null(gate_leave(&gate));
    assert_null(gate_leave(&gate));
    assert_true(gate_try_enter(&gate));
    assert_null(gate_leave(&gate));
    gate_release(&gate);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(one_request_can_be_served_before_the_threads_start),
        LOOP_TEST(requests_are_answered),
        LOOP_TEST(metadata_is_served_while_every_data_slot_is_blocked),
        LOOP_TEST(the_last_reader_gives_data_requests_away_and_reads_on),
        LOOP_TEST(more_large_requests_than_buffers_are_all_served),
        LOOP_TEST(the_data_of_a_write_lie_on_a_page),
        LOOP_TEST(the_loop_ends_with_the_connection),
        LOOP_TEST(a_message_of_a_wrong_length_ends_the_loop_with_an_error),
        LOOP_TEST(stopping_serves_what_waits),
        cmocka_unit_test(the_number_of_threads_follows_the_option),
        cmocka_unit_test(a_small_request_that_waits_gives_its_buffer_back),
        cmocka_unit_test(a_gate_lets_in_as_many_as_it_has_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
