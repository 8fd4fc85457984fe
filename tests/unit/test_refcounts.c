/*
 * Usage: what of each segment is live, how many rows use a frame, and when a segment holds nothing
 * any more.
 *
 * Method: an index without a volume; each change is committed as a commit does it, and the result
 * is compared with what a new table reads from the index.
 */
#include "store_fixture.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/index/index.h"
#include "store/tables/meta.h"
#include "store/txn/refcounts.h"

#include <errno.h>
#include <string.h>

enum { UNIT = 4096, BLOCK = 4096 };

struct used {
    struct fixture *fixture;
    struct tfs_index *index;
    struct tfs_refcounts *refcounts;
};

static int set_up(void **state)
{
    struct used *used = calloc(1, sizeof(*used));
    struct index_options options = {.create = true, .memory_size_max = 8 * TFS_MIB};

    assert_non_null(used);
    assert_int_equal(fixture_set_up_closed((void **)&used->fixture), 0);
    options.path = used->fixture->path;
    assert_int_equal(index_open(&options, &used->index), 0);
    assert_int_equal(refcounts_new(used->index, &used->refcounts), 0);
    *state = used;
    return 0;
}

static int tear_down(void **state)
{
    struct used *used = *state;
    int err;

    refcounts_free(used->refcounts);
    err = index_close(used->index);
    err = err ? err : fixture_tear_down((void **)&used->fixture);
    free(used);
    return err;
}

static struct frame_ref frame_of(uint64_t segment, uint64_t number, uint32_t stored_size)
{
    return (struct frame_ref){.segment = segment,
                              .offset = number * UNIT,
                              .stored_size = stored_size,
                              .raw_size = BLOCK,
                              .block_count = 1};
}

/* Ends a change the way a commit does. Returns how many frames died of it. */
static size_t commit(struct used *used, struct refcounts_change *change)
{
    struct index_batch *batch;
    size_t dead;

    assert_int_equal(index_batch_new(&batch), 0);
    assert_int_equal(refcounts_finish(change, batch), 0);
    assert_int_equal(index_commit(used->index, batch, false), 0);
    refcounts_apply(change, index_commit_number(used->index));
    dead = change->dead_count;
    refcounts_end(change);
    index_batch_free(batch);
    return dead;
}

typedef void refcounts_step(struct refcounts_change *change, const struct frame_ref *frame);

static size_t commit_one(struct used *used, refcounts_step *step, const struct frame_ref *frame)
{
    struct refcounts_change change;

    refcounts_begin(used->refcounts, &change);
    step(&change, frame);
    return commit(used, &change);
}

/* What a new table reads is what the old one has. */
static void assert_live(struct used *used, uint64_t bytes)
{
    struct tfs_refcounts *again;

    assert_int_equal(refcounts_live_bytes(used->refcounts), bytes);
    assert_int_equal(refcounts_new(used->index, &again), 0);
    assert_int_equal(refcounts_live_bytes(again), bytes);
    refcounts_free(again);
}

static size_t share_rows(struct used *used)
{
    struct index_range range = {.table = INDEX_SHARE};
    struct index_record record;
    struct index_scan *scan;
    size_t count = 0;

    assert_int_equal(index_scan_open(used->index, &range, &scan), 0);
    while (index_scan_next(scan, &record) > 0)
        count++;
    index_scan_close(scan);
    return count;
}

static void a_frame_with_one_user_has_no_count(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(1, 0, 100);

    assert_int_equal(commit_one(used, refcounts_add, &frame), 0);
    assert_live(used, UNIT);
    assert_int_equal(share_rows(used), 0);
    assert_int_equal(commit_one(used, refcounts_drop, &frame), 1);
    assert_live(used, 0);
}

