/*
 * Goal: who reads what was read lately asks the index nothing, and never finds a row that is not
 * the file's any more.
 *
 * Method: the counter of rows that were looked up; files that are read, so that their rows are
 * known, then changed in each of the ways there are, and read again, also by others meanwhile.
 */
#include "store_fixture.h"

#include "store/segment/segment.h"
#include "store/space/compact.h"
#include "store/tables/row_cache.h"
#include "store/volume.h"
#include "store/writeback/commit.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK = 256 << 10,
    CHUNKS = 24,
    SIZE = CHUNKS * CHUNK,
    PAGE = 4096,
    READERS = 2,
    ROUNDS = 300,
    TIME_LIMIT_S = 120,
};

static int set_up(void **state)
{
    struct fixture *fixture;

    (void)alarm(TIME_LIMIT_S);
    if (fixture_set_up_closed(state) != 0)
        return -1;
    fixture = *state;
    fixture->options.chunk_size = CHUNK;
    fixture_open(fixture);
    return 0;
}

static uint64_t looked_up(const struct fixture *fixture)
{
    return tfs_counter_get(&fixture->volume->stats.rows_looked_up);
}

/* Byte `offset` of each chunk is read, in an order in which nobody reads ahead. */
static void touch_chunks(struct tfs_file *file, uint64_t offset)
{
    uint8_t byte;

    for (uint64_t i = 0; i < CHUNKS; i++)
        (void)fixture_read(file, (i * 7 % CHUNKS) * CHUNK + offset, &byte, 1);
}

/* ---- what is asked ---- */

static void a_cold_row_is_looked_up_once_and_a_warm_one_never(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    uint64_t before;

    fixture_make_file(fixture, "file", SIZE, 1);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    before = looked_up(fixture);
    touch_chunks(file, 0);
    assert_int_equal(looked_up(fixture) - before, CHUNKS);
    touch_chunks(file, 100000);
    fixture_assert_random(file, 0, SIZE, 1);
    fixture_assert_random(file, 0, SIZE, 1);
    assert_int_equal(looked_up(fixture) - before, CHUNKS);
    tfs_file_close(file);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, SIZE, 1);
    assert_int_equal(looked_up(fixture) - before, CHUNKS);
    tfs_file_close(file);
}

static void a_hole_is_looked_up_once(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "sparse");
    uint64_t before;

    fixture_truncate(fixture, tfs_file_inode(file), SIZE);
    assert_int_equal(tfs_file_sync(file, false), 0);
    before = looked_up(fixture);
    touch_chunks(file, 0);
    touch_chunks(file, 1000);
    assert_int_equal(looked_up(fixture) - before, CHUNKS);
    tfs_file_close(file);
}

/* ---- what is found ---- */

/* A file whose rows are all known, and which nobody keeps in memory. */
static struct tfs_file *make_known(struct fixture *fixture, const char *name, uint64_t seed)
{
    struct row_cache_status before;
    struct row_cache_status after;
    struct tfs_file *file;

    fixture_make_file(fixture, name, SIZE, seed);
    file = fixture_open_file(fixture, name);
    touch_chunks(file, 0);
    row_cache_get_status(fixture->volume->rows, &before);
    touch_chunks(file, 1);
    row_cache_get_status(fixture->volume->rows, &after);
    assert_int_equal(after.hits - before.hits, CHUNKS);
    assert_int_equal(after.misses, before.misses);
    return file;
}

static void what_was_overwritten_and_committed_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_known(fixture, "file", 1);

    fixture_write_random(file, 3 * CHUNK, 5 * CHUNK, 2);
    fixture_write_random(file, 20 * CHUNK + 1000, PAGE, 3);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_assert_random(file, 0, 3 * CHUNK, 1);
    fixture_assert_random(file, 3 * CHUNK, 5 * CHUNK, 2);
    fixture_assert_random(file, 20 * CHUNK + 1000, PAGE, 3);
    tfs_file_close(file);
}

static void what_was_written_into_a_hole_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "sparse");

    fixture_truncate(fixture, tfs_file_inode(file), SIZE);
    assert_int_equal(tfs_file_sync(file, false), 0);
    touch_chunks(file, 0);
    fixture_write_random(file, 4 * CHUNK, CHUNK, 2);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_assert_zeros(file, 0, 4 * CHUNK);
    fixture_assert_random(file, 4 * CHUNK, CHUNK, 2);
    tfs_file_close(file);
}

