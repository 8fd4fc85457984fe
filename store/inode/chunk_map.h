/*
 * What a file shows in its chunks, committed or not: one look for all that read, seek, cut and tell
 * of files. Nobody else looks into memory and the index for this.
 *
 * Threads: any, without the inode's lock. What is written, cut or punched at the same time is seen
 * or not; the gate keeps those apart who must not meet. Commits go on meanwhile, gate or not, and
 * hide nothing.
 */
#ifndef TFS_CHUNK_MAP_H
#define TFS_CHUNK_MAP_H

#include "store/inode/chunk.h"

/* One chunk as it is at one moment. */
struct chunk_map {
    uint64_t index;
    struct tfs_row *row;            /* counted; NULL: nothing is stored */
    bool changing;                  /* dirty, or being written: the row is not all */
    uint32_t from[CHUNK_SLOTS_MAX]; /* dirty bytes of each slot, chunk-relative: */
    uint32_t to[CHUNK_SLOTS_MAX];   /* none where from == to */
};

/* The map of chunk `index`. Release it. Errors: of the index; -EUCLEAN. */
TFS_MUST_CHECK int chunk_map_read(struct tfs_volume *volume, struct tfs_inode *inode,
                                  uint64_t index, struct chunk_map *ret);

/* The map of the first chunk from `index` on that may show anything but zeros; its index is
 * UINT64_MAX when there is none. Release it. Errors likewise. */
TFS_MUST_CHECK int chunk_map_next(struct tfs_volume *volume, struct tfs_inode *inode,
                                  uint64_t index, struct chunk_map *ret);

/* Which chunk that is, whatever its row is like. */
TFS_MUST_CHECK int chunk_next(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                              uint64_t *ret);

void chunk_map_release(struct chunk_map *map); /* accepts one of zeros; for tfs_cleanup too */

#endif
