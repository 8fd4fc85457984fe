/*
 * Write-back: how much of it goes on at once, and what becomes of data that cannot be written:
 * who is told, how often, and that it is there again when the disk has room.
 *
 * Method: an engine of the segments whose appends fail when told to, and count how many go on at
 * the same time. A test that could wait for ever is ended by alarm(2).
 */
#include "store_crash.h"

#include "store/file/committer.h"
#include "store/inode/data.h"
#include "store/read/memory.h"
#include "store/segment/engine.h"
#include "store/volume.h"
#include "store/writeback/flush.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TIME_LIMIT_S = 60 };

static atomic_int append_error; /* negative: every append fails with it */
static atomic_int appends_now;
static atomic_int appends_at_most;
static atomic_bool hold_appends;
static atomic_uint failed_appends;

static struct segment_engine engine; /* of local files, with that append */

static int append(struct segment_store *store, const struct segment_pieces *from,
                  struct segment_position *ret)
{
    int now = atomic_fetch_add(&appends_now, 1) + 1;
    int most = atomic_load(&appends_at_most);
    int err = atomic_load(&append_error);

    while (now > most && !atomic_compare_exchange_weak(&appends_at_most, &most, now))
        ;
    while (atomic_load(&hold_appends))
        (void)sched_yield(); /* cannot fail */
    if (!err)
        err = segment_local.append(store, from, ret);
    else
        atomic_fetch_add(&failed_appends, 1);
    atomic_fetch_sub(&appends_now, 1);
    return err;
}

static int set_up(void **state)
{
    atomic_store(&append_error, 0);
    atomic_store(&appends_at_most, 0);
    atomic_store(&hold_appends, false);
    (void)alarm(TIME_LIMIT_S);
    engine = segment_local;
    engine.append = append;
    return fixture_set_up_with(state, NULL, &engine);
}

/* The disk fails, or works again. */
static void set_disk(int error)
{
    atomic_store(&append_error, error);
}

/* Another open of the file. */
static struct tfs_file *open_again(struct fixture *fixture, struct tfs_file *file)
{
    struct tfs_file *again;

    assert_int_equal(tfs_file_open(fixture->volume, tfs_file_inode(file), O_RDWR, &again), 0);
    return again;
}

static bool nothing_is_in_flight(void *context)
{
    struct fixture *fixture = context;

    return flush_in_flight(fixture->volume->flush) == 0;
}

/* ---- how much at once ---- */

static void no_more_chunks_are_in_flight_than_allowed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fixture->options.concurrency = 3;
    fixture_reopen(fixture);
    file = fixture_create(fixture, "file");
    for (uint64_t i = 0; i < 12; i++) {
        fixture_write_random(file, i * 4 * TFS_MIB, 4 * TFS_MIB, i);
        assert_true(flush_in_flight(fixture->volume->flush) < 3);
    }
    assert_int_equal(tfs_file_flush(file), 0);
    assert_in_range(atomic_load(&appends_at_most), 1, (int)fixture->options.threads);
    tfs_file_close(file);
}

static void a_chunk_is_written_back_when_it_is_complete(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t chunks = tfs_counter_get(&fixture->volume->stats.flushed_chunks);

    fixture_write_random(file, 0, 4 * TFS_MIB - 1, 1);
    assert_int_equal(flush_in_flight(fixture->volume->flush), 0);
    assert_int_equal(tfs_counter_get(&fixture->volume->stats.flushed_chunks), chunks);
    fixture_write_random(file, 4 * TFS_MIB - 1, 1, 2);
    fixture_wait(nothing_is_in_flight, fixture);
    assert_int_equal(tfs_counter_get(&fixture->volume->stats.flushed_chunks), chunks + 1);
    fixture_assert_random(file, 0, 4 * TFS_MIB - 1, 1);
    tfs_file_close(file);
}