static void what_was_cut_off_never_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_known(fixture, "file", 1);
    uint64_t inode = tfs_file_inode(file);
    uint64_t kept = 4 * CHUNK + 1000;

    fixture_truncate(fixture, inode, kept); /* in memory only */
    fixture_truncate(fixture, inode, SIZE);
    fixture_assert_zeros(file, kept, SIZE - kept);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_assert_random(file, 0, kept, 1);
    fixture_assert_zeros(file, kept, SIZE - kept);

    fixture_truncate(fixture, inode, CHUNK); /* committed */
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_truncate(fixture, inode, SIZE);
    fixture_write(file, SIZE - 1, "x", 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_assert_random(file, 0, CHUNK, 1);
    fixture_assert_zeros(file, CHUNK, SIZE - 1 - CHUNK);
    tfs_file_close(file);
}

static void what_was_punched_reads_as_zeros(void **state)
{
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    struct fixture *fixture = *state;
    struct tfs_file *file = make_known(fixture, "file", 1);

    assert_int_equal(tfs_file_fallocate(file, mode, CHUNK + 1000, CHUNK), 0);
    assert_int_equal(tfs_file_fallocate(file, mode, 4 * CHUNK, 18ull * CHUNK), 0); /* many rows */
    for (int i = 0; i < 2; i++) {
        fixture_assert_zeros(file, CHUNK + 1000, CHUNK);
        fixture_assert_zeros(file, 4 * CHUNK, 18 * CHUNK);
        assert_int_equal(tfs_file_sync(file, false), 0);
    }
    fixture_assert_random(file, 0, CHUNK + 1000, 1);
    tfs_file_close(file);
}

static void what_was_copied_into_a_file_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *source = make_known(fixture, "source", 1);
    struct tfs_file *target = make_known(fixture, "target", 2);
    const struct tfs_copy copy = {
        .source = source, .target = target, .target_offset = 2 * CHUNK, .size = 8 * CHUNK};

    assert_int_equal(tfs_file_copy(&copy), 8 * CHUNK);
    fixture_assert_random(target, 0, 2 * CHUNK, 2);
    fixture_assert_random(target, 2 * CHUNK, 8 * CHUNK, 1);
    fixture_assert_random(source, 0, SIZE, 1);
    tfs_file_close(source);
    tfs_file_close(target);
}

static void compact(struct fixture *fixture, struct compact_result *ret)
{
    const struct compact_options all = {.dead_percent_min = 0};

    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    assert_int_equal(compact_run(fixture->volume, &all, ret), 0);
}

static void what_compaction_has_moved_is_read_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_known(fixture, "file", 1);
    struct compact_result result;
    uint64_t before = looked_up(fixture);

    compact(fixture, &result);
    assert_true(result.moved_frames > 0);
    touch_chunks(file, 0);
    assert_true(looked_up(fixture) > before); /* the old rows were forgotten */
    fixture_assert_random(file, 0, SIZE, 1);
    tfs_file_close(file);
}

static void a_remount_knows_nothing_of_before(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_known(fixture, "file", 1);

    fixture_write_random(file, CHUNK, CHUNK, 2);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, CHUNK, 1);
    fixture_assert_random(file, CHUNK, CHUNK, 2);
    tfs_file_close(file);
}

/* ---- beside writers ---- */

/* Each chunk begins with the number of the round that has written it. */
static struct {
    struct fixture *fixture;
    struct tfs_file *file;
    struct tfs_file *source;
    _Atomic uint64_t acknowledged[CHUNKS]; /* readers see this number or a newer one; 0: any */
    atomic_uint cut_count;                 /* numbers that a reader knows need not stand any more */
    atomic_bool is_over;
    atomic_uint stale_count;
} shared;

static uint64_t read_number(uint64_t chunk)
{
    struct tfs_read read;
    uint64_t number = 0;

    if (tfs_file_read(shared.file, chunk * CHUNK, sizeof(number), &read) != 0)
        return 0;
    for (int i = 0, at = 0; i < read.piece_count; at += (int)read.pieces[i].iov_len, i++)
        memcpy((uint8_t *)&number + at, read.pieces[i].iov_base, read.pieces[i].iov_len);
    tfs_read_release(&read);
    return number;
}

