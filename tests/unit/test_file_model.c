/*
 * Files against a plain memory model: random writes, appends, truncates, holes, allocations,
 * copies, syncs and reopens, for chunk sizes from the smallest to the largest, and after each step
 * the bytes, the size and what seek says have to be the model's.
 *
 * Method: two files of up to MODEL_SIZE bytes, so that copies have somewhere to go; a step is
 * chosen by dice. The seed is printed; TFS_TEST_SEED gives it back, and TFS_TEST_TRACE=1 prints the
 * steps.
 */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 2, MODEL_SIZE = 9 << 20, STEPS = 250 };

struct model_file {
    uint8_t *bytes; /* MODEL_SIZE; zeros behind size */
    uint64_t size;
    struct tfs_file *file;
    char name[16];
};

struct model {
    struct fixture *fixture;
    struct model_file files[FILES];
    uint64_t seed;
    uint64_t write_max; /* of one write; small where chunks are */
};

static uint64_t dice(struct model *model, uint64_t below)
{
    return fixture_dice_below(&model->seed, below);
}

/* A length that is often small, and sometimes as large as allowed. */
static uint64_t dice_size(struct model *model)
{
    uint64_t limit = 1 + dice(model, 4) * dice(model, 4) * model->write_max / 9;

    return 1 + dice(model, limit);
}

/* An offset, often at the edge of a block or chunk. */
static uint64_t dice_offset(struct model *model, uint64_t limit)
{
    static const uint64_t units[] = {1, 256, 4096, 65536, 262144, 4194304};
    uint64_t unit = units[dice(model, TFS_ARRAY_COUNT(units))];
    uint64_t offset = dice(model, limit / unit + 1) * unit;

    if (dice(model, 4) == 0)
        offset += dice(model, 3);
    return tfs_min_u64(offset, limit);
}

static void trace(const struct model_file *file, const char *what, uint64_t offset, uint64_t size)
{
    if (getenv("TFS_TEST_TRACE"))
        print_message("file %s of %llu: %s at %llu size %llu\n", file->name,
                      (unsigned long long)file->size, what, (unsigned long long)offset,
                      (unsigned long long)size);
}

static void open_files(struct model *model)
{
    for (int i = 0; i < FILES; i++)
        model->files[i].file = fixture_open_file(model->fixture, model->files[i].name);
}

static void close_files(struct model *model)
{
    for (int i = 0; i < FILES; i++)
        tfs_file_close(TAKE_PTR(model->files[i].file));
}

static void assert_range(struct model_file *file, uint64_t offset, uint64_t size)
{
    uint8_t *bytes = malloc(size + 1);
    size_t wanted = offset >= file->size ? 0 : tfs_min_u64(size, file->size - offset);

    assert_non_null(bytes);
    assert_int_equal(fixture_read(file->file, offset, bytes, size), wanted);
    for (size_t i = 0; i < wanted && memcmp(bytes, file->bytes + offset, wanted) != 0; i++) {
        if (bytes[i] != file->bytes[offset + i])
            fail_msg("byte %llu of file %s is 0x%02x, not 0x%02x", (unsigned long long)(offset + i),
                     file->name, bytes[i], file->bytes[offset + i]);
    }
    free(bytes);
}

/* What is told as a hole must be zeros, and the two kinds must follow each other to the end. */
static void assert_seek(struct model_file *file)
{
    uint64_t at = 0;

    while (at < file->size) {
        int64_t data = tfs_file_seek(file->file, at, SEEK_DATA);
        uint64_t begin = data == -ENXIO ? file->size : (uint64_t)data;
        int64_t hole;

        assert_true(data == -ENXIO || (data >= 0 && begin < file->size));
        for (; at < begin; at++)
            assert_int_equal(file->bytes[at], 0);
        if (at == file->size)
            break;
        hole = tfs_file_seek(file->file, at, SEEK_HOLE);
        /* Zeros that are written back in between become a hole: then it begins right here. */
        assert_true(hole >= (int64_t)at && hole <= (int64_t)file->size);
        at = (uint64_t)hole;
    }
    assert_int_equal(tfs_file_seek(file->file, file->size, SEEK_HOLE), -ENXIO);
}

static void assert_all(struct model *model)
{
    for (int i = 0; i < FILES; i++) {
        struct model_file *file = &model->files[i];

        assert_int_equal(fixture_attr(model->fixture, tfs_file_inode(file->file)).size, file->size);
        assert_range(file, 0, MODEL_SIZE);
        assert_seek(file);
    }
}

static void fill_model(struct model *model, uint8_t *bytes, uint64_t size)
{
    if (dice(model, 8) == 0)
        memset(bytes, 0, size); /* stored as a hole */
    else if (dice(model, 4) == 0)
        memset(bytes, (int)dice(model, 256), size);
    else
        fixture_fill(bytes, size, dice(model, UINT32_MAX));
}

static void step_write(struct model *model, struct model_file *file)
{
    bool append = dice(model, 4) == 0;
    uint64_t offset = append ? file->size : dice_offset(model, MODEL_SIZE - 1);
    uint64_t size = tfs_min_u64(dice_size(model), MODEL_SIZE - offset);

    if (size == 0)
        return;
    trace(file, append ? "append" : "write", offset, size);
    fill_model(model, file->bytes + offset, size);
    assert_int_equal(tfs_file_write(file->file, append ? UINT64_MAX : offset, file->bytes + offset,
                                    size, append ? TFS_WRITE_APPEND : 0),
                     size);
    file->size = tfs_max_u64(file->size, offset + size);
}