static void dirty_data_stays_inside_the_budget(void **state)
{
    struct fixture *fixture = *state;
    struct memory_status status;
    struct tfs_file *file = fixture_create(fixture, "file");

    /* No chunk is ever complete, so that only a lack of memory writes them back. */
    for (uint64_t i = 0; i < 300; i++)
        fixture_write_random(file, i * 4 * TFS_MIB, 300 * TFS_KIB, i);
    memory_get_status(fixture->volume->memory, &status);
    assert_true(status.dirty_count < status.buffer_count);
    assert_true(status.waits > 0);
    for (uint64_t i = 0; i < 300; i++)
        fixture_assert_random(file, i * 4 * TFS_MIB, 300 * TFS_KIB, i);
    tfs_file_close(file);
}

/* Takes the file's first chunk as a writer does. */
static struct tfs_chunk *take_first_chunk(struct tfs_inode *inode)
{
    struct tfs_chunk *chunk;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_get_locked(inode, 0);
    assert_non_null(chunk);
    chunk_hold_exclusive_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    return chunk;
}

/* Fills its buffers from `first` on; the file ends behind them. */
static void fill_and_release(struct fixture *fixture, struct tfs_chunk *chunk, uint32_t first)
{
    struct tfs_inode *inode = chunk->inode;
    void *buffer;

    for (uint32_t i = first; i < CHUNK_SLOTS_MAX; i++) {
        assert_int_equal(memory_take_dirty(fixture->volume->memory, 1, &buffer), 0);
        fixture_fill(buffer, FRAME_BUFFER_SIZE, i);
        chunk_begin_slot(chunk, i, buffer, 0);
        chunk_show_slot(chunk, i, 0, FRAME_BUFFER_SIZE, false);
    }
    tfs_mutex_lock(&inode->lock);
    inode->data->size = inode->data->written_end = FRAME_RAW_SIZE_MAX;
    chunk_release_exclusive_locked(chunk);
    chunk_put_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
}

struct sync_thread {
    struct tfs_file *file;
    struct tfs_inode *inode;
    int result;
};

static void *sync_file(void *argument)
{
    struct sync_thread *thread = argument;

    thread->result = tfs_file_sync(thread->file, false);
    return NULL;
}

static bool sync_waits_for_the_chunk(void *context)
{
    struct sync_thread *thread = context;
    bool inside;

    tfs_mutex_lock(&thread->inode->lock);
    inside = thread->inode->data->active > 0;
    tfs_mutex_unlock(&thread->inode->lock);
    return inside;
}

/* fsync looks at a small chunk to write it back itself; while it waits, a writer fills it. */
static void a_chunk_that_grows_while_fsync_waits_for_it_is_written_back(void **state)
{
    struct fixture *fixture = *state;
    struct sync_thread thread = {.file = fixture_create(fixture, "file")};
    struct tfs_chunk *chunk;
    pthread_t id;

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(thread.file), &thread.inode), 0);
    fixture_write_random(thread.file, 0, FRAME_BUFFER_SIZE, 0);
    chunk = take_first_chunk(thread.inode);
    assert_int_equal(pthread_create(&id, NULL, sync_file, &thread), 0);
    fixture_wait(sync_waits_for_the_chunk, &thread);
    fill_and_release(fixture, chunk, 1);
    assert_int_equal(pthread_join(id, NULL), 0);
    assert_int_equal(thread.result, 0);
    inode_put(fixture->volume, thread.inode);
    tfs_file_close(thread.file);
    fixture_reopen(fixture);
    thread.file = fixture_open_file(fixture, "file");
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++)
        fixture_assert_random(thread.file, (uint64_t)i * FRAME_BUFFER_SIZE, FRAME_BUFFER_SIZE, i);
    tfs_file_close(thread.file);
}

/* ---- whose turn it is ---- */

enum { HOLDERS = 8, HOLD_US = 500, TURNS = 20 };

struct holders {
    struct tfs_inode *inode;
    bool exclusive;
    atomic_uint turns;
    atomic_bool stop;
};

