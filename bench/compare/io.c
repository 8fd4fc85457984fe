/*
 * bench_io TEST SOURCE DIR: one test of the data path, printed as a line of JSON.
 *
 * SOURCE holds the files shard-000.bin, shard-001.bin, … that bench_saveload made (or links to a
 * real model); DIR gets, or has, files of the same names. What is read is compared with SOURCE
 * after the clock was stopped, what was changed is read back.
 *
 *     save       write all files in pieces, fsync each and the directory
 *     read       read() all files in pieces into memory that was touched before
 *     mmap       the same by mapping them and copying out of the mapping
 *     random     COUNT reads of the size of a piece at random places of all files
 *     overwrite  COUNT writes of pieces at random places, then fsync of each file
 *     append     COUNT records of the size of a piece to a new file, fsync every SYNC and at the
 * end
 */
#include "bench/compare/client.h"

#include "store/base/defs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 256, THREADS_MAX = 64, PATH_SIZE = 4096 };

struct shard {
    char path[PATH_SIZE];
    uint8_t *source; /* what is in the file, or shall be */
    uint8_t *buffer; /* where it is read to */
    uint64_t size;
    int fd; /* of random and overwrite */
};

struct job {
    const struct test *test;
    const char *directory;
    struct shard *shards;
    unsigned shard_count;
    unsigned thread_count;
    uint64_t piece_size;
    uint64_t count;
    uint64_t sync_every; /* 0: at the end only */
    bool unchecked;
    uint8_t *pieces;  /* of random, overwrite and append: count pieces */
    uint64_t *places; /* of random and overwrite: byte of all files */
    uint64_t bytes;
    uint64_t operations;
};

struct test {
    const char *name;
    void (*prepare)(struct job *job); /* before the clock runs */
    void (*run)(struct job *job);
    void (*check)(struct job *job); /* after it */
};

struct thread {
    pthread_t thread;
    struct job *job;
    unsigned number;
    void (*run)(struct job *job, struct shard *shard);
};

static void read_all(int fd, const char *path, uint8_t *dst, uint64_t size, uint64_t piece_size)
{
    for (uint64_t at = 0; at < size;) {
        ssize_t got = read(fd, dst + at, tfs_min_u64(size - at, piece_size));

        if (got <= 0)
            client_die("read", path);
        at += (uint64_t)got;
    }
}

static void write_all(int fd, const char *path, const uint8_t *src, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        ssize_t done = write(fd, src + at, size - at);

        if (done <= 0)
            client_die("write", path);
        at += (uint64_t)done;
    }
}

static void sync_directory(const struct job *job)
{
    int fd = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        client_die("fsync", job->directory);
    (void)close(fd); /* synchronised */
}

/* Each shard by one of the threads. */
static void *run_thread(void *argument)
{
    struct thread *thread = argument;
    struct job *job = thread->job;

    for (unsigned i = thread->number; i < job->shard_count; i += job->thread_count)
        thread->run(job, &job->shards[i]);
    return NULL;
}

static void run_threads(struct job *job, void (*run)(struct job *job, struct shard *shard))
{
    struct thread threads[THREADS_MAX];

    for (unsigned i = 0; i < job->thread_count; i++) {
        threads[i] = (struct thread){.job = job, .number = i, .run = run};
        if (pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]) != 0)
            client_die("thread for", job->directory);
    }
    for (unsigned i = 0; i < job->thread_count; i++)
        (void)pthread_join(threads[i].thread, NULL);
    for (unsigned i = 0; i < job->shard_count; i++) {
        job->bytes += job->shards[i].size;
        job->operations += (job->shards[i].size + job->piece_size - 1) / job->piece_size;
    }
}

