/*
 * Goal: a try reads what is in memory, all of it or nothing, and waits for nobody.
 *
 * Method: files of which a part was read, that are small, dirty, or being changed.
 */
#include "store_fixture.h"

#include "store/file/file.h"
#include "store/inode/data.h"

#include <errno.h>
#include <string.h>

/* Returns how many bytes a try finds, which are those of the seed, or its error. */
static int64_t try_to_read(struct tfs_file *file, uint64_t offset, size_t size, uint64_t seed)
{
    struct tfs_read read;
    uint8_t *wanted;
    size_t done = 0;
    int err = tfs_file_try_read(file, offset, size, &read);

    if (err)
        return err;
    wanted = malloc(offset + size);
    assert_non_null(wanted);
    fixture_fill(wanted, offset + size, seed);
    for (int i = 0; i < read.piece_count; i++) {
        assert_memory_equal(read.pieces[i].iov_base, wanted + offset + done,
                            read.pieces[i].iov_len);
        done += read.pieces[i].iov_len;
    }
    assert_int_equal(done, read.size);
    tfs_read_release(&read);
    free(wanted);
    return (int64_t)done;
}

static void a_try_reads_what_is_in_memory_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(try_to_read(file, 0, TFS_MIB, 1), -EAGAIN);
    fixture_assert_random(file, 0, 300000, 1); /* two units of it */
    assert_int_equal(try_to_read(file, 0, TFS_MIB, 1), -EAGAIN);
    assert_int_equal(try_to_read(file, 1000, 400000, 1), 400000);
    fixture_assert_random(file, 0, TFS_MIB, 1);
    assert_int_equal(try_to_read(file, 0, TFS_MIB, 1), TFS_MIB);
    assert_int_equal(try_to_read(file, TFS_MIB - 10, 4096, 1), 10);
    assert_int_equal(try_to_read(file, TFS_MIB, 1, 1), 0); /* the end */
    tfs_file_close(file);
}

static void a_try_reads_small_files_and_holes(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    struct tfs_read read;

    fixture_make_file(fixture, "small", 1000, 1);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "small");
    assert_int_equal(try_to_read(file, 0, 1000, 1), 1000); /* from its row */
    fixture_truncate(fixture, tfs_file_inode(file), 4 * TFS_MIB);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(tfs_file_try_read(file, TFS_MIB, TFS_MIB, &read), 0);
    assert_int_equal(read.size, TFS_MIB);
    tfs_read_release(&read);
    tfs_file_close(file);
}

static void a_try_waits_for_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(try_to_read(file, 0, 4096, 1), -EAGAIN); /* not written back yet */
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_assert_random(file, 0, TFS_MIB, 1);
    assert_int_equal(try_to_read(file, 0, 4096, 1), 4096);
    data_enter_exclusive(file->inode); /* a resize */
    assert_int_equal(try_to_read(file, 0, 4096, 1), -EAGAIN);
    data_leave_exclusive(file->inode);
    assert_int_equal(try_to_read(file, 0, 4096, 1), 4096);
    tfs_file_close(file);
}

#define TRY_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRY_TEST(a_try_reads_what_is_in_memory_and_nothing_else),
        TRY_TEST(a_try_reads_small_files_and_holes),
        TRY_TEST(a_try_waits_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
