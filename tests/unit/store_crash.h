/*
 * Crashes of the process without a crash: a copy of the store as it is on the disk now, which is
 * what a new mount would find if the process died here. Opened beside the living volume.
 */
#ifndef TFS_TEST_STORE_CRASH_H
#define TFS_TEST_STORE_CRASH_H

#include "store_fixture.h"

/* The copy's fixture, with its volume open. Nothing may write to the store meanwhile. */
struct fixture *crash_copy(const struct fixture *fixture);
void crash_end(struct fixture *copy);

/* The size of the file in the root that the copy shows. */
uint64_t crash_size(struct fixture *copy, const char *name);

#endif
