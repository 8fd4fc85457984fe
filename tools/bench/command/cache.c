/*
 * cache: how the chunk cache behind a mount answers. Latency of single requests, hit rates under
 * three loads, many requests at once, and memory against its budget. Hits are what the mount counts
 * itself (mount_stats.h); a directory that is no tensorfs has latencies only.
 *
 * Each load starts with cold caches and a warm-up of as many requests as are measured.
 */
#include "tools/bench/command/commands.h"

#include "store/base/clock.h"
#include "tools/bench/command/measurement.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/results.h"
#include "tools/bench/system/directory.h"
#include "tools/bench/system/workers.h"
#include "tools/bench/target/mount.h"
#include "tools/bench/target/mount_stats.h"
#include "tools/bench/target/target.h"
#include "tools/bench/workload/cache_file.h"
#include "tools/bench/workload/request_lru.h"
#include "tools/bench/workload/request_order.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/table.h"
#include "tools/common/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DATA_PER_CACHE = 5, CACHED_BLOCKS_MAX = 64, WATCH_EVERY = 64, BLOCKS_MIN = 16 };
#define DATA_BYTES_DEFAULT (256 * TFS_MIB)

struct cache_settings {
    struct common_settings common;
    uint64_t size; /* 0: five times the mount's cache */
    uint64_t block;
    uint64_t requests;
    uint64_t concurrency;
};

#define FIELD(name) offsetof(struct cache_settings, name)

static const struct options_row rows[] = {
    {"size", 0, OPTIONS_SIZE, FIELD(size), "SIZE", NULL, TFS_MIB, 1ull << 50,
     "bytes of data (default: five times the mount's cache)"},
    {"block", 0, OPTIONS_SIZE, FIELD(block), "SIZE", NULL, 4 * TFS_KIB, 64 * TFS_MIB,
     "bytes of a request (default 256K)"},
    {"requests", 'n', OPTIONS_COUNT, FIELD(requests), "N", NULL, 100, 100000000,
     "requests of each load, after as many to warm up (default 4000)"},
    {"concurrency", 't', OPTIONS_COUNT, FIELD(concurrency), "N", NULL, 1, WORKERS_MAX,
     "requests at once in the concurrent load (default 72)"},
};

static const struct options_command command = {
    .name = "cache",
    .summary = "Latency, hit rate and memory of the chunk cache, through the mount",
    .usage = "--dir=DIR|--store-dir=DIR [OPTIONS]",
    .details =
        "Requests go past the kernel's page cache (O_DIRECT). Loads: set (overwrite a random "
        "block), get\n"
        "of cached blocks, get uniform, Zipf (exponent 0.99) and Zipf mixed with scans, and Zipf "
        "by many\n"
        "threads. Hits and misses are counted by the mount; memory is what it says it uses, "
        "watched\n"
        "during the loads, and the peak of the daemon where this tool started it (--store-dir).\n\n"
        "Examples:\n"
        "  tensorfs-bench cache --store-dir=/data -o memory=64M\n"
        "  tensorfs-bench cache --dir=/mnt/ckpt --size=2G --json\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
};

enum load_id {
    LOAD_SET,
    LOAD_CACHED,
    LOAD_UNIFORM,
    LOAD_ZIPF,
    LOAD_SCAN,
    LOAD_CONCURRENT,
    LOAD_COUNT
};

static const struct {
    const char *name;
    const char *title;
    enum request_load order;
} loads[LOAD_COUNT] = {
    [LOAD_SET] = {"set", "set, random", REQUEST_UNIFORM},
    [LOAD_CACHED] = {"get_cached", "get, cached", REQUEST_UNIFORM},
    [LOAD_UNIFORM] = {"get_uniform", "get, uniform", REQUEST_UNIFORM},
    [LOAD_ZIPF] = {"get_zipf", "get, Zipf", REQUEST_ZIPF},
    [LOAD_SCAN] = {"get_scan", "get, Zipf and scans", REQUEST_SCAN},
    [LOAD_CONCURRENT] = {"get_concurrent", "get, Zipf, concurrent", REQUEST_ZIPF},
};

