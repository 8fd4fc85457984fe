/*
 * Opening and closing a volume: the parts in the order in which they need each other, and how the
 * memory budget is shared among them.
 */
#include "store/volume.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/codec/frame.h"
#include "store/file/committer.h"
#include "store/index/index.h"
#include "store/inode/commit_list.h"
#include "store/inode/dentry_cache.h"
#include "store/inode/inode.h"
#include "store/memory_shares.h"
#include "store/read/cache.h"
#include "store/read/frames.h"
#include "store/read/memory.h"
#include "store/segment/segment.h"
#include "store/space/compactor.h"
#include "store/space/give_back.h"
#include "store/space/reclaim.h"
#include "store/tables/format.h"
#include "store/tables/meta.h"
#include "store/tables/numbers.h"
#include "store/tables/row_table.h"
#include "store/tables/super.h"
#include "store/txn/dead_list.h"
#include "store/txn/durable.h"
#include "store/txn/refcounts.h"
#include "store/writeback/commit.h"
#include "store/writeback/flush.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONCURRENCY_DEFAULT = 16,
    COMMIT_INTERVAL_DEFAULT_S = 5,
    LOCK_WAIT_DEFAULT_MS = 10000,
    WARM_BUFFERS_PER_WORKER = 64, /* four chunks of 4 MiB: being filled, waiting, in work */
};
#define SEGMENT_SIZE_MAX (1ull * TFS_GIB)
/* What appends leave free, so that the index can still be written on a full disk: removing files
 * needs that. */
#define RESERVE_SIZE_MAX (128ull * TFS_MIB)
/* When a memtable is full the index takes a new log, a table, and keeps the old log, of 2 to 4 MiB
 * each; it must never be the one who meets the full disk. */
#define RESERVE_SIZE_MIN (12ull * TFS_MIB)

void tfs_volume_options_init(struct tfs_volume_options *options)
{
    *options = (struct tfs_volume_options){
        .chunk_size = TFS_CHUNK_SIZE_DEFAULT,
        .compression = {.codec = CODEC_AUTO},
        .concurrency = CONCURRENCY_DEFAULT,
        .memory_size = 512 * TFS_MIB,
        .commit_interval_s = COMMIT_INTERVAL_DEFAULT_S,
        .create = true,
        .direct = true,
        .lock_wait_ms = LOCK_WAIT_DEFAULT_MS,
    };
}

