/*
 * How fast appends become durable: segments with O_DIRECT and buffered, against plain files,
 * everything synced at the end.
 *
 *     bench_segment DIRECTORY [MIB [ROUNDS]]
 *
 * For appends of 1, 2.7 and 4 MiB from one and from two threads: MIB (default 512) are written in
 * each of ROUNDS (default 5) rounds by each method in turn. Printed: the median in GB/s, the least
 * and the most, CPU seconds per GB, and the ratio to plain buffered writes. The data is random, in
 * two buffers per thread that are touched before.
 */
#include "store/base/clock.h"
#include "store/segment/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS_MAX = 2, ROUNDS_MAX = 99, BUFFERS = 2, HUGE_PAGE_SIZE = 2 * 1024 * 1024 };

enum method { PLAIN_BUFFERED, PLAIN_DIRECT, SEGMENT_BUFFERED, SEGMENT_DIRECT, METHOD_COUNT };

static const char *const method_names[METHOD_COUNT] = {
    [PLAIN_BUFFERED] = "file, buffered",
    [PLAIN_DIRECT] = "file, O_DIRECT",
    [SEGMENT_BUFFERED] = "segments, buffered",
    [SEGMENT_DIRECT] = "segments, O_DIRECT",
};

static const size_t append_sizes[] = {1 * TFS_MIB, 675 * SEGMENT_ALIGNMENT, 4 * TFS_MIB};

struct run {
    enum method method;
    const char *directory;
    size_t append_size;
    unsigned thread_count;
    uint64_t total_size;
    struct tfs_segments *segments;
};

struct worker {
    const struct run *run;
    unsigned id;
    uint8_t *buffers[BUFFERS];
};

struct result {
    double gb_per_s;
    double cpu_s_per_gb;
};

static void check(int err, const char *doing)
{
    if (err >= 0)
        return;
    (void)fprintf(stderr, "bench_segment: %s: %s\n", doing, strerror(-err));
    exit(1);
}

static int number_take(void *context, uint64_t *ret)
{
    uint64_t *number = context;

    *ret = ++*number;
    return 0;
}

static uint64_t append_count(const struct run *run)
{
    return run->total_size / run->append_size / run->thread_count;
}

static void segments_fill(const struct worker *worker)
{
    struct segment_position at;

    for (uint64_t i = 0; i < append_count(worker->run); i++) {
        struct iovec piece = segment_piece(worker->buffers[i % BUFFERS], worker->run->append_size);

        check(segments_appendv(worker->run->segments, &piece, 1, &at), "append");
    }
}

/* Each thread has a file of its own: what a checkpoint writer without a store would do. */
static void file_fill(const struct worker *worker)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/plain-%u", worker->run->directory, worker->id);
    fd = open(path, worker->run->method == PLAIN_DIRECT ? flags | O_DIRECT : flags, 0600);
    check(fd < 0 ? -errno : 0, path);
    for (uint64_t i = 0; i < append_count(worker->run); i++) {
        ssize_t count = write(fd, worker->buffers[i % BUFFERS], worker->run->append_size);

        check(count == (ssize_t)worker->run->append_size ? 0 : -EIO, "write");
    }
    check(fdatasync(fd) < 0 ? -errno : 0, "fdatasync");
    check(close(fd) < 0 ? -errno : 0, "close");
}

static void *worker_run(void *argument)
{
    const struct worker *worker = argument;

    if (worker->run->method == PLAIN_BUFFERED || worker->run->method == PLAIN_DIRECT)
        file_fill(worker);
    else
        segments_fill(worker);
    return NULL;
}