struct measure {
    double *us; /* requests of them */
    double seconds;
    double hits; /* counted by the mount while it was measured */
    double misses;
    double lru_percent; /* of hits in an LRU cache of the same size; negative: not computed */
};

struct cache {
    struct cache_settings *settings;
    struct target target;
    struct cache_file file;
    bool has_stats;
    struct mount_stats stats; /* at the start */
    struct measure measures[LOAD_COUNT];
    double memory_used_max; /* bytes, as the mount says */
    uint64_t daemon_peak_bytes;
};

/* Rank 0 of a load watches the memory; others never call it, so nothing here is shared. */
static void memory_watch(void *argument)
{
    struct cache *cache = argument;
    struct mount_stats stats;

    if (cache->has_stats && mount_stats_read(cache->target.work, &stats) == 0)
        cache->memory_used_max = fmax(cache->memory_used_max, stats.memory_used);
}

/* A stream of requests by one thread: its share of a load, after a warm-up of the same length. */
struct stream {
    struct cache *cache;
    const struct request_popularity *popularity;
    enum load_id load;
    uint64_t count;
    double *us; /* NULL while warming up */
    uint64_t seed;
};

static uint64_t stream_seed(uint64_t seed, size_t rank)
{
    return seed * WORKERS_MAX + rank;
}

static int stream_request(const struct stream *stream, struct request_order *order, void *buffer,
                          double *ret_us)
{
    const struct cache_file *file = &stream->cache->file;
    uint64_t block = request_order_next(order);

    return stream->load == LOAD_SET ? cache_file_set(file, block, buffer, ret_us)
                                    : cache_file_get(file, block, buffer, ret_us);
}

static int stream_run(const struct stream *stream, size_t rank)
{
    struct request_order order;
    void *buffer = cache_file_buffer(&stream->cache->file);
    int err = buffer ? 0 : console_fail(-ENOMEM, "a block");

    request_order_init(&order, stream->popularity, loads[stream->load].order,
                       stream_seed(stream->seed, rank));
    for (uint64_t i = 0; i < stream->count && err == 0; i++) {
        double us;

        err = stream_request(stream, &order, buffer, &us);
        if (stream->us)
            stream->us[rank * stream->count + i] = us;
        if (rank == 0 && i % WATCH_EVERY == 0)
            memory_watch(stream->cache);
        if (interrupt_is_pending())
            err = -EINTR;
    }
    console_advance(stream->count);
    free(buffer);
    return err;
}

static int stream_rank(void *argument, size_t rank)
{
    return stream_run(argument, rank);
}

static int stream_start(struct stream *stream, unsigned threads, double *ret_seconds)
{
    double seconds[WORKERS_MAX];
    uint64_t start_ns = tfs_clock_ns();
    int err = workers_run_ranks(threads, stream_rank, stream, seconds);

    *ret_seconds = (double)(tfs_clock_ns() - start_ns) / 1e9;
    return err;
}

/* Warm up, then measure with another seed: the same popularity, other draws. */
static int load_measure(struct cache *cache, enum load_id load,
                        const struct request_popularity *popularity, unsigned threads)
{
    struct measure *measure = &cache->measures[load];
    struct stream stream = {.cache = cache,
                            .popularity = popularity,
                            .load = load,
                            .count = cache->settings->requests / threads,
                            .seed = cache->settings->common.seed};
    struct mount_stats before = {0};
    struct mount_stats after = {0};
    int err = stream_start(&stream, threads, &measure->seconds);

    if (err < 0)
        return err;
    if (cache->has_stats)
        err = mount_stats_read(cache->target.work, &before);
    stream.us = measure->us;
    stream.seed++;
    if (err == 0)
        err = stream_start(&stream, threads, &measure->seconds);
    if (err == 0 && cache->has_stats)
        err = mount_stats_read(cache->target.work, &after);
    measure->hits = after.cache_hits - before.cache_hits;
    measure->misses = after.cache_misses - before.cache_misses;
    return err;
}

