/*
 * The volume's counters and gauges as JSON.
 */
#include "store/stats.h"

#include "store/base/histogram_json.h"
#include "store/cache.h"
#include "store/codec/frame.h"
#include "store/commit_list.h"
#include "store/flush.h"
#include "store/inode.h"
#include "store/memory.h"
#include "store/names.h"
#include "store/segment/segment.h"
#include "store/usage.h"
#include "store/volume.h"

#include <cjson/cJSON.h>
#include <errno.h>

static void add(cJSON *object, const char *name, uint64_t value)
{
    (void)cJSON_AddNumberToObject(object, name, (double)value); /* exact up to 2^53 */
}

static void add_cache(struct tfs_volume *volume, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "cache");
    struct cache_status status;

    cache_get_status(volume->cache, &status);
    add(object, "hits", status.hits);
    add(object, "misses", status.misses);
    add(object, "evictions", status.evictions);
    add(object, "bytes", status.bytes);
    add(object, "bytes_max", status.bytes_max);
}

static void add_names(struct tfs_volume *volume, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "names");
    uint64_t hits;
    uint64_t misses;

    names_get_counts(volume->names, &hits, &misses);
    add(object, "hits", hits);
    add(object, "misses", misses);
}

static void add_memory(struct tfs_volume *volume, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "memory");
    struct memory_status status;

    memory_get_status(volume->memory, &status);
    add(object, "budget", volume->options.memory_size);
    add(object, "used", (status.buffer_count - status.free_count) * (uint64_t)FRAME_BUFFER_SIZE);
    add(object, "dirty", status.dirty_count * (uint64_t)FRAME_BUFFER_SIZE);
    add(object, "buffers", status.buffer_count * (uint64_t)FRAME_BUFFER_SIZE);
    add(object, "index", index_memory_used(volume->index));
    add(object, "waits", status.waits);
    add(object, "inodes", inode_table_count(volume));
}

/* How many requests for durability one sync of the disk served: asked / made. */
static void add_syncs(struct tfs_volume *volume, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "sync");
    uint64_t asked;
    uint64_t made;

    segments_sync_counts(volume->segments, &asked, &made);
    add(object, "segments_asked", asked);
    add(object, "segments_made", made);
    index_sync_counts(volume->index, &asked, &made);
    add(object, "index_asked", asked);
    add(object, "index_made", made);
}

static void add_times(struct tfs_volume *volume, cJSON *root)
{
    const struct {
        const char *name;
        const struct tfs_histogram *histogram;
    } times[] = {
        {"encode", &volume->stats.encode_time},
        {"load", &volume->stats.load_time},
        {"commit", &volume->stats.commit_time},
    };
    cJSON *object = cJSON_AddObjectToObject(root, "times");

    for (size_t i = 0; i < TFS_ARRAY_COUNT(times); i++) {
        struct tfs_histogram_sum sum = {0};

        tfs_histogram_sum_up(times[i].histogram, &sum);
        tfs_histogram_add_json(object, times[i].name, &sum);
    }
}

static void add_flush(struct tfs_volume *volume, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "flush");
    const struct tfs_stats *stats = &volume->stats;

    add(object, "in_flight", flush_in_flight(volume->flush));
    add(object, "chunks", tfs_counter_get(&stats->flushed_chunks));
    add(object, "raw_bytes", tfs_counter_get(&stats->flushed_bytes));
    add(object, "stored_bytes", tfs_counter_get(&stats->stored_bytes));
    add(object, "failures", tfs_counter_get(&stats->flush_failures));
}

static void add_commit(struct tfs_volume *volume, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "commit");
    const struct tfs_stats *stats = &volume->stats;

    add(object, "syncs", tfs_counter_get(&stats->syncs));
    add(object, "commits", tfs_counter_get(&stats->commits));
    add(object, "files", tfs_counter_get(&stats->committed_files));
    add(object, "pending_files", commit_list_count(volume->commit_list));
}

int tfs_volume_stats_json(struct tfs_volume *volume, char **ret_json)
{
    cJSON *root = cJSON_CreateObject();
    char *text;

    add_cache(volume, root);
    add_names(volume, root);
    add_memory(volume, root);
    add_flush(volume, root);
    add_commit(volume, root);
    add_syncs(volume, root);
    add_times(volume, root);
    add(root, "read_bytes", tfs_counter_get(&volume->stats.read_bytes));
    add(root, "written_bytes", tfs_counter_get(&volume->stats.written_bytes));
    add(root, "prefetched_chunks", tfs_counter_get(&volume->stats.prefetched));
    add(root, "checksum_errors", tfs_counter_get(&volume->stats.checksum_errors));
    add(root, "reclaimed_bytes", tfs_counter_get(&volume->stats.reclaimed_bytes));
    add(root, "live_bytes", usage_live_bytes(volume->usage));
    text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text)
        return -ENOMEM;
    *ret_json = text;
    return 0;
}
