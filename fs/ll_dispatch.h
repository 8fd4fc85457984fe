/*
 * The operations as the mount's start hands them on: to the loop, and to libfuse.
 */
#ifndef TFS_FS_LL_DISPATCH_H
#define TFS_FS_LL_DISPATCH_H

#include "fs/ll.h"

/* The operations for fuse_session_new() and the writev/read hooks for fuse_session_custom_io(). */
const struct fuse_lowlevel_ops *ll_operations(void);
const struct fuse_custom_io *ll_custom_io(void);

/* For struct loop_ops; the context is the struct ll. A READ is tried by asking (ll_try_read()). */
bool ll_is_data(void *context, const struct fuse_in_header *header, size_t size);
void ll_process(void *context, struct fuse_in_header *header, size_t size);

#endif
