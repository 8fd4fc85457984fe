/* What all operations share: it calls none of them. */
#include "fs/ll.h"

#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { UNREADABLE_SIZE = 4096 };

static _Thread_local const struct fuse_in_header *current_request;

void ll_request_begin(const struct fuse_in_header *header)
{
    current_request = header;
}

void ll_request_end(void)
{
    current_request = NULL;
}

const struct fuse_in_header *ll_current_request(void)
{
    return current_request;
}

/* ---- telling the kernel ---- */

void ll_forget_attributes(struct ll *ll, uint64_t inode)
{
    /* A negative offset: attributes only. -ENOENT: it has none. Else the connection is gone. */
    (void)fuse_lowlevel_notify_inval_inode(ll->session, inode, -1, 0);
}

void ll_drop_pages(struct ll *ll, uint64_t inode, uint64_t offset, uint64_t size)
{
    /* -ENOENT: the kernel does not know the inode any more and has no pages of it. Any other error
     * means that the connection is gone, and its cache with it. */
    (void)fuse_lowlevel_notify_inval_inode(ll->session, inode, (off_t)offset, (off_t)size);
}

/* ---- life ---- */

static void release_parts(struct ll *ll)
{
    if (ll->unreadable)
        (void)munmap(ll->unreadable, UNREADABLE_SIZE);
    free(ll->hints);
}

static int make_parts(struct ll *ll)
{
    void *unreadable =
        mmap(NULL, UNREADABLE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    ll->unreadable = unreadable == MAP_FAILED ? NULL : unreadable;
    ll->hints = calloc(1, sizeof(*ll->hints));
    if (!ll->hints || !ll->unreadable)
        return tfs_fail(-ENOMEM, "inode hints");
    return notifier_new(&ll->notifier);
}

int ll_init(struct ll *ll, struct tfs_volume *volume)
{
    int err;

    memset(ll, 0, sizeof(*ll));
    err = make_parts(ll);
    if (err < 0) {
        release_parts(ll);
        memset(ll, 0, sizeof(*ll)); /* nothing to be released any more */
        return err;
    }
    ll->volume = volume;
    ll->fd = -1;
    open_inodes_init(&ll->inodes, volume);
    tfs_mutex_init(&ll->files_lock, TFS_RANK_FS_LOOP);
    list_init(&ll->files);
    list_init(&ll->directories);
    return 0;
}

int ll_settle_names(struct ll *ll, int err)
{
    return err == 0 && ll->names_are_synchronous ? tfs_volume_sync_names(ll->volume) : err;
}

int ll_settle_attributes(struct ll *ll, int err)
{
    return err == 0 && ll->is_synchronous ? tfs_volume_sync_names(ll->volume) : err;
}

void ll_stop(struct ll *ll)
{
    notifier_stop(ll->notifier);
}

void ll_release(struct ll *ll)
{
    assert(list_is_empty(&ll->files) && list_is_empty(&ll->directories));
    notifier_free(ll->notifier);
    open_inodes_release(&ll->inodes);
    tfs_mutex_release(&ll->files_lock);
    release_parts(ll);
}
