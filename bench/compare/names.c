/*
 * bench_names TEST DIR COUNT: one operation on COUNT names, printed as a line of JSON.
 *
 * The tests build on each other: create before stat, rename, readdir and unlink; mkdir before
 * rmdir; symlink before readlink. DIR has the directories files, dirs, links and small, made by
 * "prepare". Unlike tensorfs-bench meta, which times every call and lists small directories, the
 * calls of one kind are one window here, so that the daemon's CPU time can be told for each kind.
 *
 *     small      COUNT files of 2 KiB written under another name and renamed into place, then
 *                everything synchronised once: syncfs(2), of which the kernel does not tell a FUSE
 *                filesystem, and fsync(2) of the directory
 */
#include "bench/compare/client.h"

#include "store/base/defs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL_SIZE = 2048 };

typedef char names_path[PATH_MAX];

struct job {
    const char *directory;
    uint64_t count;
};

struct test {
    const char *name;
    int (*call)(const struct job *job, uint64_t index); /* 0 or -1 with errno */
    int (*finish)(const struct job *job);               /* in the window too, or NULL */
};

static void path_of(names_path path, const struct job *job, const char *prefix, uint64_t index)
{
    (void)snprintf(path, sizeof(names_path), "%s/%s%06llu", job->directory, prefix,
                   (unsigned long long)index);
}

static int call_create(const struct job *job, uint64_t index)
{
    names_path path;
    int fd;

    path_of(path, job, "files/f", index);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : close(fd);
}

static int call_stat(const struct job *job, uint64_t index)
{
    struct stat status;
    names_path path;

    path_of(path, job, "files/f", index);
    return stat(path, &status);
}

static int call_rename(const struct job *job, uint64_t index)
{
    names_path from;
    names_path to;

    path_of(from, job, "files/f", index);
    path_of(to, job, "files/g", index);
    return rename(from, to);
}

static int call_unlink(const struct job *job, uint64_t index)
{
    names_path path;

    path_of(path, job, "files/g", index);
    return unlink(path);
}

static int call_mkdir(const struct job *job, uint64_t index)
{
    names_path path;

    path_of(path, job, "dirs/d", index);
    return mkdir(path, 0755);
}

static int call_rmdir(const struct job *job, uint64_t index)
{
    names_path path;

    path_of(path, job, "dirs/d", index);
    return rmdir(path);
}

static int call_symlink(const struct job *job, uint64_t index)
{
    names_path path;

    path_of(path, job, "links/l", index);
    return symlink("../files/a-target-as-long-as-usual", path);
}

static int call_readlink(const struct job *job, uint64_t index)
{
    char target[PATH_MAX];
    names_path path;

    path_of(path, job, "links/l", index);
    return readlink(path, target, sizeof(target)) < 0 ? -1 : 0;
}

/* Lists the directory once, for all of the count. */
static int finish_readdir(const struct job *job)
{
    const struct dirent *entry;
    uint64_t found = 0;
    names_path path;
    DIR *stream;

    (void)snprintf(path, sizeof(path), "%s/files", job->directory);
    stream = opendir(path);
    if (!stream)
        return -1;
    while ((entry = readdir(stream)) != NULL)
        found += entry->d_name[0] != '.';
    (void)closedir(stream); /* read-only, nothing to lose */
    errno = EUCLEAN;
    return found == job->count ? 0 : -1;
}

/* Bytes that no codec makes smaller, others for each file. */
static void small_content(uint64_t index, uint64_t *words)
{
    uint64_t state = index + 1;

    for (size_t i = 0; i < SMALL_SIZE / sizeof(*words); i++)
        words[i] = client_dice(&state);
}

static int call_small(const struct job *job, uint64_t index)
{
    uint64_t content[SMALL_SIZE / sizeof(uint64_t)];
    names_path temporary;
    names_path path;
    int fd;

    small_content(index, content);
    path_of(temporary, job, "small/.t", index);
    path_of(path, job, "small/s", index);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, content, sizeof(content)) != sizeof(content) || close(fd) < 0)
        return -1;
    return rename(temporary, path);
}

static int finish_small(const struct job *job)
{
    names_path path;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/small", job->directory);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0 || fsync(fd) < 0)
        return -1;
    return close(fd);
}

static const struct test tests[] = {
    {"create", call_create, NULL},     {"stat", call_stat, NULL},
    {"rename", call_rename, NULL},     {"readdir", NULL, finish_readdir},
    {"unlink", call_unlink, NULL},     {"mkdir", call_mkdir, NULL},
    {"rmdir", call_rmdir, NULL},       {"symlink", call_symlink, NULL},
    {"readlink", call_readlink, NULL}, {"small", call_small, finish_small},
};

static const struct test *test_named(const char *name)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(tests); i++) {
        if (strcmp(tests[i].name, name) == 0)
            return &tests[i];
    }
    return NULL;
}

static void prepare(const struct job *job)
{
    static const char *const directories[] = {"files", "dirs", "links", "small"};
    names_path path;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(directories); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", job->directory, directories[i]);
        if (mkdir(path, 0755) < 0)
            client_die("mkdir", path);
    }
}

static void run(const struct test *test, const struct job *job, pid_t daemon)
{
    struct client_window window;

    client_window_begin(&window, daemon);
    for (uint64_t i = 0; test->call && i < job->count; i++) {
        if (test->call(job, i) < 0)
            client_die(test->name, job->directory);
    }
    if (test->finish && test->finish(job) < 0)
        client_die(test->name, job->directory);
    client_window_end(&window);
    (void)printf("{");
    client_window_print(&window, 0, job->count);
    (void)printf("}\n");
}

int main(int argc, char **argv)
{
    const struct test *test;
    struct job job;
    pid_t daemon = 0;
    int option;

    while ((option = getopt(argc, argv, "p:")) != -1) {
        if (option != 'p')
            return 2;
        daemon = (pid_t)client_number(optarg, 1);
    }
    if (argc - optind != 3) {
        (void)fprintf(stderr, "usage: bench_names [-p DAEMON] TEST DIR COUNT\n");
        return 2;
    }
    job = (struct job){.directory = argv[optind + 1], .count = client_number(argv[optind + 2], 1)};
    if (strcmp(argv[optind], "prepare") == 0) {
        prepare(&job);
        return 0;
    }
    test = test_named(argv[optind]);
    if (!test) {
        (void)fprintf(stderr, "bench_names: no test '%s'\n", argv[optind]);
        return 2;
    }
    run(test, &job, daemon);
    return 0;
}
