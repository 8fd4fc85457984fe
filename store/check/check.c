/*
 * The order of a check: open what there is of a store, see whether the index can be read at all,
 * then rounds of passes until a round corrects nothing.
 *
 * Invariants:
 * 1. Nothing is corrected unless every table of the index could be read to its end: an entry whose
 *    inode is only unreadable must not be taken for one that points nowhere. Until then the index
 *    is open for reading only, for RocksDB rewrites files of what it may write to.
 * 2. Corrections are durable before they are reported.
 * 3. With the first correction the store gets a mark, in the same batch, and the last batch of a
 * repair that ends takes it away: what is corrected by halves may be read, and not written to.
 */
#include "store/check/check_internal.h"
#include "store/index/index.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/segment/segment.h"
#include "store/tables/format.h"
#include "store/tables/super.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 5 };
#define INDEX_MEMORY_SIZE (64ull * TFS_MIB)
#define SEGMENT_SIZE_ANY  (1ull << 40)

static int refuse_number(void *context, uint64_t *ret)
{
    (void)context;
    (void)ret;
    return -EROFS; /* a check appends nothing */
}

static int open_index(struct check *check, bool read_only, struct tfs_message *message)
{
    struct index_reason reason = {.text = ""};
    struct index_options index = {.path = format_get_paths(check->lock)->index,
                                  .memory_size_max = INDEX_MEMORY_SIZE,
                                  .read_only = read_only,
                                  .reason = &reason};
    int err;

    if (check->options->repair && read_only)
        index.repair = &check->repaired;
    err = index_open(&index, &check->index);
    return err ? format_message_open(message, err, check->options->path, reason.text) : 0;
}

static int open_parts(struct check *check, struct tfs_message *message)
{
    const char *path = check->options->path;
    struct tfs_volume_options volume;
    struct segments_options segments = {
        .read_only = true, .segment_size_max = SEGMENT_SIZE_ANY, .take_number = refuse_number};
    const struct format_folders folders = {.index = index_engine_folder(NULL),
                                           .segments = segments_engine_folder(NULL)};
    bool creating;
    int err;

    tfs_volume_options_init(&volume);
    volume.path = path;
    volume.create = false;
    volume.read_only = !check->options->repair;
    volume.lock_wait_ms = 0;
    err = format_open(&volume, &folders, message, &check->lock, &creating);
    if (err)
        return err;
    if (creating)
        return format_message(message, -EMEDIUMTYPE, "the store '%s' was never finished", path);
    err = open_index(check, true, message);
    if (err)
        return err;
    segments.path = format_get_paths(check->lock)->segments;
    err = segments_open(&segments, &check->segments);
    if (!err)
        err = index_batch_new(&check->batch);
    return err ? format_message_open(message, err, path, "") : 0;
}

/* The index can be read; from here on it is written to as well. */
static int reopen_to_repair(struct check *check, struct tfs_message *message)
{
    (void)index_close(check->index); /* nothing was written */
    check->index = NULL;
    check->repairing = true;
    return open_index(check, false, message);
}

static int close_parts(struct check *check)
{
    int err;

    index_batch_free(check->batch);
    (void)segments_close(check->segments); /* nothing was written */
    err = index_close(check->index);
    format_close(check->lock);
    return err;
}

static int pass_over(struct check *check, const struct index_record *record)
{
    (void)check;
    (void)record;
    return 0;
}

/* Every table to its end. Returns 1 when that worked, 0 when the index is damaged. */
static int read_whole_index(struct check *check)
{
    bool whole = true;

    for (int table = 0; table < INDEX_TABLE_COUNT; table++) {
        int err = check_scan(check, (enum index_table)table, "index", pass_over);

        if (err == -ECANCELED)
            return err;
        if (err)
            check_left(check, TFS_CHECK_INDEX, 0,
                       "table '%s' cannot be read behind its record %llu: %s; nothing else is "
                       "looked at and nothing corrected",
                       index_table_name((enum index_table)table),
                       (unsigned long long)check->step_done, tfs_error_text(err));
        whole = whole && !err;
    }
    return whole;
}

