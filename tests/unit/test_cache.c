/*
 * The cache of decoded units: one load for many, nothing evicted that is pinned, failed loads leave
 * nothing, offers evict nothing.
 */
#include "store/read/cache.h"

#include "store/codec/frame.h"
#include "store/read/memory.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BUFFERS = 16, UNITS_MAX = 4, THREADS = 8, ROUNDS = 4000, KEYS = 10 };

struct cached {
    struct tfs_memory *memory;
    struct tfs_cache *cache;
    atomic_uint loads[KEYS]; /* in progress of each key, for the threads' test */
};

static size_t evict(void *context, size_t count)
{
    struct cached *cached = context;

    return cache_evict(cached->cache, count);
}

static int relieve(void *context)
{
    return -EIO; /* nothing here is dirty */
}

static int set_up(void **state)
{
    struct cached *cached = calloc(1, sizeof(*cached));
    struct memory_options options = {.buffer_count = BUFFERS,
                                     .dirty_count_max = 1,
                                     .evict = evict,
                                     .relieve = relieve,
                                     .context = cached};

    assert_non_null(cached);
    assert_int_equal(memory_new(&options, &cached->memory), 0);
    assert_int_equal(cache_new(cached->memory, UNITS_MAX * FRAME_BUFFER_SIZE, &cached->cache), 0);
    *state = cached;
    return 0;
}

/* Every buffer is back in the pool, or memory_free() fails. */
static int tear_down(void **state)
{
    struct cached *cached = *state;

    cache_free(cached->cache);
    memory_free(cached->memory);
    free(cached);
    return 0;
}

static struct cache_key key_of(uint64_t number)
{
    return (struct cache_key){.segment = 1, .offset = number * 4096, .unit = 0};
}

static void *take_buffer(struct cached *cached)
{
    void *buffer;

    assert_int_equal(memory_take_clean(cached->memory, 1, false, &buffer), 0);
    return buffer;
}

static struct cache_unit *claim_mine(struct cached *cached, uint64_t number)
{
    struct cache_key key = key_of(number);
    struct cache_unit *unit;

    assert_int_equal(cache_claim(cached->cache, &key, take_buffer(cached), &unit), CACHE_MINE);
    return unit;
}

/* Loads the unit, and leaves it unpinned. */
static void load(struct cached *cached, uint64_t number)
{
    struct cache_unit *unit = claim_mine(cached, number);

    cache_unit_data(unit)[0] = (uint8_t)number;
    cache_publish(cached->cache, unit, 0);
    cache_unpin(cached->cache, unit);
}

static bool has(struct cached *cached, uint64_t number)
{
    struct cache_key key = key_of(number);

    return cache_has(cached->cache, &key);
}

static struct cache_status status_of(struct cached *cached)
{
    struct cache_status status;

    cache_get_status(cached->cache, &status);
    return status;
}

static void pass(struct cached *cached, uint64_t number)
{
    struct cache_key key = key_of(number);
    struct cache_unit *unit = cache_find(cached->cache, &key);

    assert_non_null(unit);
    cache_unpin_as(cached->cache, unit, CACHE_PASSED);
}

static void what_a_stream_has_passed_goes_first(void **state)
{
    struct cached *cached = *state;

    for (uint64_t number = 0; number < UNITS_MAX; number++)
        load(cached, number);
    pass(cached, 2);
    load(cached, UNITS_MAX);
    assert_false(has(cached, 2));
    assert_true(has(cached, 0)); /* which was older */
    pass(cached, 1);
    pass(cached, 3);
    pass(cached, 1); /* passed once more: the newest of the two */
    load(cached, UNITS_MAX + 1);
    assert_false(has(cached, 3));
    assert_true(has(cached, 1));
}

static void what_is_loaded_ahead_is_first_used_when_it_is_read(void **state)
{
    struct cached *cached = *state;
    struct cache_key key = key_of(0);
    struct cache_unit *unit = claim_mine(cached, 0);

    cache_publish(cached->cache, unit, 0);
    cache_unpin_as(cached->cache, unit, CACHE_AHEAD);
    load(cached, 1);
    load(cached, 2);
    unit = cache_find(cached->cache, &key); /* later, but for the first time: it stays cold */
    cache_unpin(cached->cache, unit);
    load(cached, 3);
    load(cached, 4);
    load(cached, 5);
    load(cached, 6);
    assert_false(has(cached, 0));
}

