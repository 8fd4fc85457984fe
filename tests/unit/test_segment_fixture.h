/*
 * What the tests of the segment store share: a new directory under $TMPDIR, numbers that count up
 * from 1, aligned buffers.
 */
#ifndef TFS_TEST_SEGMENT_FIXTURE_H
#define TFS_TEST_SEGMENT_FIXTURE_H

#include "store/segment/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    char directory[256];
    struct tfs_segments *segments;
    struct segments_options options;
    uint64_t number; /* of the newest segment */
    uint8_t *buffer; /* aligned, BUFFER_SIZE */
};

enum { UNIT = SEGMENT_ALIGNMENT, BUFFER_SIZE = 1024 * 1024 };

/* Opened with O_DIRECT where it works, segments of 1 MiB. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Close and open again with what fixture->options says by now. */
void fixture_reopen(struct fixture *fixture);

/* Whether the directory is on tmpfs, where nothing is preallocated. */
bool is_in_memory(const struct fixture *fixture);

/* `size` bytes that depend on every bit of the seed. */
void fill(uint8_t *bytes, size_t size, uint64_t seed);

/* One piece of memory. */
int append_bytes(struct tfs_segments *segments, const void *data, size_t size,
                 struct segment_position *ret);

struct segment_position append(struct fixture *fixture, size_t size, uint64_t seed);

/* Reads what append() wrote with this seed, or a part of it. */
void assert_stored(struct fixture *fixture, struct segment_position at, size_t skip, size_t size,
                   uint64_t seed);

#endif
