/*
 * Commits of files with many changed rows, and of files that somebody else keeps busy: how much a
 * batch carries, what a crash between two batches leaves, and who waits for whom.
 *
 * Method: what the leader does in one round is wrapped. Behind it a test does what it wants done
 * between two batches, on the thread that leads; there a copy of the store is what a crash at this
 * moment would leave. The index's engine sees how large batches are.
 */
#include "store_crash.h"

#include "store/index/engine.h"
#include "store/index/index.h"
#include "store/inode/commit_list.h"
#include "store/inode/data.h"
#include "store/inode/row_budget.h"
#include "store/volume.h"
#include "store/writeback/commit_group.h"
#include "store/writeback/flush.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

/* A page that does not compress below this, and so stays in its row; two a row. */
enum { CHUNK = 256 * 1024, BLOCK = 4096, PAGE = 2500, ROWS = 1600, BATCH_MAX = 5 << 20 };

/* Of a file that grows to ROWS: so few that what is appended does not fit in one batch. */
enum { OLD_ROWS = 200 };

static struct {
    void (*after)(void *context);
    void *context;
    unsigned count;
    size_t bytes_max;
} batches;

void __real_commit_group_run(struct tfs_volume *volume, struct commit_group *group);
void __wrap_commit_group_run(struct tfs_volume *volume, struct commit_group *group);

static int apply(struct index_db *db, const struct index_batch *batch)
{
    size_t bytes = index_batch_bytes(batch);

    if (batches.after) {
        batches.count++;
        batches.bytes_max = bytes > batches.bytes_max ? bytes : batches.bytes_max;
    }
    return index_rocksdb.apply(db, batch);
}

void __wrap_commit_group_run(struct tfs_volume *volume, struct commit_group *group)
{
    void (*after)(void *context) = batches.after;

    __real_commit_group_run(volume, group);
    if (!after)
        return;
    batches.after = NULL; /* what it does itself is not looked at */
    after(batches.context);
    batches.after = after;
}

static void watch(void (*after)(void *context), void *context)
{
    batches.count = 0;
    batches.bytes_max = 0;
    batches.context = context;
    batches.after = after;
}

static void do_nothing(void *context)
{
    (void)context;
}

static void open_watched(struct fixture *fixture)
{
    static struct index_engine engine;

    engine = index_rocksdb;
    engine.apply = apply;
    fixture->options.index_engine = &engine;
    fixture_open(fixture);
}

static int set_up(void **state)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    batches.after = NULL;
    fixture->options.chunk_size = BLOCK;
    fixture->options.memory_size =
        256 * TFS_MIB; /* so that rows are kept until they are asked for */
    open_watched(fixture);
    return err;
}

static int set_up_small(void **state)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    batches.after = NULL;
    fixture->options.chunk_size = BLOCK;
    open_watched(fixture);
    return err;
}

static uint64_t page_offset(uint64_t row, uint64_t page)
{
    return row * CHUNK + page * 8 * BLOCK;
}

static uint64_t seed_of(uint64_t row, uint64_t page, uint64_t version)
{
    return version * 1000000 + row * 2 + page;
}

static void write_pages(struct tfs_file *file, uint64_t first, uint64_t end, uint64_t version)
{
    for (uint64_t page = 0; page < 2; page++) {
        for (uint64_t row = first; row < end; row++)
            fixture_write_random(file, page_offset(row, page), PAGE, seed_of(row, page, version));
    }
}

static bool has_page(struct tfs_file *file, uint64_t row, uint64_t page, uint64_t version)
{
    uint8_t wanted[PAGE];
    uint8_t found[PAGE];

    fixture_fill(wanted, PAGE, seed_of(row, page, version));
    return fixture_read(file, page_offset(row, page), found, PAGE) == PAGE &&
           memcmp(wanted, found, PAGE) == 0;
}

/* What a crash may leave: before `old_end` each page has its old bytes or the new ones, behind it
 * the new ones as far as the size goes. */
struct expected {
    struct fixture *fixture;
    uint64_t old_size;
    uint64_t old_rows;
    uint64_t new_size;
    uint64_t last_size; /* seen before: it never shrinks */
    unsigned wrong_sizes;
    unsigned lost_pages; /* the leader of a commit looks: a test that ended there would hang */
};

static void look_after_crash(void *context)
{
    struct expected *expected = context;
    struct fixture *copy = crash_copy(expected->fixture);
    uint64_t size = crash_size(copy, "file");
    struct tfs_file *file = fixture_open_file(copy, "file");

    expected->wrong_sizes += size < expected->last_size || size > expected->new_size;
    expected->last_size = size;
    for (uint64_t row = 0; row < ROWS; row++) {
        for (uint64_t page = 0; page < 2; page++) {
            bool is_old = row < expected->old_rows && has_page(file, row, page, 1);

            if (page_offset(row, page) < size)
                expected->lost_pages += !is_old && !has_page(file, row, page, 2);
        }
    }
    tfs_file_close(file);
    crash_end(copy);
}

