/*
 * A scrub verifies all that is stored, names each range that cannot be read, keeps to its rate,
 * goes on where it was stopped, and takes nothing for damage that was only overwritten meanwhile.
 *
 * Method: bytes are changed in the segments under an open volume.
 */
#include "store_fixture.h"

#include "store/base/bytes.h"
#include "store/base/log.h"
#include "store/check/scrub.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE (6 * TFS_MIB + 5000)
enum { DAMAGE_MAX = 64 };

struct run {
    struct tfs_scrub_result result;
    struct {
        uint64_t inode;
        uint64_t offset;
        uint64_t size;
        char path[64];
    } damage[DAMAGE_MAX];
    size_t count;
    unsigned calls;     /* of progress */
    unsigned calls_max; /* then it is stopped; 0: never */
    struct tfs_scrub_progress last;
};

static void keep_damage(void *context, const struct tfs_scrub_damage *damage)
{
    struct run *run = context;

    assert_true(run->count < DAMAGE_MAX);
    run->damage[run->count].inode = damage->inode;
    run->damage[run->count].offset = damage->offset;
    run->damage[run->count].size = damage->size;
    (void)snprintf(run->damage[run->count].path, sizeof(run->damage[0].path), "%s",
                   damage->path ? damage->path : "");
    assert_non_null(damage->reason);
    run->count++;
}

static bool keep_progress(void *context, const struct tfs_scrub_progress *progress)
{
    struct run *run = context;

    assert_true(progress->bytes >= run->last.bytes && progress->bytes <= progress->total);
    run->last = *progress;
    return ++run->calls != run->calls_max;
}

static int scrub(struct fixture *fixture, const struct tfs_scrub_options *how, struct run *run)
{
    struct tfs_scrub_options options = *how;

    options.progress = keep_progress;
    options.damage = keep_damage;
    options.context = run;
    return tfs_scrub(fixture->volume, &options, &run->result);
}

/* The frame that shows the first byte of the file's row. */
static struct frame_ref frame_in(struct fixture *fixture, const char *name, uint64_t row_number,
                                 uint8_t chunk_size_log2)
{
    uint64_t inode = fixture_lookup(fixture, TFS_ROOT_INODE, name);
    struct row_geometry geometry = data_geometry(chunk_size_log2);
    uint8_t key[META_EXTENT_KEY_SIZE];
    struct frame_ref frame;
    struct index_value value;
    struct tfs_row *row;

    meta_extent_key(inode, row_number, key);
    assert_int_equal(index_get(fixture->volume->index, INDEX_EXTENT, key, sizeof(key), &value), 0);
    assert_int_equal(row_decode(value.data, value.size, &geometry, &row), 0);
    frame = row->extents[0].frame;
    row_unref(row);
    index_value_release(&value);
    return frame;
}

static struct frame_ref frame_of(struct fixture *fixture, const char *name, uint64_t row_number)
{
    return frame_in(fixture, name, row_number, 22);
}

static void all_that_is_stored_is_verified(void **state)
{
    struct fixture *fixture = *state;

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    fixture_make_file(fixture, "small", 100, 2);
    for (int deep = 0; deep < 2; deep++) {
        struct tfs_scrub_options how = {.deep = deep};
        struct run run = {0};

        assert_int_equal(scrub(fixture, &how, &run), 0);
        assert_true(run.result.bytes >= FILE_SIZE);
        assert_int_equal(run.result.bytes, run.last.total);
        assert_int_equal(run.last.bytes, run.last.total);
        assert_int_equal(run.result.frames, 3);
        assert_int_equal(run.count, 0);
        assert_false(run.result.resumed);
    }
}

static void a_damaged_block_is_listed_with_path_and_range(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {0};
    struct frame_ref frame;

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    frame = frame_of(fixture, "large", 0);
    /* Bytes that do not compress: the third block lies about there. */
    fixture_flip(fixture, frame.segment, frame.offset + 2 * 256 * TFS_KIB + 100 * TFS_KIB);
    for (int deep = 0; deep < 2; deep++) {
        struct run run = {0};

        how.deep = deep;
        assert_int_equal(scrub(fixture, &how, &run), 0);
        assert_int_equal(run.count, 1);
        assert_string_equal(run.damage[0].path, "/large");
        assert_int_equal(run.damage[0].offset, 2 * 256 * TFS_KIB);
        assert_int_equal(run.damage[0].size, 256 * TFS_KIB);
        assert_int_equal(run.result.damaged, 1);
        assert_int_equal(run.result.damaged_bytes, 256 * TFS_KIB);
    }
}

