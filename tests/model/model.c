/*
 * model: random operations on a mount and on a plain directory, which must answer the same.
 *
 *     model --test DIR --reference DIR [--seed N] [--threads N] [--rounds N] [--steps N]
 *           [--after WORD]
 *
 * Each of the threads has a subtree of its own. After each round of steps all handles are closed,
 * the trees are compared, and `after` happens: "nothing", "remount" (asked of the runner), or
 * "crash": SIGKILL of the daemon in the middle of other writes, then a mount. Then they are
 * compared again: what was closed must be there exactly.
 *
 * The seed is printed, and with --seed the same operations happen again (with several threads the
 * same within each thread).
 */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { threads_max = 16, scratch_bytes = 100000, crash_delay_ms_max = 300 };

struct settings {
    const char *directory[model_sides];
    uint64_t seed;
    unsigned threads, rounds, steps;
    enum { after_nothing, after_remount, after_crash } after;
};

struct run {
    struct settings settings;
    struct model_world worlds[threads_max];
    char labels[threads_max][16];
};

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void open_roots(const struct settings *settings, int ret[model_sides])
{
    for (int side = 0; side < model_sides; side++) {
        ret[side] = open(settings->directory[side], O_RDONLY | O_DIRECTORY);
        if (ret[side] == -1)
            die(settings->directory[side]);
    }
}

static void close_roots(const int roots[model_sides])
{
    for (int side = 0; side < model_sides; side++)
        (void)close(roots[side]);
}