/* The requests of both passes again, on a cache whose hits can be counted without a mount. */
static int load_simulate(struct cache *cache, enum load_id load,
                         const struct request_popularity *popularity)
{
    uint64_t requests = cache->settings->requests;
    uint64_t capacity = (uint64_t)cache->stats.cache_bytes_max / cache->file.block_bytes;
    struct request_lru *lru;
    uint64_t hits = 0;
    int err = request_lru_new(popularity->count, tfs_max_u64(capacity, 1), &lru);

    if (err < 0)
        return console_fail(err, "%llu blocks", (unsigned long long)popularity->count);
    for (unsigned pass = 0; pass < 2; pass++) {
        struct request_order order;

        request_order_init(&order, popularity, loads[load].order,
                           stream_seed(cache->settings->common.seed + pass, 0));
        hits = 0;
        for (uint64_t i = 0; i < requests; i++)
            hits += request_lru_get(lru, request_order_next(&order));
    }
    request_lru_free(lru);
    cache->measures[load].lru_percent = (double)hits / (double)requests * 100;
    return 0;
}

/* So few blocks that a quarter of the cache holds them. */
static uint64_t cached_block_count(const struct cache *cache)
{
    uint64_t blocks = tfs_min_u64(CACHED_BLOCKS_MAX, cache->file.block_count);

    if (cache->has_stats)
        blocks = tfs_min_u64(blocks,
                             (uint64_t)cache->stats.cache_bytes_max / 4 / cache->file.block_bytes);
    return tfs_max_u64(blocks, 1);
}

static int load_run(struct cache *cache, enum load_id load)
{
    uint64_t blocks = load == LOAD_CACHED ? cached_block_count(cache) : cache->file.block_count;
    unsigned threads = load == LOAD_CONCURRENT ? (unsigned)cache->settings->concurrency : 1;
    struct request_popularity popularity;
    int err = target_make_cold(&cache->target);

    if (err < 0)
        return err;
    console_stage("%s", loads[load].title);
    if (request_popularity_init(&popularity, blocks, cache->settings->common.seed) < 0)
        return console_fail(-ENOMEM, "%llu blocks", (unsigned long long)blocks);
    err = cache_file_open(&cache->file);
    if (err == 0)
        err = load_measure(cache, load, &popularity, threads);
    cache->measures[load].lru_percent = -1;
    if (err == 0 && cache->has_stats && threads == 1 && load != LOAD_SET)
        err = load_simulate(cache, load, &popularity);
    cache_file_close(&cache->file);
    request_popularity_release(&popularity);
    memory_watch(cache);
    if (cache->target.mount)
        cache->daemon_peak_bytes =
            tfs_max_u64(cache->daemon_peak_bytes, mount_peak_bytes(cache->target.mount));
    return err;
}

static int cache_measure(void *state)
{
    struct cache *cache = state;
    uint64_t requests = cache->settings->requests;
    int err;

    console_begin(CONSOLE_OPERATIONS, cache->file.block_count + 2 * LOAD_COUNT * requests);
    console_stage("writing %s",
                  units_bytes(cache->file.block_count * cache->file.block_bytes).text);
    err = cache_file_make(&cache->file, cache->target.work, memory_watch, cache);
    for (int load = LOAD_CACHED; load < LOAD_COUNT && err == 0; load++)
        err = load_run(cache, (enum load_id)load);
    if (err == 0)
        err = load_run(cache, LOAD_SET); /* last: it changes the data */
    console_end();
    return err;
}