static int check_options(struct tfs_volume_options *options, struct tfs_message *message)
{
    if (!tfs_is_power_of_two(options->chunk_size) || options->chunk_size < TFS_CHUNK_SIZE_MIN ||
        options->chunk_size > TFS_CHUNK_SIZE_MAX)
        return format_message(message, -EINVAL, "chunk_size must be a power of two, 256 to 64M");
    if (!codec_spec_is_valid(&options->compression))
        return format_message(message, -EINVAL, "compression is not possible");
    if (options->concurrency < 1 || options->concurrency > TFS_CONCURRENCY_MAX)
        return format_message(message, -EINVAL, "concurrency must be 1 to %u", TFS_CONCURRENCY_MAX);
    if (options->memory_size < TFS_MEMORY_SIZE_MIN)
        return format_message(message, -EINVAL, "memory must be at least %lluM",
                              TFS_MEMORY_SIZE_MIN / TFS_MIB);
    if (options->threads == 0)
        options->threads = (unsigned)tfs_max_u64(1, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
    if (options->cache_size == 0)
        options->cache_size = options->memory_size / 2;
    if (options->cache_size > options->memory_size)
        return format_message(message, -EINVAL, "cache is larger than memory");
    return 0;
}

static size_t evict(void *context, size_t count)
{
    struct tfs_volume *volume = context;

    return cache_evict(volume->cache, count);
}

static size_t recycle(void *context, size_t count)
{
    struct tfs_volume *volume = context;

    return cache_evict_passed(volume->cache, count);
}

static int relieve(void *context)
{
    struct tfs_volume *volume = context;

    return flush_relieve(volume->flush);
}

static int open_memory(struct tfs_volume *volume, const struct memory_shares *shares)
{
    struct memory_options memory = {.buffer_count = shares->buffers,
                                    .dirty_count_max = shares->dirty_buffers,
                                    .warm_count = (size_t)WARM_BUFFERS_PER_WORKER *
                                                  tfs_max_u64(2, volume->options.threads),
                                    .evict = evict,
                                    .recycle = recycle,
                                    .relieve = relieve,
                                    .context = volume};
    uint64_t cache_size =
        tfs_min_u64(volume->options.cache_size, (uint64_t)shares->buffers * FRAME_BUFFER_SIZE);
    int err = memory_new(&memory, &volume->memory);

    return err ? err : cache_new(volume->memory, cache_size, &volume->cache);
}

static int open_index(struct tfs_volume *volume, const struct memory_shares *shares, bool creating,
                      struct index_reason *reason)
{
    struct index_options options = {.engine = volume->options.index_engine,
                                    .path = format_get_paths(volume->lock_file)->index,
                                    .create = creating,
                                    .read_only = volume->options.read_only,
                                    .memory_size_max = shares->index,
                                    .reason = reason,
                                    .watch = {INDEX_EXTENT, row_table_changed, volume}};
    int err = index_open(&options, &volume->index);

    if (!err && creating) {
        err = super_create(volume->index);
        if (!err)
            err = format_finish(volume->lock_file);
    }
    return err;
}

static int take_segment_number(void *context, uint64_t *ret)
{
    struct tfs_volume *volume = context;

    return numbers_take(volume->numbers, NUMBERS_SEGMENT, ret);
}

static int open_segments(struct tfs_volume *volume)
{
    struct segments_options options = {.engine = volume->options.segment_engine,
                                       .path = format_get_paths(volume->lock_file)->segments,
                                       .read_only = volume->options.read_only,
                                       .direct = volume->options.direct,
                                       .segment_size_max = SEGMENT_SIZE_MAX,
                                       .reserve_size_min = RESERVE_SIZE_MIN,
                                       .reserve_size_max = RESERVE_SIZE_MAX,
                                       .take_number = take_segment_number,
                                       .context = volume};

    return segments_open(&options, &volume->segments);
}

/* The first segment that the index does not know. */
struct unknown_segments {
    struct tfs_volume *volume;
    uint64_t first; /* UINT64_MAX: there is none */
};

static int note_unknown(void *context, const struct segment_status *status)
{
    struct unknown_segments *unknown = context;

    if (!status->active && !refcounts_knows_segment(unknown->volume->refcounts, status->number))
        unknown->first = tfs_min_u64(unknown->first, status->number);
    return 0;
}

static uint64_t next_segment_number(struct tfs_volume *volume)
{
    uint64_t number = 0;

    if (numbers_take(volume->numbers, NUMBERS_SEGMENT, &number) < 0)
        return 0;
    return number;
}

static int note_end(void *context, const struct segment_status *status)
{
    *(uint64_t *)context = status->number + 1;
    return 0;
}

/* Where a sweep ends: at what this mount appends to. The mount before may have appended nothing,
 * and have left one after a crash unfinished. */
static int find_sweep_end(struct tfs_volume *volume, const struct super *before, uint64_t *ret)
{
    *ret = before->resume_segment;
    if (!before->clean)
        *ret = next_segment_number(volume);
    else if (!before->resume_segment)
        return segments_visit(volume->segments, note_end, ret);
    return 0;
}

/*
 * Goes on appending where the mount before stopped. Where that cannot be, appending begins a new
 * segment: the file is gone, or cut short by somebody, or the settings are not what a mount writes,
 * or the engine does that always.
 * A file is cut where appending goes on, so not below what of it is in use.
 */
static int resume_appending(struct tfs_volume *volume, const struct super *before)
{
    int err;

    if (!before->clean || !before->resume_segment ||
        before->resume_offset < refcounts_live_of(volume->refcounts, before->resume_segment))
        return 0;
    err = segments_resume(volume->segments, before->resume_segment, before->resume_offset);
    return err == -ENOENT || err == -EUCLEAN || err == -EOPNOTSUPP ? 0 : err;
}

/* The mount begins: from here to the end of the mount the store counts as not closed in order. */
static int begin_writing(struct tfs_volume *volume, const struct super *before)
{
    struct unknown_segments unknown = {.volume = volume, .first = UINT64_MAX};
    struct super now = *before;
    uint64_t sweep_end;
    int err = resume_appending(volume, before);

    if (!err)
        err = segments_visit(volume->segments, note_unknown, &unknown);
    now.clean = false;
    now.sweep_from = tfs_min_u64(before->sweep_from, unknown.first);
    if (!before->clean)
        now.sweep_from = 1; /* what had died in a crash may lie in any segment */
    now.resume_segment = 0;
    now.resume_offset = 0;
    if (!err)
        err = super_write_state(volume->index, &now);
    if (!err)
        err = find_sweep_end(volume, before, &sweep_end);
    if (!err)
        reclaim_set_sweep(volume->reclaim, now.sweep_from, sweep_end);
    if (!err)
        err = reclaim_start(volume->reclaim);
    return err ? err : committer_start(volume->committer);
}

/* Half corrected, counts and names of a store need not agree: what it writes then could make more
 * unreadable than was. */
static int check_repaired(const struct tfs_volume *volume, const struct super *super,
                          struct index_reason *reason)
{
    if (!super->repairing || volume->options.read_only)
        return 0;
    (void)snprintf(reason->text, sizeof(reason->text),
                   "a repair was not run to its end: run 'tensorfsctl check --repair' again, or "
                   "mount it read-only"); /* it fits */
    return tfs_fail(-EUCLEAN, "the store has the mark of a repair");
}

static int open_parts(struct tfs_volume *volume, bool creating, struct index_reason *reason)
{
    struct memory_shares shares = memory_shares_of(&volume->options);
    struct frames_options frames = {.request_scratch_count = shares.request_scratches,
                                    .header_bytes_max = shares.headers};
    struct super super;
    int err = row_cache_new(shares.rows, &volume->rows);

    if (!err)
        err = open_index(volume, &shares, creating, reason);
    if (!err)
        err = super_read(volume->index, &super);
    if (!err)
        err = check_repaired(volume, &super, reason);
    if (!err)
        err = index_batch_new(&volume->batch);
    if (!err)
        err = numbers_new(volume->index, &volume->numbers);
    if (!err)
        err = refcounts_new(volume->index, &volume->refcounts);
    if (!err)
        err = open_segments(volume);
    if (!err)
        err = open_memory(volume, &shares);
    if (err)
        return err;
    volume->name_hash_seed = super.name_hash_seed;
    volume->allocated = super.allocated;
    segments_keep_again(volume->segments, tfs_min_u64(super.allocated, META_ROOM_MAX));
    frames.segments = volume->segments;
    frames.memory = volume->memory;
    frames.cache = volume->cache;
    frames.load_time = &volume->stats.load_time;
    err = frames_new(&frames, &volume->frames);
    if (!err)
        err = inode_table_new(shares.inodes, &volume->inodes);
    if (!err)
        err = dentry_cache_new(shares.names, &volume->dentries);
    if (!err)
        err = dead_list_new(volume->refcounts, &volume->dead);
    if (!err)
        err = reclaim_new(volume, &volume->reclaim);
    if (!err)
        err = compactor_new(volume, &volume->compactor);
    if (!err)
        err = commit_list_new(&volume->commit_list);
    if (!err)
        err = commit_new(volume, &volume->commit);
    if (!err)
        err = committer_new(volume, &volume->committer);
    if (!err)
        err = flush_new(volume, &volume->flush);
    if (!err && !volume->options.read_only)
        err = begin_writing(volume, &super);
    return err;
}

/* The option is what takes the most, by far. */
static int no_memory(const struct tfs_volume_options *options, struct tfs_message *message)
{
    uint64_t page = (uint64_t)tfs_max_u64(1, (uint64_t)sysconf(_SC_PAGESIZE));
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * page;

    return format_message(
        message, -ENOMEM,
        "memory=%lluM cannot be had for the store '%s': %s; this machine has %lluM",
        (unsigned long long)(options->memory_size / TFS_MIB), options->path,
        tfs_error_text(-ENOMEM), (unsigned long long)(machine / TFS_MIB));
}

static int volume_open(struct tfs_volume *volume, struct tfs_message *message)
{
    const struct format_folders folders = {
        .index = index_engine_folder(volume->options.index_engine),
        .segments = segments_engine_folder(volume->options.segment_engine),
    };
    struct index_reason reason = {.text = ""};
    bool creating;
    int err = check_options(&volume->options, message);

    if (!err)
        err = format_open(&volume->options, &folders, message, &volume->lock_file, &creating);
    if (err)
        return err;
    memcpy(volume->uuid, format_uuid(volume->lock_file), sizeof(volume->uuid));
    err = open_parts(volume, creating, &reason);
    if (err == -ENOMEM)
        return no_memory(&volume->options, message);
    return err ? format_message_open(message, err, volume->path, reason.text) : 0;
}

/* Ends what runs and frees all parts, also of a volume that is half open. A store that was just
 * made and is of no use is removed. Returns the first error of closing the files. */
static int release_parts(struct tfs_volume *volume, bool is_of_use)
{
    int first_error;
    int err;

    committer_stop(volume->committer);
    compactor_stop(volume->compactor);
    if (volume->reclaim)
        reclaim_stop(volume->reclaim);
    flush_free(volume->flush);
    if (volume->inodes)
        inode_table_free(volume->inodes);
    dentry_cache_free(volume->dentries);
    committer_free(volume->committer);
    commit_free(volume->commit);
    commit_list_free(volume->commit_list);
    reclaim_free(volume->reclaim);
    dead_list_free(volume->dead);
    compactor_free(volume->compactor);
    frames_free(volume->frames);
    cache_free(volume->cache);
    memory_free(volume->memory);
    first_error = segments_close(volume->segments);
    refcounts_free(volume->refcounts);
    numbers_free(volume->numbers);
    index_batch_free(volume->batch);
    err = index_close(volume->index);
    row_cache_free(volume->rows);
    if (is_of_use)
        format_close(volume->lock_file);
    else
        format_discard(volume->lock_file);
    return first_error ? first_error : err;
}

/* The last one: those before it are whole, and never appended to again. */
static int find_active(void *context, const struct segment_status *status)
{
    struct super *super = context;

    if (status->active) {
        super->resume_segment = status->number;
        super->resume_offset = status->size;
    }
    return 0;
}

/* Everything is committed and durable: say so, and where the next mount goes on appending. */
static int end_writing(struct tfs_volume *volume)
{
    struct super super;
    int err = super_read(volume->index, &super);

    if (!err)
        err = segments_visit(volume->segments, find_active, &super);
    if (!err)
        err = segments_sync(volume->segments);
    super.clean = true;
    if (reclaim_is_swept(volume->reclaim) && super.resume_segment)
        super.sweep_from = super.resume_segment;
    return err ? err : super_write_state(volume->index, &super);
}

static void volume_free(struct tfs_volume *volume)
{
    path_searches_release(&volume->path_searches);
    dirty_list_release(&volume->dirty);
    complaints_release(&volume->complaints);
    tfs_mutex_release(&volume->metadata);
    free(volume->path);
    free(volume);
}

int tfs_volume_open(const struct tfs_volume_options *options, struct tfs_message *message,
                    struct tfs_volume **ret)
{
    struct tfs_volume *volume = calloc(1, sizeof(*volume));
    int err;

    if (!volume)
        return -ENOMEM;
    tfs_mutex_init(&volume->metadata, TFS_RANK_NAMESPACE);
    complaints_init(&volume->complaints, path_for_message);
    dirty_list_init(&volume->dirty);
    trim_init(&volume->trim);
    volume->give_back = give_back_space;
    path_searches_init(&volume->path_searches);
    volume->options = *options;
    tfs_volume_set_noatime(volume, options->noatime);
    volume->path = strdup(options->path);
    volume->options.path = volume->path;
    err = volume->path ? volume_open(volume, message) : -ENOMEM;
    if (err) {
        (void)release_parts(volume, false); /* nothing was written that an error could lose */
        volume_free(volume);
        return err;
    }
    *ret = volume;
    return 0;
}

static int close_volume(struct tfs_volume *volume, bool is_of_use)
{
    int first_error = 0;
    int err;

    committer_stop(volume->committer);
    compactor_stop(volume->compactor);
    if (!volume->options.read_only) {
        first_error = commit_all(volume, true);
        commit_abandon(volume); /* nothing, unless that failed */
        inode_table_drop_all(volume);
        reclaim_hurry(volume->reclaim);
        reclaim_stop(volume->reclaim);
        err = first_error ? first_error : end_writing(volume);
        first_error = first_error ? first_error : err;
    }
    err = release_parts(volume, is_of_use);
    volume_free(volume);
    return first_error ? first_error : err;
}

int tfs_volume_close(struct tfs_volume *volume)
{
    return volume ? close_volume(volume, true) : 0;
}

int tfs_volume_discard(struct tfs_volume *volume)
{
    return volume ? close_volume(volume, false) : 0;
}

void tfs_volume_set_noatime(struct tfs_volume *volume, bool noatime)
{
    atomic_store_explicit(&volume->noatime, noatime, memory_order_relaxed);
}

bool tfs_volume_is_noatime(const struct tfs_volume *volume)
{
    return volume_is_noatime(volume);
}

void tfs_volume_announce(struct tfs_volume *volume, const char *mountpoint, dev_t device)
{
    if (!volume->options.read_only)
        format_announce(volume->lock_file, mountpoint, device);
}

bool tfs_volume_is_new(const struct tfs_volume *volume)
{
    return format_has_made_store(volume->lock_file);
}

int tfs_volume_sync(struct tfs_volume *volume)
{
    tfs_counter_add(&volume->stats.syncs, 1);
    return volume->options.read_only ? 0 : commit_all(volume, true);
}

int tfs_volume_sync_names(struct tfs_volume *volume)
{
    tfs_counter_add(&volume->stats.syncs, 1);
    if (volume->options.read_only)
        return 0;
    return durable_sync(volume);
}

int tfs_volume_statfs(struct tfs_volume *volume, struct statvfs *ret)
{
    uint32_t unit = segments_alignment(volume->segments);
    struct segment_space space;
    int err = segments_space(volume->segments, &space);

    if (err)
        return err;
    *ret = (struct statvfs){
        .f_bsize = TFS_READ_SIZE_MAX,
        .f_frsize = unit,
        .f_blocks = space.total / unit,
        .f_bfree = space.free / unit,
        .f_bavail = space.available / unit,
        /* Inodes are rows of the index: as many as there is room for their records. */
        .f_files = space.total / TFS_KIB,
        .f_ffree = space.free / TFS_KIB,
        .f_favail = space.available / TFS_KIB,
        .f_namemax = TFS_NAME_SIZE_MAX,
    };
    return 0;
}

const uint8_t *tfs_volume_uuid(const struct tfs_volume *volume)
{
    return volume->uuid;
}
