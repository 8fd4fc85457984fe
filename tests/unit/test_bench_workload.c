/*
 * Goal: what is timed does what it is called: requests get the block that they asked for, every
 * operation of metadata works on what the ones before it made, items and checkpoints come back, and
 * anything that comes back different is found. Method: all of it small, in a directory of the
 * test's own, with files damaged in between.
 */
#include "bench_fixture.h"
#include "said.h"
#include "tools/bench/workload/cache_file.h"
#include "tools/bench/workload/checkpoint.h"
#include "tools/bench/workload/meta_ops.h"
#include "tools/bench/workload/pipeline_item.h"
#include "tools/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

/* ---- requests ---- */

enum { BLOCK_BYTES = 4096, BLOCK_COUNT = 40 };

static void watch_count(void *argument)
{
    (*(unsigned *)argument)++;
}

static struct cache_file cache_file_of_test(void)
{
    struct cache_file file = {
        .fd = -1, .block_bytes = BLOCK_BYTES, .block_count = BLOCK_COUNT, .seed = 3};
    unsigned watched = 0;

    assert_int_equal(cache_file_make(&file, bench_dir, watch_count, &watched), 0);
    assert_true(watched >= 2);
    assert_int_equal(cache_file_open(&file), 0);
    return file;
}

static void every_block_is_got_and_timed(void **state)
{
    struct cache_file file = cache_file_of_test();
    void *buffer = cache_file_buffer(&file);

    (void)state;
    assert_int_equal((uintptr_t)buffer % CACHE_FILE_ALIGNMENT, 0);
    for (uint64_t block = 0; block < BLOCK_COUNT; block++) {
        double us = -1;

        assert_int_equal(cache_file_get(&file, block, buffer, &us), 0);
        assert_true(us >= 0);
    }
    free(buffer);
    cache_file_close(&file);
    cache_file_close(&file); /* once more does nothing */
}

static void a_block_that_was_set_is_got_with_its_number_and_other_bytes(void **state)
{
    struct cache_file file = cache_file_of_test();
    uint8_t *before = cache_file_buffer(&file);
    uint8_t *after = cache_file_buffer(&file);
    double us;

    (void)state;
    assert_int_equal(cache_file_get(&file, 7, before, &us), 0);
    assert_int_equal(cache_file_set(&file, 7, after, &us), 0);
    assert_int_equal(cache_file_get(&file, 7, after, &us), 0);
    assert_memory_equal(before, after, 8); /* the block's number */
    assert_memory_not_equal(before, after, BLOCK_BYTES);
    free(before);
    free(after);
    cache_file_close(&file);
}

static void another_block_in_its_place_is_found(void **state)
{
    struct cache_file file = cache_file_of_test();
    uint8_t *buffer = cache_file_buffer(&file);
    struct said said;
    double us;
    int err;

    (void)state;
    assert_int_equal(cache_file_get(&file, 5, buffer, &us), 0);
    assert_int_equal(pwrite(file.fd, buffer, BLOCK_BYTES, 6 * BLOCK_BYTES), BLOCK_BYTES);
    said_begin(&said, STDERR_FILENO);
    err = cache_file_get(&file, 6, buffer, &us);
    said_end(&said);
    assert_int_equal(err, -EBADMSG);
    said_assert(&said, "block 6 of '");
    said_assert(&said, "came back as another");
    free(buffer);
    cache_file_close(&file);
}

static void a_block_that_is_not_there_is_an_error(void **state)
{
    struct cache_file file = cache_file_of_test();
    uint8_t *buffer = cache_file_buffer(&file);
    struct said said;
    double us;
    int err;

    (void)state;
    assert_int_equal(ftruncate(file.fd, 6 * BLOCK_BYTES), 0);
    assert_int_equal(cache_file_get(&file, 5, buffer, &us), 0);
    said_begin(&said, STDERR_FILENO);
    err = cache_file_get(&file, 6, buffer, &us);
    said_end(&said);
    assert_int_equal(err, -EIO);
    free(buffer);
    cache_file_close(&file);
}

/* ---- metadata ---- */

enum { OBJECTS = 5 };

static size_t calls_of(const struct meta_op *op)
{
    return op->calls == META_EACH_TREE ? META_TREES : OBJECTS;
}

