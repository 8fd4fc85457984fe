/*
 * The table `super`. Read first, since names need the seed; corrected last, since the numbers in it
 * have to be above all that the other tables have.
 */
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/check/check_internal.h"
#include "store/index/index.h"
#include "store/segment/segment.h"
#include "store/tables/super.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const struct setting {
    const char *name;
    bool optional; /* may be absent */
} settings[CHECK_SETTING_COUNT] = {
    [CHECK_NAME_HASH_SEED] = {"name_hash_seed", false},
    [CHECK_CLEAN] = {"clean", false},
    [CHECK_SWEEP_FROM] = {"sweep_from", false},
    [CHECK_RESUME_SEGMENT] = {"resume_segment", false},
    [CHECK_RESUME_OFFSET] = {"resume_offset", false},
    [CHECK_NEXT_INODE] = {"next_inode", true},
    [CHECK_NEXT_SEGMENT] = {"next_segment", true},
    [CHECK_SCRUB_INODE] = {"scrub_inode", true},
    [CHECK_SCRUB_ROW] = {"scrub_row", true},
    [CHECK_REPAIRING] = {SUPER_REPAIRING, true},
    [CHECK_ALLOCATED] = {"allocated", true},
};

enum { FIRST_INODE = 16, FIRST_SEGMENT = 1 };
#define NEXT_MAX         (INT64_MAX - (1ull << 32)) /* then the numbers would soon be used up */
#define SEGMENT_SIZE_MAX (1ull * TFS_GIB)

static void put(struct check *check, enum check_setting setting, uint64_t value)
{
    const char *name = settings[setting].name;

    check->settings.values[setting] = value;
    check->settings.found[setting] = true;
    check_put_number(check, INDEX_SUPER, name, strlen(name), value);
}

static int read_setting(struct check *check, const struct index_record *record)
{
    for (int i = 0; i < CHECK_SETTING_COUNT; i++) {
        if (record->key_size != strlen(settings[i].name) ||
            memcmp(record->key, settings[i].name, record->key_size) != 0)
            continue;
        if (record->value_size == sizeof(uint64_t)) {
            check->settings.values[i] = tfs_get_le64(record->value);
            check->settings.found[i] = true;
            return 0;
        }
        check_error(check, TFS_CHECK_SETTING, 0, "setting '%s' has %zu bytes, not 8",
                    settings[i].name, record->value_size);
        check_delete(check, INDEX_SUPER, record->key, record->key_size);
        return 0;
    }
    /* Of a version to come, perhaps, that this one may ignore. */
    check_note(check, TFS_CHECK_SETTING, 0, "setting '%.*s' is unknown here, and kept",
               (int)tfs_min_u64(record->key_size, 64), (const char *)record->key);
    return 0;
}

/* After this the store counts as one that was not closed in order: all of it is swept, and
 * appending goes on in a new segment. */
static void put_safe_state(struct check *check)
{
    put(check, CHECK_CLEAN, 0);
    put(check, CHECK_SWEEP_FROM, FIRST_SEGMENT);
    put(check, CHECK_RESUME_SEGMENT, 0);
    put(check, CHECK_RESUME_OFFSET, 0);
}

static void complete_settings(struct check *check)
{
    bool state_is_missing = false;

    for (int i = 0; i < CHECK_SETTING_COUNT; i++) {
        if (check->settings.found[i] || settings[i].optional)
            continue;
        check_error(check, TFS_CHECK_SETTING, 0, "setting '%s' is missing", settings[i].name);
        state_is_missing = state_is_missing || i != CHECK_NAME_HASH_SEED;
    }
    if (!check->settings.found[CHECK_NAME_HASH_SEED]) {
        uint64_t seed;

        if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
            seed = check->settings.values[CHECK_NEXT_INODE];
        /* Entries are found by their hashes: the pass over names gives them new ones. */
        put(check, CHECK_NAME_HASH_SEED, seed);
    }
    if (state_is_missing)
        put_safe_state(check);
}

int check_settings_read(struct check *check)
{
    int err;

    check->settings = (struct check_settings){0};
    err = check_scan(check, INDEX_SUPER, "settings", read_setting);
    if (!err)
        complete_settings(check);
    return err;
}

