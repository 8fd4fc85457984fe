/*
 * What the index counts of segments and frames, against what the rows use. The users are sorted by
 * place when this begins, and so are both tables: each is a walk along the other.
 */
#include "store/base/bytes.h"
#include "store/check/check_internal.h"
#include "store/index/index.h"

#include <errno.h>
#include <string.h>

/* ---- users of frames ---- */

/* How many rows show the frame of this use. */
static uint64_t users_at(const struct check *check, size_t first)
{
    uint64_t count = 0;

    for (size_t i = first; i < check->use_count; i++) {
        if (check->uses[i].segment != check->uses[first].segment ||
            check->uses[i].offset != check->uses[first].offset)
            break;
        count++;
    }
    return count;
}

static void put_share(struct check *check, const struct check_use *use, uint64_t users,
                      uint64_t counted)
{
    uint8_t key[META_SHARE_KEY_SIZE];

    check_error(check, TFS_CHECK_USAGE, use->inode,
                "the frame at %llu of segment %llu has %llu users, not %llu",
                (unsigned long long)use->offset, (unsigned long long)use->segment,
                (unsigned long long)users, (unsigned long long)counted);
    meta_share_key(use->segment, use->offset, key);
    check_put_number(check, INDEX_SHARE, key, sizeof(key), users);
}

static int compare_place(const struct check_use *use, uint64_t segment, uint64_t offset)
{
    if (use->segment != segment)
        return use->segment < segment ? -1 : 1;
    return use->offset < offset ? -1 : use->offset > offset;
}

/* Every shared frame before this place has no row; the walk, *at, stands behind them then. */
static int pass_frames(struct check *check, size_t *at, uint64_t segment, uint64_t offset)
{
    int err = 0;

    while (!err && *at < check->use_count &&
           compare_place(&check->uses[*at], segment, offset) < 0) {
        uint64_t users = users_at(check, *at);

        if (users >= 2)
            put_share(check, &check->uses[*at], users, 1);
        *at += users;
        err = check_commit_full(check);
    }
    return err;
}

/* A row of a place that `users` rows show, the first of them `use`. */
static void check_share_count(struct check *check, const struct index_record *record,
                              const struct check_use *use, uint64_t users)
{
    uint64_t counted = record->value_size == sizeof(uint64_t) ? tfs_get_le64(record->value) : 0;

    if (users >= 2 && (counted == users || (check->unknown_rows && counted > users)))
        return;
    if (users >= 2) {
        put_share(check, use, users, counted);
    } else if (!check->unknown_rows || counted < 2) {
        check_error(check, TFS_CHECK_USAGE, 0,
                    "the frame at %llu of segment %llu has %llu users, not %llu",
                    (unsigned long long)tfs_get_be64(record->key + sizeof(uint64_t)),
                    (unsigned long long)tfs_get_be64(record->key), (unsigned long long)users,
                    (unsigned long long)counted);
        check_delete(check, INDEX_SHARE, record->key, record->key_size);
    }
}

static int check_share(struct check *check, const struct index_record *record, size_t *at)
{
    const struct check_use *use;
    uint64_t segment;
    uint64_t offset;
    uint64_t users = 0;
    int err;

    if (record->key_size != META_SHARE_KEY_SIZE) {
        check_error(check, TFS_CHECK_KEY, 0,
                    "a key of %zu bytes in table 'share', which nobody asks for", record->key_size);
        check_delete(check, INDEX_SHARE, record->key, record->key_size);
        return check_commit_full(check);
    }
    segment = tfs_get_be64(record->key);
    offset = tfs_get_be64(record->key + sizeof(uint64_t));
    err = pass_frames(check, at, segment, offset);
    if (err)
        return err;
    use = check->uses + *at;
    if (*at < check->use_count && compare_place(use, segment, offset) == 0)
        users = users_at(check, *at);
    check_share_count(check, record, use, users);
    *at += users;
    return check_commit_full(check);
}

/* Whether the key stands before all of this segment and those behind it. */
static bool is_before(const struct index_record *record, uint64_t segment)
{
    uint8_t first[sizeof(uint64_t)];
    int order;

    if (segment == UINT64_MAX)
        return true;
    tfs_put_be64(first, segment);
    order = memcmp(record->key, first, tfs_min_u64(record->key_size, sizeof(first)));
    return order < 0 || (order == 0 && record->key_size < sizeof(first));
}

