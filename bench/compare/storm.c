/*
 * bench_storm run MODEL NAMES: many threads touch a mapped model for the first time while other
 * threads stat files and list directories; how long do those take?
 *
 * Each of the threads touches a page after the other of its own share of MODEL (shard-000.bin in
 * it, and so on). NAMES, made by "prepare", has one tree for stat and one for readdir, so that a
 * listing does not bring the attributes that the other measures. The caller makes everything cold
 * before. Every call that is counted is the first for its name: one that the kernel answers by
 * itself would say nothing. Sampling ends with the storm, or when the names are used up; without
 * threads (-t 0) the names are used up in calm, which is what the storm is compared with.
 *
 * One more thread only sleeps, and measures how late it is woken. That is what any thread of this
 * process waits for a processor behind the others, whatever filesystem is below: a call that needs
 * three answers from a daemon waits so three times, and the daemon as often.
 */
#include "bench/compare/client.h"

#include "store/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIRECTORIES = 256,
    FILES_EACH = 32, /* in each directory */
    SHARDS_MAX = 256,
    TOUCHERS_MAX = 1024,
    TOUCH_SIZE = 4096,
    STACK_SIZE = 128 * 1024,
    WAKE_INTERVAL_US = 500,
    WAKES_MAX = 20000, /* ten seconds */
};

typedef char storm_path[PATH_MAX];

struct shard {
    volatile const char *mapping;
    uint64_t size;
};

struct storm {
    const char *names;
    struct shard shards[SHARDS_MAX];
    unsigned shard_count;
    unsigned toucher_count;
    uint64_t bytes;
    pthread_barrier_t start;
    atomic_uint touching; /* threads that still do */
};

struct toucher {
    pthread_t thread;
    struct storm *storm;
    unsigned number;
};

struct sampler {
    pthread_t thread;
    struct storm *storm;
    uint64_t *ns; /* one for each name, or WAKES_MAX of them */
    size_t count;
};

static void directory_path(storm_path path, const char *names, char tree, unsigned directory)
{
    (void)snprintf(path, sizeof(storm_path), "%s/%c%03u", names, tree, directory);
}

static void file_path(storm_path path, const char *names, char tree, unsigned number)
{
    (void)snprintf(path, sizeof(storm_path), "%s/%c%03u/f%02u", names, tree, number / FILES_EACH,
                   number % FILES_EACH);
}

static void prepare_tree(const char *names, char tree)
{
    storm_path path;

    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_path(path, names, tree, i);
        if (mkdir(path, 0755) < 0)
            client_die("mkdir", path);
    }
    for (unsigned i = 0; i < DIRECTORIES * FILES_EACH; i++) {
        int fd;

        file_path(path, names, tree, i);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 || close(fd) < 0)
            client_die("create", path);
    }
}

static void map_shards(struct storm *storm, const char *model)
{
    storm_path path;

    for (; storm->shard_count < SHARDS_MAX; storm->shard_count++) {
        struct shard *shard = &storm->shards[storm->shard_count];
        struct stat status;
        int fd;

        (void)snprintf(path, sizeof(path), "%s/shard-%03u.bin", model, storm->shard_count);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
        if (fstat(fd, &status) < 0 || status.st_size == 0)
            client_die("nothing in", path);
        shard->size = (uint64_t)status.st_size;
        shard->mapping = mmap(NULL, shard->size, PROT_READ, MAP_SHARED, fd, 0);
        if (shard->mapping == MAP_FAILED)
            client_die("mmap", path);
        storm->bytes += shard->size;
        (void)close(fd); /* the mapping stays */
    }
    if (storm->shard_count == 0)
        client_die("no shard-000.bin in", model);
}

/* Which byte of which mapping is the one at this place of the whole model. */
static volatile const char *byte_at(const struct storm *storm, uint64_t place)
{
    const struct shard *shard = storm->shards;

    while (place >= shard->size) {
        place -= shard->size;
        shard++;
    }
    return shard->mapping + place;
}

static void *run_toucher(void *argument)
{
    struct toucher *toucher = argument;
    struct storm *storm = toucher->storm;
    uint64_t share = storm->bytes / storm->toucher_count / TOUCH_SIZE * TOUCH_SIZE;
    uint64_t at = share * toucher->number;
    uint64_t end = toucher->number + 1 == storm->toucher_count ? storm->bytes : at + share;

    (void)pthread_barrier_wait(&storm->start);
    for (; at < end; at += TOUCH_SIZE)
        (void)*byte_at(storm, at);
    (void)atomic_fetch_sub_explicit(&storm->touching, 1, memory_order_relaxed); /* only a signal */
    return NULL;
}

static bool is_over(const struct storm *storm)
{
    return storm->toucher_count > 0 &&
           atomic_load_explicit(&storm->touching, memory_order_relaxed) == 0;
}

static void *run_stat_sampler(void *argument)
{
    struct sampler *sampler = argument;
    struct storm *storm = sampler->storm;

    (void)pthread_barrier_wait(&storm->start);
    for (unsigned i = 0; i < DIRECTORIES * FILES_EACH && !is_over(storm); i++) {
        struct stat status;
        storm_path path;
        uint64_t start_ns;

        file_path(path, storm->names, 's', i);
        start_ns = tfs_clock_ns();
        if (stat(path, &status) < 0)
            client_die("stat", path);
        sampler->ns[sampler->count++] = tfs_clock_ns() - start_ns;
    }
    return NULL;
}

