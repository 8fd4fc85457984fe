/*
 * The table of frame headers: what was added is found until another takes its slot, what is held
 * stays valid, and all together never take more than allowed.
 */
#include "store/read/headers.h"

#include "store/codec/frame.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 8, ROUNDS = 20000, FRAMES = 20000 };

static struct frame_ref frame_of(uint64_t number, uint32_t block_count)
{
    return (struct frame_ref){
        .segment = 1 + number / 1000, .offset = number % 1000 * 4096, .block_count = block_count};
}

/* Adds a header whose bytes all are the number's lowest. */
static struct frame_header *add(struct tfs_headers *headers, uint64_t number, uint32_t block_count)
{
    struct frame_ref frame = frame_of(number, block_count);
    uint8_t bytes[FRAME_FIXED_HEADER_SIZE + 8 * FRAME_TABLE_ENTRY_SIZE];
    struct frame_header *header = NULL;

    memset(bytes, (int)number, sizeof(bytes));
    if (headers_add(headers, &frame, bytes, &header) < 0)
        return NULL;
    return header;
}

static bool is_intact(const struct frame_header *header, uint64_t number, uint32_t block_count)
{
    bool same = header && header->size == frame_header_size(block_count);

    for (size_t i = 0; same && i < header->size; i++)
        same = header->bytes[i] == (uint8_t)number;
    return same;
}

static size_t count_kept(struct tfs_headers *headers, uint32_t block_count)
{
    size_t kept = 0;

    for (uint64_t number = 0; number < FRAMES; number++) {
        struct frame_ref frame = frame_of(number, block_count);
        struct frame_header *header = headers_find(headers, &frame);

        if (header) {
            assert_true(is_intact(header, number, block_count));
            kept++;
        }
        frame_header_unref(header);
    }
    return kept;
}

static void what_was_added_is_found(void **state)
{
    struct frame_ref frame = frame_of(5, 3);
    struct frame_ref other = frame_of(6, 3);
    struct tfs_headers *headers;
    struct frame_header *added;
    struct frame_header *found;

    assert_int_equal(headers_new(TFS_MIB, &headers), 0);
    assert_null(headers_find(headers, &frame));
    added = add(headers, 5, 3);
    assert_true(is_intact(added, 5, 3));
    found = headers_find(headers, &frame);
    assert_ptr_equal(found, added);
    assert_null(headers_find(headers, &other));
    frame_header_unref(added);
    frame_header_unref(found);
    headers_free(headers);
    headers_free(NULL);
    frame_header_unref(NULL);
}

static void a_header_outlives_the_table(void **state)
{
    struct tfs_headers *headers;
    struct frame_header *held;

    assert_int_equal(headers_new(TFS_MIB, &headers), 0);
    held = add(headers, 9, 8);
    headers_free(headers);
    assert_true(is_intact(held, 9, 8));
    frame_header_unref(held);
}

static void the_table_stays_below_its_limit(void **state)
{
    enum { BLOCKS = 8, KEPT_MAX = 50 };
    struct tfs_headers *headers;
    size_t kept;

    assert_int_equal(headers_new(KEPT_MAX * frame_header_size(BLOCKS), &headers), 0);
    for (uint64_t number = 0; number < FRAMES; number++) {
        struct frame_ref frame = frame_of(number, BLOCKS);
        struct frame_header *found;

        frame_header_unref(add(headers, number, BLOCKS));
        found = headers_find(headers, &frame); /* the newest is always there */
        assert_non_null(found);
        frame_header_unref(found);
    }
    kept = count_kept(headers, BLOCKS);
    assert_in_range(kept, KEPT_MAX / 2, KEPT_MAX);
    headers_free(headers);
}

static void a_header_added_again_replaces_the_old_one(void **state)
{
    struct frame_ref frame = frame_of(1, 2);
    struct tfs_headers *headers;
    struct frame_header *old;
    struct frame_header *new;
    struct frame_header *found;

    assert_int_equal(headers_new(TFS_MIB, &headers), 0);
    old = add(headers, 1, 2);
    new = add(headers, 1, 2);
    found = headers_find(headers, &frame);
    assert_ptr_equal(found, new);
    assert_true(is_intact(old, 1, 2));
    frame_header_unref(found);
    frame_header_unref(new);
    frame_header_unref(old);
    headers_free(headers);
}

struct user {
    struct tfs_headers *headers;
    unsigned int seed;
    bool ok;
};

static void *use_often(void *argument)
{
    struct user *user = argument;

    user->ok = true;
    for (int i = 0; i < ROUNDS && user->ok; i++) {
        uint64_t number = (uint64_t)rand_r(&user->seed) % 200;
        struct frame_ref frame = frame_of(number, 4);
        struct frame_header *header = headers_find(user->headers, &frame);

        if (!header)
            header = add(user->headers, number, 4);
        user->ok = is_intact(header, number, 4);
        frame_header_unref(header);
    }
    return NULL;
}

static void many_threads_find_whole_headers(void **state)
{
    struct user users[THREADS];
    pthread_t threads[THREADS];
    struct tfs_headers *headers;

    assert_int_equal(headers_new(100 * frame_header_size(4), &headers), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){.headers = headers, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(users[i].ok);
    }
    headers_free(headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found),
        cmocka_unit_test(a_header_outlives_the_table),
        cmocka_unit_test(the_table_stays_below_its_limit),
        cmocka_unit_test(a_header_added_again_replaces_the_old_one),
        cmocka_unit_test(many_threads_find_whole_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
