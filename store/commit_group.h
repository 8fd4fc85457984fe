/*
 * A group of commit requests, which one thread, the leader (see commit.c), commits together.
 */
#ifndef TFS_COMMIT_GROUP_H
#define TFS_COMMIT_GROUP_H

#include "store/base/list.h"
#include "store/commit.h"
#include "store/snapshot.h"

enum { COMMIT_FILES_MAX = 128 };

struct commit_request {
    struct list node;
    struct tfs_inode *inode;
    enum commit_strength strength;
    bool done;
    int error;
};

/* One go of the leader: requests that are committed together. */
struct commit_group {
    struct commit_request *requests[COMMIT_FILES_MAX];
    struct snapshot snapshots[COMMIT_FILES_MAX];
    bool taken[COMMIT_FILES_MAX];
    size_t count;
};

/* Commit what the requests are about, and say in each what became of it. Only the leader, which
 * holds no lock. */
void commit_group_run(struct tfs_volume *volume, struct commit_group *group);

#endif
