/* Extended attributes. Setting one is in ll_raw.c. */
#include "control/attribute.h"
#include "fs/ll_ops.h"
#include "fs/ll_reply.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLAIN_APART_NS (100 * TFS_NS_PER_MS)

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

static void reply_text(fuse_req_t req, const char *text, size_t asked)
{
    size_t length = strlen(text);

    reply_value(req, asked > 0 && asked < length ? -ERANGE : (int64_t)length, text, asked);
}

/* Where the mount is asked about itself: the store does not know. Every file has it, so that any
 * path on the mount leads there. */
static bool reply_control_address(fuse_req_t req, const char *name, size_t size)
{
    const struct ll *ll = ll_of(req);
    bool is_second = strcmp(name, CONTROL_ATTRIBUTE_SECOND_ADDRESS) == 0;
    const char *address = is_second ? ll->control_second_address : ll->control_address;

    if (!address || (!is_second && strcmp(name, CONTROL_ATTRIBUTE_ADDRESS) != 0))
        return false;
    reply_text(req, address, size);
    return true;
}

/* What is told of the file or the mount, and is in no store. */
static bool reply_computed(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size)
{
    char *text = NULL;
    int err;

    if (!control_attribute_is_computed(name))
        return false;
    if (reply_control_address(req, name, size))
        return true;
    err = control_attribute_read(ll_of(req)->volume, inode, name, &text);
    if (err)
        ll_reply_err(req, err);
    else
        reply_text(req, text, size);
    free(text);
    return true;
}

/* Valid replies: xattr size (when size is 0), buffer, error (ERANGE when it does not fit). */
void ll_getxattr(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size)
{
    char *value = NULL;

    if (reply_computed(req, inode, name, size))
        return;
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

/* Removes the names that only root may know, as the kernel does for its own filesystems. Returns
 * the length of what is left. */
static int64_t hide_trusted(char *list, int64_t length)
{
    static const char prefix[] = "trusted.";
    int64_t kept = 0;

    for (int64_t at = 0; at < length;) {
        int64_t size = (int64_t)strlen(list + at) + 1;

        if (strncmp(list + at, prefix, sizeof(prefix) - 1) != 0) {
            memmove(list + kept, list + at, (size_t)size);
            kept += size;
        }
        at += size;
    }
    return kept;
}

/* All names, and for a question about the size too: the answer depends on who asks. */
static void list_for_user(fuse_req_t req, fuse_ino_t inode, size_t size)
{
    char *list = malloc(TFS_XATTR_LIST_SIZE_MAX);
    int64_t length = -ENOMEM;

    if (list)
        length = tfs_listxattr(ll_of(req)->volume, inode, list, TFS_XATTR_LIST_SIZE_MAX);
    if (length > 0)
        length = hide_trusted(list, length);
    if (size > 0 && length > (int64_t)size)
        length = -ERANGE;
    reply_value(req, length, list, size);
    free(list);
}

/* Valid replies: xattr size (when size is 0), buffer of terminated names, error. */
void ll_listxattr(fuse_req_t req, fuse_ino_t inode, size_t size)
{
    char *list = NULL;

    if (fuse_req_ctx(req)->uid != 0) {
        list_for_user(req, inode, size);
        return;
    }
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
    int err = control_attribute_is_computed(name)
                  ? -EPERM
                  : tfs_removexattr(ll_of(req)->volume, inode, name);

    ll_xattr_explain(inode, &(struct tfs_xattr){.name = name}, err);
    ll_reply_err(req, ll_settle_attributes(ll_of(req), err));
}

/* ---- why not ---- */

/* What the attribute wants, or why it takes nothing. */
static const char *reason_of(const char *name, int err)
{
    bool chunk_size = strcmp(name, CONTROL_ATTRIBUTE_PREFIX "chunk_size") == 0;

    if (!chunk_size && strcmp(name, CONTROL_ATTRIBUTE_PREFIX "compression") != 0)
        return err == -EPERM ? "it can only be read"
                             : "there is none of that name; chunk_size and compression can be set";
    if (err == -EPERM)
        return "only a directory can be given one, for what is made in it";
    return chunk_size ? "a power of two from 256 to 64M is wanted"
                      : "auto, none, gzip[:1-9] or zstd[:1-19] is wanted";
}

/* Who sends us nonsense without end does not fill the log. */
static bool may_log_again(void)
{
    static _Atomic uint64_t last_ns; /* relaxed: a line more or less */
    uint64_t now_ns = tfs_clock_ns();
    uint64_t before_ns = atomic_load_explicit(&last_ns, memory_order_relaxed);

    return now_ns - before_ns >= EXPLAIN_APART_NS &&
           atomic_compare_exchange_strong_explicit(&last_ns, &before_ns, now_ns,
                                                   memory_order_relaxed, memory_order_relaxed);
}

void ll_xattr_explain(uint64_t inode, const struct tfs_xattr *xattr, int err)
{
    char value[64] = "";

    if ((err != -EINVAL && err != -EPERM && err != -EOPNOTSUPP) ||
        strncmp(xattr->name, CONTROL_ATTRIBUTE_PREFIX, strlen(CONTROL_ATTRIBUTE_PREFIX)) != 0 ||
        !may_log_again())
        return;
    if (xattr->value)
        (void)snprintf(value, sizeof(value), "='%.*s'", (int)tfs_min_u64(xattr->size, 48),
                       (const char *)xattr->value);
    tfs_make_one_line(value);
    tfs_warn("attribute '%s'%s of inode %llu: %s", xattr->name, value, (unsigned long long)inode,
             reason_of(xattr->name, err));
}