static void a_commit_of_many_rows_takes_several_batches_each_of_which_may_be_the_last(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct expected expected = {.fixture = fixture, .new_size = page_offset(ROWS - 1, 1) + PAGE};

    expected.old_rows = OLD_ROWS;
    write_pages(file, 0, OLD_ROWS, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    expected.old_size = page_offset(OLD_ROWS - 1, 1) + PAGE;
    expected.last_size = expected.old_size;
    write_pages(file, 0, ROWS, 2);
    watch(look_after_crash, &expected);
    assert_int_equal(tfs_file_sync(file, false), 0);
    batches.after = NULL;
    assert_int_equal(expected.wrong_sizes, 0);
    assert_int_equal(expected.lost_pages, 0);
    assert_in_range(batches.count, 2, 10);
    assert_in_range(batches.bytes_max, 1, BATCH_MAX);
    assert_int_equal(expected.last_size, expected.new_size);
    assert_int_equal(commit_list_count(fixture->volume->commit_list), 0);
    tfs_file_close(file);
}

/* ---- who waits ---- */

struct flusher {
    struct fixture *fixture;
    struct tfs_file *file;
    struct tfs_inode *inode;
    pthread_t thread;
    bool started;
    atomic_bool done;
    unsigned batches_left; /* that came after it was done, or before it may be */
};

static void *flush_file(void *argument)
{
    struct flusher *flusher = argument;

    assert_int_equal(tfs_file_flush(flusher->file), 0);
    atomic_store(&flusher->done, true);
    return NULL;
}

static void start_flush(struct flusher *flusher)
{
    flusher->started = true;
    assert_int_equal(pthread_create(&flusher->thread, NULL, flush_file, flusher), 0);
}

/* Gives the neighbour time to ask, once a batch; how often it was done when one came. */
static void let_neighbour_come(void *context)
{
    struct flusher *flusher = context;
    struct timespec pause = {.tv_nsec = 1000000};

    if (!flusher->started)
        start_flush(flusher);
    for (int i = 0; i < 100 && !atomic_load(&flusher->done); i++)
        (void)nanosleep(&pause, NULL);
    flusher->batches_left += atomic_load(&flusher->done);
}

static void a_small_file_does_not_wait_for_the_last_batch_of_a_large_one(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *large = fixture_create(fixture, "large");
    struct flusher small = {.fixture = fixture, .file = fixture_create(fixture, "small")};

    write_pages(large, 0, ROWS, 1);
    fixture_write(small.file, 0, "small", 5);
    watch(let_neighbour_come, &small);
    assert_int_equal(tfs_file_sync(large, false), 0);
    batches.after = NULL;
    assert_int_equal(pthread_join(small.thread, NULL), 0);
    assert_true(small.batches_left > 0);
    tfs_file_close(large);
    tfs_file_close(small.file);
}

static bool is_done(void *context)
{
    struct flusher *flusher = context;

    return atomic_load(&flusher->done);
}

static uint64_t commits(struct fixture *fixture)
{
    return tfs_counter_get(&fixture->volume->stats.commits);
}

static void a_closed_gate_holds_up_only_who_asks_for_its_file(void **state)
{
    struct fixture *fixture = *state;
    struct flusher closed = {.fixture = fixture, .file = fixture_create(fixture, "closed")};
    struct flusher other = {.fixture = fixture, .file = fixture_create(fixture, "other")};
    struct tfs_inode *inode;
    uint64_t before;

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(closed.file), &inode), 0);
    fixture_write(closed.file, 0, "closed", 6);
    assert_int_equal(flush_inode(fixture->volume, inode), 0);
    fixture_write(other.file, 0, "other", 5);
    assert_int_equal(flush_inode(fixture->volume, inode), 0);
    before = commits(fixture);
    data_enter_exclusive(inode);
    start_flush(&closed);
    while (commits(fixture) == before) /* it has asked, and was sent away */
        (void)sched_yield();
    start_flush(&other);
    fixture_wait(is_done, &other);
    assert_false(atomic_load(&closed.done));
    data_leave_exclusive(inode);
    assert_int_equal(pthread_join(closed.thread, NULL), 0);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    assert_int_equal(commit_list_count(fixture->volume->commit_list), 0);
    inode_put(fixture->volume, inode);
    tfs_file_close(closed.file);
    tfs_file_close(other.file);
}