static void *read_chunks(void *context)
{
    uint64_t chunk = (uint64_t)(uintptr_t)context;

    while (!atomic_load(&shared.is_over)) {
        unsigned cut_count = atomic_load(&shared.cut_count);
        uint64_t least = atomic_load(&shared.acknowledged[chunk]);

        if (read_number(chunk) < least && atomic_load(&shared.cut_count) == cut_count)
            atomic_fetch_add(&shared.stale_count, 1);
        chunk = (chunk + 5) % CHUNKS;
    }
    return NULL;
}

static void *compact_again_and_again(void *context)
{
    const struct compact_options all = {.dead_percent_min = 0};
    struct compact_result result;

    (void)context;
    while (!atomic_load(&shared.is_over)) {
        (void)!segments_seal(shared.fixture->volume->segments);
        (void)!compact_run(shared.fixture->volume, &all, &result);
    }
    return NULL;
}

static void write_number(struct tfs_file *file, uint64_t chunk, uint64_t number)
{
    fixture_write(file, chunk * CHUNK, &number, sizeof(number));
    assert_int_equal(tfs_file_flush(file), 0);
}

static void copy_number(uint64_t chunk, uint64_t number)
{
    const struct tfs_copy copy = {.source = shared.source,
                                  .target = shared.file,
                                  .target_offset = chunk * CHUNK,
                                  .size = CHUNK};

    write_number(shared.source, 0, number);
    assert_int_equal(tfs_file_copy(&copy), CHUNK);
}

/* All from the chunk on; the last round's numbers stand behind it. */
static void cut_and_write_again(uint64_t chunk, uint64_t number)
{
    for (uint64_t i = chunk; i < CHUNKS; i++)
        atomic_store(&shared.acknowledged[i], 0);
    atomic_fetch_add(&shared.cut_count, 1);
    fixture_truncate(shared.fixture, tfs_file_inode(shared.file), chunk * CHUNK);
    for (uint64_t i = chunk; i < CHUNKS; i++) {
        write_number(shared.file, i, number);
        atomic_store(&shared.acknowledged[i], number);
    }
}

static void change_chunks(void)
{
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t chunk = round * 11 % CHUNKS;

        if (round % 16 == 0)
            cut_and_write_again(chunk, round);
        else if (round % 3 == 0)
            copy_number(chunk, round);
        else
            write_number(shared.file, chunk, round);
        atomic_store(&shared.acknowledged[chunk], round);
    }
}

static void readers_beside_writers_and_compaction_see_what_was_acknowledged(void **state)
{
    pthread_t threads[READERS + 1];

    memset(&shared, 0, sizeof(shared));
    shared.fixture = *state;
    shared.file = make_known(*state, "file", 1);
    shared.source = make_known(*state, "source", 2);
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_chunks, (void *)i), 0);
    assert_int_equal(pthread_create(&threads[READERS], NULL, compact_again_and_again, NULL), 0);
    change_chunks();
    atomic_store(&shared.is_over, true);
    for (int i = 0; i <= READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&shared.stale_count), 0);
    for (uint64_t i = 0; i < CHUNKS; i++)
        assert_true(read_number(i) >= atomic_load(&shared.acknowledged[i]));
    tfs_file_close(shared.source);
    tfs_file_close(shared.file);
}

#define ROWS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROWS_TEST(a_cold_row_is_looked_up_once_and_a_warm_one_never),
        ROWS_TEST(a_hole_is_looked_up_once),
        ROWS_TEST(what_was_overwritten_and_committed_is_read),
        ROWS_TEST(what_was_written_into_a_hole_is_read),
        ROWS_TEST(what_was_cut_off_never_comes_back),
        ROWS_TEST(what_was_punched_reads_as_zeros),
        ROWS_TEST(what_was_copied_into_a_file_is_read),
        ROWS_TEST(what_compaction_has_moved_is_read_where_it_is),
        ROWS_TEST(a_remount_knows_nothing_of_before),
        ROWS_TEST(readers_beside_writers_and_compaction_see_what_was_acknowledged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
