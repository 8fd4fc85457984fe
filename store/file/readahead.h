/*
 * Reading ahead: sequential streams in a file are found from the reads alone, several at a time,
 * and the chunks that they will need next are decoded by idle workers. Random reads start nothing.
 */
#ifndef TFS_READAHEAD_H
#define TFS_READAHEAD_H

#include "store/inode/readahead_streams.h"

#include <stddef.h>

struct tfs_inode;
struct tfs_volume;

/*
 * A read of [offset, offset + size) came. Returns whether it belongs to a sequence.
 * Threads: any; takes the inode's lock.
 */
bool readahead_note(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                    size_t size);

#endif
