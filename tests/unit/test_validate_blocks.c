/*
 * Goal: checksums of blocks are put together from parts, come from the mount's ioctl with all its
 * answers, and survive a manifest; hostile manifests are refused. Method: ioctl(2) and fsync(2) are
 * replaced by the linker (--wrap) with a store in memory.
 */
#include "fs/ioctl.h"
#include "store/base/crc32c.h"
#include "tools/validate/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the store behind the ioctl ---- */

static struct {
    int error;     /* of every call */
    bool is_dirty; /* EAGAIN until fsync */
    uint32_t block_size;
    uint64_t block_count;
    uint32_t extra_count; /* more than was asked for */
    unsigned calls;
} fake;

int __wrap_ioctl(int fd, unsigned long request, struct tfs_block_crcs *query);
int __wrap_fsync(int fd);

int __wrap_ioctl(int fd, unsigned long request, struct tfs_block_crcs *query)
{
    uint64_t first;

    (void)fd;
    assert_true(request == TFS_IOC_BLOCK_CRCS);
    fake.calls++;
    if (fake.error || fake.is_dirty) {
        errno = fake.error ? fake.error : EAGAIN;
        return -1;
    }
    assert_in_range(query->count_max, 1, TFS_BLOCK_CRCS_MAX);
    query->block_size = fake.block_size;
    first = query->offset / fake.block_size;
    query->count = 0;
    while (query->count < query->count_max && first + query->count < fake.block_count) {
        query->crc[query->count] = (uint32_t)(first + query->count) * 2654435761u;
        query->count++;
    }
    query->count += fake.extra_count;
    return 0;
}

int __wrap_fsync(int fd)
{
    (void)fd;
    fake.is_dirty = false;
    return 0;
}

static void fake_reset(uint32_t block_size, uint64_t block_count)
{
    memset(&fake, 0, sizeof(fake));
    fake.block_size = block_size;
    fake.block_count = block_count;
}

static void the_store_s_checksums_come_in_as_many_calls_as_needed(void **state)
{
    struct validate_blocks blocks;

    (void)state;
    fake_reset(4096, 3000);
    assert_int_equal(validate_blocks_of_store(0, 3000 * 4096 - 1, &blocks), 1);
    assert_int_equal(blocks.count, 3000);
    assert_int_equal(blocks.block_size, 4096);
    for (uint32_t i = 0; i < 3000; i++)
        assert_int_equal(blocks.crcs[i], i * 2654435761u);
    assert_int_equal(fake.calls, 1 + 3);
    validate_blocks_release(&blocks);
}

static void blocks_not_yet_in_the_store_are_asked_for_again_after_fsync(void **state)
{
    struct validate_blocks blocks;

    (void)state;
    fake_reset(4096, 1);
    fake.is_dirty = true;
    assert_int_equal(validate_blocks_of_store(0, 10, &blocks), 1);
    assert_false(fake.is_dirty);
    validate_blocks_release(&blocks);
}

static void other_filesystems_have_no_checksums_and_that_is_no_error(void **state)
{
    struct validate_blocks blocks;

    (void)state;
    fake_reset(4096, 1);
    fake.error = ENOTTY;
    assert_int_equal(validate_blocks_of_store(0, 10, &blocks), 0);
    fake.error = EIO;
    assert_int_equal(validate_blocks_of_store(0, 10, &blocks), -EIO);
}

static void answers_that_contradict_themselves_are_refused(void **state)
{
    struct validate_blocks blocks;

    (void)state;
    fake_reset(4095, 1); /* no power of two */
    assert_int_equal(validate_blocks_of_store(0, 10, &blocks), -EINVAL);
    fake_reset(4096, 1); /* fewer blocks than the file has */
    assert_int_equal(validate_blocks_of_store(0, 5000, &blocks), -EUCLEAN);
    fake_reset(4096, 2);
    fake.extra_count = 1; /* more than the file has */
    assert_int_equal(validate_blocks_of_store(0, 5000, &blocks), -EUCLEAN);
    fake_reset(4096, 2000);
    fake.extra_count = 1; /* more than the structure holds */
    assert_int_equal(validate_blocks_of_store(0, 2000 * 4096, &blocks), -EUCLEAN);
}

/* ---- parts ---- */

static void parts_of_any_size_make_the_block_s_checksum(void **state)
{
    static const uint32_t sizes[] = {1, 255, 256, 100, 100, 56, 7};
    uint8_t data[775];
    struct validate_block_cursor cursor = {0};
    struct validate_blocks blocks;
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    assert_int_equal(validate_blocks_init(&blocks, sizeof(data), 256), 0);
    assert_int_equal(blocks.count, 4);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
        bool is_whole =
            validate_block_add(&cursor, &blocks, tfs_crc32c(0, data + at, sizes[i]), sizes[i]);

        at += sizes[i];
        assert_int_equal(is_whole, at % 256 == 0 || at == sizeof(data));
        if (is_whole) {
            size_t begin = cursor.index * 256;

            assert_int_equal(cursor.crc, tfs_crc32c(0, data + begin, at - begin));
            validate_block_next(&cursor);
        }
    }
    assert_int_equal(cursor.index, 4);
    validate_blocks_release(&blocks);
}

