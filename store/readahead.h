/*
 * Reading ahead: sequential streams in a file are found from the reads alone, several at a time,
 * and the chunks that they will need next are decoded by idle workers. Random reads start nothing.
 */
#ifndef TFS_READAHEAD_H
#define TFS_READAHEAD_H

#include "store/base/defs.h"

struct tfs_inode;
struct tfs_volume;

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

/*
 * A read of [offset, offset + size) came. Returns whether it belongs to a sequence.
 * Threads: any; takes the inode's lock.
 */
bool readahead_note(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                    size_t size);

#endif
