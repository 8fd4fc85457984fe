/*
 * Many threads at one index: guards are atomic against everybody, durable commits of several
 * threads share their syncs, and readers see each batch whole. Run under ThreadSanitizer too.
 */
#include "store/base/bytes.h"
#include "test_index_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 300, INTRUDER_ROUNDS = 4000 };

struct worker {
    struct tfs_index *index;
    uint32_t id;
    uint64_t successes;
};

/* cmocka's asserts may only be used by the main thread; the workers count what went wrong. */
static atomic_uint failures;

static void expect(bool condition)
{
    if (!condition)
        atomic_fetch_add(&failures, 1);
}

static void run_workers(struct fixture *fixture, void *(*run)(void *), struct worker *workers)
{
    pthread_t threads[THREADS];

    atomic_store(&failures, 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].index = fixture->index;
        workers[i].id = i;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&failures), 0);
}

static uint64_t counter_read(struct tfs_index *index)
{
    struct index_value value;
    uint64_t number = 0;

    if (index_get(index, INDEX_INODE, "counter", 7, &value) < 0)
        return 0;
    if (value.size == sizeof(number))
        number = tfs_get_be64(value.data);
    index_value_release(&value);
    return number;
}

/* Adds one with a guard that the counter still is what was read. */
static int counter_add(struct tfs_index *index, struct index_batch *batch)
{
    uint64_t number = counter_read(index);
    uint8_t before[8];
    uint8_t after[8];

    tfs_put_be64(before, number);
    tfs_put_be64(after, number + 1);
    index_batch_clear(batch);
    if (number == 0)
        index_batch_guard_absent(batch, INDEX_INODE, "counter", 7);
    else
        index_batch_guard_prefix(batch, INDEX_INODE, "counter", 7, before, sizeof(before));
    index_batch_put(batch, INDEX_INODE, "counter", 7, after, sizeof(after));
    return index_commit(index, batch, false);
}

static void *counter_worker(void *argument)
{
    struct worker *worker = argument;
    struct index_batch *batch = NULL;

    expect(index_batch_new(&batch) == 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        int err = counter_add(worker->index, batch);

        expect(err == 0 || err == -ESTALE || err == -EEXIST);
        worker->successes += err == 0;
        index_batch_clear(batch);
        put_text(batch, worker->id, i, "beside");
        expect(index_commit(worker->index, batch, false) == 0);
    }
    index_batch_free(batch);
    return NULL;
}

static void guarded_commits_of_many_threads_lose_no_update(void **state)
{
    struct fixture *fixture = *state;
    struct worker workers[THREADS] = {0};
    uint64_t successes = 0;

    run_workers(fixture, counter_worker, workers);
    for (int i = 0; i < THREADS; i++)
        successes += workers[i].successes;
    assert_true(successes > 0);
    assert_int_equal(counter_read(fixture->index), successes);
    assert_int_equal(index_commit_number(fixture->index), successes + THREADS * ROUNDS);
}

static pthread_barrier_t round_start;

/* All meet before each key. Worker 0 writes it without a guard, the others only where it is absent.
 */
static void *intruder_worker(void *argument)
{
    struct worker *worker = argument;
    struct index_batch *batch = NULL;

    expect(index_batch_new(&batch) == 0);
    for (uint32_t i = 0; i < INTRUDER_ROUNDS; i++) {
        bool guarded = worker->id > 0;
        int err;

        index_batch_clear(batch);
        if (guarded)
            index_batch_guard_absent(batch, INDEX_EXTENT, key_of(77, i), KEY_SIZE);
        put_text(batch, 77, i, guarded ? "guarded" : "intruder");
        (void)pthread_barrier_wait(&round_start);
        err = index_commit(worker->index, batch, false);
        expect(err == 0 || (guarded && err == -EEXIST));
    }
    index_batch_free(batch);
    return NULL;
}

static void a_guarded_write_never_covers_one_without_guard(void **state)
{
    struct fixture *fixture = *state;
    struct worker workers[THREADS] = {0};

    assert_int_equal(pthread_barrier_init(&round_start, NULL, THREADS), 0);
    run_workers(fixture, intruder_worker, workers);
    (void)pthread_barrier_destroy(&round_start);

    /*
     * Where a guarded write came first the intruder wrote after it; where the intruder came first
     * no guard held.
     */
    for (uint32_t i = 0; i < INTRUDER_ROUNDS; i++)
        assert_text(fixture, 77, i, "intruder");
}

static void *durable_worker(void *argument)
{
    struct worker *worker = argument;
    struct index_batch *batch = NULL;

    expect(index_batch_new(&batch) == 0);
    for (uint32_t i = 0; i < ROUNDS / 3; i++) {
        uint64_t number;

        index_batch_clear(batch);
        put_text(batch, worker->id, i, "durable");
        expect(index_commit(worker->index, batch, i % 3 != 0) == 0);
        number = index_commit_number(worker->index);
        if (i % 3 == 0) {
            expect(index_sync(worker->index) == 0);
            expect(index_durable_number(worker->index) >= number);
        }
        expect(index_durable_number(worker->index) <= index_commit_number(worker->index));
    }
    index_batch_free(batch);
    return NULL;
}

static void durable_commits_of_many_threads_are_durable_when_they_return(void **state)
{
    struct fixture *fixture = *state;
    struct worker workers[THREADS] = {0};

    run_workers(fixture, durable_worker, workers);
    assert_int_equal(index_sync(fixture->index), 0);
    assert_int_equal(index_durable_number(fixture->index), THREADS * (ROUNDS / 3));
    for (uint32_t i = 0; i < ROUNDS / 3; i++)
        assert_text(fixture, THREADS - 1, i, "durable");
}

/* Worker 0 writes pairs, the others must never see half of one. */
static void *pair_worker(void *argument)
{
    static const uint8_t first[KEY_SIZE] = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1};
    static const uint8_t second[KEY_SIZE] = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2};
    struct worker *worker = argument;
    struct index_batch *batch = NULL;
    uint8_t bytes[8];

    expect(index_batch_new(&batch) == 0);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        const void *keys[] = {first, second};
        size_t sizes[] = {KEY_SIZE, KEY_SIZE};
        struct index_value values[2];

        if (worker->id == 0) {
            tfs_put_be64(bytes, i);
            index_batch_clear(batch);
            index_batch_put(batch, INDEX_EXTENT, first, KEY_SIZE, bytes, sizeof(bytes));
            index_batch_put(batch, INDEX_EXTENT, second, KEY_SIZE, bytes, sizeof(bytes));
            expect(index_commit(worker->index, batch, false) == 0);
            continue;
        }
        expect(index_get_many(worker->index, INDEX_EXTENT, 2, keys, sizes, values) == 0);
        expect((values[0].data == NULL) == (values[1].data == NULL));
        if (values[0].data && values[1].data)
            expect(memcmp(values[0].data, values[1].data, sizeof(bytes)) == 0);
        index_value_release(&values[0]);
        index_value_release(&values[1]);
    }
    index_batch_free(batch);
    return NULL;
}

static void a_lookup_of_several_keys_sees_whole_batches(void **state)
{
    struct worker workers[THREADS] = {0};

    run_workers(*state, pair_worker, workers);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(guarded_commits_of_many_threads_lose_no_update),
        TEST(a_guarded_write_never_covers_one_without_guard),
        TEST(durable_commits_of_many_threads_are_durable_when_they_return),
        TEST(a_lookup_of_several_keys_sees_whole_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
