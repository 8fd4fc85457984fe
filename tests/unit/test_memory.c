/*
 * The pool of buffers: what may be taken, all or nothing, who waits and what ends the wait.
 *
 * Method: the two hooks are the test's own. A thread that is expected to wait is given time to do
 * the wrong thing only by counting the pool's waits, never by sleeping.
 */
#include "store/read/memory.h"

#include "store/codec/frame.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BUFFERS = 8, DIRTY_MAX = 6, WARM = 4, THREADS = 8, ROUNDS = 20000 };

struct pool {
    struct tfs_memory *memory;
    atomic_int evictions;
    atomic_int reliefs;
    atomic_int relief_error;
    void *clean[BUFFERS]; /* what evict() can give back */
    size_t clean_count;
    void *spent[BUFFERS]; /* what recycle() can give back */
    size_t spent_count;
    atomic_int recyclings;
};

static size_t evict(void *context, size_t count)
{
    struct pool *pool = context;
    size_t evicted = 0;

    atomic_fetch_add(&pool->evictions, 1);
    while (evicted < count && pool->clean_count > 0) {
        memory_give_clean(pool->memory, 1, &pool->clean[--pool->clean_count]);
        evicted++;
    }
    return evicted;
}

static size_t recycle(void *context, size_t count)
{
    struct pool *pool = context;

    atomic_fetch_add(&pool->recyclings, 1);
    if (pool->spent_count < count)
        return 0;
    pool->spent_count -= count;
    memory_give_clean(pool->memory, count, &pool->spent[pool->spent_count]);
    return count;
}

static int relieve(void *context)
{
    struct pool *pool = context;

    atomic_fetch_add(&pool->reliefs, 1);
    return atomic_load(&pool->relief_error);
}

static int set_up(void **state)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    struct memory_options options = {.buffer_count = BUFFERS,
                                     .dirty_count_max = DIRTY_MAX,
                                     .warm_count = WARM,
                                     .evict = evict,
                                     .recycle = recycle,
                                     .relieve = relieve,
                                     .context = pool};

    assert_non_null(pool);
    assert_int_equal(memory_new(&options, &pool->memory), 0);
    *state = pool;
    return 0;
}

static int tear_down(void **state)
{
    struct pool *pool = *state;
    struct memory_status status;

    memory_get_status(pool->memory, &status);
    memory_free(pool->memory);
    free(pool);
    return status.free_count == BUFFERS && status.dirty_count == 0 ? 0 : -1;
}

static struct memory_status status_of(struct pool *pool)
{
    struct memory_status status;

    memory_get_status(pool->memory, &status);
    return status;
}

static void buffers_are_distinct_and_aligned(void **state)
{
    struct pool *pool = *state;
    void *buffers[BUFFERS];

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, buffers), 0);
    assert_int_equal(memory_take_clean(pool->memory, 2, false, buffers + DIRTY_MAX), 0);
    for (int i = 0; i < BUFFERS; i++) {
        assert_int_equal((uintptr_t)buffers[i] % 4096, 0);
        memset(buffers[i], i, FRAME_BUFFER_SIZE);
    }
    for (int i = 0; i < BUFFERS; i++) {
        assert_int_equal(((uint8_t *)buffers[i])[0], i);
        assert_int_equal(((uint8_t *)buffers[i])[FRAME_BUFFER_SIZE - 1], i);
    }
    memory_give_dirty(pool->memory, DIRTY_MAX, buffers);
    memory_give_clean(pool->memory, 2, buffers + DIRTY_MAX);
}

static void the_last_buffer_given_is_the_next_one_taken(void **state)
{
    struct pool *pool = *state;
    void *first;
    void *second;

    assert_int_equal(memory_take_clean(pool->memory, 1, false, &first), 0);
    memory_give_clean(pool->memory, 1, &first);
    assert_int_equal(memory_take_clean(pool->memory, 1, false, &second), 0);
    assert_ptr_equal(first, second);
    memory_give_clean(pool->memory, 1, &second);
    memory_give_clean(pool->memory, 0, NULL);
}

