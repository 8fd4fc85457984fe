/*
 * Names of inodes, for messages: found by searching, because an inode does not know its names.
 */
#ifndef TFS_PATH_H
#define TFS_PATH_H

#include "store/base/lock.h"

struct tfs_volume;

enum { PATH_TEXT_SIZE = 512, PATHS_KEPT = 4 };

/* What messages have searched for lately. */
struct path_searches {
    struct tfs_mutex lock; /* rank TFS_RANK_LEAF; guards all below */
    uint64_t spent_ns;     /* on searches, less a part of the time since */
    uint64_t noted_ns;     /* when that was so */
    unsigned count;        /* ever found */
    struct path_found {
        uint64_t inode;
        uint64_t found_ns;
        char text[PATH_TEXT_SIZE];
    } found[PATHS_KEPT]; /* a ring */
};

void path_searches_init(struct path_searches *searches);
void path_searches_release(struct path_searches *searches);

/*
 * Write one path of the inode, from the root and without a leading slash, in quotes:
 * 'step-1/model'. When it is not found (no name, or too many entries to search) the text is "inode
 * N". Always terminated; a long path loses its beginning.
 *
 * Where the kernel has looked the file up that directory is searched, else all of the store.
 *
 * Threads: any; reads the index, for milliseconds to a second. For errors, not for the hot path.
 */
void path_of_inode(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE]);

/*
 * The same for messages of which many may come together, a lost segment's for example. What was
 * found in the last seconds is not searched for again, and searches take no more than a twentieth
 * of the time, but for a second in advance: where that is spent the text is "inode N".
 */
void path_for_message(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE]);

#endif
