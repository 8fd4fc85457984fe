/*
 * Space on a full disk: what the parts in the background would give back later, now.
 */
#ifndef TFS_GIVE_BACK_H
#define TFS_GIVE_BACK_H

#include <stdbool.h>

struct tfs_inode;
struct tfs_volume;

/*
 * Give back what can be. Returns whether something was, or somebody other than `writer` holds more:
 * then space may appear a little later.
 *
 * Threads: any; blocks on other files' gates, on commits and on the reclaim thread. The caller may
 * be inside of the writer's gate, which has to be open.
 */
bool give_back_space(struct tfs_volume *volume, struct tfs_inode *writer);

#endif