/* The runner of the mount cases mounts and kills; see Control in run_case.py. */
static void ask_the_runner(const char *command)
{
    const char *name = getenv("TFS_CONTROL");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[512] = "";
    size_t length = name ? strlen(name) : 0, used = 0;
    ssize_t count;
    int wire = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (wire == -1 || length == 0 || length >= sizeof(address.sun_path))
        die("TFS_CONTROL");
    memcpy(address.sun_path + 1, name, length);
    if (connect(wire, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == -1)
        die("connect to the runner");
    (void)dprintf(wire, "%s\n", command); /* a failure shows in the answer */
    while ((count = read(wire, answer + used, sizeof(answer) - 1 - used)) > 0)
        used += (size_t)count;
    (void)close(wire);
    if (strncmp(answer, "ok", 2) != 0) {
        (void)fprintf(stderr, "%s: %s", command, answer);
        exit(EXIT_FAILURE);
    }
}

struct worker {
    struct model_world *world;
    unsigned steps;
};

static void *run_steps(void *context)
{
    struct worker *worker = context;

    for (unsigned i = 0; i < worker->steps; i++)
        model_step(worker->world);
    return NULL;
}

static void run_round(struct run *run)
{
    struct worker workers[threads_max];
    pthread_t threads[threads_max];

    for (unsigned i = 0; i < run->settings.threads; i++) {
        workers[i] = (struct worker){&run->worlds[i], run->settings.steps};
        if (pthread_create(&threads[i], NULL, run_steps, &workers[i]) != 0)
            die("pthread_create");
    }
    for (unsigned i = 0; i < run->settings.threads; i++)
        (void)pthread_join(threads[i], NULL);
}

/* Writes that nobody compares, so that the daemon dies in the middle of work. Ends with the daemon.
 */
static void __attribute__((noreturn)) write_until_the_end(const char *directory, uint64_t seed)
{
    static char block[scratch_bytes];
    char path[64];

    /* From within, no path can lead into the directory beneath a dead mount. */
    if (chdir(directory) == -1 || (mkdir("scratch", 0755) == -1 && errno != EEXIST))
        _exit(1);
    for (uint64_t i = 0;; i++) {
        int fd;

        memset(block, (int)(seed + i), sizeof(block));
        (void)snprintf(path, sizeof(path), "scratch/%llu", (unsigned long long)(i % 50));
        fd = open(path, O_WRONLY | O_CREAT | (i % 3 ? 0 : O_TRUNC), 0644);
        if (fd == -1 || write(fd, block, (i * 7919) % sizeof(block)) == -1)
            _exit(0);
        if (i % 5 == 0)
            (void)fsync(fd);
        (void)close(fd);
        if (i % 7 == 0)
            (void)unlink(path);
    }
}

static void crash(const struct run *run, uint64_t dice)
{
    struct timespec delay = {.tv_nsec = (long)(dice % crash_delay_ms_max) * 1000000};
    int roots[model_sides];
    pid_t writer;

    writer = fork();
    if (writer == -1)
        die("fork");
    if (writer == 0)
        write_until_the_end(run->settings.directory[0], dice);
    (void)nanosleep(&delay, NULL);
    ask_the_runner("kill9");
    (void)kill(writer, SIGKILL); /* on a plain directory nothing else ends it */
    if (waitpid(writer, NULL, 0) == -1)
        die("waitpid");
    ask_the_runner(getenv("TFS_PLAIN") && strcmp(getenv("TFS_PLAIN"), "1") == 0 ? "drop-caches"
                                                                                : "mount");
    open_roots(&run->settings, roots);
    if (mkdirat(roots[0], "scratch", 0755) == 0 || errno == EEXIST) {
        int scratch = openat(roots[0], "scratch", O_RDONLY | O_DIRECTORY);

        model_empty_directory(scratch);
        (void)close(scratch);
    }
    close_roots(roots);
}

static void compare_all(struct run *run)
{
    for (unsigned i = 0; i < run->settings.threads; i++)
        model_compare_trees(&run->worlds[i]);
}

/* A run in which hardly anything succeeds proves nothing. */
static void expect_enough(const struct run *run)
{
    uint64_t calls = 0, successes = 0;

    for (unsigned i = 0; i < run->settings.threads; i++) {
        calls += run->worlds[i].calls;
        successes += run->worlds[i].successes;
    }
    (void)printf("model: %llu calls answered the same, %llu of them with success\n",
                 (unsigned long long)calls, (unsigned long long)successes);
    if (successes < calls / 3 || successes < 1000) {
        (void)fputs("model: too little succeeded to prove anything\n", stderr);
        exit(EXIT_FAILURE);
    }
}

static void run_all(struct run *run)
{
    const struct settings *settings = &run->settings;
    int roots[model_sides];

    open_roots(settings, roots);
    for (unsigned i = 0; i < settings->threads; i++) {
        (void)snprintf(run->labels[i], sizeof(run->labels[i]), "t%u", i);
        model_world_init(&run->worlds[i], roots, run->labels[i], settings->seed + i);
    }
    close_roots(roots);
    for (unsigned round = 0; round < settings->rounds; round++) {
        run_round(run);
        compare_all(run);
        for (unsigned i = 0; i < settings->threads; i++)
            model_world_detach(&run->worlds[i]);
        if (settings->after == after_crash)
            crash(run, model_dice(&run->worlds[0]));
        else if (settings->after == after_remount)
            ask_the_runner("remount");
        open_roots(settings, roots);
        for (unsigned i = 0; i < settings->threads; i++)
            model_world_attach(&run->worlds[i], roots);
        close_roots(roots);
        compare_all(run);
    }
    expect_enough(run);
    for (unsigned i = 0; i < settings->threads; i++)
        model_world_release(&run->worlds[i]);
}

static void __attribute__((noreturn)) usage(void)
{
    (void)fputs(
        "usage: model --test DIR --reference DIR [--seed N] [--threads 1..16] [--rounds N]\n"
        "             [--steps N] [--after nothing|remount|crash]\n",
        stderr);
    exit(2);
}

static void parse(int argc, char **argv, struct settings *ret)
{
    static const struct option options[] = {
        {"test", required_argument, NULL, 't'},   {"reference", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},   {"threads", required_argument, NULL, 'j'},
        {"rounds", required_argument, NULL, 'n'}, {"steps", required_argument, NULL, 'k'},
        {"after", required_argument, NULL, 'a'},  {NULL, 0, NULL, 0},
    };
    static const char *const after[] = {"nothing", "remount", "crash"};
    struct timespec now;
    int option;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct settings){.threads = 1, .rounds = 1, .steps = 1000};
    ret->seed = (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned long long number = optarg ? strtoull(optarg, NULL, 10) : 0;

        if (option == 't')
            ret->directory[0] = optarg;
        else if (option == 'r')
            ret->directory[1] = optarg;
        else if (option == 's')
            ret->seed = number;
        else if (option == 'j')
            ret->threads = (unsigned)number;
        else if (option == 'n')
            ret->rounds = (unsigned)number;
        else if (option == 'k')
            ret->steps = (unsigned)number;
        else if (option == 'a' && strcmp(optarg, after[1]) == 0)
            ret->after = after_remount;
        else if (option == 'a' && strcmp(optarg, after[2]) == 0)
            ret->after = after_crash;
        else if (option != 'a' || strcmp(optarg, after[0]) != 0)
            usage();
    }
    if (!ret->directory[0] || !ret->directory[1] || ret->threads < 1 || ret->threads > threads_max)
        usage();
}

int main(int argc, char **argv)
{
    static struct run run;

    parse(argc, argv, &run.settings);
    (void)umask(022);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)printf("model: seed %llu, %u threads, %u rounds of %u steps\n",
                 (unsigned long long)run.settings.seed, run.settings.threads, run.settings.rounds,
                 run.settings.steps);
    (void)fflush(stdout);
    run_all(&run);
    return EXIT_SUCCESS;
}
