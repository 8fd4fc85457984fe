/*
 * Reading ahead begins where a file is read in sequence, in either direction and in whatever order
 * the kernel's parallel requests arrive, and nowhere else; and nothing is decoded twice.
 *
 * A test that must know what the worker does has only one, and holds it in a job of its own.
 */
#include "store_fixture.h"

#include "store/base/workers.h"
#include "store/file/file.h"
#include "store/inode/data.h"
#include "store/read/cache.h"
#include "store/volume.h"

#include <semaphore.h>

enum { FILE_SIZE = 24 << 20, REQUEST = 256 << 10, REQUESTS = FILE_SIZE / REQUEST };

static struct tfs_file *open_stored(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, FILE_SIZE, 1);
    tfs_file_close(file);
    fixture_reopen(fixture);
    return fixture_open_file(fixture, "file");
}

static void read_request(struct tfs_file *file, unsigned request)
{
    struct tfs_read read;

    assert_int_equal(tfs_file_read(file, (uint64_t)request * REQUEST, REQUEST, &read), 0);
    tfs_read_release(&read);
}

static void read_up(struct tfs_file *file, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        read_request(file, i);
}

static void read_down(struct tfs_file *file, unsigned end, unsigned first)
{
    for (unsigned i = end; i > first; i--)
        read_request(file, i - 1);
}

/* How many of the file's streams in this direction were taken further than they were read. */
static unsigned streams_ahead(struct tfs_file *file, enum readahead_direction direction)
{
    const struct readahead_stream *streams = file->inode->data->readahead.streams[direction];
    unsigned ahead = 0;

    tfs_mutex_lock(&file->inode->lock);
    for (int i = 0; i < READAHEAD_STREAMS; i++)
        ahead += streams[i].ahead > streams[i].next;
    tfs_mutex_unlock(&file->inode->lock);
    return ahead;
}

static bool decodes_ahead(struct tfs_file *file)
{
    return streams_ahead(file, READAHEAD_UP) + streams_ahead(file, READAHEAD_DOWN) > 0;
}

/* A job that says when its turn has come, and ends when it may. */
struct hold {
    struct tfs_job job;
    sem_t begun;
    sem_t may_end;
    sem_t ended;
};

static void run_hold(struct tfs_job *job, void *scratch)
{
    struct hold *hold = tfs_container_of(job, struct hold, job);

    (void)scratch;
    (void)sem_post(&hold->begun); /* nothing to assert on the worker's thread */
    (void)sem_wait(&hold->may_end);
    (void)sem_post(&hold->ended);
}

/* Returns when all jobs before this one were run, with the worker held. */
static void hold_worker(struct fixture *fixture, struct hold *hold)
{
    hold->job.run = run_hold;
    list_init(&hold->job.node);
    assert_int_equal(sem_init(&hold->begun, 0, 0), 0);
    assert_int_equal(sem_init(&hold->may_end, 0, 0), 0);
    assert_int_equal(sem_init(&hold->ended, 0, 0), 0);
    tfs_workers_submit(fixture->volume->workers, &hold->job, TFS_JOB_IDLE);
    assert_int_equal(sem_wait(&hold->begun), 0);
}

static void release_worker(struct hold *hold)
{
    assert_int_equal(sem_post(&hold->may_end), 0);
    assert_int_equal(sem_wait(&hold->ended), 0); /* the worker is done with it */
}

static uint64_t units_loaded(struct fixture *fixture)
{
    struct cache_status status;

    cache_get_status(fixture->volume->cache, &status);
    return status.misses;
}

static bool something_was_decoded(void *context)
{
    struct fixture *fixture = context;

    return tfs_counter_get(&fixture->volume->stats.prefetched) > 0;
}

static void a_sequence_is_decoded_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);

    read_request(file, 0);
    assert_false(decodes_ahead(file)); /* one read is no sequence */
    read_up(file, 1, 12);
    assert_true(decodes_ahead(file));
    fixture_wait(something_was_decoded, fixture);
    tfs_file_close(file);
}