/* ---- manifests ---- */

static int manifest_parse(const char *text, struct manifest *ret)
{
    FILE *stream = tmpfile();
    int err;

    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    rewind(stream);
    err = manifest_read(stream, ret);
    assert_int_equal(fclose(stream), 0);
    return err;
}

static void what_was_written_to_a_manifest_is_read_from_it(void **state)
{
    static const uint64_t file_sizes[] = {0, 1, 256, 257, 256 * 8, 256 * 17};
    FILE *stream = tmpfile();
    struct manifest manifest;

    (void)state;
    assert_non_null(stream);
    assert_int_equal(manifest_write_begin(stream), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(file_sizes); i++) {
        char name[] = "dir/a name";
        struct validate_blocks blocks;

        name[0] = (char)('z' - i);
        assert_int_equal(validate_blocks_init(&blocks, file_sizes[i], 256), 0);
        for (uint64_t b = 0; b < blocks.count; b++)
            blocks.crcs[b] = (uint32_t)(b + i) * 2654435761u;
        assert_int_equal(manifest_write_file(stream, name, &blocks), 0);
        validate_blocks_release(&blocks);
    }
    assert_int_equal(manifest_write_end(stream, TFS_ARRAY_COUNT(file_sizes)), 0);
    rewind(stream);
    assert_int_equal(manifest_read(stream, &manifest), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(file_sizes); i++) {
        char name[] = "dir/a name";
        struct manifest_file *file;

        name[0] = (char)('z' - i);
        file = manifest_find(&manifest, name);
        assert_non_null(file);
        assert_int_equal(file->blocks.file_size, file_sizes[i]);
        for (uint64_t b = 0; b < file->blocks.count; b++)
            assert_int_equal(file->blocks.crcs[b], (uint32_t)(b + i) * 2654435761u);
    }
    assert_null(manifest_find(&manifest, "another"));
    manifest_release(&manifest);
    assert_int_equal(fclose(stream), 0);
}

static void hostile_manifests_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "tensorfs-manifest 2\nend 0\n",
        "tensorfs-manifest 1\n",
        "tensorfs-manifest 1\nend 1\n",
        "tensorfs-manifest 1\nfile 1 256\nend 1\n",
        "tensorfs-manifest 1\nfile 1 255 a\n00000000\nend 1\n",
        "tensorfs-manifest 1\nfile 1 128 a\n00000000\nend 1\n",
        "tensorfs-manifest 1\nfile 1 256 a\nend 1\n",
        "tensorfs-manifest 1\nfile 257 256 a\n00000000\nend 1\n",
        "tensorfs-manifest 1\nfile 18446744073709551615 256 a\n00000000\nend 1\n",
        "tensorfs-manifest 1\nfile 1 256 a\n00000000\nfile 1 256 a\n00000000\nend 2\n",
        "tensorfs-manifest 1\nfile 1 256 a\nxyz\nend 1\n",
        "tensorfs-manifest 1\nfile 1 256 a\n00000000",
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        struct manifest manifest;

        assert_int_equal(manifest_parse(texts[i], &manifest), -EUCLEAN);
    }
}

static void a_name_with_a_line_break_has_no_place_in_a_manifest(void **state)
{
    struct validate_blocks blocks;
    FILE *stream = tmpfile();

    (void)state;
    assert_non_null(stream);
    assert_int_equal(validate_blocks_init(&blocks, 0, 256), 0);
    assert_int_equal(manifest_write_file(stream, "a\nend 0", &blocks), -EINVAL);
    validate_blocks_release(&blocks);
    assert_int_equal(fclose(stream), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_s_checksums_come_in_as_many_calls_as_needed),
        cmocka_unit_test(blocks_not_yet_in_the_store_are_asked_for_again_after_fsync),
        cmocka_unit_test(other_filesystems_have_no_checksums_and_that_is_no_error),
        cmocka_unit_test(answers_that_contradict_themselves_are_refused),
        cmocka_unit_test(parts_of_any_size_make_the_block_s_checksum),
        cmocka_unit_test(what_was_written_to_a_manifest_is_read_from_it),
        cmocka_unit_test(hostile_manifests_are_refused),
        cmocka_unit_test(a_name_with_a_line_break_has_no_place_in_a_manifest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
