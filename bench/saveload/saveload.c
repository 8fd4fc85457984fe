/*
 * Saves or loads a directory of files of float data, as a checkpoint does, and prints how long it
 * took.
 *
 *     bench_saveload save|load DIR FILES MIB_PER_FILE KIND THREADS
 *
 * Saved is what is durable: each file and the directory are synced. Loaded is by read() of 16 MiB
 * at a time, and compared afterwards. More than 64 threads are 64.
 *
 * KIND is bf16, fp32, mixed (every other file) or random. Values are normally distributed with a
 * log-normal scale for each row of 4096, as trained weights are; each file is the same rows from
 * another start on, so that no two files are alike and nothing is generated while the clock runs.
 * Output: one line "seconds bytes".
 */
#include "bench/compare/client.h"
#include "store/base/clock.h"
#include "store/base/defs.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROW_VALUES = 4096, IO_SIZE = 16 << 20, PATH_SIZE = 4096, THREADS_MAX = 64 };

enum kind { KIND_BF16, KIND_FP32, KIND_RANDOM, KIND_COUNT };

struct job {
    const char *directory;
    size_t file_count;
    size_t file_size;
    bool save;
    bool mixed;
    enum kind kind;
    uint8_t *data[KIND_COUNT]; /* twice file_size each: a file is a window of it */
    unsigned thread_count;
};

struct thread {
    pthread_t thread;
    struct job *job;
    unsigned number;
    uint8_t *buffer;
};

static double normal(uint64_t *state)
{
    double u = ((double)(client_dice(state) >> 11) + 1) / 9007199254740993.0;
    double v = (double)(client_dice(state) >> 11) / 9007199254740992.0;

    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static void fill(uint8_t *dst, size_t size, enum kind kind)
{
    size_t value_size = kind == KIND_BF16 ? 2 : 4;
    uint64_t state = 0x9E3779B97F4A7C15ull + kind;
    double scale = 1;

    if (kind == KIND_RANDOM) {
        for (size_t at = 0; at + 8 <= size; at += 8) {
            uint64_t word = client_dice(&state);

            memcpy(dst + at, &word, sizeof(word));
        }
        return;
    }
    for (size_t i = 0; i < size / value_size; i++) {
        uint32_t bits;
        float value;

        if (i % ROW_VALUES == 0)
            scale = 0.02 * exp(0.5 * normal(&state));
        value = (float)(scale * normal(&state));
        memcpy(&bits, &value, sizeof(bits));
        if (kind == KIND_BF16) {
            uint16_t half = (uint16_t)((bits + 0x8000) >> 16);

            memcpy(dst + i * 2, &half, sizeof(half));
        } else {
            memcpy(dst + i * 4, &bits, sizeof(bits));
        }
    }
}

static const uint8_t *file_data(const struct job *job, size_t file)
{
    enum kind kind = job->mixed ? (file % 2 ? KIND_FP32 : KIND_BF16) : job->kind;

    return job->data[kind] + file * (job->file_size / job->file_count / 4096 * 4096);
}

static void file_path(const struct job *job, size_t file, char *ret)
{
    (void)snprintf(ret, PATH_SIZE, "%s/shard-%03zu.bin", job->directory, file);
}

static void save_file(const struct job *job, size_t file)
{
    const uint8_t *data = file_data(job, file);
    char path[PATH_SIZE];
    int fd;

    file_path(job, file, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        client_die("open", path);
    for (size_t at = 0; at < job->file_size;) {
        size_t left = job->file_size - at;
        ssize_t done = write(fd, data + at, left < IO_SIZE ? left : IO_SIZE);

        if (done <= 0)
            client_die("write", path);
        at += (size_t)done;
    }
    if (fsync(fd) < 0)
        client_die("fsync", path);
    if (close(fd) < 0)
        client_die("close", path);
}

static void load_file(const struct job *job, size_t file, uint8_t *buffer)
{
    char path[PATH_SIZE];
    int fd;

    file_path(job, file, path);
    fd = open(path, O_RDONLY);
    if (fd < 0)
        client_die("open", path);
    for (size_t at = 0; at < job->file_size;) {
        size_t left = job->file_size - at;
        ssize_t done = read(fd, buffer + at, left < IO_SIZE ? left : IO_SIZE);

        if (done <= 0)
            client_die("read", path);
        at += (size_t)done;
    }
    (void)close(fd); /* read-only, nothing to lose */
}

static void *run_thread(void *argument)
{
    struct thread *thread = argument;
    const struct job *job = thread->job;

    for (size_t file = thread->number; file < job->file_count; file += job->thread_count) {
        if (job->save)
            save_file(job, file);
        else
            load_file(job, file, thread->buffer);
    }
    return NULL;
}

static void verify(const struct job *job, uint8_t *buffer)
{
    for (size_t file = 0; file < job->file_count; file++) {
        load_file(job, file, buffer);
        if (memcmp(buffer, file_data(job, file), job->file_size) != 0) {
            char path[PATH_SIZE];

            file_path(job, file, path);
            client_wrong("load", path);
        }
    }
}

static void sync_directory(const struct job *job)
{
    int fd = open(job->directory, O_RDONLY | O_DIRECTORY);

    if (fd < 0 || fsync(fd) < 0)
        client_die("fsync", job->directory);
    (void)close(fd);
}

static enum kind parse_kind(const char *name, bool *ret_mixed)
{
    *ret_mixed = strcmp(name, "mixed") == 0;
    if (strcmp(name, "fp32") == 0)
        return KIND_FP32;
    return strcmp(name, "random") == 0 ? KIND_RANDOM : KIND_BF16;
}

static void prepare(struct job *job)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        bool used = job->mixed ? kind != KIND_RANDOM : kind == (int)job->kind;

        if (!used)
            continue;
        job->data[kind] = client_memory(2 * job->file_size);
        fill(job->data[kind], 2 * job->file_size, (enum kind)kind);
    }
}

int main(int argc, char **argv)
{
    static struct thread threads[THREADS_MAX];
    struct job job = {0};
    uint64_t start_ns;

    if (argc != 7) {
        (void)fprintf(stderr, "usage: bench_saveload save|load DIR FILES MIB_PER_FILE "
                              "bf16|fp32|mixed|random THREADS\n");
        return 2;
    }
    job.save = strcmp(argv[1], "save") == 0;
    job.directory = argv[2];
    job.file_count = client_number(argv[3], 1);
    job.file_size = client_number(argv[4], 1) << 20;
    job.kind = parse_kind(argv[5], &job.mixed);
    job.thread_count = (unsigned)tfs_min_u64(client_number(argv[6], 1), THREADS_MAX);
    prepare(&job);
    for (unsigned i = 0; i < job.thread_count; i++) {
        threads[i] =
            (struct thread){.job = &job, .number = i, .buffer = client_memory(job.file_size)};
    }
    start_ns = tfs_clock_ns();
    for (unsigned i = 0; i < job.thread_count; i++)
        (void)pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]);
    for (unsigned i = 0; i < job.thread_count; i++)
        (void)pthread_join(threads[i].thread, NULL);
    if (job.save)
        sync_directory(&job);
    (void)printf("%.4f %zu\n", (double)(tfs_clock_ns() - start_ns) / 1e9,
                 job.file_count * job.file_size);
    if (!job.save)
        verify(&job, threads[0].buffer);
    return 0;
}