static void the_last_of_many_users_makes_a_frame_dead(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(1, 5, UNIT + 1);

    (void)commit_one(used, refcounts_add, &frame);
    for (int i = 0; i < 3; i++)
        assert_int_equal(commit_one(used, refcounts_share, &frame), 0);
    assert_live(used, 2 * UNIT); /* shared bytes are stored once */
    assert_int_equal(share_rows(used), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(commit_one(used, refcounts_drop, &frame), 0);
    assert_int_equal(share_rows(used), 0); /* one user again */
    assert_int_equal(commit_one(used, refcounts_drop, &frame), 1);
    assert_live(used, 0);
}

static void users_that_come_and_go_in_one_change_are_counted(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(1, 1, 10);
    struct refcounts_change change;

    (void)commit_one(used, refcounts_add, &frame);
    refcounts_begin(used->refcounts, &change);
    refcounts_share(&change, &frame);
    refcounts_share(&change, &frame);
    refcounts_drop(&change, &frame);
    assert_int_equal(commit(used, &change), 0);
    assert_int_equal(share_rows(used), 1);
    refcounts_begin(used->refcounts, &change);
    refcounts_drop(&change, &frame);
    refcounts_drop(&change, &frame);
    assert_int_equal(commit(used, &change), 1);
    assert_int_equal(share_rows(used), 0);
    assert_live(used, 0);
}

static void many_frames_of_many_segments_change_together(void **state)
{
    enum { SEGMENTS = 40, FRAMES = 25 };
    struct used *used = *state;
    struct refcounts_change change;

    refcounts_begin(used->refcounts, &change);
    for (uint64_t i = 0; i < SEGMENTS * FRAMES; i++) {
        struct frame_ref frame = frame_of(1 + i % SEGMENTS, i, 1);

        refcounts_add(&change, &frame);
    }
    assert_int_equal(commit(used, &change), 0);
    assert_live(used, SEGMENTS * FRAMES * UNIT);
    refcounts_begin(used->refcounts, &change);
    for (uint64_t i = 0; i < SEGMENTS * FRAMES; i++) {
        struct frame_ref frame = frame_of(1 + i % SEGMENTS, i, 1);

        refcounts_drop(&change, &frame);
    }
    assert_int_equal(commit(used, &change), SEGMENTS * FRAMES);
    assert_live(used, 0);
}

static void a_change_that_is_not_applied_leaves_no_trace(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(1, 0, 100);
    struct frame_ref more = frame_of(2, 0, 100);
    struct refcounts_change change;

    (void)commit_one(used, refcounts_add, &frame);
    refcounts_begin(used->refcounts, &change);
    refcounts_drop(&change, &frame);
    refcounts_add(&change, &more);
    refcounts_end(&change);
    assert_live(used, UNIT);
    assert_false(refcounts_knows_segment(used->refcounts, 2));
}

static void giving_back_more_than_there_is_is_refused(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(1, 0, 2 * UNIT);
    struct frame_ref small = frame_of(1, 9, 1);
    struct refcounts_change change;
    struct index_batch *batch;

    (void)commit_one(used, refcounts_add, &small);
    assert_int_equal(index_batch_new(&batch), 0);
    refcounts_begin(used->refcounts, &change);
    refcounts_drop(&change, &frame);
    assert_int_equal(refcounts_finish(&change, batch), -EUCLEAN);
    refcounts_end(&change);
    index_batch_free(batch);
    assert_live(used, UNIT);
}

static void a_count_that_is_none_is_refused(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(1, 0, 1);
    uint8_t key[META_SHARE_KEY_SIZE];
    struct refcounts_change change;
    struct index_batch *batch;

    (void)commit_one(used, refcounts_add, &frame);
    assert_int_equal(index_batch_new(&batch), 0);
    meta_share_key(frame.segment, frame.offset, key);
    index_batch_put(batch, INDEX_SHARE, key, sizeof(key), "bad", 3);
    assert_int_equal(index_commit(used->index, batch, false), 0);
    index_batch_clear(batch);
    refcounts_begin(used->refcounts, &change);
    refcounts_drop(&change, &frame);
    assert_int_equal(refcounts_finish(&change, batch), -EUCLEAN);
    refcounts_end(&change);
    refcounts_begin(used->refcounts, &change);
    refcounts_share(&change, &frame);
    assert_int_equal(refcounts_finish(&change, batch), -EUCLEAN);
    refcounts_end(&change);
    index_batch_free(batch);
}

static void segment_rows_that_are_none_are_refused(void **state)
{
    struct used *used = *state;
    uint8_t key[META_SEGMENT_KEY_SIZE];
    struct tfs_refcounts *again = NULL;
    struct index_batch *batch;

    assert_int_equal(index_batch_new(&batch), 0);
    meta_segment_key(3, key);
    index_batch_put(batch, INDEX_SEGMENT, key, sizeof(key), "bad", 3);
    assert_int_equal(index_commit(used->index, batch, false), 0);
    assert_int_equal(refcounts_new(used->index, &again), -EUCLEAN);
    assert_null(again);
    index_batch_free(batch);
}

/* Of a clone's frames each has several users, and all of them change together. */
static void a_change_of_many_shared_frames_does_not_look_at_all_for_each(void **state)
{
    enum { FRAMES = 200000 };
    struct used *used = *state;
    struct refcounts_change change;
    uint64_t start_ns = tfs_clock_ns();

    refcounts_begin(used->refcounts, &change);
    for (uint64_t i = 0; i < FRAMES; i++) {
        struct frame_ref frame = frame_of(1 + i / 50000, i % 50000, 100);

        refcounts_add(&change, &frame);
        refcounts_share(&change, &frame);
    }
    for (uint64_t i = 0; i < FRAMES; i += 2) {
        struct frame_ref frame = frame_of(1 + i / 50000, i % 50000, 100);

        refcounts_drop(&change, &frame);
    }
    assert_int_equal(change.error, 0);
    assert_int_equal(change.share_count, FRAMES);
    for (uint64_t i = 0; i < FRAMES; i++)
        assert_int_equal(change.shares[i].count, i % 2 ? 2 : 1);
    /* One by one it is minutes; a look into the index for each, some hundred ms. */
    assert_true(tfs_clock_ns() - start_ns < 30 * TFS_NS_PER_S);
    refcounts_end(&change);
}

static void an_append_is_waited_for_and_later_ones_are_not(void **state)
{
    struct used *used = *state;
    unsigned first = refcounts_append_begin(used->refcounts);
    unsigned later;

    refcounts_append_end(used->refcounts, first);
    refcounts_wait_for_appends(used->refcounts); /* nobody is in the way */
    first = refcounts_append_begin(used->refcounts);
    refcounts_append_end(used->refcounts, first);
    later = refcounts_append_begin(used->refcounts);
    assert_int_equal(later, first);
    refcounts_append_end(used->refcounts, later);
    refcounts_wait_for_appends(used->refcounts);
    later = refcounts_append_begin(used->refcounts);
    assert_true(later != first);
    refcounts_append_end(used->refcounts, later);
}

static void a_segment_is_empty_without_live_and_uncommitted_bytes(void **state)
{
    struct used *used = *state;
    struct frame_ref frame = frame_of(7, 0, 100);
    struct frame_ref next = frame_of(7, 1, 100);
    struct refcounts_segment empty[4];

    assert_false(refcounts_knows_segment(used->refcounts, 7));
    refcounts_appended(used->refcounts, &frame);
    assert_true(refcounts_knows_segment(used->refcounts, 7));
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 4), 0);
    (void)commit_one(used, refcounts_add, &frame);
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 4), 0);
    refcounts_appended(used->refcounts, &next);
    (void)commit_one(used, refcounts_drop, &frame);
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 4),
                     0); /* `next` is on its way */
    refcounts_abandoned(used->refcounts, &next);
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 4), 1);
    assert_int_equal(empty[0].segment, 7);
    assert_int_equal(empty[0].commit_number, index_commit_number(used->index));
    refcounts_forget_segment(used->refcounts, 7);
    refcounts_forget_segment(used->refcounts, 7);
    assert_false(refcounts_knows_segment(used->refcounts, 7));
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 4), 0);
}