static void save_shard(struct job *job, struct shard *shard)
{
    int fd = open(shard->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        client_die("open", shard->path);
    for (uint64_t at = 0; at < shard->size; at += job->piece_size)
        write_all(fd, shard->path, shard->source + at,
                  tfs_min_u64(shard->size - at, job->piece_size));
    if (fsync(fd) < 0 || close(fd) < 0)
        client_die("fsync", shard->path);
}

static void run_save(struct job *job)
{
    run_threads(job, save_shard);
    sync_directory(job);
}

static void prepare_buffers(struct job *job)
{
    for (unsigned i = 0; i < job->shard_count; i++)
        job->shards[i].buffer = client_memory(job->shards[i].size);
}

static void read_shard(struct job *job, struct shard *shard)
{
    int fd = open(shard->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        client_die("open", shard->path);
    read_all(fd, shard->path, shard->buffer, shard->size, job->piece_size);
    (void)close(fd); /* read-only, nothing to lose */
}

static void run_read(struct job *job)
{
    run_threads(job, read_shard);
}

static void copy_shard(struct job *job, struct shard *shard)
{
    int fd = open(shard->path, O_RDONLY | O_CLOEXEC);
    uint8_t *mapping;

    if (fd < 0)
        client_die("open", shard->path);
    mapping = mmap(NULL, shard->size, PROT_READ, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED)
        client_die("mmap", shard->path);
    for (uint64_t at = 0; at < shard->size; at += job->piece_size)
        memcpy(shard->buffer + at, mapping + at, tfs_min_u64(shard->size - at, job->piece_size));
    (void)munmap(mapping, shard->size);
    (void)close(fd); /* read-only, nothing to lose */
}

static void run_mmap(struct job *job)
{
    run_threads(job, copy_shard);
}

static void check_buffers(struct job *job)
{
    for (unsigned i = 0; i < job->shard_count; i++) {
        if (memcmp(job->shards[i].buffer, job->shards[i].source, job->shards[i].size) != 0)
            client_wrong(job->test->name, job->shards[i].path);
    }
}

/* The shard of a place, and the place in it; pieces that would reach beyond the end start earlier.
 */
static struct shard *shard_at(const struct job *job, uint64_t place, uint64_t *ret_offset)
{
    struct shard *shard = job->shards;

    while (place >= shard->size) {
        place -= shard->size;
        shard++;
    }
    *ret_offset = tfs_min_u64(place, shard->size - job->piece_size);
    return shard;
}

static void open_shards(struct job *job, int flags)
{
    for (unsigned i = 0; i < job->shard_count; i++) {
        job->shards[i].fd = open(job->shards[i].path, flags | O_CLOEXEC);
        if (job->shards[i].fd < 0)
            client_die("open", job->shards[i].path);
    }
}

static void choose_places(struct job *job)
{
    uint64_t state = 0x9E3779B97F4A7C15ull;
    uint64_t total = 0;
    uint64_t slots;

    for (unsigned i = 0; i < job->shard_count; i++) {
        if (job->shards[i].size < job->piece_size)
            client_die("a piece is larger than", job->shards[i].path);
        total += job->shards[i].size;
    }
    slots = total / job->piece_size;
    if (slots == 0)
        client_die("no piece fits into", job->directory);
    job->pieces = client_memory(job->count * job->piece_size);
    job->places = client_memory(job->count * sizeof(*job->places));
    for (uint64_t i = 0; i < job->count; i++)
        job->places[i] = client_dice(&state) % slots * job->piece_size;
}

static void prepare_random(struct job *job)
{
    choose_places(job);
    open_shards(job, O_RDONLY);
}

static void run_random(struct job *job)
{
    for (uint64_t i = 0; i < job->count; i++) {
        uint64_t offset;
        const struct shard *shard = shard_at(job, job->places[i], &offset);

        if (pread(shard->fd, job->pieces + i * job->piece_size, job->piece_size, (off_t)offset) !=
            (ssize_t)job->piece_size)
            client_die("pread", shard->path);
    }
    job->operations = job->count;
    job->bytes = job->count * job->piece_size;
}

static void check_random(struct job *job)
{
    for (uint64_t i = 0; i < job->count; i++) {
        uint64_t offset;
        const struct shard *shard = shard_at(job, job->places[i], &offset);

        if (memcmp(job->pieces + i * job->piece_size, shard->source + offset, job->piece_size) != 0)
            client_wrong("random", shard->path);
    }
}

/* What is written is of the same kind as what was there: it comes from another place of the model.
 */
static void prepare_overwrite(struct job *job)
{
    choose_places(job);
    for (uint64_t i = 0; i < job->count; i++) {
        uint64_t offset;
        const struct shard *shard = shard_at(job, job->places[job->count - 1 - i], &offset);

        memcpy(job->pieces + i * job->piece_size, shard->source + offset, job->piece_size);
    }
    open_shards(job, O_WRONLY);
}

static void run_overwrite(struct job *job)
{
    for (uint64_t i = 0; i < job->count; i++) {
        uint64_t offset;
        const struct shard *shard = shard_at(job, job->places[i], &offset);

        if (pwrite(shard->fd, job->pieces + i * job->piece_size, job->piece_size, (off_t)offset) !=
            (ssize_t)job->piece_size)
            client_die("pwrite", shard->path);
    }
    for (unsigned i = 0; i < job->shard_count; i++) {
        if (fsync(job->shards[i].fd) < 0)
            client_die("fsync", job->shards[i].path);
    }
    job->operations = job->count;
    job->bytes = job->count * job->piece_size;
}

static void check_overwrite(struct job *job)
{
    for (uint64_t i = 0; i < job->count; i++) {
        uint64_t offset;
        const struct shard *shard = shard_at(job, job->places[i], &offset);

        memcpy(shard->source + offset, job->pieces + i * job->piece_size, job->piece_size);
    }
    prepare_buffers(job);
    for (unsigned i = 0; i < job->shard_count; i++)
        read_shard(job, &job->shards[i]);
    check_buffers(job);
}

/* One more shard, made of the records, so that it is opened and checked as the others are. */
static void prepare_append(struct job *job)
{
    struct shard *log = &job->shards[0];
    uint64_t size = job->count * job->piece_size;
    uint8_t *records = client_memory(size);

    for (uint64_t at = 0; at < size; at += log->size)
        memcpy(records + at, log->source, tfs_min_u64(size - at, log->size));
    log->source = records;
    log->size = size;
    log->buffer = client_memory(size);
    (void)snprintf(log->path, PATH_SIZE, "%s/append.log", job->directory);
    job->shard_count = 1;
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (log->fd < 0)
        client_die("open", log->path);
}

static void run_append(struct job *job)
{
    const struct shard *log = &job->shards[0];

    for (uint64_t i = 0; i < job->count; i++) {
        write_all(log->fd, log->path, log->source + i * job->piece_size, job->piece_size);
        if (job->sync_every != 0 && (i + 1) % job->sync_every == 0 && fdatasync(log->fd) < 0)
            client_die("fdatasync", log->path);
    }
    if (fsync(log->fd) < 0)
        client_die("fsync", log->path);
    job->operations = job->count;
    job->bytes = log->size;
}

static void check_append(struct job *job)
{
    (void)close(job->shards[0].fd); /* synchronised */
    read_shard(job, &job->shards[0]);
    check_buffers(job);
}

static const struct test tests[] = {
    {"save", NULL, run_save, NULL}, /* checked by the loads that follow */
    {"read", prepare_buffers, run_read, check_buffers},
    {"mmap", prepare_buffers, run_mmap, check_buffers},
    {"random", prepare_random, run_random, check_random},
    {"overwrite", prepare_overwrite, run_overwrite, check_overwrite},
    {"append", prepare_append, run_append, check_append},
};

static void load_sources(struct job *job, const char *source)
{
    job->shards = calloc(FILES_MAX, sizeof(*job->shards));
    if (!job->shards)
        client_die("memory", "");
    for (; job->shard_count < FILES_MAX; job->shard_count++) {
        struct shard *shard = &job->shards[job->shard_count];
        struct stat status;
        int fd;

        (void)snprintf(shard->path, PATH_SIZE, "%s/shard-%03u.bin", source, job->shard_count);
        fd = open(shard->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
        if (fstat(fd, &status) < 0 || status.st_size == 0)
            client_die("nothing in", shard->path);
        shard->size = (uint64_t)status.st_size;
        shard->source = client_memory(shard->size);
        read_all(fd, shard->path, shard->source, shard->size, shard->size);
        (void)close(fd); /* read-only, nothing to lose */
        (void)snprintf(shard->path, PATH_SIZE, "%s/shard-%03u.bin", job->directory,
                       job->shard_count);
    }
    if (job->shard_count == 0)
        client_die("no shard-000.bin in", source);
}

static void usage(void)
{
    (void)fprintf(stderr, "usage: bench_io [-t THREADS] [-s PIECE_BYTES] [-n COUNT] [-y SYNC] "
                          "[-p DAEMON] [-x] save|read|mmap|random|overwrite|append SOURCE DIR\n"
                          "  -x: do not compare (the null filesystem keeps nothing)\n");
    exit(2);
}

static const struct test *test_named(const char *name)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(tests); i++) {
        if (strcmp(tests[i].name, name) == 0)
            return &tests[i];
    }
    usage();
    return NULL;
}

int main(int argc, char **argv)
{
    struct job job = {.thread_count = 1, .piece_size = 16 << 20, .count = 1000};
    struct client_window window;
    pid_t daemon = 0;
    int option;

    while ((option = getopt(argc, argv, "t:s:n:y:p:x")) != -1) {
        switch (option) {
        case 't':
            job.thread_count = (unsigned)client_number(optarg, 1);
            break;
        case 's':
            job.piece_size = client_number(optarg, 1);
            break;
        case 'n':
            job.count = client_number(optarg, 1);
            break;
        case 'y':
            job.sync_every = client_number(optarg, 1);
            break;
        case 'p':
            daemon = (pid_t)client_number(optarg, 1);
            break;
        case 'x':
            job.unchecked = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 3 || job.thread_count > THREADS_MAX)
        usage();
    job.test = test_named(argv[optind]);
    job.directory = argv[optind + 2];
    load_sources(&job, argv[optind + 1]);
    if (job.test->prepare)
        job.test->prepare(&job);
    client_window_begin(&window, daemon);
    job.test->run(&job);
    client_window_end(&window);
    if (job.test->check && !job.unchecked)
        job.test->check(&job);
    (void)printf("{");
    client_window_print(&window, job.bytes, job.operations);
    (void)printf("}\n");
    return 0;
}