static uint64_t logged_offset; /* of the last line that names one; UINT64_MAX: none did */

static void keep_offset(enum tfs_log_level level, const char *message)
{
    const char *at = strstr(message, ") offset ");

    if (level == TFS_LOG_ERROR && at)
        logged_offset = strtoull(at + strlen(") offset "), NULL, 10);
}

/* Reads the damaged file, and then scrubs: both log the place that the scrub reports. */
static void assert_log_names(struct fixture *fixture, uint64_t from, uint64_t offset)
{
    struct tfs_scrub_options how = {0};
    struct run run = {0};
    struct tfs_file *file = fixture_open_file(fixture, "large");
    struct tfs_read read;

    logged_offset = UINT64_MAX;
    assert_true(tfs_file_read(file, from, TFS_READ_SIZE_MAX, &read) < 0);
    tfs_file_close(file);
    assert_int_equal(logged_offset, offset);
    fixture_reopen(fixture); /* it is told once */
    logged_offset = UINT64_MAX;
    assert_int_equal(scrub(fixture, &how, &run), 0);
    assert_int_equal(run.count, 1);
    assert_int_equal(run.damage[0].offset, offset);
    assert_int_equal(logged_offset, offset);
}

static void the_log_names_the_block_that_the_scrub_names(void **state)
{
    static const uint64_t chunk_sizes[] = {TFS_CHUNK_SIZE_DEFAULT, 4096};
    struct fixture *fixture = *state;

    tfs_log_set_sink(keep_offset);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(chunk_sizes); i++) {
        struct frame_ref frame;

        fixture->options.chunk_size = chunk_sizes[i];
        fixture_reopen(fixture);
        fixture_make_file(fixture, "large", FILE_SIZE, 1);
        frame = frame_in(fixture, "large", 0, (uint8_t)__builtin_ctzll(chunk_sizes[i]));
        if (i == 0) { /* the third block of 256 KiB */
            fixture_flip(fixture, frame.segment, frame.offset + 2 * 256 * TFS_KIB + 100 * TFS_KIB);
            assert_log_names(fixture, 256 * TFS_KIB, 512 * TFS_KIB);
        } else { /* the one of 4 KiB at 80 KiB, behind a page for the header */
            fixture_flip(fixture, frame.segment, frame.offset + 4096 + 80 * TFS_KIB + 5);
            assert_log_names(fixture, 0, 80 * TFS_KIB);
        }
        fixture_remove_file(fixture, "large");
    }
    tfs_log_set_sink(NULL);
}

static void a_damaged_header_takes_all_its_frame_shows(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {0};
    struct tfs_copy copy = {.size = FILE_SIZE};
    struct frame_ref frame;
    struct run run = {0};

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    copy.source = fixture_open_file(fixture, "large");
    copy.target = fixture_create(fixture, "copy");
    assert_int_equal(tfs_file_copy(&copy), FILE_SIZE);
    tfs_file_close(copy.source);
    tfs_file_close(copy.target);
    frame = frame_of(fixture, "large", 1);
    fixture_flip(fixture, frame.segment, frame.offset + 60);
    assert_int_equal(scrub(fixture, &how, &run), 0);
    assert_int_equal(run.count, 2);
    assert_string_equal(run.damage[0].path, "/large");
    assert_string_equal(run.damage[1].path, "/copy");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run.damage[i].offset, 4 * TFS_MIB);
        assert_int_equal(run.damage[i].size, FILE_SIZE - 4 * TFS_MIB);
    }
}

static void damage_that_nobody_can_see_any_more_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {0};
    struct frame_ref frame;
    struct tfs_file *file;
    struct run run = {0};

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    frame = frame_of(fixture, "large", 0);
    file = fixture_open_file(fixture, "large");
    fixture_write_random(file, 2 * 256 * TFS_KIB, 256 * TFS_KIB, 3);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_flip(fixture, frame.segment, frame.offset + 2 * 256 * TFS_KIB + 100 * TFS_KIB);
    assert_int_equal(scrub(fixture, &how, &run), 0);
    assert_int_equal(run.count, 0);
}