static void memory_stays_untouched_while_something_can_be_recycled(void **state)
{
    struct pool *pool = *state;
    void *dirty[WARM];
    void *clean;

    assert_int_equal(memory_take_dirty(pool->memory, WARM, dirty), 0);
    assert_int_equal(atomic_load(&pool->recyclings), 0); /* so much is touched without asking */
    assert_int_equal(status_of(pool).untouched_count, BUFFERS - WARM);
    memory_dirty_to_clean(pool->memory, 2);
    pool->spent[pool->spent_count++] = dirty[0];
    assert_int_equal(memory_take_clean(pool->memory, 1, false, &clean), 0);
    assert_ptr_equal(clean, dirty[0]);
    pool->spent[pool->spent_count++] = dirty[1];
    assert_int_equal(memory_take_dirty(pool->memory, 1, &dirty[0]), 0);
    assert_ptr_equal(dirty[0], dirty[1]);
    assert_int_equal(status_of(pool).untouched_count, BUFFERS - WARM);
    memory_give_clean(pool->memory, 1, &clean);
    memory_give_dirty(pool->memory, 1, &dirty[0]);
    memory_give_dirty(pool->memory, WARM - 2, &dirty[2]);
}

static void a_writer_waits_for_warm_memory_but_not_for_ever(void **state)
{
    struct pool *pool = *state;
    void *buffers[WARM + 1];

    assert_int_equal(memory_take_dirty(pool->memory, WARM, buffers), 0);
    assert_int_equal(memory_take_dirty(pool->memory, 1, &buffers[WARM]), 0); /* nothing came */
    assert_int_equal(status_of(pool).untouched_count, BUFFERS - WARM - 1);
    memory_give_dirty(pool->memory, 1, &buffers[WARM]);
    assert_true(status_of(pool).free_count > status_of(pool).untouched_count);
    assert_int_equal(memory_take_dirty(pool->memory, 1, &buffers[WARM]), 0);
    assert_int_equal(status_of(pool).untouched_count, BUFFERS - WARM - 1); /* the warm one */
    memory_give_dirty(pool->memory, WARM + 1, buffers);
}

static void loads_take_all_or_nothing(void **state)
{
    struct pool *pool = *state;
    void *dirty[DIRTY_MAX];
    void *clean[2];

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    assert_int_equal(memory_take_clean(pool->memory, 1, false, clean), 0);
    assert_int_equal(memory_take_clean(pool->memory, 2, false, dirty), -EAGAIN);
    assert_int_equal(status_of(pool).free_count, 1); /* the last one was not taken either */
    assert_int_equal(memory_take_clean(pool->memory, 1, false, clean + 1), 0);
    memory_give_clean(pool->memory, 2, clean);
    memory_give_dirty(pool->memory, DIRTY_MAX, dirty);
}

static void clean_buffers_are_evicted_for_a_taker(void **state)
{
    struct pool *pool = *state;
    void *dirty[DIRTY_MAX];

    assert_int_equal(memory_take_clean(pool->memory, 2, false, pool->clean), 0);
    pool->clean_count = 2;
    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    assert_int_equal(atomic_load(&pool->evictions), 0);
    assert_int_equal(memory_take_clean(pool->memory, 2, false, pool->clean), 0);
    assert_true(atomic_load(&pool->evictions) > 0);
    memory_give_dirty(pool->memory, DIRTY_MAX, dirty);
    memory_give_clean(pool->memory, 2, pool->clean);
}

static void dirty_data_leaves_the_reserve_to_loads(void **state)
{
    struct pool *pool = *state;
    void *dirty[DIRTY_MAX];
    void *more;

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    atomic_store(&pool->relief_error, -ENOSPC);
    assert_int_equal(memory_take_dirty(pool->memory, 1, &more), -ENOSPC);
    assert_int_equal(status_of(pool).free_count, BUFFERS - DIRTY_MAX);
    assert_int_equal(status_of(pool).dirty_count, DIRTY_MAX);
    memory_give_dirty(pool->memory, DIRTY_MAX, dirty);
}

