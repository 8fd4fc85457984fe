/*
 * Whoever made a store wished us ill: rows with extreme numbers, odd keys and made-up values stand
 * in any table. Opening it is refused with a line or works; using it ends; a check ends; a repair
 * converges, makes nothing unreadable, and leaves a store that can be mounted, written and
 * scrubbed.
 *
 * Method: rows are planted at random in copies of a store. One copy is used as it is and repaired
 * then, the other is repaired and used then. Every round has a time limit.
 */
#include "check_readings.h"

#include "store/base/bytes.h"
#include "store/base/log.h"
#include "store/check/scrub.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"
#include "store/space/reclaim.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 10, ROUNDS_LONG = 500, ROUND_S_MAX = 300, ROWS_MAX = 12, VALUE_SIZE_MAX = 5000 };

/* ---- hostile rows ---- */

static uint64_t extreme(uint64_t *dice)
{
    static const uint64_t numbers[] = {
        0,
        1,
        2,
        15,
        16,
        17,
        255,
        256,
        4096,
        UINT32_MAX,
        TFS_GIB,
        (1ull << 56) - 1,
        1ull << 56,
        TFS_FILE_SIZE_MAX - 1,
        TFS_FILE_SIZE_MAX,
        INT64_MAX - 1,
        INT64_MAX,
        1ull + INT64_MAX,
        UINT64_MAX - 1,
        UINT64_MAX,
    };
    uint64_t at = fixture_dice_below(dice, TFS_ARRAY_COUNT(numbers) + 32);

    if (at < TFS_ARRAY_COUNT(numbers))
        return numbers[at];
    if (at % 8 == 7)
        return fixture_dice(dice);
    /* The numbers of the inodes that there are. */
    return at % 2 ? TFS_ROOT_INODE : 16 + fixture_dice_below(dice, 10);
}

struct row {
    enum index_table table;
    uint8_t key[INDEX_KEY_SIZE_MAX];
    size_t key_size;
    uint8_t value[VALUE_SIZE_MAX];
    size_t value_size;
};

static size_t put_name(uint8_t *dst, uint64_t *dice)
{
    static const char *const names[] = {"copy",
                                        "dir",
                                        "link",
                                        "x",
                                        ".",
                                        "..",
                                        "a/b",
                                        "\n",
                                        "user.x",
                                        "lost+found",
                                        "security.capability"};
    uint64_t at = fixture_dice_below(dice, TFS_ARRAY_COUNT(names) + 1);

    if (at < TFS_ARRAY_COUNT(names)) {
        memcpy(dst, names[at], strlen(names[at]));
        return strlen(names[at]);
    }
    memset(dst, 'n', TFS_NAME_SIZE_MAX);
    return TFS_NAME_SIZE_MAX;
}

static size_t put_setting(uint8_t *dst, uint64_t *dice)
{
    static const char *const names[] = {"clean",         "sweep_from", "resume_segment",
                                        "resume_offset", "next_inode", "next_segment",
                                        "scrub_inode",   "scrub_row",  "strange"};
    const char *name = names[fixture_dice_below(dice, TFS_ARRAY_COUNT(names))];

    memcpy(dst, name, strlen(name));
    return strlen(name);
}

static void make_key(struct row *row, uint64_t *dice)
{
    size_t size = 8;

    tfs_put_be64(row->key, extreme(dice));
    switch (row->table) {
    case INDEX_DENTRY:
        tfs_put_be64(row->key + 8, extreme(dice));
        size = 16 + put_name(row->key + 16, dice);
        if (fixture_dice_below(dice, 2)) { /* where it is looked for */
            row->key[size] = '\0';
            tfs_put_be64(row->key + 8, namespace_hash_seeded(1, (const char *)row->key + 16));
        }
        break;
    case INDEX_EXTENT:
    case INDEX_SHARE:
        tfs_put_be64(row->key + 8, extreme(dice));
        size = 16;
        break;
    case INDEX_XATTR:
        size = 8 + put_name(row->key + 8, dice);
        break;
    case INDEX_SUPER:
        size = put_setting(row->key, dice);
        break;
    default:
        break;
    }
    row->key_size = size;
    if (row->table != INDEX_SUPER && fixture_dice_below(dice, 10) == 0)
        row->key_size = fixture_dice_below(
            dice,
            fixture_dice_below(dice, 2) ? 40 : 512); /* cut short, or longer by what lies there */
}

