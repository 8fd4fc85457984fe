/*
 * Values out of files like /proc/meminfo: a line "key: value" each.
 */
#ifndef TENSORFS_BENCH_PROCFS_H
#define TENSORFS_BENCH_PROCFS_H

#include "store/base/defs.h"

/* The text behind the first line's `key` and a colon, without blanks in front. Returns false when
 * there is none. */
bool procfs_text(const char *path, const char *key, char *ret_text, size_t size);

/* The same for a line "key: number kB", in bytes. 0 when there is none. */
uint64_t procfs_bytes(const char *path, const char *key);

#endif