static void an_error_of_relief_reaches_the_writer_who_waits(void **state)
{
    struct pool *pool = *state;
    void *dirty[DIRTY_MAX];
    void *more[2];

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX - 1, dirty), 0);
    atomic_store(&pool->relief_error, -EIO);
    assert_int_equal(memory_take_dirty(pool->memory, 2, more), -EIO);
    atomic_store(&pool->relief_error, 0);
    assert_int_equal(memory_take_dirty(pool->memory, 1, more), 0); /* what there is, is given */
    memory_give_dirty(pool->memory, 1, more);
    memory_give_dirty(pool->memory, DIRTY_MAX - 1, dirty);
}

struct taker {
    struct pool *pool;
    size_t count;
    bool dirty;
    atomic_bool done;
    void *buffers[BUFFERS];
    int err;
};

static void *take(void *argument)
{
    struct taker *taker = argument;

    taker->err = taker->dirty
                     ? memory_take_dirty(taker->pool->memory, taker->count, taker->buffers)
                     : memory_take_clean(taker->pool->memory, taker->count, true, taker->buffers);
    atomic_store(&taker->done, true);
    return NULL;
}

static void start(struct taker *taker, pthread_t *thread)
{
    uint64_t waits = status_of(taker->pool).waits;

    assert_int_equal(pthread_create(thread, NULL, take, taker), 0);
    while (status_of(taker->pool).waits == waits && !atomic_load(&taker->done))
        (void)sched_yield(); /* cannot fail */
}

static void a_writer_waits_until_dirty_data_is_written_back(void **state)
{
    struct pool *pool = *state;
    struct taker taker = {.pool = pool, .count = 1, .dirty = true};
    void *dirty[DIRTY_MAX];
    pthread_t thread;

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    start(&taker, &thread);
    assert_false(atomic_load(&taker.done));
    assert_true(atomic_load(&pool->reliefs) > 0); /* it asked for write-back */
    memory_dirty_to_clean(pool->memory, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(taker.err, 0);
    memory_give_dirty(pool->memory, 1, taker.buffers);
    memory_give_clean(pool->memory, 1, dirty);
    memory_give_dirty(pool->memory, DIRTY_MAX - 1, dirty + 1);
}

/* Waits until who waits has looked again, and found too little. */
static void wait_for_reliefs(struct pool *pool, int more)
{
    int wanted = atomic_load(&pool->reliefs) + more;

    while (atomic_load(&pool->reliefs) < wanted)
        (void)sched_yield(); /* cannot fail */
}

/* A writer that needs much is not passed by those that need little, in the line or not. */
static void writers_are_served_in_the_order_in_which_they_came(void **state)
{
    struct pool *pool = *state;
    struct taker large = {.pool = pool, .count = 4, .dirty = true};
    struct taker small = {.pool = pool, .count = 1, .dirty = true};
    struct taker late = {.pool = pool, .count = 1, .dirty = true};
    void *dirty[DIRTY_MAX];
    void *load[1];
    pthread_t threads[3];

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    start(&large, &threads[0]);
    start(&small, &threads[1]);
    memory_give_dirty(pool->memory, 3, dirty); /* enough for the small one */
    assert_int_equal(memory_take_clean(pool->memory, 1, false, load), 0); /* loads do not line up */
    wait_for_reliefs(pool, 3);
    assert_false(atomic_load(&small.done));
    assert_false(atomic_load(&large.done));
    start(&late, &threads[2]);
    assert_false(atomic_load(&late.done));
    memory_give_dirty(pool->memory, 1, dirty + 3);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_false(atomic_load(&small.done));
    memory_give_dirty(pool->memory, 1, dirty + 4);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_false(atomic_load(&late.done));
    memory_give_dirty(pool->memory, 1, dirty + 5);
    assert_int_equal(pthread_join(threads[2], NULL), 0);
    assert_int_equal(large.err, 0);
    assert_int_equal(small.err, 0);
    assert_int_equal(late.err, 0);
    memory_give_clean(pool->memory, 1, load);
    memory_give_dirty(pool->memory, 4, large.buffers);
    memory_give_dirty(pool->memory, 1, small.buffers);
    memory_give_dirty(pool->memory, 1, late.buffers);
}

/* Who leaves the line with an error lets the next one try. */
static void an_error_does_not_stop_the_line(void **state)
{
    struct pool *pool = *state;
    struct taker takers[2] = {{.pool = pool, .count = 1, .dirty = true},
                              {.pool = pool, .count = 1, .dirty = true}};
    void *dirty[DIRTY_MAX];
    pthread_t threads[2];

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    start(&takers[0], &threads[0]);
    start(&takers[1], &threads[1]);
    atomic_store(&pool->relief_error, -EIO);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(takers[i].err, -EIO);
    }
    memory_give_dirty(pool->memory, DIRTY_MAX, dirty);
}

