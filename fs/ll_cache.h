/*
 * What the kernel has in its page cache, and answers that wait until it is right.
 */
#ifndef TFS_FS_LL_CACHE_H
#define TFS_FS_LL_CACHE_H

#include "fs/ll.h"

/* Before a cached handle is answered, on the notifier's thread. Whoever comes second finds it done:
 * then pages may be under a write, and are not to be taken away. */
void ll_drop_left_pages(struct ll *ll, struct open_inode *inode, bool may_tell);

/* Given: the inode. */
void ll_inode_leave(struct ll *ll, struct open_inode *inode, const struct open_use *use,
                    bool is_written);

/*
 * A change of an open file's data by a request that is answered when it has ended, and with it the
 * pages that it has made wrong are gone.
 */
struct ll_change {
    struct notifier_task task;
    struct ll *ll;
    struct open_inode *inode; /* the handle is open until the answer */
    struct open_claim claim;
    bool is_claimed;
    bool drops_pages;
    uint64_t drop_offset;
    uint64_t drop_size; /* 0: to the end */
    uint64_t end;       /* the file is at least this long now */
    int64_t result;     /* or a negative errno */
    fuse_req_t req;     /* or */
    uint64_t unique;    /* of a request that libfuse never saw */
    void (*send)(const struct ll_change *change);
};

/* Returns the size before. Claims the range when claim_size > 0: somebody may map the file and
 * store into it while the change is under way. */
uint64_t ll_change_begin(struct ll_change *change, uint64_t claim_offset, uint64_t claim_size);

/* Answers. The change is copied. */
void ll_change_end(struct ll_change *change);

/* An answer that tells a size. */
struct ll_attr_answer {
    struct ll *ll;
    fuse_req_t req;  /* or */
    uint64_t unique; /* of a request that libfuse never saw */
    struct tfs_attr attr;
    uint64_t timeout_s;
    void (*send)(const struct ll_attr_answer *answer);
};

/* Sends it when the kernel has the size, or can tell no difference. The answer is copied. */
void ll_answer_attr(struct ll_attr_answer *answer);

/* Where it cannot wait: at least no size of a change that was not answered. */
void ll_limit_size(struct ll *ll, struct tfs_attr *attr);

#endif
