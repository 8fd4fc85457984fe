#include "tools/ctl/stats.h"

#include "tools/common/table.h"
#include "tools/common/units.h"
#include "tools/ctl/answer.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const cJSON *part(const cJSON *stats, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(stats, name);
}

double stats_quantile_ns(const struct cJSON *before, const struct cJSON *now, double share)
{
    const cJSON *buckets = part(now, "buckets_us");
    const cJSON *old = part(before, "buckets_us");
    double counts[64];
    double total = 0;
    double sum = 0;
    int count = cJSON_GetArraySize(buckets);

    if (count > (int)TFS_ARRAY_COUNT(counts))
        count = (int)TFS_ARRAY_COUNT(counts);
    for (int i = 0; i < count; i++) {
        const cJSON *first = cJSON_GetArrayItem(old, i);

        counts[i] = cJSON_GetArrayItem(buckets, i)->valuedouble - (first ? first->valuedouble : 0);
        total += counts[i];
    }
    for (int i = 0; i < count && total > 0; i++) {
        sum += counts[i];
        if (sum >= share * total)
            return (double)(1ull << i) * 1000;
    }
    return 0;
}

/* ---- all since the mount ---- */

static void add_times(struct table *table, const cJSON *histograms)
{
    const cJSON *histogram;

    cJSON_ArrayForEach(histogram, histograms)
    {
        double count = answer_number(histogram, "count");

        if (count <= 0)
            continue;
        table_row(table, "%s\t%.0f\t%s\t%s\t%s\t%s", histogram->string, count,
                  units_seconds(answer_number(histogram, "total_ns") / count / 1e9).text,
                  units_seconds(stats_quantile_ns(NULL, histogram, 0.5) / 1e9).text,
                  units_seconds(stats_quantile_ns(NULL, histogram, 0.99) / 1e9).text,
                  units_seconds(stats_quantile_ns(NULL, histogram, 1) / 1e9).text);
    }
}

static void print_times(const cJSON *stats)
{
    struct table table;

    table_init(&table, "time of\tcount\tmean\t50 %\t99 %\tall within");
    add_times(&table, part(stats, "requests"));
    add_times(&table, part(stats, "times"));
    (void)!table_print(&table, stdout); /* without memory there is no table */
    table_release(&table);
}

static void print_bytes(const char *label, double bytes)
{
    (void)printf("%-22s %s\n", label, units_bytes((uint64_t)bytes).text);
}

static void print_memory(const cJSON *memory)
{
    (void)printf("%-22s %s of %s in buffers (%s dirty), index %s, requests %s; budget %s\n",
                 "memory", units_bytes((uint64_t)answer_number(memory, "used")).text,
                 units_bytes((uint64_t)answer_number(memory, "buffers")).text,
                 units_bytes((uint64_t)answer_number(memory, "dirty")).text,
                 units_bytes((uint64_t)answer_number(memory, "index")).text,
                 units_bytes((uint64_t)answer_number(memory, "requests")).text,
                 units_bytes((uint64_t)answer_number(memory, "budget")).text);
    (void)printf("%-22s %.0f\n", "waits for memory", answer_number(memory, "waits"));
    (void)printf("%-22s %.0f, %s of %s\n", "inodes in memory", answer_number(memory, "inodes"),
                 units_bytes((uint64_t)answer_number(memory, "inodes_bytes")).text,
                 units_bytes((uint64_t)answer_number(memory, "inodes_bytes_max")).text);
}

static void print_cache(const cJSON *cache)
{
    double hits = answer_number(cache, "hits");
    double misses = answer_number(cache, "misses");

    (void)printf("%-22s %.0f hits, %.0f misses (%.1f %%), %.0f evictions, %s of %s\n", "cache",
                 hits, misses, hits + misses > 0 ? hits / (hits + misses) * 100 : 0,
                 answer_number(cache, "evictions"),
                 units_bytes((uint64_t)answer_number(cache, "bytes")).text,
                 units_bytes((uint64_t)answer_number(cache, "bytes_max")).text);
}

static void print_queues(const cJSON *stats)
{
    const cJSON *queue = part(stats, "queue");

    (void)printf("%-22s %.0f of %.0f busy, %.0f wait (%.0f at most so far)\n", "data requests",
                 answer_number(queue, "data_busy"), answer_number(queue, "data_slots"),
                 answer_number(queue, "waiting"), answer_number(queue, "waiting_highest"));
    (void)printf("%-22s %.0f in flight, %.0f written back, %.0f failures\n", "chunks",
                 answer_number(part(stats, "flush"), "in_flight"),
                 answer_number(part(stats, "flush"), "chunks"),
                 answer_number(part(stats, "flush"), "failures"));
}

