/*
 * What the tests over the fake kernel share: the kernel, and what cmocka does around each test.
 */
#ifndef TFS_TESTS_FS_KERNEL_FIXTURE_H
#define TFS_TESTS_FS_KERNEL_FIXTURE_H

#include "tests/unit/fs_fake_kernel.h"

/* Of an open that goes past the page cache. */
enum { DIRECT = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES };

extern struct kernel kernel; /* large */

int kernel_set_up(void **state);     /* kernel_open_new() */
int kernel_set_up_old(void **state); /* kernel_open_old() */
int kernel_tear_down(void **state);

#endif
