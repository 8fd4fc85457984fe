/*
 * One table says which counter is which metric. Sizes are in bytes, times in seconds, and what only
 * grows ends in _total, as Prometheus wants it. What the counters do not have is left out.
 */
#include "control/metrics.h"

#include "control/commands.h"
#include "store/base/error.h"
#include "store/base/histogram.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metric {
    const char *group; /* member of the counters; NULL: the counters themselves */
    const char *field;
    const char *name; /* without "tensorfs_" */
    const char *type;
    const char *help;
};

static const struct metric metrics[] = {
    {NULL, "uptime_s", "uptime_seconds", "gauge", "Time since the mount"},
    {NULL, "read_bytes", "read_bytes_total", "counter", "Bytes answered to readers"},
    {NULL, "written_bytes", "written_bytes_total", "counter", "Bytes taken from writers"},
    {NULL, "prefetched_chunks", "prefetched_chunks_total", "counter", "Chunks decoded ahead"},
    {NULL, "checksum_errors", "checksum_errors_total", "counter",
     "Reads that failed for a checksum"},
    {NULL, "reclaimed_bytes", "reclaimed_bytes_total", "counter", "Bytes given back to the disk"},
    {NULL, "live_bytes", "live_bytes", "gauge", "Bytes of the segments that are in use"},
    {"cache", "hits", "cache_hits_total", "counter", "Units of the cache found"},
    {"cache", "misses", "cache_misses_total", "counter", "Units of the cache loaded"},
    {"cache", "evictions", "cache_evictions_total", "counter", "Units of the cache given up"},
    {"cache", "bytes", "cache_bytes", "gauge", "Decoded data in the cache"},
    {"rows", "hits", "row_hits_total", "counter", "Rows that were known, decoded"},
    {"rows", "misses", "row_misses_total", "counter", "Rows that were not"},
    {"rows", "looked_up", "rows_looked_up_total", "counter", "Rows read from the index"},
    {"rows", "bytes", "row_cache_bytes", "gauge", "Rows that are known"},
    {"memory", "budget", "memory_budget_bytes", "gauge", "The option memory"},
    {"memory", "buffers", "memory_buffers_bytes", "gauge", "The pool of buffers"},
    {"memory", "used", "memory_used_bytes", "gauge", "Buffers in use: dirty, in flight, cache"},
    {"memory", "dirty", "memory_dirty_bytes", "gauge", "Buffers not written back"},
    {"memory", "index", "memory_index_bytes", "gauge", "Memtables and block cache of the index"},
    {"memory", "requests", "memory_requests_bytes", "gauge", "Buffers of requests"},
    {"memory", "waits", "memory_waits_total", "counter", "Waits for a buffer"},
    {"memory", "inodes", "inodes", "gauge", "Inodes in memory"},
    {"memory", "inodes_bytes", "inodes_bytes", "gauge", "What they take"},
    {"memory", "rows_bytes", "rows_bytes", "gauge", "Rows that are not committed"},
    {"flush", "in_flight", "flush_in_flight", "gauge", "Chunks queued or in flight"},
    {"flush", "chunks", "flushed_chunks_total", "counter", "Chunks written back"},
    {"flush", "raw_bytes", "flushed_raw_bytes_total", "counter", "Their bytes"},
    {"flush", "stored_bytes", "flushed_stored_bytes_total", "counter", "What these became"},
    {"flush", "failures", "flush_failures_total", "counter",
     "Chunks that could not be written back"},
    {"commit", "syncs", "sync_requests_total", "counter", "Requests for durability"},
    {"commit", "commits", "commits_total", "counter", "Groups of files committed"},
    {"commit", "files", "committed_files_total", "counter", "Files in these groups"},
    {"commit", "pending_files", "commit_pending_files", "gauge", "Files to be committed"},
    {"sync", "segments_asked", "segment_sync_requests_total", "counter",
     "Requests to sync the segments"},
    {"sync", "segments_made", "segment_syncs_total", "counter", "Syncs made for them"},
    {"sync", "index_asked", "index_sync_requests_total", "counter", "Requests to sync the index"},
    {"sync", "index_made", "index_syncs_total", "counter", "Syncs made for them"},
    {"queue", "threads", "request_threads", "gauge", "Threads that serve requests"},
    {"queue", "data_slots", "request_data_slots", "gauge", "Data requests served at a time"},
    {"queue", "data_busy", "request_data_busy", "gauge", "Data requests being served"},
    {"queue", "waiting", "request_data_waiting", "gauge", "Data requests that wait"},
};