static void check_next(struct check *check, enum check_setting setting, uint64_t first,
                       uint64_t highest)
{
    uint64_t next = check->settings.found[setting] ? check->settings.values[setting] : first;

    if (next > highest && next >= first && next <= NEXT_MAX)
        return;
    check_error(check, TFS_CHECK_SETTING, 0, "'%s' is %llu, and the highest in use %llu",
                settings[setting].name, (unsigned long long)next, (unsigned long long)highest);
    put(check, setting, tfs_max_u64(first, highest + 1));
}

/* Appending may go on only behind all that is in use: the file is cut there. */
static void check_resume(struct check *check)
{
    uint64_t number = check->settings.values[CHECK_RESUME_SEGMENT];
    uint64_t offset = check->settings.values[CHECK_RESUME_OFFSET];
    const struct check_segment *segment;

    if (check->settings.values[CHECK_CLEAN] != 1 || number == 0)
        return;
    if (offset % SEGMENT_ALIGNMENT != 0 || offset > SEGMENT_SIZE_MAX) {
        check_error(check, TFS_CHECK_SETTING, 0,
                    "appending would go on at %llu of segment %llu, where no frame can begin",
                    (unsigned long long)offset, (unsigned long long)number);
        put_safe_state(check);
        return;
    }
    segment = check_find_segment(check, number);
    if (!segment || segment->frames_end <= offset)
        return;
    check_error(check, TFS_CHECK_SETTING, 0,
                "appending would go on at %llu of segment %llu, where frames in use end at %llu",
                (unsigned long long)offset, (unsigned long long)number,
                (unsigned long long)segment->frames_end);
    put_safe_state(check);
}

/* The highest number that somebody can have counted up to. */
static uint64_t highest_inode(const struct check *check)
{
    size_t count = check->inode_count;

    while (count > 0 && check->inodes[count - 1].number >= META_NUMBER_FAR)
        count--;
    return count ? check->inodes[count - 1].number : 0;
}

static uint64_t highest_segment(const struct check *check)
{
    size_t count = check->segment_count;

    while (count > 0 && check->segment_list[count - 1].number >= META_NUMBER_FAR)
        count--;
    return count ? check->segment_list[count - 1].number : 0;
}

/* Whether a row of the table has the number, though no inode may. */
static bool number_has_rows(struct check *check, enum index_table table, uint64_t number)
{
    uint8_t prefix[META_INODE_KEY_SIZE];
    struct index_range range = {.table = table, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct index_record record;
    struct index_scan *scan;
    bool found;

    meta_inode_key(number, prefix);
    if (index_scan_open(check->index, &range, &scan) < 0)
        return true;
    found = index_scan_next(scan, &record) != 0;
    index_scan_close(scan);
    return found;
}

static void check_allocated(struct check *check)
{
    uint64_t sum = check->settings.values[CHECK_ALLOCATED];

    if (sum == check->allocated)
        return;
    check_error(check, TFS_CHECK_SETTING, 0,
                "'allocated' is %llu, and the files have room for %llu bytes",
                (unsigned long long)sum, (unsigned long long)check->allocated);
    put(check, CHECK_ALLOCATED, check->allocated);
}

uint64_t check_take_inode_number(struct check *check)
{
    uint64_t next = check->settings.values[CHECK_NEXT_INODE];
    uint64_t number = tfs_max_u64(FIRST_INODE, highest_inode(check) + 1);

    if (next <= NEXT_MAX)
        number = tfs_max_u64(number, next);
    while (check_find_inode(check, number) || number_has_rows(check, INDEX_EXTENT, number) ||
           number_has_rows(check, INDEX_XATTR, number))
        number++;
    put(check, CHECK_NEXT_INODE, number + 1);
    return number;
}

int check_settings(struct check *check)
{
    if (check->settings.values[CHECK_CLEAN] > 1) {
        check_error(check, TFS_CHECK_SETTING, 0, "'clean' is %llu",
                    (unsigned long long)check->settings.values[CHECK_CLEAN]);
        put_safe_state(check);
    }
    check_resume(check);
    check_allocated(check);
    /* A new file of the number of a strange row would show it as its own. */
    check_next(check, CHECK_NEXT_INODE, FIRST_INODE,
               tfs_max_u64(highest_inode(check), check->strange_inode));
    check_next(check, CHECK_NEXT_SEGMENT, FIRST_SEGMENT, highest_segment(check));
    return 0;
}
