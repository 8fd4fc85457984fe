/*
 * The sequential streams of a file, as its data remembers them: see readahead.h.
 */
#ifndef TFS_READAHEAD_STREAMS_H
#define TFS_READAHEAD_STREAMS_H

#include "store/base/defs.h"

enum { READAHEAD_STREAMS = 8 };

/* Towards the end of the file, or towards its start. */
enum readahead_direction { READAHEAD_UP, READAHEAD_DOWN, READAHEAD_DIRECTIONS };

/* One stream: it has been read from `start` to `next`, and is being decoded up to `ahead`. Bytes of
 * the file, counted in the stream's direction: see readahead.c. */
struct readahead_stream {
    uint64_t start;
    uint64_t next; /* 0: unused */
    uint64_t ahead;
    uint64_t
        kept_from; /* the reader, or the kernel for it, has what lies between here and `next` */
    uint64_t read_steps; /* which of the last 64 steps were read; bit 0 is the one that ends at or
                            behind `next` */
    uint32_t last_use;
};

struct readahead {
    /* Guarded by the inode's lock, as all here. */
    struct readahead_stream streams[READAHEAD_DIRECTIONS][READAHEAD_STREAMS];
    uint32_t uses;
};

#endif