static void no_more_empty_segments_are_told_than_asked_for(void **state)
{
    struct used *used = *state;
    struct refcounts_segment empty[4];

    for (uint64_t segment = 1; segment <= 6; segment++) {
        struct frame_ref frame = frame_of(segment, 0, 1);

        refcounts_appended(used->refcounts, &frame);
        refcounts_abandoned(used->refcounts, &frame);
    }
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 4), 4);
    assert_int_equal(refcounts_empty_segments(used->refcounts, empty, 0), 0);
}

/* A row of one frame's blocks [from, to). */
static struct tfs_row *row_of(const struct tfs_row *row, const struct frame_ref *frame,
                              uint32_t from, uint32_t to)
{
    struct extent extent = {
        .start = from * BLOCK, .visible_size = (to - from) * BLOCK, .frame = *frame};
    struct tfs_row *next;

    assert_int_equal(row_replace(row, &extent, to * BLOCK, &next), 0);
    return next;
}

static size_t commit_rows(struct used *used, const struct tfs_row *before,
                          const struct tfs_row *after)
{
    struct refcounts_change change;

    refcounts_begin(used->refcounts, &change);
    refcounts_replace_row(&change, before, after);
    return commit(used, &change);
}

static void rows_that_replace_each_other_keep_the_frames_of_both(void **state)
{
    struct used *used = *state;
    struct frame_ref big = frame_of(1, 0, 10 * UNIT);
    struct frame_ref small = frame_of(1, 20, UNIT);
    struct frame_ref in_row = {.stored_size = 100, .raw_size = BLOCK, .block_count = 1};
    struct tfs_row *one = row_of(NULL, &big, 0, 10);
    struct tfs_row *split = row_of(one, &small, 4, 5); /* `big` twice, `small` once */
    uint8_t bytes[100] = {0};
    struct extent extent = {.visible_size = BLOCK, .frame = in_row, .inline_bytes = bytes};
    struct tfs_row *inlined;

    assert_int_equal(row_replace(NULL, &extent, BLOCK, &inlined), 0);
    assert_int_equal(commit_rows(used, NULL, one), 0);
    assert_live(used, 10 * UNIT);
    assert_int_equal(commit_rows(used, one, split), 0);
    assert_live(used, 11 * UNIT); /* `big` is counted once */
    assert_int_equal(commit_rows(used, split, one), 1);
    assert_int_equal(commit_rows(used, one, inlined), 1);
    assert_live(used, 0); /* frames in rows take no room in segments */
    assert_int_equal(commit_rows(used, inlined, NULL), 0);
    row_unref(inlined);
    row_unref(split);
    row_unref(one);
}

#define USAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        USAGE_TEST(a_frame_with_one_user_has_no_count),
        USAGE_TEST(the_last_of_many_users_makes_a_frame_dead),
        USAGE_TEST(users_that_come_and_go_in_one_change_are_counted),
        USAGE_TEST(many_frames_of_many_segments_change_together),
        USAGE_TEST(a_change_that_is_not_applied_leaves_no_trace),
        USAGE_TEST(giving_back_more_than_there_is_is_refused),
        USAGE_TEST(a_count_that_is_none_is_refused),
        USAGE_TEST(segment_rows_that_are_none_are_refused),
        USAGE_TEST(a_change_of_many_shared_frames_does_not_look_at_all_for_each),
        USAGE_TEST(an_append_is_waited_for_and_later_ones_are_not),
        USAGE_TEST(a_segment_is_empty_without_live_and_uncommitted_bytes),
        USAGE_TEST(no_more_empty_segments_are_told_than_asked_for),
        USAGE_TEST(rows_that_replace_each_other_keep_the_frames_of_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