static int cache_open(void *state)
{
    struct cache *cache = state;
    struct cache_settings *settings = cache->settings;
    uint64_t bytes = settings->size;
    int err;

    if (settings->block % CACHE_FILE_ALIGNMENT != 0)
        return console_reject("--block: direct I/O takes multiples of %d bytes",
                              CACHE_FILE_ALIGNMENT);
    settings->requests = tfs_max_u64(settings->requests, settings->concurrency);
    err = target_open(&cache->target, &settings->common.target);
    if (err < 0)
        return err;
    cache->has_stats = mount_stats_read(cache->target.work, &cache->stats) == 0;
    if (bytes == 0)
        bytes = cache->has_stats ? DATA_PER_CACHE * (uint64_t)cache->stats.cache_bytes_max
                                 : DATA_BYTES_DEFAULT;
    cache->file = (struct cache_file){
        .fd = -1, .block_bytes = settings->block, .seed = settings->common.seed};
    cache->file.block_count = tfs_max_u64(bytes / settings->block, BLOCKS_MIN);
    for (int load = 0; load < LOAD_COUNT; load++) {
        cache->measures[load].us = calloc(settings->requests, sizeof(double));
        if (!cache->measures[load].us)
            return console_fail(-ENOMEM, "samples");
    }
    return directory_demand_space(cache->target.work,
                                  2 * cache->file.block_count * cache->file.block_bytes);
}

static void cache_close(void *state)
{
    struct cache *cache = state;

    cache_file_close(&cache->file);
    target_close(&cache->target);
    for (int load = 0; load < LOAD_COUNT; load++)
        free(cache->measures[load].us);
}

static void load_results(struct cache *cache, enum load_id load, cJSON *list)
{
    struct measure *measure = &cache->measures[load];
    uint64_t threads = load == LOAD_CONCURRENT ? cache->settings->concurrency : 1;
    size_t count = cache->settings->requests / threads * threads;
    double looked_up = measure->hits + measure->misses;
    cJSON *entry = cJSON_CreateObject();
    struct stats_summary summary;

    (void)cJSON_AddStringToObject(entry, "name", loads[load].name);
    (void)cJSON_AddNumberToObject(entry, "requests", (double)count);
    (void)cJSON_AddNumberToObject(entry, "threads", (double)threads);
    summary = results_add_latencies(entry, measure->us, count);
    (void)cJSON_AddNumberToObject(entry, "max_us", summary.max);
    (void)cJSON_AddNumberToObject(entry, "per_s", (double)count / measure->seconds);
    if (cache->has_stats && load != LOAD_SET && looked_up > 0) {
        (void)cJSON_AddNumberToObject(entry, "hits", measure->hits);
        (void)cJSON_AddNumberToObject(entry, "misses", measure->misses);
        (void)cJSON_AddNumberToObject(entry, "hit_percent", measure->hits / looked_up * 100);
    }
    if (cache->has_stats && measure->lru_percent >= 0)
        (void)cJSON_AddNumberToObject(entry, "lru_percent", measure->lru_percent);
    (void)cJSON_AddItemToArray(list, entry);
}

static void cache_add_results(void *state, cJSON *results)
{
    struct cache *cache = state;
    double bytes = (double)(cache->file.block_count * cache->file.block_bytes);
    cJSON *list;

    (void)cJSON_AddStringToObject(results, "place", cache->target.label);
    (void)cJSON_AddNumberToObject(results, "bytes", bytes);
    (void)cJSON_AddNumberToObject(results, "block_bytes", (double)cache->file.block_bytes);
    (void)cJSON_AddBoolToObject(results, "direct", cache->file.direct);
    (void)cJSON_AddBoolToObject(results, "counted_by_mount", cache->has_stats);
    if (cache->has_stats) {
        cJSON *memory = cJSON_AddObjectToObject(results, "memory");

        (void)cJSON_AddNumberToObject(results, "cache_bytes", cache->stats.cache_bytes_max);
        (void)cJSON_AddNumberToObject(memory, "used_max", cache->memory_used_max);
        (void)cJSON_AddNumberToObject(memory, "budget", cache->stats.memory_budget);
        (void)cJSON_AddBoolToObject(memory, "within_budget",
                                    cache->memory_used_max <= cache->stats.memory_budget);
        if (cache->daemon_peak_bytes)
            (void)cJSON_AddNumberToObject(memory, "daemon_peak", (double)cache->daemon_peak_bytes);
    }
    list = cJSON_AddArrayToObject(results, "loads");
    for (int load = 0; load < LOAD_COUNT; load++)
        load_results(cache, (enum load_id)load, list);
}

