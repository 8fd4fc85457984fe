/*
 * What tests of tensorfs-bench share: a directory of their own, and small files in it.
 */
#ifndef TFS_TESTS_BENCH_FIXTURE_H
#define TFS_TESTS_BENCH_FIXTURE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The directory of the running test, absolute. */
extern char bench_dir[PATH_MAX];

/* cmocka's setup and teardown: make the directory, and remove it with all that is in it. */
int bench_setup(void **state);
int bench_teardown(void **state);

/* The path of `name` in the directory. Valid until the fourth call after it. */
const char *bench_path(const char *name);

/* Write a file of the directory, and read one: the text is to be freed. */
void bench_write(const char *name, const char *text);
char *bench_read(const char *name);

/* A program of the directory that the shell runs. */
void bench_write_program(const char *name, const char *script);

bool bench_exists(const char *name);

/* How many entries the directory has below it, "." and ".." not counted. */
size_t bench_entry_count(const char *directory);

#endif
