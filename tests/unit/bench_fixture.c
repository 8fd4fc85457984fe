#include "bench_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATHS = 4, FILE_BYTES_MAX = 1 << 20, DESCRIPTORS = 16 };

char bench_dir[PATH_MAX];

int bench_setup(void **state)
{
    char made[] = "/tmp/test_bench.XXXXXX";

    (void)state;
    return mkdtemp(made) && realpath(made, bench_dir) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

int bench_teardown(void **state)
{
    (void)state;
    return nftw(bench_dir, entry_remove, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

const char *bench_path(const char *name)
{
    static char paths[PATHS][PATH_MAX + 256];
    static unsigned turn;
    char *path = paths[turn++ % PATHS];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", bench_dir, name);
    return path;
}

void bench_write(const char *name, const char *text)
{
    FILE *file = fopen(bench_path(name), "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

char *bench_read(const char *name)
{
    char *text = malloc(FILE_BYTES_MAX);
    FILE *file = fopen(bench_path(name), "re");
    size_t size;

    assert_non_null(text);
    assert_non_null(file);
    size = fread(text, 1, FILE_BYTES_MAX - 1, file);
    text[size] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

void bench_write_program(const char *name, const char *script)
{
    char text[1024];

    assert_true(snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script) < (int)sizeof(text));
    bench_write(name, text);
    assert_int_equal(chmod(bench_path(name), 0700), 0);
}

bool bench_exists(const char *name)
{
    struct stat status;

    return lstat(bench_path(name), &status) == 0;
}

size_t bench_entry_count(const char *directory)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(closedir(stream), 0);
    return count;
}
