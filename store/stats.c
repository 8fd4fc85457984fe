/*
 * The volume's counters and gauges, gathered from those who keep them.
 */
#include "store/stats.h"

#include "store/codec/frame.h"
#include "store/index/index.h"
#include "store/inode/commit_list.h"
#include "store/inode/dentry_cache.h"
#include "store/inode/inode.h"
#include "store/inode/row_budget.h"
#include "store/read/cache.h"
#include "store/read/memory.h"
#include "store/report.h"
#include "store/segment/segment.h"
#include "store/tables/row_cache.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"
#include "store/writeback/flush.h"

static void get_cache(const struct tfs_volume *volume, struct tfs_volume_stats *ret)
{
    struct cache_status status;

    cache_get_status(volume->cache, &status);
    ret->cache.hits = status.hits;
    ret->cache.misses = status.misses;
    ret->cache.evictions = status.evictions;
    ret->cache.bytes = status.bytes;
    ret->cache.bytes_max = status.bytes_max;
    dentry_cache_get_counts(volume->dentries, &ret->names.hits, &ret->names.misses);
}

static void get_rows(const struct tfs_volume *volume, struct tfs_volume_stats *ret)
{
    struct row_cache_status status;

    row_cache_get_status(volume->rows, &status);
    ret->rows.hits = status.hits;
    ret->rows.misses = status.misses;
    ret->rows.looked_up = tfs_counter_get(&volume->stats.rows_looked_up);
    ret->rows.bytes = status.bytes;
}

static void get_memory(struct tfs_volume *volume, struct tfs_volume_stats *ret)
{
    struct inode_table_status inodes;
    struct memory_status status;

    memory_get_status(volume->memory, &status);
    ret->memory.budget = volume->options.memory_size;
    ret->memory.used = (status.buffer_count - status.free_count) * (uint64_t)FRAME_BUFFER_SIZE;
    ret->memory.dirty = status.dirty_count * (uint64_t)FRAME_BUFFER_SIZE;
    ret->memory.buffers = status.buffer_count * (uint64_t)FRAME_BUFFER_SIZE;
    ret->memory.index = index_memory_used(volume->index);
    ret->memory.waits = status.waits;
    inode_table_get_status(volume, &inodes);
    ret->memory.inodes = inodes.count;
    ret->memory.inodes_bytes = inodes.bytes;
    ret->memory.inodes_bytes_max = inodes.bytes_max;
    ret->memory.rows_bytes = row_budget_used(volume);
}

static void get_writeback(struct tfs_volume *volume, struct tfs_volume_stats *ret)
{
    const struct tfs_stats *stats = &volume->stats;

    ret->flush.in_flight = flush_in_flight(volume->flush);
    ret->flush.chunks = tfs_counter_get(&stats->flushed_chunks);
    ret->flush.raw_bytes = tfs_counter_get(&stats->flushed_bytes);
    ret->flush.stored_bytes = tfs_counter_get(&stats->stored_bytes);
    ret->flush.failures = tfs_counter_get(&stats->flush_failures);
    ret->commit.syncs = tfs_counter_get(&stats->syncs);
    ret->commit.commits = tfs_counter_get(&stats->commits);
    ret->commit.files = tfs_counter_get(&stats->committed_files);
    ret->commit.pending_files = commit_list_count(volume->commit_list);
    segments_sync_counts(volume->segments, &ret->sync.segments_asked, &ret->sync.segments_made);
    index_sync_counts(volume->index, &ret->sync.index_asked, &ret->sync.index_made);
}

void tfs_volume_get_stats(struct tfs_volume *volume, struct tfs_volume_stats *ret)
{
    const struct tfs_stats *stats = &volume->stats;

    *ret = (struct tfs_volume_stats){
        .read_bytes = tfs_counter_get(&stats->read_bytes),
        .written_bytes = tfs_counter_get(&stats->written_bytes),
        .prefetched_chunks = tfs_counter_get(&stats->prefetched),
        .checksum_errors = tfs_counter_get(&stats->checksum_errors),
        .reclaimed_bytes = tfs_counter_get(&stats->reclaimed_bytes),
        .live_bytes = refcounts_live_bytes(volume->refcounts),
    };
    tfs_histogram_sum_up(&stats->encode_time, &ret->times.encode);
    tfs_histogram_sum_up(&stats->load_time, &ret->times.load);
    tfs_histogram_sum_up(&stats->commit_time, &ret->times.commit);
    get_cache(volume, ret);
    get_rows(volume, ret);
    get_memory(volume, ret);
    get_writeback(volume, ret);
}
