/*
 * Numbers of inodes and segments: none is given twice, whatever happens to the process, and a range
 * that cannot be written gives none.
 *
 * Method: an index without a volume. A crash is an index that is closed before the range is used
 * up; what it had left must never come again.
 */
#include "store_fixture.h"

#include "store/base/bytes.h"
#include "store/index/index.h"
#include "store/tables/numbers.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 8, TAKEN_BY_EACH = 3000 };

struct numbered {
    struct fixture *fixture;
    struct tfs_index *index;
    struct tfs_numbers *numbers;
};

static void open_index(struct numbered *numbered, bool read_only)
{
    struct index_options options = {.path = numbered->fixture->path,
                                    .create = !read_only,
                                    .read_only = read_only,
                                    .memory_size_max = 8 * TFS_MIB};

    assert_int_equal(index_open(&options, &numbered->index), 0);
    assert_int_equal(numbers_new(numbered->index, &numbered->numbers), 0);
}

static void close_index(struct numbered *numbered)
{
    numbers_free(TAKE_PTR(numbered->numbers));
    assert_int_equal(index_close(TAKE_PTR(numbered->index)), 0);
}

static int set_up(void **state)
{
    struct numbered *numbered = calloc(1, sizeof(*numbered));

    assert_non_null(numbered);
    assert_int_equal(fixture_set_up_closed((void **)&numbered->fixture), 0);
    open_index(numbered, false);
    *state = numbered;
    return 0;
}

static int tear_down(void **state)
{
    struct numbered *numbered = *state;
    int err;

    close_index(numbered);
    err = fixture_tear_down((void **)&numbered->fixture);
    free(numbered);
    return err;
}

static uint64_t take(struct numbered *numbered, enum numbers_kind kind)
{
    uint64_t number = 0;

    assert_int_equal(numbers_take(numbered->numbers, kind, &number), 0);
    return number;
}

static void set_next(struct numbered *numbered, const char *key, const void *value, size_t size)
{
    struct index_batch *batch;

    assert_int_equal(index_batch_new(&batch), 0);
    index_batch_put(batch, INDEX_SUPER, key, strlen(key), value, size);
    assert_int_equal(index_commit(numbered->index, batch, false), 0);
    index_batch_free(batch);
}

static void numbers_grow_and_the_kinds_are_apart(void **state)
{
    uint64_t inode = take(*state, NUMBERS_INODE);
    uint64_t segment = take(*state, NUMBERS_SEGMENT);

    assert_true(inode > TFS_ROOT_INODE); /* the first ones are reserved */
    assert_int_equal(segment, 1);
    for (uint64_t i = 1; i <= 10000; i++)
        assert_int_equal(take(*state, NUMBERS_INODE), inode + i);
    for (uint64_t i = 1; i <= 200; i++)
        assert_int_equal(take(*state, NUMBERS_SEGMENT), segment + i);
}

static void no_number_comes_again_after_a_reopen(void **state)
{
    struct numbered *numbered = *state;
    uint64_t inode = 0;
    uint64_t segment = 0;

    for (int i = 0; i < 5; i++) {
        uint64_t next_inode = take(numbered, NUMBERS_INODE);
        uint64_t next_segment = take(numbered, NUMBERS_SEGMENT);

        assert_true(next_inode > inode && next_segment > segment);
        inode = next_inode;
        segment = next_segment;
        close_index(numbered);
        open_index(numbered, false);
    }
}

static void a_range_of_segments_is_durable_before_it_is_used(void **state)
{
    struct numbered *numbered = *state;

    (void)take(numbered, NUMBERS_SEGMENT); /* any */
    assert_int_equal(index_durable_number(numbered->index), index_commit_number(numbered->index));
}

static void a_range_that_cannot_be_written_gives_no_number(void **state)
{
    struct numbered *numbered = *state;
    uint64_t number = 4711;

    (void)take(numbered, NUMBERS_INODE); /* so that the index exists */
    close_index(numbered);
    open_index(numbered, true);
    assert_int_equal(numbers_take(numbered->numbers, NUMBERS_INODE, &number), -EROFS);
    assert_int_equal(numbers_take(numbered->numbers, NUMBERS_INODE, &number), -EROFS);
    assert_int_equal(number, 4711);
}

static void a_counter_that_is_none_is_refused(void **state)
{
    static const uint8_t zero[8] = {0};
    uint64_t number;

    set_next(*state, "next_inode", "short", 5);
    assert_int_equal(numbers_take(((struct numbered *)*state)->numbers, NUMBERS_INODE, &number),
                     -EUCLEAN);
    set_next(*state, "next_inode", zero, sizeof(zero)); /* would give the root's number */
    assert_int_equal(numbers_take(((struct numbered *)*state)->numbers, NUMBERS_INODE, &number),
                     -EUCLEAN);
}

static void the_last_numbers_are_not_passed(void **state)
{
    struct numbered *numbered = *state;
    uint64_t number;
    uint8_t raw[8];

    tfs_put_le64(raw, INT64_MAX - 4096);
    set_next(numbered, "next_inode", raw, sizeof(raw));
    for (uint64_t i = 0; i < 4096; i++)
        assert_int_equal(take(numbered, NUMBERS_INODE), INT64_MAX - 4096 + i);
    assert_int_equal(numbers_take(numbered->numbers, NUMBERS_INODE, &number), -EOVERFLOW);
}

