/*
 * A group of commit requests, which one thread, the leader (see commit.c), commits together.
 *
 * A file with more changed rows than a batch should have stays in the group, with its image,
 * over several rounds; others come and go meanwhile. So nobody waits long for a large neighbour.
 */
#ifndef TFS_COMMIT_GROUP_H
#define TFS_COMMIT_GROUP_H

#include "store/base/list.h"
#include "store/writeback/commit.h"
#include "store/writeback/commit_image.h"

enum { COMMIT_FILES_MAX = 128 };

struct commit_request {
    struct list node;
    struct tfs_inode *inode;
    enum commit_strength strength;
    bool done;
    bool busy; /* nothing was done: the file's gate is closed, or an older image of it is not
                  committed yet; to be asked for again */
    int error;
};

struct commit_group {
    struct commit_request *requests[COMMIT_FILES_MAX];
    struct commit_image images[COMMIT_FILES_MAX];
    bool taken[COMMIT_FILES_MAX]; /* the image is neither applied nor dropped yet */
    size_t count;
    size_t carried; /* so many of them are from earlier rounds */
};

/* One more request; there is room. */
void commit_group_add(struct commit_group *group, struct commit_request *request);

/*
 * One round: a batch with what of the files fits. Only the leader, which holds no lock. It waits
 * for the disk and for nothing that a file's gate keeps out.
 */
void commit_group_run(struct tfs_volume *volume, struct commit_group *group);

/* Says `done` to the requests that the round was the last for, and keeps the others. Called with
 * the lock that guards `done`. */
void commit_group_settle(struct commit_group *group);

#endif