static void a_sequence_whose_requests_overtake_each_other_is_decoded_ahead(void **state)
{
    struct tfs_file *file = open_stored(*state);

    for (unsigned i = 0; i < 12; i += 3) {
        read_request(file, i + 2);
        read_request(file, i);
        read_request(file, i + 1);
    }
    assert_true(decodes_ahead(file));
    tfs_file_close(file);
}

static void two_sequences_in_turns_are_both_decoded_ahead(void **state)
{
    struct tfs_file *file = open_stored(*state);

    for (unsigned i = 0; i < 20; i++) {
        read_request(file, i);
        read_request(file, REQUESTS / 2 + i);
    }
    assert_int_equal(streams_ahead(file, READAHEAD_UP), 2);
    tfs_file_close(file);
}

static void a_file_read_backwards_is_decoded_ahead(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);

    read_down(file, REQUESTS, REQUESTS - 20);
    assert_int_equal(streams_ahead(file, READAHEAD_DOWN), 1);
    assert_int_equal(streams_ahead(file, READAHEAD_UP), 0);
    fixture_wait(something_was_decoded, fixture);
    tfs_file_close(file);
}

/* As memcpy() does out of a mapping: the kernel reads 2 MiB and a page before each fault. */
static void groups_of_requests_that_go_backwards_are_decoded_ahead(void **state)
{
    enum { PAGE = 4096, LARGE = 1 << 20 };
    static const struct {
        uint32_t offset;
        uint32_t size;
    } group[] = {{0, LARGE}, {LARGE, LARGE}, {2 * LARGE, PAGE}};
    struct tfs_file *file = open_stored(*state);
    uint64_t start = FILE_SIZE - REQUEST;

    for (unsigned i = 0; i < 5; i++) {
        start -= 2 * LARGE + PAGE;
        for (size_t j = 0; j < TFS_ARRAY_COUNT(group); j++) {
            struct tfs_read read;

            assert_int_equal(tfs_file_read(file, start + group[j].offset, group[j].size, &read), 0);
            tfs_read_release(&read);
        }
    }
    assert_int_equal(streams_ahead(file, READAHEAD_DOWN), 1);
    assert_int_equal(streams_ahead(file, READAHEAD_UP), 0);
    tfs_file_close(file);
}

static void what_the_kernel_reads_around_one_fault_is_no_direction(void **state)
{
    struct tfs_file *file = open_stored(*state);

    read_up(file, REQUESTS / 2, REQUESTS / 2 + 16);
    assert_false(decodes_ahead(file));
    tfs_file_close(file);
}

static void a_file_read_forwards_is_not_decoded_backwards(void **state)
{
    struct tfs_file *file = open_stored(*state);

    for (unsigned i = 0; i + 4 <= REQUESTS; i += 4) {
        read_down(file, i + 4, i);
        assert_int_equal(streams_ahead(file, READAHEAD_DOWN), 0);
    }
    tfs_file_close(file);
}

static int set_up_one_worker(void **state)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    fixture->options.threads = 1;
    fixture_open(fixture);
    return err;
}

/* Lets the worker go, and returns when it has run all that was asked for until now. */
static void run_worker(struct fixture *fixture, struct hold *hold)
{
    struct hold last;

    release_worker(hold);
    hold_worker(fixture, &last);
    release_worker(&last);
}

static void what_a_reader_has_passed_is_not_decoded_any_more(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);
    struct hold hold;
    bool asked;

    hold_worker(fixture, &hold);
    read_up(file, 0, REQUESTS / 2);
    asked = decodes_ahead(file);
    read_up(file, REQUESTS / 2, REQUESTS);
    (void)cache_evict(fixture->volume->cache, REQUESTS);
    run_worker(fixture, &hold);
    assert_true(asked);
    assert_int_equal(units_loaded(fixture), REQUESTS);
    tfs_file_close(file);
}