static void *close_gate(void *argument)
{
    struct flusher *flusher = argument;

    data_enter_exclusive(flusher->inode);
    atomic_store(&flusher->done, true);
    data_leave_exclusive(flusher->inode);
    return NULL;
}

static void come_to_gate(void *context)
{
    struct flusher *flusher = context;

    if (!flusher->started)
        assert_int_equal(pthread_create(&flusher->thread, NULL, close_gate, flusher), 0);
    flusher->started = true;
    (void)sched_yield();
    tfs_mutex_lock(&flusher->inode->lock);
    if (flusher->inode->data->in_commit) {
        flusher->batches_left++;
        assert_false(atomic_load(&flusher->done));
    }
    tfs_mutex_unlock(&flusher->inode->lock);
}

static void a_gate_is_not_closed_between_the_batches_of_a_commit(void **state)
{
    struct fixture *fixture = *state;
    struct flusher gate = {.fixture = fixture, .file = fixture_create(fixture, "file")};

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(gate.file), &gate.inode), 0);
    write_pages(gate.file, 0, ROWS, 1);
    watch(come_to_gate, &gate);
    assert_int_equal(tfs_file_sync(gate.file, false), 0);
    batches.after = NULL;
    assert_int_equal(pthread_join(gate.thread, NULL), 0);
    assert_true(gate.batches_left > 0);
    inode_put(fixture->volume, gate.inode);
    tfs_file_close(gate.file);
}

static void rows_that_are_changed_again_and_again_are_committed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    for (uint64_t version = 1; version <= 3; version++) {
        write_pages(file, 0, ROWS, version);
        watch(do_nothing, NULL);
        assert_int_equal(tfs_file_sync(file, false), 0);
        batches.after = NULL;
        assert_in_range(batches.bytes_max, 1, BATCH_MAX);
    }
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    for (uint64_t row = 0; row < ROWS; row++)
        assert_true(has_page(file, row, 0, 3) && has_page(file, row, 1, 3));
    tfs_file_close(file);
}

/* What a row takes in the index. */
static size_t largest_row(struct fixture *fixture)
{
    struct index_range range = {.table = INDEX_EXTENT};
    struct index_record record;
    struct index_scan *scan;
    size_t largest = 0;

    assert_int_equal(index_scan_open(fixture->volume->index, &range, &scan), 0);
    while (index_scan_next(scan, &record) > 0)
        largest = record.value_size > largest ? record.value_size : largest;
    index_scan_close(scan);
    return largest;
}

static void a_row_does_not_grow_with_the_pages_in_it(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    for (uint64_t page = 0; page < 32; page++) {
        fixture_write_random(file, page * 2 * BLOCK, PAGE, page);
        assert_int_equal(tfs_file_sync(file, false), 0);
        assert_in_range(largest_row(fixture), 1, ROW_INLINE_SUM_MAX + 40 * 64);
    }
    for (uint64_t page = 0; page < 32; page++) {
        fixture_assert_random(file, page * 2 * BLOCK, PAGE, page);
        fixture_write_random(file, page * 2 * BLOCK, PAGE, page + 100);
        assert_int_equal(tfs_file_sync(file, false), 0);
    }
    assert_in_range(largest_row(fixture), 1, ROW_INLINE_SUM_MAX + 40 * 64);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    for (uint64_t page = 0; page < 32; page++)
        fixture_assert_random(file, page * 2 * BLOCK, PAGE, page + 100);
    tfs_file_close(file);
}

static void writers_commit_when_rows_fill_their_share_of_memory(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t budget = fixture->options.memory_size / 8;
    uint64_t most = 0;

    watch(do_nothing, NULL);
    for (uint64_t row = 0; row < 12 * ROWS; row++) {
        write_pages(file, row, row + 1, 1);
        most = tfs_max_u64(most, row_budget_used(fixture->volume));
    }
    batches.after = NULL;
    assert_true(batches.count > 0);
    assert_in_range(most, budget / 2,
                    budget + budget / 4); /* what is on its way is not waited for */
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(row_budget_used(fixture->volume), 0);
    tfs_file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_commit_of_many_rows_takes_several_batches_each_of_which_may_be_the_last, set_up,
            fixture_tear_down),
        cmocka_unit_test_setup_teardown(rows_that_are_changed_again_and_again_are_committed, set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(
            a_small_file_does_not_wait_for_the_last_batch_of_a_large_one, set_up,
            fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_closed_gate_holds_up_only_who_asks_for_its_file, set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(writers_commit_when_rows_fill_their_share_of_memory,
                                        set_up_small, fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_row_does_not_grow_with_the_pages_in_it, set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_gate_is_not_closed_between_the_batches_of_a_commit,
                                        set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