int check_shares(struct check *check)
{
    uint8_t start[META_SEGMENT_KEY_SIZE];
    struct index_range range = {.table = INDEX_SHARE, .start = start, .start_size = sizeof(start)};
    struct index_record record;
    struct index_scan *scan;
    size_t at = 0;
    int more = 0;
    int err;

    meta_segment_key(check->uses_from, start);
    if (check->uses_from == 0)
        range.start = NULL; /* shorter keys too */
    err = index_scan_open(check->index, &range, &scan);
    if (err)
        return err;
    check->step = "shares";
    while (!err && (more = index_scan_next(scan, &record)) > 0 &&
           is_before(&record, check->uses_to)) {
        err = check_share(check, &record, &at);
        if (!err)
            err = check_step(check);
    }
    index_scan_close(scan);
    if (!err && more < 0)
        err = more;
    return err ? err : pass_frames(check, &at, UINT64_MAX, UINT64_MAX);
}

/* ---- live bytes of segments ---- */

/* 0 for a key that is none. */
static uint64_t segment_number(const struct index_record *record)
{
    uint64_t number = record->key_size == META_SEGMENT_KEY_SIZE ? tfs_get_be64(record->key) : 0;

    return number > INT64_MAX ? 0 : number;
}

static int note_segment(struct check *check, const struct index_record *record)
{
    uint64_t number = segment_number(record);

    if (number == 0) {
        check_error(check, TFS_CHECK_KEY, 0,
                    "a key of %zu bytes in table 'segment', which nobody asks for",
                    record->key_size);
        check_delete(check, INDEX_SEGMENT, record->key, record->key_size);
        return 0;
    }
    return check_find_segment(check, number) ? 0 : check_note_number(check, number);
}

static int read_segment(struct check *check, const struct index_record *record)
{
    struct check_segment *segment = check_find_segment(check, segment_number(record));

    if (!segment)
        return 0;
    segment->has_row = true;
    segment->live_row =
        record->value_size == sizeof(uint64_t) ? tfs_get_le64(record->value) : UINT64_MAX;
    return 0;
}

static void correct_live(struct check *check, const struct check_segment *segment)
{
    uint8_t key[META_SEGMENT_KEY_SIZE];

    check_error(check, TFS_CHECK_USAGE, 0, "segment %llu has %llu live bytes, not %llu",
                (unsigned long long)segment->number, (unsigned long long)segment->live_seen,
                (unsigned long long)(segment->has_row ? segment->live_row : 0));
    meta_segment_key(segment->number, key);
    check_put_number(check, INDEX_SEGMENT, key, sizeof(key), segment->live_seen);
}

static void check_segment(struct check *check, const struct check_segment *segment)
{
    bool resumed = check->settings.values[CHECK_CLEAN] == 1 &&
                   check->settings.values[CHECK_RESUME_SEGMENT] == segment->number;
    bool may_be_more = check->unknown_rows && segment->has_row &&
                       segment->live_row > segment->live_seen && segment->live_row <= INT64_MAX;

    if (segment->live_seen != (segment->has_row ? segment->live_row : 0) && !may_be_more)
        correct_live(check, segment);
    if (segment->has_file && !segment->has_row && segment->live_seen == 0 && !resumed)
        check_note(check, TFS_CHECK_SEGMENT, 0,
                   "segment %llu was left by a crash; the next mount removes it",
                   (unsigned long long)segment->number);
    if (!segment->has_file && segment->has_row && segment->live_seen == 0 && segment->live_row == 0)
        check_note(check, TFS_CHECK_SEGMENT, 0, "segment %llu is gone, and nothing of it in use",
                   (unsigned long long)segment->number);
}

int check_segments(struct check *check)
{
    int err = check_scan(check, INDEX_SEGMENT, "segments", note_segment);

    if (!err)
        err = check_add_segments(check);
    if (!err)
        err = check_scan(check, INDEX_SEGMENT, "segments", read_segment);
    for (size_t i = 0; i < check->segment_count && !err; i++) {
        check_segment(check, &check->segment_list[i]);
        err = check_commit_full(check);
    }
    return err;
}