static void print_syncs(const cJSON *stats)
{
    const cJSON *commit = part(stats, "commit");
    const cJSON *sync = part(stats, "sync");

    (void)printf("%-22s %.0f asked for; %.0f commits of %.0f files, %.0f files pending\n",
                 "durability", answer_number(commit, "syncs"), answer_number(commit, "commits"),
                 answer_number(commit, "files"), answer_number(commit, "pending_files"));
    (void)printf("%-22s segments %.0f for %.0f requests, index %.0f for %.0f\n",
                 "syncs of the disk", answer_number(sync, "segments_made"),
                 answer_number(sync, "segments_asked"), answer_number(sync, "index_made"),
                 answer_number(sync, "index_asked"));
}

void stats_print(const struct cJSON *stats)
{
    (void)printf("%-22s %s\n", "uptime", units_seconds(answer_number(stats, "uptime_s")).text);
    print_bytes("read by programs", answer_number(stats, "read_bytes"));
    print_bytes("written by programs", answer_number(stats, "written_bytes"));
    print_bytes("stored for it", answer_number(part(stats, "flush"), "stored_bytes"));
    print_bytes("live in the segments", answer_number(stats, "live_bytes"));
    print_bytes("given back", answer_number(stats, "reclaimed_bytes"));
    (void)printf("%-22s %.0f\n", "checksum errors", answer_number(stats, "checksum_errors"));
    print_cache(part(stats, "cache"));
    print_memory(part(stats, "memory"));
    print_queues(stats);
    print_syncs(stats);
    (void)printf("\n");
    print_times(stats);
}

/* ---- a line for an interval ---- */

/* All requests but those that only keep the kernel's books. */
static double requests_of(const cJSON *stats, const char *field)
{
    const cJSON *request;
    double sum = 0;

    cJSON_ArrayForEach(request, part(stats, "requests"))
    {
        sum += answer_number(request, field);
    }
    return sum;
}

/* The 99th percentile of the kind that was slowest. */
static double slowest_ns(const cJSON *before, const cJSON *now)
{
    const cJSON *request;
    double slowest = 0;

    cJSON_ArrayForEach(request, part(now, "requests"))
    {
        double ns =
            stats_quantile_ns(part(part(before, "requests"), request->string), request, 0.99);

        slowest = ns > slowest ? ns : slowest;
    }
    return slowest;
}

void stats_print_heading(void)
{
    (void)printf("%10s %10s %7s %9s %9s %10s %5s %6s %6s %5s %6s %9s %9s\n", "read/s", "write/s",
                 "req/s", "mean", "p99", "stored/s", "hit%", "sync/s", "disk/s", "wait", "flight",
                 "dirty", "memory");
}

void stats_print_difference(const struct cJSON *before, const struct cJSON *now)
{
#define GREW(group, field)                                                                         \
    (answer_number(part(now, group), field) - answer_number(part(before, group), field))
    double seconds = (answer_number(now, "time_ns") - answer_number(before, "time_ns")) / 1e9;
    double requests = requests_of(now, "count") - requests_of(before, "count");
    double busy_ns = requests_of(now, "total_ns") - requests_of(before, "total_ns");
    double hits = GREW("cache", "hits");
    double lookups = hits + GREW("cache", "misses");
    double syncs = GREW("sync", "segments_made") + GREW("sync", "index_made");
    double read = answer_number(now, "read_bytes") - answer_number(before, "read_bytes");
    double written = answer_number(now, "written_bytes") - answer_number(before, "written_bytes");

    if (seconds <= 0)
        return;
    (void)printf("%10s %10s %7.0f %9s ", units_bytes((uint64_t)(read / seconds)).text,
                 units_bytes((uint64_t)(written / seconds)).text, requests / seconds,
                 units_seconds(requests > 0 ? busy_ns / requests / 1e9 : 0).text);
    (void)printf("%9s %10s ", units_seconds(slowest_ns(before, now) / 1e9).text,
                 units_bytes((uint64_t)(GREW("flush", "stored_bytes") / seconds)).text);
    (void)printf("%5.1f %6.1f %6.1f ", lookups > 0 ? hits / lookups * 100 : 0,
                 GREW("commit", "syncs") / seconds, syncs / seconds);
    (void)printf("%5.0f %6.0f %9s %9s\n", answer_number(part(now, "queue"), "waiting"),
                 answer_number(part(now, "flush"), "in_flight"),
                 units_bytes((uint64_t)answer_number(part(now, "memory"), "dirty")).text,
                 units_bytes((uint64_t)(answer_number(part(now, "memory"), "used") +
                                        answer_number(part(now, "memory"), "index") +
                                        answer_number(part(now, "memory"), "requests")))
                     .text);
#undef GREW
}
