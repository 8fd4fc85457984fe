/*
 * Names of inodes, for messages: found by searching, because an inode does not know its names.
 */
#ifndef TFS_PATH_H
#define TFS_PATH_H

#include "store/base/defs.h"

struct tfs_volume;

enum { PATH_TEXT_SIZE = 512 };

/*
 * Write one path of the inode, from the root and without a leading slash, in quotes:
 * 'step-1/model'. When it is not found (no name, or too many entries to search) the text is "inode
 * N". Always terminated; a long path loses its beginning.
 *
 * Threads: any; reads the index, for milliseconds to a second. For errors, not for the hot path.
 */
void path_of_inode(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE]);

#endif