static void print_metric(FILE *stream, const cJSON *stats, const struct metric *metric)
{
    const cJSON *group =
        metric->group ? cJSON_GetObjectItemCaseSensitive(stats, metric->group) : stats;
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(group, metric->field);

    if (!cJSON_IsNumber(value))
        return;
    (void)fprintf(stream, "# HELP tensorfs_%s %s.\n# TYPE tensorfs_%s %s\ntensorfs_%s %.17g\n",
                  metric->name, metric->help, metric->name, metric->type, metric->name,
                  value->valuedouble);
}

/* A label's value: backslash, quote and newline are escaped. */
static void print_label(FILE *stream, const char *name, const char *value)
{
    (void)fprintf(stream, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            (void)fputs("\\n", stream);
        else if (*value == '\\' || *value == '"')
            (void)fprintf(stream, "\\%c", *value);
        else
            (void)fputc(*value, stream);
    }
    (void)fputc('"', stream);
}

static void print_mount(FILE *stream, const struct control_host *host)
{
    (void)fputs("# HELP tensorfs_info The mount.\n# TYPE tensorfs_info gauge\ntensorfs_info{",
                stream);
    print_label(stream, "version", host->version);
    (void)fputc(',', stream);
    print_label(stream, "mountpoint", host->mountpoint);
    (void)fputs("} 1\n", stream);
}

/* Prometheus' buckets hold all that is not more than their limit, so they are added up. */
static void print_histogram(FILE *stream, const char *name, const char *label,
                            const cJSON *histogram)
{
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(histogram, "count");
    const cJSON *total = cJSON_GetObjectItemCaseSensitive(histogram, "total_ns");
    const cJSON *buckets = cJSON_GetObjectItemCaseSensitive(histogram, "buckets_us");
    const cJSON *bucket;
    double sum = 0;
    int i = 0;

    if (!cJSON_IsNumber(count) || !cJSON_IsNumber(total))
        return;
    cJSON_ArrayForEach(bucket, buckets)
    {
        sum += bucket->valuedouble;
        if (i < TFS_HISTOGRAM_BUCKETS - 1)
            (void)fprintf(stream, "tensorfs_%s_bucket{%s=\"%s\",le=\"%.9g\"} %.17g\n", name, label,
                          histogram->string, (double)(1ull << i) / 1e6, sum);
        i++;
    }
    /* The sum, not `count`: each is read at its own moment, and +Inf may not be less than the
     * bucket before it. */
    (void)fprintf(stream, "tensorfs_%s_bucket{%s=\"%s\",le=\"+Inf\"} %.17g\n", name, label,
                  histogram->string, sum);
    (void)fprintf(stream, "tensorfs_%s_sum{%s=\"%s\"} %.9f\n", name, label, histogram->string,
                  total->valuedouble / 1e9);
    (void)fprintf(stream, "tensorfs_%s_count{%s=\"%s\"} %.17g\n", name, label, histogram->string,
                  sum);
}

struct family {
    const char *field; /* an object of histograms */
    const char *name;
    const char *label;
    const char *help;
};

static void print_family(FILE *stream, const cJSON *stats, const struct family *family)
{
    const cJSON *histograms = cJSON_GetObjectItemCaseSensitive(stats, family->field);
    const cJSON *histogram;

    if (!histograms || !histograms->child)
        return;
    (void)fprintf(stream, "# HELP tensorfs_%s %s.\n# TYPE tensorfs_%s histogram\n", family->name,
                  family->help, family->name);
    cJSON_ArrayForEach(histogram, histograms)
    {
        print_histogram(stream, family->name, family->label, histogram);
    }
}

int control_metrics_of(const struct cJSON *stats, const struct control_host *host, char **ret)
{
    static const struct family families[] = {
        {"requests", "request_duration_seconds", "operation", "Requests of the kernel"},
        {"times", "work_duration_seconds", "work", "Work inside the store"},
    };
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return tfs_fail(-ENOMEM, "text of the metrics");
    print_mount(stream, host);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(metrics); i++)
        print_metric(stream, stats, &metrics[i]);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(families); i++)
        print_family(stream, stats, &families[i]);
    if (fclose(stream) != 0) { /* reports the failure of any write above */
        free(text);
        return tfs_fail(-ENOMEM, "text of the metrics");
    }
    *ret = text;
    return 0;
}

int control_metrics_text(struct tfs_volume *volume, const struct control_host *host, char **ret)
{
    cJSON *stats = control_stats(volume, host);
    int err = stats ? control_metrics_of(stats, host, ret) : -ENOMEM;

    cJSON_Delete(stats);
    return err;
}

int control_run_metrics(struct control_call *call)
{
    char *text;
    int err = control_metrics_text(call->volume, call->host, &text);

    if (err)
        return err;
    if (!cJSON_AddStringToObject(call->result, "text", text))
        err = -ENOMEM;
    free(text);
    return err;
}
