/*
 * A full disk under the index: the commit says so, what was committed stays, and after room was
 * made it goes on when it is opened again. On tmpfs and, where the test may mount one, on ext4.
 */
#include "test_index_fixture.h"

#include "small_disk.h"

#include <errno.h>
#include <string.h>

enum { DISK_SIZE = 48 * 1024 * 1024, VALUE_SIZE = 32 * 1024 };

static int commit_large(struct fixture *fixture, uint32_t number, bool durable)
{
    static uint8_t value[VALUE_SIZE];

    memset(value, (int)number, sizeof(value));
    index_batch_clear(fixture->batch);
    index_batch_put(fixture->batch, INDEX_EXTENT, key_of(9, number), KEY_SIZE, value,
                    sizeof(value));
    put_text(fixture->batch, 10, number, "companion");
    return index_commit(fixture->index, fixture->batch, durable);
}

static void assert_large(struct fixture *fixture, uint32_t number)
{
    struct index_value value;

    assert_int_equal(index_get(fixture->index, INDEX_EXTENT, key_of(9, number), KEY_SIZE, &value),
                     0);
    assert_int_equal(value.size, VALUE_SIZE);
    assert_int_equal(value.data[0], (uint8_t)number);
    assert_int_equal(value.data[VALUE_SIZE - 1], (uint8_t)number);
    index_value_release(&value);
    assert_text(fixture, 10, number, "companion");
}

/* Returns: how many commits went well before the disk was full. */
static uint32_t commit_until_full(struct fixture *fixture)
{
    uint32_t count = 0;
    int err;

    do
        err = commit_large(fixture, count, count % 4 == 0);
    while (err == 0 && ++count < 4096);
    assert_int_equal(err, -ENOSPC);
    return count;
}

static void fill_and_reopen(struct fixture *fixture)
{
    uint32_t count;
    int err;

    assert_int_equal(commit_text(fixture, 1, 1, "before", true), 0);
    small_disk_fill(fixture->directory, TFS_MIB);
    count = commit_until_full(fixture);
    assert_in_range(count, 1, 1000);

    /* The error stays, reads go on, nothing of the failed batch is there. */
    assert_int_equal(commit_text(fixture, 1, 2, "refused", false), -ENOSPC);
    assert_int_equal(index_health(fixture->index), -ENOSPC);
    assert_text(fixture, 1, 1, "before");
    assert_absent(fixture, 9, count);
    assert_absent(fixture, 10, count);
    assert_large(fixture, count - 1);

    small_disk_free(fixture->directory);
    assert_int_equal(commit_text(fixture, 1, 2, "refused", false), -ENOSPC);
    err = index_close(TAKE_PTR(fixture->index));
    assert_true(err == -ENOSPC || err == 0); /* the failed commit alone was not durable, or more */
    fixture_open(fixture, false);
    assert_int_equal(index_health(fixture->index), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_large(fixture, i);
    assert_absent(fixture, 9, count);
    assert_absent(fixture, 10, count);
    assert_int_equal(commit_text(fixture, 1, 2, "after", true), 0);
    fixture_close(fixture);
    fixture_open(fixture, false);
    assert_text(fixture, 1, 2, "after");
    for (uint32_t i = 0; i < count; i++)
        assert_large(fixture, i);
}

/* RocksDB ends the process when it cannot write its own log, so the adapter does not let it begin.
 */
static void open_when_full(struct fixture *fixture)
{
    struct tfs_index *index;

    assert_int_equal(commit_text(fixture, 1, 1, "before", false), 0);
    fixture_close(fixture);
    small_disk_fill(fixture->directory, 0);
    assert_int_equal(fixture_try_open(fixture, false, false, &index), -ENOSPC);
    fixture_open(fixture, true);
    assert_text(fixture, 1, 1, "before");
    fixture_close(fixture);
    small_disk_free(fixture->directory);
    fixture_open(fixture, false);
    assert_text(fixture, 1, 1, "before");
}

static void run_on(enum small_disk_kind kind, void (*test)(struct fixture *fixture), void **state)
{
    struct fixture *fixture = *state;
    int err;

    fixture_close(fixture);
    err = small_disk_mount(kind, fixture->directory, DISK_SIZE);
    if (err < 0) {
        print_message("no small disk (%s), root is needed\n", strerror(-err));
        skip();
    }
    assert_int_equal(fixture_try_open(fixture, true, false, &fixture->index), 0);
    test(fixture);
    fixture_close(fixture);
    small_disk_unmount(fixture->directory);
}

static void an_index_on_a_full_tmpfs_goes_on_when_it_is_opened_again(void **state)
{
    run_on(SMALL_DISK_TMPFS, fill_and_reopen, state);
}

static void an_index_on_a_full_ext4_goes_on_when_it_is_opened_again(void **state)
{
    run_on(SMALL_DISK_EXT4, fill_and_reopen, state);
}

static void a_full_tmpfs_opens_for_reading_only(void **state)
{
    run_on(SMALL_DISK_TMPFS, open_when_full, state);
}

static void a_full_ext4_opens_for_reading_only(void **state)
{
    run_on(SMALL_DISK_EXT4, open_when_full, state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_index_on_a_full_tmpfs_goes_on_when_it_is_opened_again),
        TEST(an_index_on_a_full_ext4_goes_on_when_it_is_opened_again),
        TEST(a_full_tmpfs_opens_for_reading_only),
        TEST(a_full_ext4_opens_for_reading_only),
    };

    if (small_disk_enter() < 0)
        print_message("no mount namespace, root is needed\n"); /* the tests skip themselves */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