static void the_newest_passed_units_are_not_recycled(void **state)
{
    struct cached *cached = *state;

    for (uint64_t number = 0; number < UNITS_MAX; number++) {
        load(cached, number);
        pass(cached, number);
    }
    assert_int_equal(cache_evict_passed(cached->cache, UNITS_MAX), 0);
    assert_int_equal(cache_evict(cached->cache, UNITS_MAX), UNITS_MAX);
}

static void what_was_loaded_is_found(void **state)
{
    struct cached *cached = *state;
    struct cache_key key = key_of(3);
    struct cache_unit *unit;

    assert_null(cache_find(cached->cache, &key));
    assert_false(has(cached, 3));
    load(cached, 3);
    assert_true(has(cached, 3));
    unit = cache_find(cached->cache, &key);
    assert_non_null(unit);
    assert_int_equal(cache_unit_data(unit)[0], 3);
    cache_unpin(cached->cache, unit);
    cache_unpin(cached->cache, NULL);
    assert_int_equal(status_of(cached).hits, 1);
    assert_int_equal(status_of(cached).misses, 1);
}

static void units_of_one_frame_are_told_apart(void **state)
{
    struct cached *cached = *state;
    struct cache_key other_unit = key_of(3);
    struct cache_key other_segment = key_of(3);

    other_unit.unit = 1;
    other_segment.segment = 2;
    load(cached, 3);
    assert_null(cache_find(cached->cache, &other_unit));
    assert_null(cache_find(cached->cache, &other_segment));
}

static void a_second_claim_waits_for_the_first(void **state)
{
    struct cached *cached = *state;
    struct cache_unit *mine = claim_mine(cached, 1);
    struct cache_key key = key_of(1);
    struct cache_unit *second;
    void *buffer = take_buffer(cached);

    assert_null(cache_find(cached->cache, &key)); /* not decoded yet */
    assert_true(has(cached, 1));
    assert_int_equal(cache_claim(cached->cache, &key, buffer, &second), CACHE_LOADING);
    memory_give_clean(cached->memory, 1, &buffer); /* it was not taken over */
    assert_ptr_equal(second, mine);
    cache_publish(cached->cache, mine, 0);
    assert_int_equal(cache_wait(cached->cache, second), 0);
    cache_unpin(cached->cache, mine);
    cache_unpin(cached->cache, second);
    assert_int_equal(status_of(cached).bytes, FRAME_BUFFER_SIZE);
}

static void a_failed_load_is_told_to_all_and_leaves_nothing(void **state)
{
    struct cached *cached = *state;
    struct cache_unit *mine = claim_mine(cached, 1);
    struct cache_key key = key_of(1);
    struct cache_unit *second;
    void *buffer = take_buffer(cached);

    assert_int_equal(cache_claim(cached->cache, &key, buffer, &second), CACHE_LOADING);
    memory_give_clean(cached->memory, 1, &buffer);
    cache_publish(cached->cache, mine, -EBADMSG);
    assert_false(has(cached, 1)); /* the next one tries again */
    assert_int_equal(cache_wait(cached->cache, second), -EBADMSG);
    cache_unpin(cached->cache, second);
    cache_unpin(cached->cache, mine);
    load(cached, 1);
    assert_true(has(cached, 1));
}

static void the_unit_unused_for_longest_goes_first(void **state)
{
    struct cached *cached = *state;
    struct cache_key key = key_of(0);

    for (uint64_t i = 0; i < UNITS_MAX; i++)
        load(cached, i);
    cache_unpin(cached->cache, cache_find(cached->cache, &key)); /* used again */
    load(cached, UNITS_MAX);
    assert_true(has(cached, 0));
    assert_false(has(cached, 1));
    assert_int_equal(status_of(cached).evictions, 1);
    assert_int_equal(status_of(cached).bytes, status_of(cached).bytes_max);
}

static void a_pinned_unit_is_never_evicted(void **state)
{
    struct cached *cached = *state;
    struct cache_key key = key_of(0);
    struct cache_unit *pinned;

    load(cached, 0);
    pinned = cache_find(cached->cache, &key);
    for (uint64_t i = 1; i < 3 * UNITS_MAX; i++)
        load(cached, i);
    assert_int_equal(cache_evict(cached->cache, BUFFERS), UNITS_MAX - 1);
    assert_int_equal(cache_unit_data(pinned)[0], 0);
    assert_true(has(cached, 0));
    cache_unpin(cached->cache, pinned);
    assert_int_equal(cache_evict(cached->cache, BUFFERS), 1);
    assert_int_equal(cache_evict(cached->cache, BUFFERS), 0);
}

