/*
 * How fast the index is: one line for each kind of call, microseconds each as the median, the least
 * and the most of the rounds.
 *
 *     bench_index DIRECTORY [ROUNDS]
 *
 * Records are like extent entries: keys of 64 bytes that start with an inode number, values of 100
 * bytes that do not compress. Every round has an index of its own in DIRECTORY.
 */
#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/median.h"
#include "store/index/index.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_SIZE = 64,
    VALUE_SIZE = 100,
    RECORD_COUNT = 200000,
    RECORDS_PER_INODE = 100,
    DURABLE_COUNT = 200,
    ROUNDS_MAX = 99,
    THREADS = 4,
};

enum measure {
    PUT_ONE,
    PUT_GUARDED,
    PUT_100,
    DURABLE_1,
    DURABLE_100,
    DURABLE_4_THREADS,
    GET,
    GET_MANY_16,
    MISS,
    SCAN_ENTRY,
    SCAN_INODE,
    REOPEN,
    MEASURE_COUNT
};

static const char *const names[MEASURE_COUNT] = {
    [PUT_ONE] = "put, one a batch",
    [PUT_GUARDED] = "put, one a batch, guard of absence",
    [PUT_100] = "put, 100 a batch, each",
    [DURABLE_1] = "durable batch of 1",
    [DURABLE_100] = "durable batch of 100",
    [DURABLE_4_THREADS] = "durable batch of 1, 4 threads, each",
    [GET] = "get",
    [GET_MANY_16] = "get many, 16 at once, each",
    [MISS] = "get of a missing key",
    [SCAN_ENTRY] = "scan of all, each",
    [SCAN_INODE] = "scan of one inode, 16 records",
    [REOPEN] = "close and open again, whole",
};

struct bench {
    struct tfs_index *index;
    struct index_options options;
    struct index_batch *batch;
    double *us; /* of this round, by measure */
};

static void check(int err, const char *doing)
{
    if (err >= 0)
        return;
    (void)fprintf(stderr, "bench_index: %s: %s\n", doing, strerror(-err));
    exit(1);
}

static double us_since(uint64_t start_ns, double count)
{
    return (double)(tfs_clock_ns() - start_ns) / 1e3 / count;
}

static const uint8_t *key_make(uint8_t key[KEY_SIZE], uint64_t record)
{
    memset(key, 'k', KEY_SIZE);
    tfs_put_be64(key, record / RECORDS_PER_INODE);
    tfs_put_be64(key + 8, record % RECORDS_PER_INODE);
    return key;
}

static void put(struct index_batch *batch, uint64_t record)
{
    uint8_t key[KEY_SIZE];
    uint64_t value[(VALUE_SIZE + 7) / 8];
    uint64_t random = record;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(value); i++)
        value[i] = random = random * 6364136223846793005ull + 1442695040888963407ull;
    index_batch_put(batch, INDEX_EXTENT, key_make(key, record), KEY_SIZE, value, VALUE_SIZE);
}

/* Records in an order that is not theirs: the multiplier has no factor in common with the count. */
static uint64_t shuffled(uint64_t i)
{
    return i * 100003 % RECORD_COUNT;
}

static double puts_run(struct bench *bench, uint64_t first, unsigned count, unsigned batch_size,
                       bool durable)
{
    uint64_t start = tfs_clock_ns();

    for (unsigned i = 0; i < count; i += batch_size) {
        index_batch_clear(bench->batch);
        for (unsigned j = 0; j < batch_size; j++)
            put(bench->batch, shuffled(first + i + j));
        check(index_commit(bench->index, bench->batch, durable), "commit");
    }
    return us_since(start, count);
}

static double guarded_run(struct bench *bench, uint64_t first, unsigned count)
{
    uint64_t start = tfs_clock_ns();
    uint8_t key[KEY_SIZE];

    for (unsigned i = 0; i < count; i++) {
        index_batch_clear(bench->batch);
        index_batch_guard_absent(bench->batch, INDEX_EXTENT, key_make(key, shuffled(first + i)),
                                 KEY_SIZE);
        put(bench->batch, shuffled(first + i));
        check(index_commit(bench->index, bench->batch, false), "commit");
    }
    return us_since(start, count);
}

static void *durable_thread(void *argument)
{
    struct bench bench = *(struct bench *)argument;

    check(index_batch_new(&bench.batch), "batch");
    (void)puts_run(&bench, 0, DURABLE_COUNT, 1, true);
    index_batch_free(bench.batch);
    return NULL;
}

static double threads_run(struct bench *bench)
{
    pthread_t threads[THREADS];
    uint64_t start = tfs_clock_ns();

    for (int i = 0; i < THREADS; i++)
        check(-pthread_create(&threads[i], NULL, durable_thread, bench), "thread");
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail for a thread of ours */
    return us_since(start, (double)THREADS * DURABLE_COUNT);
}

static double gets_run(struct bench *bench, bool missing)
{
    uint64_t start = tfs_clock_ns();
    uint8_t key[KEY_SIZE];
    struct index_value value;

    for (unsigned i = 0; i < RECORD_COUNT / 2; i++) {
        int err;

        (void)key_make(key, shuffled(i));
        key[KEY_SIZE - 1] = missing ? 'm' : 'k';
        err = index_get(bench->index, INDEX_EXTENT, key, KEY_SIZE, &value);
        check(err == (missing ? -ENOENT : 0) ? 0 : -EUCLEAN, "get");
        if (!missing)
            index_value_release(&value);
    }
    return us_since(start, RECORD_COUNT / 2.0);
}