static void a_load_waits_until_a_buffer_is_given_back(void **state)
{
    struct pool *pool = *state;
    struct taker taker = {.pool = pool, .count = 2};
    void *dirty[DIRTY_MAX];
    void *clean[2];
    pthread_t thread;

    assert_int_equal(memory_take_dirty(pool->memory, DIRTY_MAX, dirty), 0);
    assert_int_equal(memory_take_clean(pool->memory, 2, false, clean), 0);
    start(&taker, &thread);
    memory_give_clean(pool->memory, 1, clean); /* one is not enough */
    assert_false(atomic_load(&taker.done));
    memory_give_clean(pool->memory, 1, clean + 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(taker.err, 0);
    assert_int_equal(status_of(pool).free_count, 0);
    memory_give_clean(pool->memory, 2, taker.buffers);
    memory_give_dirty(pool->memory, DIRTY_MAX, dirty);
}

struct churner {
    struct pool *pool;
    unsigned int seed;
    bool ok;
};

static bool churn_once(struct churner *churner)
{
    struct tfs_memory *memory = churner->pool->memory;
    void *buffers[3];
    size_t count = 1 + (size_t)rand_r(&churner->seed) % 3;
    bool dirty = rand_r(&churner->seed) % 2;

    count = !dirty && count > 2 ? 2 : count;
    if (dirty ? memory_take_dirty(memory, count, buffers)
              : memory_take_clean(memory, count, true, buffers))
        return false;
    for (size_t i = 0; i < count; i++)
        *(void **)buffers[i] = &buffers[i]; /* mine: TSan and the look below would see another */
    for (size_t i = 0; i < count; i++) {
        if (*(void **)buffers[i] != &buffers[i])
            return false;
    }
    if (dirty && count > 1) {
        memory_dirty_to_clean(memory, 1);
        memory_give_clean(memory, 1, &buffers[--count]);
    }
    if (dirty)
        memory_give_dirty(memory, count, buffers);
    else
        memory_give_clean(memory, count, buffers);
    return true;
}

static void *churn(void *argument)
{
    struct churner *churner = argument;

    churner->ok = true;
    for (int i = 0; i < ROUNDS && churner->ok; i++)
        churner->ok = churn_once(churner);
    return NULL;
}

static void no_buffer_has_two_owners_and_nobody_waits_for_ever(void **state)
{
    struct churner churners[THREADS];
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        churners[i] = (struct churner){.pool = *state, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &churners[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(churners[i].ok);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buffers_are_distinct_and_aligned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_buffer_given_is_the_next_one_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(loads_take_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_stays_untouched_while_something_can_be_recycled,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_writer_waits_for_warm_memory_but_not_for_ever, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(clean_buffers_are_evicted_for_a_taker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dirty_data_leaves_the_reserve_to_loads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_of_relief_reaches_the_writer_who_waits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_writer_waits_until_dirty_data_is_written_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(writers_are_served_in_the_order_in_which_they_came, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_error_does_not_stop_the_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_load_waits_until_a_buffer_is_given_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_buffer_has_two_owners_and_nobody_waits_for_ever, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