static void the_operations_run_in_their_order_and_leave_the_directories_only(void **state)
{
    (void)state;
    assert_int_equal(meta_ops_prepare(bench_dir), 0);
    for (size_t op = 0; op < meta_op_count; op++) {
        for (size_t i = 0; i < calls_of(&meta_ops[op]); i++) {
            int err = meta_ops[op].run(bench_dir, i);

            if (err != 0)
                fail_msg("%s number %zu: %s", meta_ops[op].name, i, strerror(-err));
        }
    }
    assert_int_equal(bench_entry_count(bench_path("directories")), 0);
    assert_int_equal(bench_entry_count(bench_path("files")), 0);
    assert_int_equal(bench_entry_count(bench_path("links")), 0);
    assert_int_equal(bench_entry_count(bench_path("trees")), 0);
    assert_int_equal(meta_ops_prepare(bench_dir), 0); /* a second round */
}

static void names_of_operations_are_unlike(void **state)
{
    (void)state;
    for (size_t i = 0; i < meta_op_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(meta_ops[i].name, meta_ops[j].name);
            assert_string_not_equal(meta_ops[i].title, meta_ops[j].title);
        }
    }
}

/* A system call that did nothing must not be timed as if it had. */
static void an_operation_without_what_it_works_on_fails(void **state)
{
    (void)state;
    for (size_t op = 0; op < meta_op_count; op++)
        assert_int_equal(meta_ops[op].run(bench_path("none"), 0), -ENOENT);
    assert_int_equal(meta_ops_prepare(bench_path("none")), -ENOENT);
}

static const struct meta_op *op_named(const char *name)
{
    for (size_t op = 0; op < meta_op_count; op++) {
        if (strcmp(meta_ops[op].name, name) == 0)
            return &meta_ops[op];
    }
    fail_msg("no operation '%s'", name);
    return NULL;
}

static void a_listing_without_all_its_names_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(meta_ops_prepare(bench_dir), 0);
    assert_int_equal(op_named("tree_make")->run(bench_dir, 0), 0);
    assert_int_equal(op_named("readdir")->run(bench_dir, 0), 0);
    assert_int_equal(unlink(bench_path("trees/t000000/step-0000/shard-0031")), 0);
    assert_int_equal(op_named("readdir")->run(bench_dir, 0), -EUCLEAN);
}

static void a_directory_to_be_ensured_is_there_and_is_one(void **state)
{
    (void)state;
    assert_int_equal(meta_ops_prepare(bench_dir), 0);
    assert_int_equal(op_named("ensure_dir")->run(bench_dir, 0), 0);
    assert_int_equal(rmdir(bench_path("job/runs/a")), 0);
    assert_int_equal(op_named("ensure_dir")->run(bench_dir, 0), -ENOENT);
    assert_int_equal(rmdir(bench_path("job/runs/a")), 0);
    bench_write("job/runs/a", "a file");
    assert_int_equal(op_named("ensure_dir")->run(bench_dir, 0), -ENOTDIR);
}

/* ---- items of a job ---- */

static struct pipeline_item item_of_test(void)
{
    return (struct pipeline_item){
        .spec = {.parameters = 20000, .copies = {[TENSOR_BF16] = 1}, .seed = 9, .threads = 1},
        .work = bench_dir,
        .index = 3,
    };
}

static void item_run(struct pipeline_item *item, enum pipeline_phase first,
                     enum pipeline_phase last)
{
    for (int phase = (int)first; phase <= (int)last; phase++)
        assert_int_equal(pipeline_steps[phase](item), 0);
}

static void an_item_goes_through_all_phases(void **state)
{
    struct pipeline_item item = item_of_test();

    (void)state;
    item_run(&item, PIPELINE_GENERATE, PIPELINE_SCORE);
    assert_true(item.score > 0.001 && item.score < 1); /* weights around 0.02 */
    assert_true(bench_exists("staging-0003.safetensors"));
    assert_true(bench_exists("runs/experiment/step-0003/model.safetensors"));
    pipeline_item_reset(&item);
    assert_null(item.model);
    pipeline_item_reset(&item);
}

/* What the phase says of an item. Its error is returned. */
static int phase_fail(struct pipeline_item *item, enum pipeline_phase phase, struct said *said)
{
    int err;

    said_begin(said, STDERR_FILENO);
    err = pipeline_steps[phase](item);
    said_end(said);
    return err;
}

static void an_item_that_comes_back_different_is_found(void **state)
{
    struct pipeline_item item = item_of_test();
    struct said said;

    (void)state;
    item_run(&item, PIPELINE_GENERATE, PIPELINE_LOAD);
    item.loaded->tensors[1].data[5] ^= 1;
    assert_int_equal(phase_fail(&item, PIPELINE_VALIDATE, &said), -EBADMSG);
    said_assert(&said, "item 3 came back different");
    pipeline_item_reset(&item);
}

