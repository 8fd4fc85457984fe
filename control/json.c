#include "control/json.h"

#include <cjson/cJSON.h>

void control_add_number(struct cJSON *object, const char *name, uint64_t value)
{
    (void)cJSON_AddNumberToObject(object, name, (double)value);
}

void control_add_histogram(struct cJSON *object, const char *name,
                           const struct tfs_histogram_sum *sum)
{
    cJSON *histogram = cJSON_AddObjectToObject(object, name);
    cJSON *buckets;

    control_add_number(histogram, "count", sum->count);
    control_add_number(histogram, "total_ns", sum->total_ns);
    buckets = cJSON_AddArrayToObject(histogram, "buckets_us");
    for (unsigned i = 0; i < TFS_HISTOGRAM_BUCKETS; i++)
        (void)cJSON_AddItemToArray(buckets, cJSON_CreateNumber((double)sum->buckets[i]));
}

/* ---- counters ---- */

static void add_caches(cJSON *root, const struct tfs_volume_stats *stats)
{
    cJSON *object = cJSON_AddObjectToObject(root, "cache");

    control_add_number(object, "hits", stats->cache.hits);
    control_add_number(object, "misses", stats->cache.misses);
    control_add_number(object, "evictions", stats->cache.evictions);
    control_add_number(object, "bytes", stats->cache.bytes);
    control_add_number(object, "bytes_max", stats->cache.bytes_max);
    object = cJSON_AddObjectToObject(root, "names");
    control_add_number(object, "hits", stats->names.hits);
    control_add_number(object, "misses", stats->names.misses);
    object = cJSON_AddObjectToObject(root, "rows");
    control_add_number(object, "hits", stats->rows.hits);
    control_add_number(object, "misses", stats->rows.misses);
    control_add_number(object, "looked_up", stats->rows.looked_up);
    control_add_number(object, "bytes", stats->rows.bytes);
}

static void add_memory(cJSON *root, const struct tfs_volume_stats *stats)
{
    cJSON *object = cJSON_AddObjectToObject(root, "memory");

    control_add_number(object, "budget", stats->memory.budget);
    control_add_number(object, "used", stats->memory.used);
    control_add_number(object, "dirty", stats->memory.dirty);
    control_add_number(object, "buffers", stats->memory.buffers);
    control_add_number(object, "index", stats->memory.index);
    control_add_number(object, "waits", stats->memory.waits);
    control_add_number(object, "inodes", stats->memory.inodes);
    control_add_number(object, "inodes_bytes", stats->memory.inodes_bytes);
    control_add_number(object, "inodes_bytes_max", stats->memory.inodes_bytes_max);
    control_add_number(object, "rows_bytes", stats->memory.rows_bytes);
}

static void add_writeback(cJSON *root, const struct tfs_volume_stats *stats)
{
    cJSON *object = cJSON_AddObjectToObject(root, "flush");

    control_add_number(object, "in_flight", stats->flush.in_flight);
    control_add_number(object, "chunks", stats->flush.chunks);
    control_add_number(object, "raw_bytes", stats->flush.raw_bytes);
    control_add_number(object, "stored_bytes", stats->flush.stored_bytes);
    control_add_number(object, "failures", stats->flush.failures);
    object = cJSON_AddObjectToObject(root, "commit");
    control_add_number(object, "syncs", stats->commit.syncs);
    control_add_number(object, "commits", stats->commit.commits);
    control_add_number(object, "files", stats->commit.files);
    control_add_number(object, "pending_files", stats->commit.pending_files);
    object = cJSON_AddObjectToObject(root, "sync");
    control_add_number(object, "segments_asked", stats->sync.segments_asked);
    control_add_number(object, "segments_made", stats->sync.segments_made);
    control_add_number(object, "index_asked", stats->sync.index_asked);
    control_add_number(object, "index_made", stats->sync.index_made);
}

struct cJSON *control_json_of_stats(const struct tfs_volume_stats *stats)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *times;

    add_caches(root, stats);
    add_memory(root, stats);
    add_writeback(root, stats);
    times = cJSON_AddObjectToObject(root, "times");
    control_add_histogram(times, "encode", &stats->times.encode);
    control_add_histogram(times, "load", &stats->times.load);
    control_add_histogram(times, "commit", &stats->times.commit);
    control_add_number(root, "read_bytes", stats->read_bytes);
    control_add_number(root, "written_bytes", stats->written_bytes);
    control_add_number(root, "prefetched_chunks", stats->prefetched_chunks);
    control_add_number(root, "checksum_errors", stats->checksum_errors);
    control_add_number(root, "reclaimed_bytes", stats->reclaimed_bytes);
    control_add_number(root, "live_bytes", stats->live_bytes);
    return root;
}

/* ---- files ---- */

/* {"bf16": {"raw": .., "stored": ..}, ..} of what is not zero. */
static void add_table(cJSON *object, const char *name, size_t count, const char *(*name_of)(int),
                      const struct tfs_stored_bytes *bytes)
{
    cJSON *table = cJSON_AddObjectToObject(object, name);

    for (size_t i = 0; table && i < count; i++) {
        cJSON *row;

        if (!bytes[i].raw)
            continue;
        row = cJSON_AddObjectToObject(table, name_of((int)i));
        control_add_number(row, "raw", bytes[i].raw);
        control_add_number(row, "stored", bytes[i].stored);
    }
}

static const char *kind_name(int kind)
{
    return codec_kind_name((enum codec_kind)kind);
}

static const char *method_name(int method)
{
    return codec_method_name((enum codec_method)method);
}

static const char *codec_name(int codec)
{
    return codec_id_name((enum codec_id)codec);
}

struct cJSON *control_json_of_file(const struct tfs_file_info *info)
{
    cJSON *root = cJSON_CreateObject();

    control_add_number(root, "logical_bytes", info->size);
    control_add_number(root, "stored_bytes", info->stored_size);
    if (info->stored_size)
        (void)cJSON_AddNumberToObject(root, "ratio",
                                      (double)info->size / (double)info->stored_size);
    else
        (void)cJSON_AddNullToObject(root, "ratio"); /* a hole: there is none */
    control_add_number(root, "chunk_size", info->record_size);
    control_add_number(root, "block_size", info->block_size);
    control_add_number(root, "chunks", info->chunk_count);
    control_add_number(root, "stored_chunk_size", info->chunk_size);
    control_add_number(root, "frames", info->frame_count);
    control_add_number(root, "blocks", info->block_count);
    control_add_number(root, "header_bytes", info->header_size);
    add_table(root, "kinds", CODEC_KIND_COUNT, kind_name, info->kinds);
    add_table(root, "methods", CODEC_METHOD_COUNT, method_name, info->methods);
    add_table(root, "codecs", CODEC_ID_COUNT, codec_name, info->codecs);
    return root;
}