static void use_number(struct numbered *numbered, enum index_table table, uint64_t number)
{
    struct index_batch *batch;
    uint8_t key[16] = {0};

    tfs_put_be64(key, number);
    assert_int_equal(index_batch_new(&batch), 0);
    index_batch_put(batch, table, key, table == INDEX_EXTENT ? 16 : 8, "", 0);
    assert_int_equal(index_commit(numbered->index, batch, false), 0);
    index_batch_free(batch);
}

static void a_counter_that_is_lost_or_too_low_goes_on_behind_all_in_use(void **state)
{
    struct numbered *numbered = *state;
    uint8_t raw[8];

    for (uint64_t i = 0; i < 5000; i++)
        use_number(numbered, INDEX_INODE, 16 + i);
    use_number(numbered, INDEX_INODE, 100000); /* not into the gap before it */
    use_number(numbered, INDEX_SEGMENT, 70);
    assert_int_equal(take(numbered, NUMBERS_INODE), 100001);
    assert_int_equal(take(numbered, NUMBERS_SEGMENT), 71);
    close_index(numbered);
    open_index(numbered, false);
    tfs_put_le64(raw, 20);
    set_next(numbered, "next_inode", raw, sizeof(raw));
    assert_int_equal(take(numbered, NUMBERS_INODE), 100001);
}

static void ranges_with_anything_in_them_are_left_out(void **state)
{
    struct numbered *numbered = *state;

    assert_int_equal(take(numbered, NUMBERS_INODE), 16);
    use_number(numbered, INDEX_EXTENT, 16 + 4096 + 7);
    use_number(numbered, INDEX_XATTR, 16 + 4096 + 8 + 4095);
    use_number(numbered, INDEX_INODE, 16 + 4096 + 8 + 4096 + 4096);
    for (uint64_t i = 1; i < 4096; i++)
        assert_int_equal(take(numbered, NUMBERS_INODE), 16 + i);
    assert_int_equal(take(numbered, NUMBERS_INODE), 16 + 4096 + 8 + 4096);
    for (uint64_t i = 1; i < 4096; i++)
        assert_int_equal(take(numbered, NUMBERS_INODE), 16 + 4096 + 8 + 4096 + i);
    assert_int_equal(take(numbered, NUMBERS_INODE), 16 + 4096 + 8 + 4096 + 4096 + 1);
}

static void numbers_far_out_do_not_end_the_counting(void **state)
{
    struct numbered *numbered = *state;
    uint8_t raw[8];

    use_number(numbered, INDEX_INODE, UINT64_MAX);
    use_number(numbered, INDEX_INODE, INT64_MAX - 1);
    use_number(numbered, INDEX_INODE, 1ull << 56);
    use_number(numbered, INDEX_SEGMENT, INT64_MAX);
    assert_int_equal(take(numbered, NUMBERS_INODE), 16);
    assert_int_equal(take(numbered, NUMBERS_SEGMENT), 1);
    close_index(numbered);
    open_index(numbered, false);
    use_number(numbered, INDEX_INODE, (1ull << 56) - 1); /* the worst that counts */
    assert_int_equal(take(numbered, NUMBERS_INODE), (1ull << 56) + 1);
    close_index(numbered);
    open_index(numbered, false);
    tfs_put_le64(raw, (1ull << 56) - 5); /* comes to it by counting */
    set_next(numbered, "next_inode", raw, sizeof(raw));
    assert_int_equal(take(numbered, NUMBERS_INODE), (1ull << 56) + 1);
}

struct taker {
    struct tfs_numbers *numbers;
    uint64_t taken[TAKEN_BY_EACH];
    int err;
};

static void *take_many(void *argument)
{
    struct taker *taker = argument;

    for (int i = 0; i < TAKEN_BY_EACH && !taker->err; i++)
        taker->err = numbers_take(taker->numbers, NUMBERS_INODE, &taker->taken[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void threads_never_get_the_same_number(void **state)
{
    struct numbered *numbered = *state;
    struct taker *takers = calloc(THREADS, sizeof(*takers));
    uint64_t *all = calloc((size_t)THREADS * TAKEN_BY_EACH, sizeof(*all));
    pthread_t threads[THREADS];

    assert_true(takers && all);
    for (int i = 0; i < THREADS; i++) {
        takers[i].numbers = numbered->numbers;
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(takers[i].err, 0);
        memcpy(all + i * TAKEN_BY_EACH, takers[i].taken, sizeof(takers[i].taken));
    }
    qsort(all, (size_t)THREADS * TAKEN_BY_EACH, sizeof(*all), compare);
    for (size_t i = 1; i < (size_t)THREADS * TAKEN_BY_EACH; i++)
        assert_true(all[i - 1] < all[i]);
    free(all);
    free(takers);
}

#define NUMBERS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NUMBERS_TEST(numbers_grow_and_the_kinds_are_apart),
        NUMBERS_TEST(no_number_comes_again_after_a_reopen),
        NUMBERS_TEST(a_range_of_segments_is_durable_before_it_is_used),
        NUMBERS_TEST(a_range_that_cannot_be_written_gives_no_number),
        NUMBERS_TEST(a_counter_that_is_none_is_refused),
        NUMBERS_TEST(the_last_numbers_are_not_passed),
        NUMBERS_TEST(a_counter_that_is_lost_or_too_low_goes_on_behind_all_in_use),
        NUMBERS_TEST(ranges_with_anything_in_them_are_left_out),
        NUMBERS_TEST(numbers_far_out_do_not_end_the_counting),
        NUMBERS_TEST(threads_never_get_the_same_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