/* The value of some record of the table, so that most of it makes sense. */
static size_t take_value(struct tfs_index *index, enum index_table table, uint64_t *dice,
                         uint8_t *dst)
{
    struct index_range range = {.table = table};
    struct index_record record;
    struct index_scan *scan;
    uint64_t count = 0;
    size_t size = 0;

    assert_int_equal(index_scan_open(index, &range, &scan), 0);
    while (index_scan_next(scan, &record) > 0) {
        if (fixture_dice_below(dice, ++count) != 0 || record.value_size > VALUE_SIZE_MAX)
            continue;
        size = record.value_size;
        memcpy(dst, record.value, size);
    }
    index_scan_close(scan);
    return size;
}

static void make_value(struct tfs_index *index, struct row *row, uint64_t *dice)
{
    uint64_t how = fixture_dice_below(dice, 8);

    if (how == 0) {
        row->value_size = fixture_dice_below(dice, 300);
        fixture_fill(row->value, row->value_size, fixture_dice(dice));
        return;
    }
    row->value_size = take_value(index, row->table, dice, row->value);
    if (row->table == INDEX_SEGMENT || row->table == INDEX_SHARE || row->table == INDEX_SUPER) {
        tfs_put_le64(row->value, extreme(dice));
        row->value_size = 8;
    }
    if (row->table == INDEX_DENTRY && fixture_dice_below(dice, 3) == 0)
        tfs_put_le64(row->value, extreme(dice));
    for (uint64_t i = fixture_dice_below(dice, 3); how < 6 && i > 0; i--) {
        size_t places = row->value_size / 8;

        if (places)
            tfs_put_le64(row->value + 8 * fixture_dice_below(dice, places), extreme(dice));
    }
}

static void plant(struct fixture *fixture, uint64_t *dice)
{
    struct tfs_index *index = check_open_index(fixture);
    struct row *row = calloc(1, sizeof(*row));
    struct index_batch *batch;

    assert_non_null(row);
    assert_int_equal(index_batch_new(&batch), 0);
    for (uint64_t i = 1 + fixture_dice_below(dice, ROWS_MAX); i > 0; i--) {
        row->table = (enum index_table)fixture_dice_below(dice, INDEX_TABLE_COUNT);
        make_key(row, dice);
        make_value(index, row, dice);
        print_message("table %d key of %zu bytes value of %zu\n", (int)row->table, row->key_size,
                      row->value_size);
        index_batch_put(batch, row->table, row->key, row->key_size, row->value, row->value_size);
    }
    assert_int_equal(index_commit(index, batch, false), 0);
    index_batch_free(batch);
    free(row);
    check_close_index(index);
}

/* ---- using a store ---- */

static void open_to_write(struct fixture *fixture)
{
    fixture->options.read_only = false;
    fixture->options.create = false;
    fixture->volume = NULL;
    if (fixture_try_open(fixture) == 0)
        return;
    fixture->volume = NULL;
    assert_true(fixture->message.text[0] != '\0' && !strchr(fixture->message.text, '\n'));
}

/* Any of it may fail; none of it may crash or not end. */
static void use_inode(struct fixture *fixture, uint64_t inode)
{
    struct tfs_setattr change = {.fields = TFS_SET_SIZE, .size = 1000};
    struct tfs_attr attr;
    struct tfs_file *file;

    if (tfs_getattr(fixture->volume, inode, &attr) < 0 ||
        tfs_file_open(fixture->volume, inode, O_RDWR, &file) < 0)
        return;
    (void)!tfs_file_write(file, 5000, "hostile", 7, 0);
    (void)!tfs_file_sync(file, false);
    (void)!tfs_file_seek(file, 0, SEEK_DATA);
    (void)!tfs_setattr(fixture->volume, inode, &change, &attr);
    (void)!tfs_file_flush(file);
    tfs_file_close(file);
}