static void a_chunk_is_decoded_from_where_its_reader_is(void **state)
{
    enum { CHUNK = 16 }; /* requests */
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);
    struct hold hold;

    hold_worker(fixture, &hold);
    read_up(file, 0, CHUNK + 4);
    (void)cache_evict(fixture->volume->cache, REQUESTS);
    run_worker(fixture, &hold);
    assert_int_equal(tfs_counter_get(&fixture->volume->stats.prefetched), 2);
    assert_int_equal(units_loaded(fixture), CHUNK + 4 + CHUNK - 4 + CHUNK);
    tfs_file_close(file);
}

static void a_stream_is_not_decoded_into_what_another_one_read(void **state)
{
    enum { BORDER = REQUESTS / 2 };
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);
    struct hold hold;
    uint64_t loaded;

    read_up(file, BORDER - 32, BORDER);
    hold_worker(fixture, &hold);
    loaded = units_loaded(fixture);
    (void)cache_evict(fixture->volume->cache, REQUESTS);
    read_down(file, BORDER + 40, BORDER + 8);
    run_worker(fixture, &hold);
    assert_int_equal(streams_ahead(file, READAHEAD_DOWN), 1); /* it was asked for */
    assert_int_equal(units_loaded(fixture), loaded + 40);     /* down to BORDER */
    tfs_file_close(file);
}

static void a_file_read_once_more_is_decoded_ahead_once_more(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = open_stored(fixture);
    struct hold hold;

    hold_worker(fixture, &hold);
    read_up(file, 0, REQUESTS);
    run_worker(fixture, &hold);
    assert_int_equal(tfs_counter_get(&fixture->volume->stats.prefetched), 0);
    hold_worker(fixture, &hold);
    (void)cache_evict(fixture->volume->cache, REQUESTS);
    read_up(file, 0, 12);
    run_worker(fixture, &hold);
    assert_int_equal(tfs_counter_get(&fixture->volume->stats.prefetched), 1);
    tfs_file_close(file);
}

/* A few blocks are asked for again and again, some of them neighbours, as a skewed load does. */
static void large_random_reads_start_nothing(void **state)
{
    enum { BLOCKS = 480 };
    static const unsigned popular[] = {3, 4, 9, 117, 119, 240, 243, 260, 261, 380};
    struct tfs_file *file = fixture_create(*state, "file");
    uint64_t seed = 1;

    fixture_truncate(*state, tfs_file_inode(file), (uint64_t)BLOCKS * REQUEST);
    for (unsigned i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        read_request(file,
                     seed >> 63 ? popular[(seed >> 32) % 10] : (unsigned)(seed >> 32) % BLOCKS);
        assert_false(decodes_ahead(file));
    }
    tfs_file_close(file);
}

#define ONE_WORKER_TEST(name)                                                                      \
    cmocka_unit_test_setup_teardown(name, set_up_one_worker, fixture_tear_down)
#define READAHEAD_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READAHEAD_TEST(a_sequence_is_decoded_ahead),
        READAHEAD_TEST(a_sequence_whose_requests_overtake_each_other_is_decoded_ahead),
        READAHEAD_TEST(two_sequences_in_turns_are_both_decoded_ahead),
        READAHEAD_TEST(a_file_read_backwards_is_decoded_ahead),
        READAHEAD_TEST(groups_of_requests_that_go_backwards_are_decoded_ahead),
        READAHEAD_TEST(what_the_kernel_reads_around_one_fault_is_no_direction),
        READAHEAD_TEST(a_file_read_forwards_is_not_decoded_backwards),
        READAHEAD_TEST(large_random_reads_start_nothing),
        ONE_WORKER_TEST(what_a_reader_has_passed_is_not_decoded_any_more),
        ONE_WORKER_TEST(a_chunk_is_decoded_from_where_its_reader_is),
        ONE_WORKER_TEST(a_stream_is_not_decoded_into_what_another_one_read),
        ONE_WORKER_TEST(a_file_read_once_more_is_decoded_ahead_once_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