/* One of many that hold the file's first chunk as if they copied; there is always one who does. */
static void *hold_often(void *argument)
{
    struct holders *holders = argument;
    struct tfs_inode *inode = holders->inode;

    while (!atomic_load(&holders->stop)) {
        struct tfs_chunk *chunk;

        tfs_mutex_lock(&inode->lock);
        chunk = chunk_get_locked(inode, 0);
        if (holders->exclusive)
            chunk_hold_exclusive_locked(chunk);
        else
            chunk_hold_shared_locked(chunk);
        tfs_mutex_unlock(&inode->lock);
        (void)usleep(HOLD_US); /* cannot fail */
        tfs_mutex_lock(&inode->lock);
        if (holders->exclusive)
            chunk_release_exclusive_locked(chunk);
        else
            chunk_release_shared_locked(chunk);
        chunk_put_locked(chunk);
        tfs_mutex_unlock(&inode->lock);
        atomic_fetch_add(&holders->turns, 1);
    }
    return NULL;
}

static void start_holders(struct holders *holders, pthread_t threads[HOLDERS])
{
    for (int i = 0; i < HOLDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_often, holders), 0);
}

static void stop_holders(struct holders *holders, pthread_t threads[HOLDERS])
{
    atomic_store(&holders->stop, true);
    for (int i = 0; i < HOLDERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void readers_of_a_dirty_chunk_do_not_keep_fsync_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct holders readers = {.exclusive = false};
    pthread_t threads[HOLDERS];

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &readers.inode), 0);
    start_holders(&readers, threads);
    for (uint64_t i = 0; i < TURNS; i++) {
        fixture_write_random(file, 0, 1000, i); /* a writer's turn comes too */
        assert_int_equal(tfs_file_sync(file, false), 0);
    }
    stop_holders(&readers, threads);
    inode_put(fixture->volume, readers.inode);
    tfs_file_close(file);
}

static bool readers_had_turns(void *context)
{
    struct holders *holders = context;

    return atomic_load(&holders->turns) >= TURNS;
}

static void writers_of_a_chunk_do_not_keep_its_readers_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct holders writers = {.exclusive = true};
    struct holders readers = {.exclusive = false};
    pthread_t writing[HOLDERS];
    pthread_t reading[HOLDERS];

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &writers.inode), 0);
    readers.inode = writers.inode;
    start_holders(&writers, writing);
    start_holders(&readers, reading);
    fixture_wait(readers_had_turns, &readers);
    fixture_wait(readers_had_turns, &writers);
    stop_holders(&readers, reading);
    stop_holders(&writers, writing);
    inode_put(fixture->volume, writers.inode);
    tfs_file_close(file);
}

/* ---- a disk that fails ---- */

static void a_failed_flush_is_told_and_the_data_stays(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct fixture *copy;

    fixture_write_random(file, 0, TFS_MIB, 1);
    set_disk(-ENOSPC);
    assert_int_equal(tfs_file_sync(file, false), -ENOSPC);
    fixture_assert_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_flush(file), -ENOSPC); /* it still is so */
    set_disk(0);
    assert_int_equal(tfs_file_sync(file, false), 0);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), TFS_MIB);
    crash_end(copy);
    tfs_file_close(file);
}

static void an_error_of_the_background_is_told_once_to_every_open(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *first = fixture_create(fixture, "file");
    struct tfs_file *second = open_again(fixture, first);
    struct tfs_file *late;

    set_disk(-EIO);
    fixture_write_random(first, 0, 4 * TFS_MIB, 1); /* complete: goes by itself */
    fixture_wait(nothing_is_in_flight, fixture);
    set_disk(0);
    late = open_again(fixture, first);
    assert_int_equal(tfs_file_write(first, 0, "x", 1, 0), -EIO);
    assert_int_equal(tfs_file_write(first, 0, "x", 1, 0), 1);
    assert_int_equal(tfs_file_flush(second), -EIO);
    assert_int_equal(tfs_file_flush(second), 0);
    assert_int_equal(tfs_file_flush(late), 0); /* opened after it had happened */
    tfs_file_close(late);
    tfs_file_close(second);
    tfs_file_close(first);
}