/* The hash is that of what came back, so that only the values can tell. */
static void values_that_are_not_finite_are_found(void **state)
{
    static const uint8_t values[][2] = {{0x80, 0x7f}, {0x80, 0xff}, {0xc1, 0x7f}}; /* bf16 */

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(values); i++) {
        struct pipeline_item item = item_of_test();
        struct said said;

        item_run(&item, PIPELINE_GENERATE, PIPELINE_GENERATE);
        (void)memcpy(item.model->tensors[0].data + 2, values[i], 2);
        item.hash = 0;
        for (size_t at = 0; at < item.model->count; at++)
            item.hash = XXH3_64bits_withSeed(item.model->tensors[at].data,
                                             item.model->tensors[at].bytes, item.hash);
        item_run(&item, PIPELINE_SAVE, PIPELINE_LOAD);
        assert_int_equal(phase_fail(&item, PIPELINE_VALIDATE, &said), -EBADMSG);
        said_assert(&said, "holds NaN or infinity");
        pipeline_item_reset(&item);
        assert_int_equal(unlink(bench_path("runs/experiment/step-0003/model.safetensors")), 0);
    }
}

static void an_item_of_zeros_has_no_score(void **state)
{
    struct pipeline_item item = item_of_test();
    struct said said;

    (void)state;
    item_run(&item, PIPELINE_GENERATE, PIPELINE_LOAD);
    (void)memset(item.loaded->memory, 0, item.loaded->memory_bytes);
    assert_int_equal(phase_fail(&item, PIPELINE_SCORE, &said), -EBADMSG);
    said_assert(&said, "item 3 has no score");
    pipeline_item_reset(&item);
}

static void a_step_is_published_once(void **state)
{
    struct pipeline_item item = item_of_test();
    struct said said;

    (void)state;
    item_run(&item, PIPELINE_GENERATE, PIPELINE_SYMLINK);
    assert_int_equal(phase_fail(&item, PIPELINE_SYMLINK, &said), -EEXIST);
    said_assert(&said, "step-0003/model.safetensors': File exists");
    assert_int_equal(pipeline_steps[PIPELINE_ENSURE_DIR](&item), 0); /* it is there: well */
    pipeline_item_reset(&item);
}

static void a_batch_makes_the_parents_and_an_item_of_it_does_not(void **state)
{
    struct pipeline_item item = item_of_test();
    struct said said;

    (void)state;
    item.parents_exist = true;
    assert_int_equal(phase_fail(&item, PIPELINE_ENSURE_DIR, &said), -ENOENT);
    assert_int_equal(pipeline_make_parents(bench_dir), 0);
    assert_int_equal(pipeline_make_parents(bench_dir), 0);
    assert_int_equal(pipeline_steps[PIPELINE_ENSURE_DIR](&item), 0);
}

/* ---- checkpoints ---- */

static struct checkpoint *checkpoint_of_test(unsigned ranks)
{
    struct checkpoint_spec spec = {
        .model = {.parameters = 60000, .copies = {[TENSOR_BF16] = 1}, .seed = 4},
        .format = &format_raw,
        .ranks = ranks,
    };
    struct checkpoint *checkpoint;

    assert_int_equal(checkpoint_new(&spec, &checkpoint), 0);
    return checkpoint;
}

static void ranks_share_the_model_and_have_a_file_each(void **state)
{
    struct checkpoint *checkpoint = checkpoint_of_test(3);
    double seconds = -1;
    char name[32];

    (void)state;
    assert_true(checkpoint->bytes == 2 * 60000);
    assert_true(checkpoint->bound_bytes > 0 && checkpoint->bound_bytes < 2 * 60000);
    assert_int_equal(checkpoint_save(checkpoint, bench_dir, &seconds), 0);
    assert_true(seconds > 0);
    assert_int_equal(bench_entry_count(bench_dir), 3);
    (void)snprintf(name, sizeof(name), "rank-0002%s", format_raw.extension);
    assert_true(bench_exists(name));
    assert_int_equal(checkpoint_load(checkpoint, bench_dir, SOURCE_READ, &seconds), 0);
    assert_int_equal(checkpoint_load(checkpoint, bench_dir, SOURCE_MMAP, &seconds), 0);
    checkpoint_free(checkpoint);
    checkpoint_free(NULL);
}

static void a_byte_that_comes_back_different_is_found(void **state)
{
    struct checkpoint *checkpoint = checkpoint_of_test(2);
    char path[PATH_MAX + 32];
    struct said said;
    double seconds = -1;
    uint8_t byte;
    int err;
    int fd;

    (void)state;
    assert_int_equal(checkpoint_save(checkpoint, bench_dir, &seconds), 0);
    (void)snprintf(path, sizeof(path), "%s/rank-0001%s", bench_dir, format_raw.extension);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, 30000), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, 30000), 1);
    assert_int_equal(close(fd), 0);
    said_begin(&said, STDERR_FILENO);
    err = checkpoint_load(checkpoint, bench_dir, SOURCE_READ, &seconds);
    said_end(&said);
    assert_int_equal(err, -EBADMSG);
    checkpoint_free(checkpoint);
}