static void list(const char *path)
{
    DIR *stream = opendir(path);
    unsigned found = 0;

    if (!stream)
        client_die("opendir", path);
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream))
        found += entry->d_name[0] != '.';
    (void)closedir(stream); /* read-only, nothing to lose */
    errno = EUCLEAN;
    if (found != FILES_EACH)
        client_die("readdir", path);
}

static void *run_readdir_sampler(void *argument)
{
    struct sampler *sampler = argument;
    struct storm *storm = sampler->storm;

    (void)pthread_barrier_wait(&storm->start);
    for (unsigned i = 0; i < DIRECTORIES && !is_over(storm); i++) {
        storm_path path;
        uint64_t start_ns;

        directory_path(path, storm->names, 'r', i);
        start_ns = tfs_clock_ns();
        list(path);
        sampler->ns[sampler->count++] = tfs_clock_ns() - start_ns;
    }
    return NULL;
}

static void *run_wake_sampler(void *argument)
{
    struct sampler *sampler = argument;
    struct storm *storm = sampler->storm;

    (void)pthread_barrier_wait(&storm->start);
    if (storm->toucher_count == 0)
        return NULL; /* in calm it would only be in the way */
    do {
        uint64_t due_ns = tfs_clock_ns() + WAKE_INTERVAL_US * TFS_NS_PER_US;
        struct timespec due = {.tv_sec = (time_t)(due_ns / TFS_NS_PER_S),
                               .tv_nsec = (long)(due_ns % TFS_NS_PER_S)};

        errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        if (errno != 0)
            client_die("sleep", "");
        sampler->ns[sampler->count++] = tfs_clock_ns() - due_ns;
    } while (!is_over(storm) && sampler->count < WAKES_MAX);
    return NULL;
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* The nearest rank: with fewer than 100 samples p99 is the longest. */
static double percentile_us(const struct sampler *sampler, unsigned percent)
{
    size_t rank = (sampler->count * percent + 99) / 100;

    return sampler->count == 0 ? 0 : (double)sampler->ns[rank == 0 ? 0 : rank - 1] / 1e3;
}

static void print_sampler(const char *name, struct sampler *sampler)
{
    qsort(sampler->ns, sampler->count, sizeof(*sampler->ns), compare_ns);
    (void)printf(", \"%s_count\": %zu, \"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f, "
                 "\"%s_max_us\": %.1f",
                 name, sampler->count, name, percentile_us(sampler, 50), name,
                 percentile_us(sampler, 99), name, percentile_us(sampler, 100));
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    errno = pthread_create(thread, &attributes, run, argument);
    if (errno != 0)
        client_die("thread", "");
    (void)pthread_attr_destroy(&attributes);
}

static void run_storm(struct storm *storm, pid_t daemon)
{
    static struct toucher touchers[TOUCHERS_MAX];
    struct sampler stats = {.storm = storm};
    struct sampler readdirs = {.storm = storm};
    struct sampler wakes = {.storm = storm};
    struct client_window window;

    stats.ns = client_memory(DIRECTORIES * FILES_EACH * sizeof(*stats.ns));
    readdirs.ns = client_memory(DIRECTORIES * sizeof(*readdirs.ns));
    wakes.ns = client_memory(WAKES_MAX * sizeof(*wakes.ns));
    atomic_init(&storm->touching, storm->toucher_count);
    if (pthread_barrier_init(&storm->start, NULL, storm->toucher_count + 4) != 0)
        client_die("barrier", "");
    for (unsigned i = 0; i < storm->toucher_count; i++) {
        touchers[i] = (struct toucher){.storm = storm, .number = i};
        start_thread(&touchers[i].thread, run_toucher, &touchers[i]);
    }
    start_thread(&stats.thread, run_stat_sampler, &stats);
    start_thread(&readdirs.thread, run_readdir_sampler, &readdirs);
    start_thread(&wakes.thread, run_wake_sampler, &wakes);
    client_window_begin(&window, daemon);
    (void)pthread_barrier_wait(&storm->start);
    for (unsigned i = 0; i < storm->toucher_count; i++)
        (void)pthread_join(touchers[i].thread, NULL);
    client_window_end(&window);
    (void)pthread_join(stats.thread, NULL);
    (void)pthread_join(readdirs.thread, NULL);
    (void)pthread_join(wakes.thread, NULL);
    (void)printf("{");
    client_window_print(&window, storm->toucher_count ? storm->bytes : 0, stats.count);
    print_sampler("stat", &stats);
    print_sampler("readdir", &readdirs);
    print_sampler("wake", &wakes);
    (void)printf("}\n");
    free(stats.ns);
    free(readdirs.ns);
    free(wakes.ns);
}

int main(int argc, char **argv)
{
    static struct storm storm = {.toucher_count = 256};
    pid_t daemon = 0;
    int option;

    while ((option = getopt(argc, argv, "t:p:")) != -1) {
        if (option == 't')
            storm.toucher_count = (unsigned)client_number(optarg, 0);
        else if (option == 'p')
            daemon = (pid_t)client_number(optarg, 1);
        else
            return 2;
    }
    if (argc - optind == 2 && strcmp(argv[optind], "prepare") == 0) {
        prepare_tree(argv[optind + 1], 's');
        prepare_tree(argv[optind + 1], 'r');
        return 0;
    }
    if (argc - optind != 3 || strcmp(argv[optind], "run") != 0 ||
        storm.toucher_count > TOUCHERS_MAX) {
        (void)fprintf(stderr, "usage: bench_storm prepare NAMES\n"
                              "       bench_storm [-t THREADS] [-p DAEMON] run MODEL NAMES\n");
        return 2;
    }
    map_shards(&storm, argv[optind + 1]);
    storm.names = argv[optind + 2];
    run_storm(&storm, daemon);
    return 0;
}