static void a_full_disk_is_told_to_the_writer_who_fills_it(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *good = fixture_create(fixture, "good");
    struct tfs_file *file = fixture_create(fixture, "file");
    uint8_t *bytes = malloc(TFS_MIB);
    uint64_t written = 0;
    int64_t result;

    assert_non_null(bytes);
    fixture_fill(bytes, TFS_MIB, 2);
    fixture_write_random(good, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(good, false), 0);
    set_disk(-ENOSPC);
    while ((result = tfs_file_write(file, written, bytes, TFS_MIB, 0)) > 0)
        written += (uint64_t)result;
    assert_int_equal(result, -ENOSPC);
    assert_true(written <= fixture->options.memory_size);
    fixture_assert_random(good, 0, TFS_MIB, 1); /* other files are well */
    set_disk(0);
    /* A try that began while the disk was full may be told once more. */
    for (int tries = 0; (result = tfs_file_write(file, written, bytes, TFS_MIB, 0)) == -ENOSPC;)
        assert_true(++tries < 100);
    assert_int_equal(result, TFS_MIB);
    assert_int_equal(tfs_file_sync(file, false), 0);
    free(bytes);
    tfs_file_close(file);
    tfs_file_close(good);
}

/* Writes a file whose end cannot be written back, and closes it for the last time. */
static void lose_the_end(struct fixture *fixture, uint64_t good_size)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, good_size, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    set_disk(-EIO);
    fixture_write_random(file, good_size, 8 * TFS_MIB, 2);
    fixture_wait(nothing_is_in_flight, fixture);
    tfs_file_close(file); /* nobody was told, and nobody can ask any more */
    set_disk(0);
}

static void data_that_is_not_on_the_disk_never_reads_as_zeros(void **state)
{
    static const uint64_t good_sizes[] = {0, TFS_MIB, 5 * TFS_MIB + 5};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(good_sizes); i++) {
        uint64_t good_size = good_sizes[i];
        struct fixture *copy;
        struct tfs_file *file;
        uint64_t size;

        lose_the_end(fixture, good_size);
        file = fixture_open_file(fixture, "file");
        size = fixture_attr(fixture, tfs_file_inode(file)).size;
        assert_true(size >= good_size);
        if (good_size)
            fixture_assert_random(file, 0, good_size, 1);
        if (size > good_size)
            fixture_assert_random(file, good_size, size - good_size, 2);
        assert_int_equal(tfs_file_sync(file, false), 0);
        copy = crash_copy(fixture);
        assert_int_equal(crash_size(copy, "file"), size);
        crash_end(copy);
        tfs_file_close(file);
        assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    }
}

/* Nothing that could still be written is dropped, though nobody has the file open. */
static void what_the_disk_refused_is_written_when_it_takes_it(void **state)
{
    static const int errors[] = {-ENOSPC, -EIO};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(errors); i++) {
        struct tfs_file *file = fixture_create(fixture, "file");
        struct fixture *copy;

        fixture_write_random(file, 0, 4 * TFS_MIB, 1);
        assert_int_equal(tfs_file_sync(file, false), 0);
        set_disk(errors[i]);
        fixture_write_random(file, 0, 6 * TFS_MIB, 2);
        assert_int_equal(tfs_file_flush(file), errors[i]);
        tfs_file_close(file);
        assert_int_equal(commit_all(fixture->volume, true), errors[i]);
        set_disk(0);
        assert_int_equal(commit_all(fixture->volume, true), 0);
        copy = crash_copy(fixture);
        fixture_assert_file(copy, "file", 6 * TFS_MIB, 2);
        crash_end(copy);
        fixture_remove_file(fixture, "file");
    }
}