static double cpu_s(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void directory_make(const char *directory)
{
    char command[5000];

    (void)snprintf(command, sizeof(command), "rm -rf '%s' && mkdir '%s' && sync -f '%s'", directory,
                   directory, directory);
    check(system(command) == 0 ? 0 : -EIO, command);
}

static struct result run_once(struct run *run, struct worker *workers)
{
    pthread_t threads[THREADS_MAX];
    uint64_t number = 0;
    struct segments_options options = {
        .path = run->directory,
        .direct = run->method == SEGMENT_DIRECT,
        .segment_size_max = TFS_GIB,
        .take_number = number_take,
        .context = &number,
    };
    bool plain = run->method == PLAIN_BUFFERED || run->method == PLAIN_DIRECT;
    double gb = (double)(append_count(run) * run->append_size * run->thread_count) / 1e9;
    double cpu;
    uint64_t start;
    struct result result;

    directory_make(run->directory);
    if (!plain)
        check(segments_open(&options, &run->segments), "open");
    cpu = cpu_s();
    start = tfs_clock_ns();
    for (unsigned i = 0; i < run->thread_count; i++)
        check(-pthread_create(&threads[i], NULL, worker_run, &workers[i]), "thread");
    for (unsigned i = 0; i < run->thread_count; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail for a thread of ours */
    if (!plain)
        check(segments_sync(run->segments), "sync");
    result.gb_per_s = gb * 1e9 / (double)(tfs_clock_ns() - start);
    result.cpu_s_per_gb = (cpu_s() - cpu) / gb;
    if (!plain)
        check(segments_close(TAKE_PTR(run->segments)), "close");
    return result;
}

static int compare(const void *a, const void *b)
{
    double left = ((const struct result *)a)->gb_per_s;
    double right = ((const struct result *)b)->gb_per_s;

    return left < right ? -1 : left > right;
}

/* All methods in turn, round after round, so that a slow moment of the machine hits each of them.
 */
static void compare_methods(struct run *run, struct worker *workers, int rounds)
{
    static struct result results[METHOD_COUNT][ROUNDS_MAX];
    double base = 0;

    for (int round = 0; round < rounds; round++)
        for (int method = 0; method < METHOD_COUNT; method++) {
            run->method = (enum method)method;
            results[method][round] = run_once(run, workers);
        }
    (void)printf("%.1f MiB, %u thread%s\n", (double)run->append_size / (double)TFS_MIB,
                 run->thread_count, run->thread_count > 1 ? "s" : "");
    for (int method = 0; method < METHOD_COUNT; method++) {
        const struct result *median;

        qsort(results[method], (size_t)rounds, sizeof(results[method][0]), compare);
        median = &results[method][rounds / 2];
        if (method == PLAIN_BUFFERED)
            base = median->gb_per_s;
        (void)printf("  %-20s %6.2f GB/s [%.2f-%.2f]  %5.2f CPU s/GB  %5.2fx\n",
                     method_names[method], median->gb_per_s, results[method][0].gb_per_s,
                     results[method][rounds - 1].gb_per_s, median->cpu_s_per_gb,
                     median->gb_per_s / base);
    }
}

static void worker_init(struct worker *worker, const struct run *run, unsigned id, size_t size)
{
    uint64_t random = id + 1;

    worker->run = run;
    worker->id = id;
    for (int i = 0; i < BUFFERS; i++) {
        worker->buffers[i] = aligned_alloc(HUGE_PAGE_SIZE, size);
        check(worker->buffers[i] ? 0 : -ENOMEM, "buffer");
        (void)madvise(worker->buffers[i], size, MADV_HUGEPAGE); /* fewer, larger requests; a hint */
        for (size_t at = 0; at < size; at += sizeof(random)) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            memcpy(worker->buffers[i] + at, &random, sizeof(random));
        }
    }
}

int main(int argc, char **argv)
{
    struct worker workers[THREADS_MAX];
    char directory[4096];
    struct run run = {.directory = directory};
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 5;

    run.total_size = (argc > 2 ? strtoull(argv[2], NULL, 10) : 512) * TFS_MIB;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || run.total_size < 16 * TFS_MIB) {
        (void)fprintf(stderr,
                      "usage: bench_segment DIRECTORY [MIB, at least 16 [ROUNDS, at most %d]]\n",
                      ROUNDS_MAX);
        return 2;
    }
    (void)snprintf(directory, sizeof(directory), "%s/bench-segment", argv[1]);
    for (unsigned i = 0; i < THREADS_MAX; i++)
        worker_init(&workers[i], &run, i, 4 * TFS_MIB);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(append_sizes); i++)
        for (run.thread_count = 1; run.thread_count <= THREADS_MAX; run.thread_count++) {
            run.append_size = append_sizes[i];
            compare_methods(&run, workers, rounds);
        }
    for (unsigned i = 0; i < THREADS_MAX; i++)
        for (int j = 0; j < BUFFERS; j++)
            free(workers[i].buffers[j]);
    directory_make(directory);
    return rmdir(directory) < 0;
}
