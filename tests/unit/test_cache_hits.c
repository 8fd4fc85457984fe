/*
 * How often the cache has what is asked for, by reads past the page cache: no less often than a
 * cache of its size that forgets what was not used for longest (LRU).
 *
 * Method: a file five times as large as the cache; the same requests, of a unit each, go to the
 * volume and to a plain LRU, after as many to warm up. Hits are counts, so the load of the machine
 * does not matter; the seeds are fixed.
 */
#include "store_fixture.h"

#include "store/codec/frame.h"
#include "store/read/cache.h"
#include "store/volume.h"
#include "tools/bench/workload/request_lru.h"
#include "tools/bench/workload/request_order.h"

enum { TIMES_THE_CACHE = 5, REQUESTS = 8000 };

struct hits {
    double percent;     /* of the volume's cache */
    double lru_percent; /* of the plain one */
};

static struct cache_status status_of(const struct fixture *fixture)
{
    struct cache_status status;

    cache_get_status(fixture->volume->cache, &status);
    return status;
}

/* A request as of a program that opened with O_DIRECT. */
static void request(struct tfs_file *file, uint64_t block)
{
    struct tfs_read read;

    assert_int_equal(tfs_file_read(file, block * FRAME_BUFFER_SIZE, FRAME_BUFFER_SIZE, &read), 0);
    assert_int_equal(read.size, FRAME_BUFFER_SIZE);
    tfs_read_keep(&read);
    tfs_read_release(&read);
}

static struct hits measure(struct fixture *fixture, struct tfs_file *file, enum request_load load)
{
    uint64_t units = status_of(fixture).bytes_max / FRAME_BUFFER_SIZE;
    struct request_popularity popularity;
    struct request_order order;
    struct request_lru *lru;
    struct cache_status before = {0};
    struct cache_status after;
    unsigned lru_hits = 0;

    assert_int_equal(request_popularity_init(&popularity, units * TIMES_THE_CACHE, 20), 0);
    assert_int_equal(request_lru_new(units * TIMES_THE_CACHE, units, &lru), 0);
    request_order_init(&order, &popularity, load, 21);
    for (unsigned i = 0; i < 2 * REQUESTS; i++) {
        uint64_t block = request_order_next(&order);
        bool hit = request_lru_get(lru, block);

        if (i == REQUESTS)
            before = status_of(fixture);
        lru_hits += i >= REQUESTS && hit;
        request(file, block);
    }
    after = status_of(fixture);
    request_lru_free(lru);
    request_popularity_release(&popularity);
    return (struct hits){
        .percent = 100.0 * (double)(after.hits - before.hits) /
                   (double)(after.hits - before.hits + after.misses - before.misses),
        .lru_percent = 100.0 * lru_hits / REQUESTS,
    };
}

/* A volume of which nothing was read, with a file on it. */
static struct tfs_file *open_cold(struct fixture *fixture)
{
    uint64_t size = status_of(fixture).bytes_max * TIMES_THE_CACHE;
    struct tfs_file *file;

    fixture_make_file(fixture, "file", size, 1);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    tfs_file_set_cached_above(file);
    return file;
}

static void the_cache_grows_to_its_size(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = open_cold(fixture);
    uint64_t units = status_of(fixture).bytes_max / FRAME_BUFFER_SIZE;

    for (uint64_t block = 0; block < 2 * units; block++)
        request(file, block * 7 % (units * TIMES_THE_CACHE));
    assert_in_range(status_of(fixture).bytes, (units - 1) * FRAME_BUFFER_SIZE,
                    units * FRAME_BUFFER_SIZE);
    tfs_file_close(file);
}

static void it_hits_as_often_as_an_lru_where_nothing_can_be_known(void **state)
{
    struct tfs_file *file = open_cold(*state);
    struct hits hits = measure(*state, file, REQUEST_UNIFORM);

    if (hits.percent < hits.lru_percent - 2)
        fail_msg("%.1f %% hits, an LRU has %.1f %%", hits.percent, hits.lru_percent);
    tfs_file_close(file);
}

static void it_hits_more_often_where_some_blocks_are_wanted_more(void **state)
{
    struct tfs_file *file = open_cold(*state);
    struct hits hits = measure(*state, file, REQUEST_ZIPF);

    if (hits.percent < hits.lru_percent)
        fail_msg("%.1f %% hits, an LRU has %.1f %%", hits.percent, hits.lru_percent);
    tfs_file_close(file);
}

static int set_up(void **state)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    fixture->options.memory_size = 128 * TFS_MIB;
    if (!err)
        fixture_open(fixture);
    return err;
}

#define HITS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HITS_TEST(the_cache_grows_to_its_size),
        HITS_TEST(it_hits_as_often_as_an_lru_where_nothing_can_be_known),
        HITS_TEST(it_hits_more_often_where_some_blocks_are_wanted_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
