/*
 * Many threads at one store of segments: appends that overlap, syncs that are shared, reads beside
 * them, files that are sealed and removed under readers. Run under ThreadSanitizer too.
 */
#include "test_segment_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { THREADS = 4, APPENDS = 60, PART_SIZE = 16 * 1024 };

struct worker {
    struct tfs_segments *segments;
    uint64_t id;
    struct segment_position at[APPENDS];
};

/* cmocka's asserts may only be used by the main thread; the workers count what went wrong. */
static atomic_uint failures;

static void expect(bool condition)
{
    if (!condition)
        atomic_fetch_add(&failures, 1);
}

static uint64_t seed_of(uint64_t id, int i)
{
    return id * 1000 + (uint64_t)i;
}

static bool stored(struct tfs_segments *segments, struct segment_position at, uint64_t seed,
                   uint8_t *buffer, uint8_t *expected)
{
    const uint8_t *data;

    fill(expected, PART_SIZE, seed);
    return segments_read(segments, at, PART_SIZE, buffer, PART_SIZE, &data) == 0 &&
           memcmp(data, expected, PART_SIZE) == 0;
}

/* Appends, now and then syncs or seals, and reads back one of its older ones. */
static void *append_worker(void *argument)
{
    struct worker *worker = argument;
    uint8_t *buffer = aligned_alloc(UNIT, PART_SIZE);
    uint8_t *expected = malloc(PART_SIZE);

    for (int i = 0; i < APPENDS; i++) {
        fill(buffer, PART_SIZE, seed_of(worker->id, i));
        expect(append_bytes(worker->segments, buffer, PART_SIZE, &worker->at[i]) == 0);
        if (i % 5 == 0)
            expect(segments_sync(worker->segments) == 0);
        if (i % 16 == 15)
            expect(segments_seal(worker->segments) == 0);
        expect(stored(worker->segments, worker->at[i / 2], seed_of(worker->id, i / 2), buffer,
                      expected));
    }
    free(expected);
    free(buffer);
    return NULL;
}

static void run_workers(struct fixture *fixture, void *(*run)(void *), struct worker *workers)
{
    pthread_t threads[THREADS];

    atomic_store(&failures, 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i].segments = fixture->segments;
        workers[i].id = i;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&failures), 0);
}

static int position_compare(const void *a, const void *b)
{
    const struct segment_position *left = a;
    const struct segment_position *right = b;

    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static void appends_of_many_threads_do_not_overlap_and_all_are_kept(void **state)
{
    static struct worker workers[THREADS];
    static struct segment_position all[THREADS * APPENDS];
    struct fixture *fixture = *state;

    run_workers(fixture, append_worker, workers);
    fixture_reopen(fixture);
    for (uint64_t i = 0; i < THREADS; i++)
        for (int j = 0; j < APPENDS; j++) {
            assert_stored(fixture, workers[i].at[j], 0, PART_SIZE, seed_of(i, j));
            all[i * APPENDS + (uint64_t)j] = workers[i].at[j];
        }
    qsort(all, TFS_ARRAY_COUNT(all), sizeof(all[0]), position_compare);
    for (size_t i = 1; i < TFS_ARRAY_COUNT(all); i++)
        assert_true(all[i].number > all[i - 1].number ||
                    all[i].offset >= all[i - 1].offset + PART_SIZE);
}

/*
 * Worker 0 appends, seals and removes; the others read what it removes and may only see all of it
 * or nothing.
 */
static _Atomic uint64_t newest;

static void *remove_worker(void *argument)
{
    struct worker *worker = argument;
    uint8_t *buffer = aligned_alloc(UNIT, PART_SIZE);
    uint8_t *expected = malloc(PART_SIZE);
    struct segment_position at;

    for (int i = 0; i < 4 * APPENDS; i++) {
        if (worker->id > 0) {
            const uint8_t *data;
            int err;

            at = (struct segment_position){atomic_load(&newest), 0};
            err = segments_read(worker->segments, at, PART_SIZE, buffer, PART_SIZE, &data);
            fill(expected, PART_SIZE, at.number);
            expect(err == -ENOENT || (err == 0 && memcmp(data, expected, PART_SIZE) == 0));
            continue;
        }
        fill(buffer, PART_SIZE, (uint64_t)i + 1); /* numbers are taken from 1 on */
        expect(append_bytes(worker->segments, buffer, PART_SIZE, &at) == 0);
        atomic_store(&newest, at.number);
        expect(segments_seal(worker->segments) == 0);
        if (i % 2 == 0)
            expect(segments_sync(worker->segments) == 0);
        expect(segments_remove(worker->segments, at.number) == 0);
    }
    free(expected);
    free(buffer);
    return NULL;
}

static void a_reader_of_a_segment_that_is_removed_sees_all_or_nothing(void **state)
{
    static struct worker workers[THREADS];

    run_workers(*state, remove_worker, workers);
}

static void *reserve_worker(void *argument)
{
    struct worker *worker = argument;
    struct segment_space space;

    for (int i = 0; i < 50 * APPENDS; i++) {
        expect(segments_reserve(worker->segments, PART_SIZE) == 0);
        if (i % 100 == 0)
            expect(segments_space(worker->segments, &space) == 0);
        segments_unreserve(worker->segments, PART_SIZE);
    }
    return NULL;
}

static void reservations_of_many_threads_add_up_to_nothing_in_the_end(void **state)
{
    static struct worker workers[THREADS];
    struct fixture *fixture = *state;
    struct segment_space space;

    run_workers(fixture, reserve_worker, workers);
    assert_int_equal(segments_space(fixture->segments, &space), 0);
    assert_int_equal(segments_reserve(fixture->segments, space.available / 2), 0);
    segments_unreserve(fixture->segments, space.available / 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appends_of_many_threads_do_not_overlap_and_all_are_kept),
        TEST(a_reader_of_a_segment_that_is_removed_sees_all_or_nothing),
        TEST(reservations_of_many_threads_add_up_to_nothing_in_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
