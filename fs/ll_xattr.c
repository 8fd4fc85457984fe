/* Extended attributes. Setting one is in ll_raw.c. */
#include "fs/ll.h"

#include "fs/ll_reply.h"

#include <errno.h>
#include <stdlib.h>

/* `length` is the store's answer: the size of the value, or an error. */
static void reply_value(fuse_req_t req, int64_t length, const void *value, size_t asked)
{
    if (length < 0)
        ll_reply_err(req, (int)length);
    else if (asked == 0)
        ll_reply_xattr_size(req, (size_t)length);
    else
        (void)ll_reply_buffer(req, value, (size_t)length); /* nothing was given */
}

/* Valid replies: xattr size (when size is 0), buffer, error (ERANGE when it does not fit). */
void ll_getxattr(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size)
{
    char *value = NULL;

    if (size > TFS_XATTR_VALUE_SIZE_MAX)
        size = TFS_XATTR_VALUE_SIZE_MAX;
    if (size > 0) {
        value = malloc(size);
        if (!value) {
            ll_reply_err(req, -ENOMEM);
            return;
        }
    }
    reply_value(req, tfs_getxattr(ll_of(req)->volume, inode, name, value, size), value, size);
    free(value);
}

/* Valid replies: xattr size (when size is 0), buffer of terminated names, error. */
void ll_listxattr(fuse_req_t req, fuse_ino_t inode, size_t size)
{
    char *list = NULL;

    if (size > TFS_XATTR_LIST_SIZE_MAX)
        size = TFS_XATTR_LIST_SIZE_MAX;
    if (size > 0) {
        list = malloc(size);
        if (!list) {
            ll_reply_err(req, -ENOMEM);
            return;
        }
    }
    reply_value(req, tfs_listxattr(ll_of(req)->volume, inode, list, size), list, size);
    free(list);
}

/* Valid replies: error. */
void ll_removexattr(fuse_req_t req, fuse_ino_t inode, const char *name)
{
    ll_reply_err(req, tfs_removexattr(ll_of(req)->volume, inode, name));
}
