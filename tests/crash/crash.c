/*
 * crash: savers that work until the filesystem dies under them, and the check of what is left.
 *
 *     crash save    DIR RECORD SEED    until a call fails; 0 when the filesystem had died
 *     crash outlast DIR RECORD SEED    the same for a machine that dies, not only a process
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

int main(int argc, char **argv)
{
    bool outlast = argc == 5 && strcmp(argv[1], "outlast") == 0;
    bool save = outlast || (argc == 5 && strcmp(argv[1], "save") == 0);
    struct crash_record *record;

    if (!save && (argc != 4 || strcmp(argv[1], "check") != 0)) {
        (void)fputs("usage: crash save|outlast DIR RECORD SEED\n       crash check DIR RECORD\n",
                    stderr);
        return 2;
    }
    record = map_record(argv[3]);
    if (chdir(argv[2]) == -1)
        die(argv[2]);
    if (!save)
        return check(record);
    return crash_save(record, strtoull(argv[4], NULL, 10),
                      outlast ? crash_of_machine : crash_of_process)
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}