static bool skip_entry(void *context, const struct tfs_directory_entry *entry)
{
    (void)entry;
    return ++*(int *)context < 1000;
}

static void use_names(struct fixture *fixture)
{
    static const char *const names[] = {"copy", "dir", "link", "x", "symlink", "lost+found"};
    int entries = 0;

    (void)!tfs_readdir(fixture->volume, TFS_ROOT_INODE, 0, false, skip_entry, &entries);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        struct tfs_attr attr;
        int err = tfs_lookup(fixture->volume, TFS_ROOT_INODE, names[i], &attr);

        if (err)
            continue;
        (void)!(S_ISDIR(attr.mode) ? tfs_rmdir(fixture->volume, TFS_ROOT_INODE, names[i])
                                   : tfs_unlink(fixture->volume, TFS_ROOT_INODE, names[i]));
        tfs_forget(fixture->volume, attr.inode, 1);
    }
}

/* What the disk says was written can be read. */
static bool new_file_is_right(struct fixture *fixture)
{
    struct tfs_make what = {.mode = S_IFREG | 0644};
    struct tfs_attr attr;
    struct tfs_file *file;
    bool right;

    if (tfs_make(fixture->volume, TFS_ROOT_INODE, "made", &what, &attr) < 0)
        return false;
    if (tfs_file_open(fixture->volume, attr.inode, O_RDWR, &file) < 0)
        return false;
    fixture_write_random(file, 0, TFS_MIB, 77);
    right = tfs_file_sync(file, false) == 0;
    if (right)
        fixture_assert_random(file, 0, TFS_MIB, 77);
    tfs_file_close(file);
    return right;
}

static void scrub(struct fixture *fixture)
{
    struct tfs_scrub_options options = {.restart = true};
    struct tfs_scrub_result result;

    assert_int_equal(tfs_scrub(fixture->volume, &options, &result), 0);
}

static void use_as_it_is(struct fixture *fixture, const uint64_t *inodes)
{
    open_to_write(fixture);
    if (!fixture->volume)
        return;
    (void)new_file_is_right(fixture);
    for (int i = 0; inodes[i]; i++)
        use_inode(fixture, inodes[i]);
    use_names(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    scrub(fixture);
    (void)!tfs_volume_close(TAKE_PTR(fixture->volume));
}

static void use_repaired(struct fixture *fixture)
{
    open_to_write(fixture);
    if (!fixture->volume)
        fail_msg("a repaired store cannot be mounted: %s", fixture->message.text);
    assert_true(new_file_is_right(fixture));
    reclaim_hurry(fixture->volume->reclaim);
    scrub(fixture);
    fixture_close(fixture);
    fixture->volume = NULL;
}

/* ---- rounds ---- */

static void run_round(const struct fixture *original, const uint64_t *inodes, uint64_t *dice)
{
    struct reading *before = malloc(sizeof(*before));
    struct reading *after = malloc(sizeof(*after));
    uint64_t same = *dice;
    struct fixture fixture;

    assert_non_null(before);
    assert_non_null(after);
    (void)alarm(ROUND_S_MAX);
    check_copy_store(original, &fixture);
    plant(&fixture, &same);
    check_frames_size_max = fixture_dice_below(&same, 3) * 100; /* 0: as much as there is */
    use_as_it_is(&fixture, inodes);
    check_assert_converges(&fixture);
    check_copy_store(original, &fixture);
    plant(&fixture, dice);
    reading_take(&fixture, inodes, before);
    check_assert_converges(&fixture);
    use_repaired(&fixture);
    reading_take(&fixture, inodes, after);
    reading_assert_nothing_lost(before, after);
    check_assert_converges(&fixture);
    (void)alarm(0);
    free(before);
    free(after);
}

static void hostile_rows_do_no_harm(void **state)
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
        cmocka_unit_test_setup_teardown(hostile_rows_do_no_harm, check_set_up_known,
                                        fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