static void a_run_that_is_stopped_is_gone_on_with(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {.rate = 64 * TFS_MIB};
    struct run first = {.calls_max = 2}; /* at the start, and once on the way */
    struct run second = {0};
    struct run third = {0};
    char name[16];

    for (uint64_t i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "file%llu", (unsigned long long)i);
        fixture_make_file(fixture, name, 2 * TFS_MIB, i);
    }
    assert_int_equal(scrub(fixture, &how, &first), -ECANCELED);
    assert_true(first.result.frames > 0 && first.result.frames < 20);
    fixture_reopen(fixture);
    how.rate = 0;
    assert_int_equal(scrub(fixture, &how, &second), 0);
    assert_true(second.result.resumed);
    assert_int_equal(first.result.frames + second.result.frames, 20);
    assert_int_equal(second.last.bytes, second.last.total);
    assert_int_equal(scrub(fixture, &how, &third), 0);
    assert_false(third.result.resumed);
    assert_int_equal(third.result.frames, 20);
}

static void a_run_can_begin_anew(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {.rate = 16 * TFS_MIB};
    struct run first = {.calls_max = 2};
    struct run second = {0};

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    fixture_make_file(fixture, "second", FILE_SIZE, 2);
    assert_int_equal(scrub(fixture, &how, &first), -ECANCELED);
    how = (struct tfs_scrub_options){.restart = true};
    assert_int_equal(scrub(fixture, &how, &second), 0);
    assert_false(second.result.resumed);
    assert_int_equal(second.result.frames, 4);
}

static void the_rate_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {.rate = 20 * TFS_MIB};
    struct timespec begin;
    struct timespec end;
    struct run run = {0};
    double seconds;

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(scrub(fixture, &how, &run), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    assert_true((double)run.result.bytes / seconds <= 20.0 * TFS_MIB);
}

static bool scrub_inside(void *context, const struct tfs_scrub_progress *progress)
{
    struct fixture *fixture = context;
    struct tfs_scrub_options options = {0};
    struct tfs_scrub_result result;

    (void)progress;
    assert_int_equal(tfs_scrub(fixture->volume, &options, &result), -EBUSY);
    return true;
}

static void there_is_one_scrub_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options options = {.progress = scrub_inside, .context = fixture};
    struct tfs_scrub_result result;

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    assert_int_equal(tfs_scrub(fixture->volume, &options, &result), 0);
    assert_int_equal(tfs_scrub(fixture->volume, &options, &result), 0);
}

static void a_read_only_volume_can_be_scrubbed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {0};
    struct run run = {0};

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    fixture_close(fixture);
    fixture->options.read_only = true;
    fixture_open(fixture);
    assert_int_equal(scrub(fixture, &how, &run), 0);
    assert_int_equal(run.result.frames, 2);
}

struct overwriter {
    struct fixture *fixture;
    atomic_bool stop;
    bool wrong;
};

static void *overwrite(void *argument)
{
    struct overwriter *overwriter = argument;
    struct tfs_volume *volume = overwriter->fixture->volume;
    uint8_t *bytes = malloc(FILE_SIZE);
    struct tfs_file *file = NULL;
    struct tfs_attr attr;

    overwriter->wrong = !bytes || tfs_lookup(volume, TFS_ROOT_INODE, "large", &attr) ||
                        tfs_file_open(volume, attr.inode, O_RDWR, &file);
    for (uint64_t i = 0; !overwriter->wrong && !atomic_load(&overwriter->stop); i++) {
        fixture_fill(bytes, FILE_SIZE, i);
        overwriter->wrong = tfs_file_write(file, 0, bytes, FILE_SIZE, 0) != FILE_SIZE ||
                            tfs_file_sync(file, false) != 0;
    }
    tfs_file_close(file);
    free(bytes);
    return NULL;
}