static int run_passes(struct check *check)
{
    static int (*const passes[])(struct check *) = {
        check_settings_read, check_inodes_read, check_orphans_read, check_names,
        check_tree,          check_rows,        check_attributes,   check_frames,
        check_segments,      check_records,     check_settings,
    };
    int err = 0;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(passes) && !err; i++) {
        err = passes[i](check);
        if (!err)
            err = check_commit(check);
    }
    return err;
}

/* One round; its counts replace those of the round before, but for what that one corrected. */
static int round_once(struct check *check, uint64_t *ret_fixed)
{
    struct tfs_check_result *result = check->result;
    uint64_t fixed = result->fixed;
    int err;

    *result = (struct tfs_check_result){.fixed = fixed};
    err = run_passes(check);
    *ret_fixed = result->fixed - fixed;
    return err;
}

static int run_rounds(struct check *check)
{
    uint64_t fixed = 1;
    int err = 0;

    for (int i = 0; i < ROUNDS_MAX && fixed > 0 && !err; i++) {
        bool last;

        err = round_once(check, &fixed);
        last = fixed == 0 || i + 1 == ROUNDS_MAX;
        if (err)
            check_report_failed(check);
        else
            check_report(check, last);
        check_model_release(check);
    }
    return err;
}

static void report_repaired(struct check *check)
{
    if (check->repaired.text[0])
        check_fixed(check, TFS_CHECK_INDEX, 0, "%s", check->repaired.text);
}

/* Whether a repair before this one was not run to its end. */
static int find_mark(struct check *check, bool *ret)
{
    struct index_value value;
    int err =
        index_get(check->index, INDEX_SUPER, SUPER_REPAIRING, strlen(SUPER_REPAIRING), &value);

    if (!err)
        index_value_release(&value);
    *ret = check->marked = !err;
    return err == -ENOENT ? 0 : err;
}

static int remove_mark(struct check *check)
{
    int err;

    check_delete(check, INDEX_SUPER, SUPER_REPAIRING, strlen(SUPER_REPAIRING));
    err = check_commit(check);
    check->marked = err != 0;
    return err;
}

static int run_marked(struct check *check)
{
    bool was_marked;
    int err = find_mark(check, &was_marked);

    if (!err)
        err = run_rounds(check);
    if (!err && check->repairing && check->marked)
        err = remove_mark(check);
    if (!err && was_marked)
        check_error(check, TFS_CHECK_SETTING, 0, "a repair was not run to its end%s",
                    check->repairing ? "" : ": mounts for writing are refused");
    return err;
}

static int check_opened(struct check *check, struct tfs_message *message)
{
    int whole = read_whole_index(check);
    int err = 0;

    report_repaired(check);

    if (whole > 0 && check->options->repair)
        err = reopen_to_repair(check, message);
    if (err)
        return err;
    err = whole > 0 ? run_marked(check) : whole;
    check_report(check, true);
    check_model_release(check);
    if (err)
        (void)format_message(message, err, "the check of '%s' ended early: %s%s",
                             check->options->path, tfs_error_text(err),
                             check->marked ? "; until a repair runs to its end, the store can only "
                                             "be mounted read-only"
                                           : "");
    return err;
}

int tfs_check(const struct tfs_check_options *options, struct tfs_message *message,
              struct tfs_check_result *ret)
{
    struct check check = {.options = options, .result = ret};
    int close_err;
    int err;

    *ret = (struct tfs_check_result){0};
    list_init(&check.problems);
    err = open_parts(&check, message);
    if (!err)
        err = check_opened(&check, message);
    close_err = close_parts(&check);
    if (!err && close_err)
        err = format_message(message, close_err, "cannot make the corrections of '%s' durable: %s",
                             options->path, tfs_error_text(close_err));
    return err;
}