static void a_volume_whose_data_cannot_be_written_says_so_and_closes(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_write_random(file, TFS_MIB, TFS_MIB, 2);
    tfs_file_close(file); /* not flushed: nothing has failed yet */
    set_disk(-ENOSPC);
    assert_int_equal(tfs_volume_close(TAKE_PTR(fixture->volume)), -ENOSPC);
    set_disk(0);
    fixture_open(fixture);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, TFS_MIB);
    fixture_assert_random(file, 0, TFS_MIB, 1);
    tfs_file_close(file);
}

static void unlinked_data_is_given_up_without_being_written(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct memory_status status;

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    tfs_file_close(file);
    memory_get_status(fixture->volume->memory, &status);
    assert_int_equal(status.dirty_count, 0);
    assert_int_equal(atomic_load(&appends_at_most), 0);
}

/* ---- resizes meanwhile ---- */

struct shaper {
    struct tfs_file *file;
    atomic_bool stop;
    int err;
};

static void *punch_often(void *argument)
{
    struct shaper *shaper = argument;

    while (!atomic_load(&shaper->stop) && !shaper->err)
        shaper->err =
            tfs_file_fallocate(shaper->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1000);
    return NULL;
}

static void a_writer_and_a_resize_do_not_wait_for_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct shaper shaper = {.stop = false};
    pthread_t thread;

    fixture->options.concurrency = 1;
    fixture_reopen(fixture);
    shaper.file = fixture_create(fixture, "file");
    assert_int_equal(pthread_create(&thread, NULL, punch_often, &shaper), 0);
    for (uint64_t i = 0; i < 100; i++)
        fixture_write_random(shaper.file, i % 20 * 4 * TFS_MIB, 4 * TFS_MIB, i);
    atomic_store(&shaper.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(shaper.err, 0);
    tfs_file_close(shaper.file);
}

/* The thread sanitizer sees more than a wrong number here. */
static void what_stat_counts_is_whole_beside_a_resize(void **state)
{
    struct fixture *fixture = *state;
    struct shaper shaper = {.stop = false, .file = fixture_create(fixture, "file")};
    pthread_t thread;

    fixture_write_random(shaper.file, 0, TFS_MIB, 1);
    assert_int_equal(pthread_create(&thread, NULL, punch_often, &shaper), 0);
    for (int i = 0; i < 5000; i++) {
        struct tfs_attr attr = fixture_attr(fixture, tfs_file_inode(shaper.file));

        assert_in_range(attr.blocks, 0, 2 * TFS_MIB / 512);
        if (i % 100 == 0)
            assert_int_equal(tfs_file_flush(shaper.file), 0); /* the next punch begins a slot */
    }
    atomic_store(&shaper.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(shaper.err, 0);
    tfs_file_close(shaper.file);
}

#define FLUSH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLUSH_TEST(no_more_chunks_are_in_flight_than_allowed),
        FLUSH_TEST(a_chunk_is_written_back_when_it_is_complete),
        FLUSH_TEST(dirty_data_stays_inside_the_budget),
        FLUSH_TEST(a_chunk_that_grows_while_fsync_waits_for_it_is_written_back),
        FLUSH_TEST(readers_of_a_dirty_chunk_do_not_keep_fsync_waiting),
        FLUSH_TEST(writers_of_a_chunk_do_not_keep_its_readers_waiting),
        FLUSH_TEST(a_failed_flush_is_told_and_the_data_stays),
        FLUSH_TEST(an_error_of_the_background_is_told_once_to_every_open),
        FLUSH_TEST(a_full_disk_is_told_to_the_writer_who_fills_it),
        FLUSH_TEST(data_that_is_not_on_the_disk_never_reads_as_zeros),
        FLUSH_TEST(what_the_disk_refused_is_written_when_it_takes_it),
        FLUSH_TEST(a_volume_whose_data_cannot_be_written_says_so_and_closes),
        FLUSH_TEST(unlinked_data_is_given_up_without_being_written),
        FLUSH_TEST(a_writer_and_a_resize_do_not_wait_for_each_other),
        FLUSH_TEST(what_stat_counts_is_whole_beside_a_resize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