/* Frames are overwritten, dropped and punched all the time under the scrub. */
static void what_is_overwritten_meanwhile_is_no_damage(void **state)
{
    struct fixture *fixture = *state;
    struct overwriter overwriter = {.fixture = fixture};
    struct tfs_scrub_options how = {.deep = true};
    pthread_t thread;

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    assert_int_equal(pthread_create(&thread, NULL, overwrite, &overwriter), 0);
    for (int i = 0; i < 30; i++) {
        struct run run = {0};

        assert_int_equal(scrub(fixture, &how, &run), 0);
        assert_int_equal(run.count, 0);
    }
    atomic_store(&overwriter.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(overwriter.wrong);
}

/* Rows and keys that no writer makes, in the way of the scrub. */
static void plant_strange_keys(struct fixture *fixture)
{
    struct index_batch *batch;
    uint8_t key[24] = {0};

    assert_int_equal(index_batch_new(&batch), 0);
    index_batch_put(batch, INDEX_EXTENT, key, META_EXTENT_KEY_SIZE, "row of inode 0", 14);
    for (uint64_t i = 0; i < 3 * 4096; i++) { /* each more than a stretch has */
        tfs_put_be64(key + 16, i);
        tfs_put_be64(key, 1);
        index_batch_put(batch, INDEX_EXTENT, key, 24, "", 0);
        tfs_put_be64(key, UINT64_MAX);
        index_batch_put(batch, INDEX_EXTENT, key, 24, "", 0);
        tfs_put_be64(key, UINT64_MAX - i);
        index_batch_put(batch, INDEX_EXTENT, key, 8, "", 0);
    }
    memset(key, 0xff, sizeof(key)); /* behind the last place that there is */
    for (uint64_t i = 0; i < 3 * 4096; i++) {
        tfs_put_be64(key + 16, i);
        index_batch_put(batch, INDEX_EXTENT, key, 24, "", 0);
    }
    assert_int_equal(index_commit(fixture->volume->index, batch, false), 0);
    index_batch_free(batch);
}

/* A copy of the file's first row, so far out that its number has no successor. */
static void plant_last_row(struct fixture *fixture, const char *name)
{
    uint64_t inode = fixture_lookup(fixture, TFS_ROOT_INODE, name);
    struct index_batch *batch;
    struct index_value value;
    uint8_t key[META_EXTENT_KEY_SIZE];

    meta_extent_key(inode, 0, key);
    assert_int_equal(index_get(fixture->volume->index, INDEX_EXTENT, key, sizeof(key), &value), 0);
    assert_int_equal(index_batch_new(&batch), 0);
    meta_extent_key(inode, UINT64_MAX, key);
    index_batch_put(batch, INDEX_EXTENT, key, sizeof(key), value.data, value.size);
    meta_extent_key(UINT64_MAX, UINT64_MAX, key);
    index_batch_put(batch, INDEX_EXTENT, key, sizeof(key), value.data, value.size);
    index_value_release(&value);
    assert_int_equal(index_commit(fixture->volume->index, batch, false), 0);
    index_batch_free(batch);
}

static void strange_keys_and_rows_do_not_stop_a_scrub(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_scrub_options how = {0};
    struct run run = {0};
    struct frame_ref frame;

    fixture_make_file(fixture, "first", FILE_SIZE, 1);
    fixture_make_file(fixture, "second", FILE_SIZE, 2);
    plant_strange_keys(fixture);
    plant_last_row(fixture, "first");
    frame = frame_of(fixture, "second", 0); /* behind all of that but the last keys */
    fixture_flip(fixture, frame.segment, frame.offset + 100 * TFS_KIB);
    (void)alarm(60);
    assert_int_equal(scrub(fixture, &how, &run), 0);
    (void)alarm(0);
    assert_int_equal(run.result.frames, 4);
    assert_int_equal(run.count, 2);
    assert_string_equal(run.damage[0].path, "/first"); /* the row that nobody can read */
    assert_int_equal(run.damage[0].size, 0);
    assert_string_equal(run.damage[1].path, "/second");
}

#define SCRUB_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRUB_TEST(all_that_is_stored_is_verified),
        SCRUB_TEST(a_damaged_block_is_listed_with_path_and_range),
        SCRUB_TEST(the_log_names_the_block_that_the_scrub_names),
        SCRUB_TEST(a_damaged_header_takes_all_its_frame_shows),
        SCRUB_TEST(damage_that_nobody_can_see_any_more_is_none),
        SCRUB_TEST(a_run_that_is_stopped_is_gone_on_with),
        SCRUB_TEST(a_run_can_begin_anew),
        SCRUB_TEST(the_rate_is_kept),
        SCRUB_TEST(there_is_one_scrub_at_a_time),
        SCRUB_TEST(a_read_only_volume_can_be_scrubbed),
        SCRUB_TEST(what_is_overwritten_meanwhile_is_no_damage),
        SCRUB_TEST(strange_keys_and_rows_do_not_stop_a_scrub),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