static void an_offer_is_taken_while_there_is_room(void **state)
{
    struct cached *cached = *state;
    struct cache_key key;
    void *buffer;

    for (uint64_t i = 0; i < UNITS_MAX; i++) {
        key = key_of(i);
        assert_true(cache_offer(cached->cache, &key, take_buffer(cached)));
        assert_true(has(cached, i));
    }
    key = key_of(UNITS_MAX);
    buffer = take_buffer(cached);
    assert_false(cache_offer(cached->cache, &key, buffer)); /* it evicts for nobody */
    assert_int_equal(status_of(cached).evictions, 0);
    (void)cache_evict(cached->cache, UNITS_MAX); /* as many as there are */
    assert_true(cache_offer(cached->cache, &key, buffer));
}

static void an_offer_of_what_is_there_is_refused(void **state)
{
    struct cached *cached = *state;
    struct cache_unit *loading = claim_mine(cached, 1);
    struct cache_key key = key_of(1);
    void *buffer = take_buffer(cached);

    assert_false(cache_offer(cached->cache, &key, buffer));
    cache_publish(cached->cache, loading, 0);
    cache_unpin(cached->cache, loading);
    assert_false(cache_offer(cached->cache, &key, buffer));
    memory_give_clean(cached->memory, 1, &buffer);
}

static void a_cache_of_no_size_keeps_nothing(void **state)
{
    struct cached *cached = *state;
    struct cache_key key = key_of(1);
    void *buffer = take_buffer(cached);
    struct tfs_cache *none;
    struct cache_unit *unit;

    assert_int_equal(cache_new(cached->memory, FRAME_BUFFER_SIZE - 1, &none), 0);
    assert_false(cache_offer(none, &key, buffer));
    assert_int_equal(cache_claim(none, &key, buffer, &unit), CACHE_MINE);
    cache_publish(none, unit, 0);
    cache_unpin(none, unit);
    assert_false(cache_has(none, &key));
    cache_free(none);
    cache_free(NULL);
}

/* One use of a random unit, as a reader does it. Returns false when a promise was broken. */
static bool use(struct cached *cached, unsigned int *seed)
{
    uint64_t number = (uint64_t)rand_r(seed) % KEYS;
    struct cache_key key = key_of(number);
    struct cache_unit *unit;
    enum cache_claim claim;
    void *buffer;
    bool ok = true;
    int err = 0;

    if (memory_take_clean(cached->memory, 1, true, &buffer))
        return false;
    claim = cache_claim(cached->cache, &key, buffer, &unit);
    if (claim != CACHE_MINE)
        memory_give_clean(cached->memory, 1, &buffer);
    if (claim == CACHE_MINE) {
        ok = atomic_fetch_add(&cached->loads[number], 1) == 0; /* the only loader */
        cache_unit_data(unit)[0] = (uint8_t)number;
        err = rand_r(seed) % 8 ? 0 : -EIO;
        atomic_fetch_sub(&cached->loads[number], 1);
        cache_publish(cached->cache, unit, err);
    } else if (claim == CACHE_LOADING) {
        err = cache_wait(cached->cache, unit);
    }
    if (!err)
        ok = ok && cache_unit_data(unit)[0] == number;
    cache_unpin(cached->cache, unit);
    return ok;
}

struct user {
    struct cached *cached;
    unsigned int seed;
    bool ok;
};

static void *use_often(void *argument)
{
    struct user *user = argument;

    user->ok = true;
    for (int i = 0; i < ROUNDS && user->ok; i++)
        user->ok = use(user->cached, &user->seed);
    return NULL;
}

static void many_threads_load_each_unit_once(void **state)
{
    struct user users[THREADS];
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){.cached = *state, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(users[i].ok);
    }
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(what_was_loaded_is_found),
        CACHE_TEST(what_a_stream_has_passed_goes_first),
        CACHE_TEST(what_is_loaded_ahead_is_first_used_when_it_is_read),
        CACHE_TEST(the_newest_passed_units_are_not_recycled),
        CACHE_TEST(units_of_one_frame_are_told_apart),
        CACHE_TEST(a_second_claim_waits_for_the_first),
        CACHE_TEST(a_failed_load_is_told_to_all_and_leaves_nothing),
        CACHE_TEST(the_unit_unused_for_longest_goes_first),
        CACHE_TEST(a_pinned_unit_is_never_evicted),
        CACHE_TEST(an_offer_is_taken_while_there_is_room),
        CACHE_TEST(an_offer_of_what_is_there_is_refused),
        CACHE_TEST(a_cache_of_no_size_keeps_nothing),
        CACHE_TEST(many_threads_load_each_unit_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