static void load_row(struct table *table, const cJSON *load, const char *title)
{
    static const char *const names[] = {"hit_percent", "lru_percent"};
    char shares[2][16] = {"-", "-"};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        double percent = json_number(load, names[i]); /* NaN when it was not counted */

        if (!isnan(percent))
            (void)snprintf(shares[i], sizeof(shares[i]), "%.1f", percent);
    }
    table_row(table, "%s\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%s\t%s", title,
              json_number(load, "threads"), json_number(load, "requests"),
              json_number(load, "mean_us"), json_number(load, "p50_us"),
              json_number(load, "p99_us"), json_number(load, "max_us"), json_number(load, "per_s"),
              shares[0], shares[1]);
}

static void memory_print(const struct cache *cache)
{
    if (!cache->has_stats) {
        (void)printf("\nhits and memory are not known: this directory has no "
                     "user.tensorfs.stats\n");
        return;
    }
    (void)printf("\nmemory: at most %s in use, ",
                 units_bytes((uint64_t)cache->memory_used_max).text);
    (void)printf("budget %s: %s\n", units_bytes((uint64_t)cache->stats.memory_budget).text,
                 cache->memory_used_max <= cache->stats.memory_budget ? "within" : "OVER");
    if (cache->daemon_peak_bytes)
        (void)printf("peak resident memory of the daemon, its libraries included: %s\n",
                     units_bytes(cache->daemon_peak_bytes).text);
}

static int cache_print(const void *state, const cJSON *results)
{
    const struct cache *cache = state;
    const cJSON *list = json_member(results, "loads");
    struct table table;
    int err;

    (void)printf("%s:\n%s of data, ", cache->target.label,
                 units_bytes(cache->file.block_count * cache->file.block_bytes).text);
    if (cache->has_stats)
        (void)printf("a cache of %s, ", units_bytes((uint64_t)cache->stats.cache_bytes_max).text);
    (void)printf("requests of %s, %s\n\n", units_bytes(cache->file.block_bytes).text,
                 cache->file.direct ? "O_DIRECT" : "each advised out of the page cache first");
    table_init(&table,
               "load\tthreads\trequests\tmean us\tp50 us\tp99 us\tmax us\treq/s\thits %\tLRU %");
    for (int load = 0; load < LOAD_COUNT; load++)
        load_row(&table, cJSON_GetArrayItem(list, load), loads[load].title);
    err = table_print(&table, stdout);
    table_release(&table);
    if (cache->has_stats)
        (void)printf(
            "\nhits %%: counted by the mount; LRU %%: of the same requests on a cache of that size "
            "that\nforgets the block not used for longest\n");
    memory_print(cache);
    return err;
}

static const struct measurement cache_measurement = {
    .command = &command,
    .open = cache_open,
    .measure = cache_measure,
    .add_results = cache_add_results,
    .print = cache_print,
    .close = cache_close,
};

int cache_main(int argc, char **argv)
{
    struct cache_settings settings = {.block = 256 * TFS_KIB, .requests = 4000, .concurrency = 72};
    struct cache cache = {.settings = &settings, .file.fd = -1};

    return measurement_main(&cache_measurement, &settings.common, &cache, argc, argv);
}