static void a_run_saves_other_bytes_than_the_one_before(void **state)
{
    struct checkpoint *checkpoint = checkpoint_of_test(1);
    double seconds;
    struct said said;
    int err;

    (void)state;
    assert_int_equal(checkpoint_save(checkpoint, bench_dir, &seconds), 0);
    checkpoint_vary(checkpoint, 1);
    said_begin(&said, STDERR_FILENO);
    err = checkpoint_load(checkpoint, bench_dir, SOURCE_READ, &seconds);
    said_end(&said);
    assert_int_equal(err, -EBADMSG); /* what is there is of the run before */
    checkpoint_vary(checkpoint, 0);
    assert_int_equal(checkpoint_load(checkpoint, bench_dir, SOURCE_READ, &seconds), 0);
    checkpoint_free(checkpoint);
}

static void real_files_are_saved_by_one_rank_and_as_they_are(void **state)
{
    struct checkpoint_spec spec = {.format = &format_torch, .ranks = 2};
    char path[PATH_MAX + 256];
    struct checkpoint *checkpoint = NULL;
    struct said said;
    int err;

    (void)state;
    assert_int_equal(mkdir(bench_path("files"), 0700), 0);
    bench_write("files/a", "12345");
    bench_write("files/b", "678");
    (void)snprintf(path, sizeof(path), "%s", bench_path("files"));
    spec.model.path = path;
    said_begin(&said, STDERR_FILENO);
    err = checkpoint_new(&spec, &checkpoint);
    said_end(&said);
    assert_int_equal(err, -EINVAL);
    said_assert(&said, "saved by one rank");
    spec.ranks = 1;
    assert_int_equal(checkpoint_new(&spec, &checkpoint), 0);
    assert_ptr_equal(checkpoint->format, &format_files);
    assert_int_equal(checkpoint->bytes, 8);
    checkpoint_free(checkpoint);
}

static void real_files_that_are_none_are_refused(void **state)
{
    struct checkpoint_spec spec = {.format = &format_raw, .ranks = 1};
    struct checkpoint *checkpoint = NULL;
    struct said said;
    int missing;
    int empty;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    spec.model.path = "/none";
    missing = checkpoint_new(&spec, &checkpoint);
    spec.model.path = bench_dir;
    empty = checkpoint_new(&spec, &checkpoint);
    said_end(&said);
    assert_int_equal(missing, -ENOENT);
    assert_int_equal(empty, -EINVAL);
    assert_null(checkpoint);
    said_assert(&said, "model '/none': No such file");
    said_assert(&said, "no files with content");
}

static int start(void **state)
{
    (void)state;
    console_init(true);
    return 0;
}

int main(void)
{
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(every_block_is_got_and_timed),
        IN_DIRECTORY(a_block_that_was_set_is_got_with_its_number_and_other_bytes),
        IN_DIRECTORY(another_block_in_its_place_is_found),
        IN_DIRECTORY(a_block_that_is_not_there_is_an_error),
        IN_DIRECTORY(the_operations_run_in_their_order_and_leave_the_directories_only),
        cmocka_unit_test(names_of_operations_are_unlike),
        IN_DIRECTORY(an_operation_without_what_it_works_on_fails),
        IN_DIRECTORY(a_listing_without_all_its_names_is_wrong),
        IN_DIRECTORY(a_directory_to_be_ensured_is_there_and_is_one),
        IN_DIRECTORY(an_item_goes_through_all_phases),
        IN_DIRECTORY(an_item_that_comes_back_different_is_found),
        IN_DIRECTORY(values_that_are_not_finite_are_found),
        IN_DIRECTORY(an_item_of_zeros_has_no_score),
        IN_DIRECTORY(a_step_is_published_once),
        IN_DIRECTORY(a_batch_makes_the_parents_and_an_item_of_it_does_not),
        IN_DIRECTORY(ranks_share_the_model_and_have_a_file_each),
        IN_DIRECTORY(a_byte_that_comes_back_different_is_found),
        IN_DIRECTORY(a_run_saves_other_bytes_than_the_one_before),
        IN_DIRECTORY(real_files_are_saved_by_one_rank_and_as_they_are),
        IN_DIRECTORY(real_files_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