static double get_many_run(struct bench *bench)
{
    enum { GROUP = 16 };
    uint64_t start = tfs_clock_ns();
    uint8_t keys[GROUP][KEY_SIZE];
    const void *pointers[GROUP];
    size_t sizes[GROUP];
    struct index_value values[GROUP];

    for (uint64_t i = 0; i < RECORD_COUNT / 2; i += GROUP) {
        uint64_t first = shuffled(i) / RECORDS_PER_INODE * RECORDS_PER_INODE;

        for (unsigned j = 0; j < GROUP; j++) {
            pointers[j] = key_make(keys[j], first + j);
            sizes[j] = KEY_SIZE;
        }
        check(index_get_many(bench->index, INDEX_EXTENT, GROUP, pointers, sizes, values),
              "get many");
        for (unsigned j = 0; j < GROUP; j++)
            index_value_release(&values[j]);
    }
    return us_since(start, RECORD_COUNT / 2.0);
}

static unsigned scan_run(struct bench *bench, const struct index_range *range, unsigned count_max)
{
    struct index_scan *scan;
    struct index_record record;
    unsigned count = 0;

    check(index_scan_open(bench->index, range, &scan), "scan");
    while (count < count_max && index_scan_next(scan, &record) == 1)
        count++;
    index_scan_close(scan);
    return count;
}

static void scans_run(struct bench *bench)
{
    enum { INODE_SCANS = 5000 };
    struct index_range all = {.table = INDEX_EXTENT};
    uint8_t key[KEY_SIZE];
    struct index_range one = {.table = INDEX_EXTENT, .prefix = key, .prefix_size = 8};
    uint64_t start = tfs_clock_ns();

    check(scan_run(bench, &all, UINT32_MAX) == RECORD_COUNT ? 0 : -EUCLEAN, "scan of all");
    bench->us[SCAN_ENTRY] = us_since(start, RECORD_COUNT);
    start = tfs_clock_ns();
    for (unsigned i = 0; i < INODE_SCANS; i++) {
        (void)key_make(key, shuffled(i * 17));
        check(scan_run(bench, &one, 16) == 16 ? 0 : -EUCLEAN, "scan of one inode");
    }
    bench->us[SCAN_INODE] = us_since(start, INODE_SCANS);
}

static void round_run(struct bench *bench)
{
    enum { QUARTER = RECORD_COUNT / 4 };
    uint64_t start;

    bench->us[PUT_ONE] = puts_run(bench, 0, QUARTER, 1, false);
    bench->us[PUT_GUARDED] = guarded_run(bench, QUARTER, QUARTER);
    bench->us[PUT_100] = puts_run(bench, 2 * QUARTER, 2 * QUARTER, 100, false);
    bench->us[DURABLE_1] = puts_run(bench, 0, DURABLE_COUNT, 1, true);
    bench->us[DURABLE_100] = puts_run(bench, 0, 100 * DURABLE_COUNT, 100, true) * 100;
    bench->us[DURABLE_4_THREADS] = threads_run(bench);
    start = tfs_clock_ns();
    check(index_close(bench->index), "close");
    check(index_open(&bench->options, &bench->index), "open");
    bench->us[REOPEN] = us_since(start, 1);
    (void)gets_run(bench, false); /* warms the block cache */
    bench->us[GET] = gets_run(bench, false);
    bench->us[GET_MANY_16] = get_many_run(bench);
    bench->us[MISS] = gets_run(bench, true);
    scans_run(bench);
}

int main(int argc, char **argv)
{
    static double us[ROUNDS_MAX][MEASURE_COUNT];
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    char path[4096];
    char command[5000];

    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr, "usage: bench_index DIRECTORY [ROUNDS, at most %d]\n", ROUNDS_MAX);
        return 2;
    }
    (void)snprintf(path, sizeof(path), "%s/bench-index", argv[1]);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
    for (int round = 0; round < rounds; round++) {
        struct bench bench = {
            .options = {.path = path, .create = true, .memory_size_max = 64 * TFS_MIB},
            .us = us[round],
        };

        check(system(command) == 0 ? 0 : -EIO, command);
        check(index_open(&bench.options, &bench.index), "open");
        check(index_batch_new(&bench.batch), "batch");
        round_run(&bench);
        index_batch_free(bench.batch);
        check(index_close(bench.index), "close");
    }
    check(system(command) == 0 ? 0 : -EIO, command);

    (void)printf("%-40s %10s %10s %10s  us\n", "", "median", "least", "most");
    for (int measure = 0; measure < MEASURE_COUNT; measure++) {
        double column[ROUNDS_MAX];
        double median;

        for (int round = 0; round < rounds; round++)
            column[round] = us[round][measure];
        median = tfs_median(column, (size_t)rounds);
        (void)printf("%-40s %10.2f %10.2f %10.2f\n", names[measure], median, column[0],
                     column[rounds - 1]);
    }
    return 0;
}
