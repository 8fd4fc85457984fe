/*
 * Whatever happens to a store, the check ends, repair ends with a store that only has what nobody
 * can read left to complain about, and no byte that could be read before cannot be read after it.
 *
 * Method: records of the index and bytes of the segments are changed, removed and made up at
 * random. What can be read is found out by reading every file by its number, before the repair and
 * after.
 */
#include "check_readings.h"

#include "store/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 12, ROUNDS_LONG = 500 };

/* ---- damage ---- */

/* A copy of some record of the table, or of nothing. */
struct victim {
    uint8_t key[INDEX_KEY_SIZE_MAX];
    size_t key_size;
    uint8_t *value;
    size_t value_size;
};

static void take_record(struct tfs_index *index, enum index_table table, uint64_t *dice,
                        struct victim *ret)
{
    struct index_range range = {.table = table};
    struct index_record record;
    struct index_scan *scan;
    uint64_t count = 0;

    *ret = (struct victim){0};
    assert_int_equal(index_scan_open(index, &range, &scan), 0);
    while (index_scan_next(scan, &record) > 0) {
        if (fixture_dice_below(dice, ++count) != 0)
            continue; /* each has the same chance in the end */
        free(ret->value);
        ret->value = malloc(record.value_size + 1);
        assert_non_null(ret->value);
        memcpy(ret->key, record.key, record.key_size);
        memcpy(ret->value, record.value, record.value_size);
        ret->key_size = record.key_size;
        ret->value_size = record.value_size;
    }
    index_scan_close(scan);
}

static void flip_bit(uint8_t *bytes, size_t size, uint64_t *dice)
{
    if (size)
        bytes[fixture_dice_below(dice, size)] ^= (uint8_t)(1u << fixture_dice_below(dice, 8));
}

static void damage_record(struct tfs_index *index, struct index_batch *batch, uint64_t *dice)
{
    enum index_table table = (enum index_table)fixture_dice_below(dice, INDEX_TABLE_COUNT);
    uint64_t how = fixture_dice_below(dice, 5);
    struct victim victim;

    take_record(index, table, dice, &victim);
    if (!victim.value)
        return;
    print_message("table %d key %02x%02x.. of %zu bytes: damage %d\n", (int)table, victim.key[0],
                  victim.key[victim.key_size - 1], victim.key_size, (int)how);
    switch (how) {
    case 0:
        index_batch_delete(batch, table, victim.key, victim.key_size);
        break;
    case 1: /* another key for the same */
        index_batch_delete(batch, table, victim.key, victim.key_size);
        flip_bit(victim.key, victim.key_size, dice);
        index_batch_put(batch, table, victim.key, victim.key_size, victim.value, victim.value_size);
        break;
    case 2: /* twice */
        flip_bit(victim.key, victim.key_size, dice);
        index_batch_put(batch, table, victim.key, victim.key_size, victim.value, victim.value_size);
        break;
    case 3:
        index_batch_put(batch, table, victim.key, victim.key_size, victim.value,
                        fixture_dice_below(dice, victim.value_size + 1));
        break;
    default:
        for (uint64_t i = fixture_dice_below(dice, 4); i < 4; i++)
            flip_bit(victim.value, victim.value_size, dice);
        index_batch_put(batch, table, victim.key, victim.key_size, victim.value, victim.value_size);
        break;
    }
    free(victim.value);
}

static void damage_segments(const struct fixture *fixture, uint64_t *dice)
{
    char path[500];
    uint8_t byte;
    off_t size;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/segments/%016x.seg", fixture->path, 1);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    size = lseek(fd, 0, SEEK_END);
    for (int i = 0; i < 3; i++) {
        off_t at = (off_t)fixture_dice_below(dice, (uint64_t)size);

        if (fixture_dice_below(dice, 2)) /* where headers are */
            at = (at & ~(off_t)4095) + (off_t)fixture_dice_below(dice, 80);
        if (pread(fd, &byte, 1, at) != 1)
            continue;
        flip_bit(&byte, 1, dice);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(close(fd), 0);
}

static void damage(struct fixture *fixture, uint64_t *dice)
{
    uint64_t count = 1 + fixture_dice_below(dice, 6);

    for (uint64_t i = 0; i < count; i++) {
        struct tfs_index *index = check_open_index(fixture);
        struct index_batch *batch;

        assert_int_equal(index_batch_new(&batch), 0);
        damage_record(index, batch, dice);
        if (index_batch_count(batch))
            assert_int_equal(index_commit(index, batch, false), 0);
        index_batch_free(batch);
        check_close_index(index);
    }
    if (fixture_dice_below(dice, 3) == 0)
        damage_segments(fixture, dice);
}

/* ---- rounds ---- */

static void run_round(const struct fixture *original, const uint64_t *inodes, uint64_t *dice)
{
    struct reading *before = malloc(sizeof(*before));
    struct reading *after = malloc(sizeof(*after));
    struct fixture fixture;

    assert_non_null(before);
    assert_non_null(after);
    check_copy_store(original, &fixture);
    damage(&fixture, dice);
    reading_take(&fixture, inodes, before);
    check_assert_converges(&fixture);
    reading_take(&fixture, inodes, after);
    reading_assert_nothing_lost(before, after);
    free(before);
    free(after);
}

static void repair_converges_and_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    const char *given = getenv("TFS_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    uint64_t rounds = getenv("TFS_TEST_LONG") ? ROUNDS_LONG : ROUNDS;
    uint64_t inodes[READING_FILES_MAX + 1] = {check_inode_of(fixture, "dir/large"),
                                              check_inode_of(fixture, "copy"),
                                              check_inode_of(fixture, "link")};

    tfs_log_set_level(TFS_LOG_ERROR);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t dice = seed + i;

        print_message("TFS_TEST_SEED=%" PRIu64 "\n", dice);
        run_round(fixture, inodes, &dice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(repair_converges_and_loses_nothing, check_set_up_known,
                                        fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
