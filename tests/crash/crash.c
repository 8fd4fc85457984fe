/*
 * crash: savers that work until the filesystem dies under them, and the check of what is left.
 *
 *     crash save    DIR RECORD SEED    until a call fails; 0 when the filesystem had died
 *     crash outlast DIR RECORD SEED    the same for a machine that dies, not only a process
 *     crash share   DIR RECORD SEED    the same by threads that change the same files together
 *     crash check   DIR RECORD         0 when all is right; prints how much there was to check
 */
#include "tests/crash/crash.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* A mapping outlives the process that wrote it, however that ended. */
static struct crash_record *map_record(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct crash_record *record;

    if (fd == -1 || ftruncate(fd, sizeof(*record)) == -1)
        die(path);
    record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (record == MAP_FAILED)
        die("mmap of the record");
    (void)close(fd);
    return record;
}

static int check(struct crash_record *record)
{
    struct crash_findings found;

    crash_check(record, &found);
    (void)printf("acknowledged %llu pending %llu wrong %llu\n",
                 (unsigned long long)found.acknowledged, (unsigned long long)found.pending,
                 (unsigned long long)found.wrong);
    return found.wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool save(const char *how, struct crash_record *record, uint64_t seed)
{
    if (strcmp(how, "share") == 0)
        return crash_share(record, seed);
    return crash_save(record, seed,
                      strcmp(how, "outlast") == 0 ? crash_of_machine : crash_of_process);
}

static bool is_known(int argc, char **argv)
{
    if (argc == 4)
        return strcmp(argv[1], "check") == 0;
    return argc == 5 && (strcmp(argv[1], "save") == 0 || strcmp(argv[1], "outlast") == 0 ||
                         strcmp(argv[1], "share") == 0);
}

int main(int argc, char **argv)
{
    struct crash_record *record;

    if (!is_known(argc, argv)) {
        (void)fputs("usage: crash save|outlast|share DIR RECORD SEED\n"
                    "       crash check DIR RECORD\n",
                    stderr);
        return 2;
    }
    record = map_record(argv[3]);
    if (chdir(argv[2]) == -1)
        die(argv[2]);
    if (argc == 4)
        return check(record);
    return save(argv[1], record, strtoull(argv[4], NULL, 10)) ? EXIT_SUCCESS : EXIT_FAILURE;
}