static void step_truncate(struct model *model, struct model_file *file)
{
    uint64_t size = dice_offset(model, dice(model, 2) ? MODEL_SIZE : file->size);

    trace(file, "truncate", size, 0);
    fixture_truncate(model->fixture, tfs_file_inode(file->file), size);
    if (size < file->size)
        memset(file->bytes + size, 0, file->size - size);
    file->size = size;
}

static void step_allocate(struct model *model, struct model_file *file)
{
    static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    int mode = modes[dice(model, TFS_ARRAY_COUNT(modes))];
    uint64_t offset = dice_offset(model, MODEL_SIZE - 1);
    uint64_t size = tfs_min_u64(dice_size(model), MODEL_SIZE - offset);

    trace(file,
          mode & FALLOC_FL_PUNCH_HOLE   ? "punch"
          : mode & FALLOC_FL_ZERO_RANGE ? "zero"
                                        : "allocate",
          offset, size);
    assert_int_equal(tfs_file_fallocate(file->file, mode, offset, size), 0);
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        memset(file->bytes + offset, 0, size);
    if (!(mode & FALLOC_FL_KEEP_SIZE))
        file->size = tfs_max_u64(file->size, offset + size);
}

static void step_copy(struct model *model, struct model_file *from, struct model_file *to)
{
    uint64_t source = dice_offset(model, from->size);
    uint64_t target = dice(model, 2) ? source : dice_offset(model, MODEL_SIZE - 1);
    uint64_t size = dice(model, 3) ? MODEL_SIZE - tfs_max_u64(source, target) : dice_size(model);
    struct tfs_copy copy = {.source = from->file,
                            .source_offset = source,
                            .target = to->file,
                            .target_offset = target,
                            .size = tfs_min_u64(size, MODEL_SIZE - target)};
    uint64_t possible = source >= from->size ? 0 : tfs_min_u64(copy.size, from->size - source);
    int64_t copied;

    if (from == to && source < target + possible && target < source + possible && possible) {
        assert_int_equal(tfs_file_copy(&copy), -EINVAL);
        return;
    }
    trace(from, "copy from", source, copy.size);
    copied = tfs_file_copy(&copy);
    trace(to, "copied to", target, (uint64_t)copied);
    assert_in_range(copied, possible ? 1 : 0, possible);
    memmove(to->bytes + target, from->bytes + source, (size_t)copied);
    if (copied)
        to->size = tfs_max_u64(to->size, target + (uint64_t)copied);
}

static void step_settle(struct model *model, struct model_file *file)
{
    uint64_t how = dice(model, 4);

    trace(file, "settle", how, 0);
    switch (how) {
    case 0:
        assert_int_equal(tfs_file_flush(file->file), 0);
        break;
    case 1:
        assert_int_equal(tfs_file_sync(file->file, dice(model, 2)), 0);
        break;
    case 2:
        assert_int_equal(tfs_volume_sync(model->fixture->volume), 0);
        break;
    default:
        close_files(model);
        fixture_reopen(model->fixture);
        open_files(model);
        assert_all(model);
    }
}

static void step(struct model *model)
{
    struct model_file *file = &model->files[dice(model, FILES)];
    uint64_t offset = dice_offset(model, MODEL_SIZE);

    switch (dice(model, 10)) {
    case 0:
        step_truncate(model, file);
        break;
    case 1:
        step_allocate(model, file);
        break;
    case 2:
        step_copy(model, &model->files[dice(model, FILES)], file);
        break;
    case 3:
        step_settle(model, file);
        break;
    default:
        step_write(model, file);
    }
    trace(file, "read", offset, 0);
    assert_range(file, offset, dice_size(model));
}

static void run_model(struct fixture *fixture, uint64_t chunk_size, const char *compression)
{
    struct model model = {.fixture = fixture, .seed = fixture_seed()};

    fixture->options.chunk_size = chunk_size;
    assert_int_equal(codec_spec_parse(compression, &fixture->options.compression), 0);
    model.write_max = chunk_size <= 4096 ? 256 * TFS_KIB : 3 * TFS_MIB;
    fixture_open(fixture);
    for (int i = 0; i < FILES; i++) {
        model.files[i].bytes = calloc(1, MODEL_SIZE);
        assert_non_null(model.files[i].bytes);
        (void)snprintf(model.files[i].name, sizeof(model.files[i].name), "%d", i);
        (void)fixture_make(fixture, TFS_ROOT_INODE, model.files[i].name, S_IFREG | 0644);
    }
    open_files(&model);
    for (int i = 0; i < STEPS; i++)
        step(&model);
    assert_all(&model);
    close_files(&model);
    fixture_reopen(fixture);
    open_files(&model);
    assert_all(&model);
    close_files(&model);
    for (int i = 0; i < FILES; i++)
        free(model.files[i].bytes);
}

static void files_of_256_byte_chunks_are_as_the_model(void **state)
{
    run_model(*state, 256, "none");
}

static void files_of_64_kib_chunks_are_as_the_model(void **state)
{
    run_model(*state, 64 * TFS_KIB, "zstd:1");
}

static void files_of_4_mib_chunks_are_as_the_model(void **state)
{
    run_model(*state, 4 * TFS_MIB, "auto");
}

static void files_of_64_mib_chunks_are_as_the_model(void **state)
{
    run_model(*state, 64 * TFS_MIB, "gzip:1");
}

#define MODEL_TEST(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, fixture_set_up_closed, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(files_of_256_byte_chunks_are_as_the_model),
        MODEL_TEST(files_of_64_kib_chunks_are_as_the_model),
        MODEL_TEST(files_of_4_mib_chunks_are_as_the_model),
        MODEL_TEST(files_of_64_mib_chunks_are_as_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
