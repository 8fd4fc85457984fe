/*
 * Extended attributes in the index, for the modules that need them beside the public calls in
 * store.h.
 */
#ifndef TFS_XATTR_H
#define TFS_XATTR_H

#include "store/base/defs.h"

struct index_batch;
struct tfs_inode;
struct tfs_volume;

/* The value, in memory of the caller's (free()). Errors: -ENODATA. */
TFS_MUST_CHECK int xattr_read(struct tfs_volume *volume, uint64_t inode, const char *name,
                              uint8_t **ret_value, size_t *ret_size);

void xattr_put(struct index_batch *batch, uint64_t inode, const char *name, const void *value,
               size_t size);
void xattr_delete(struct index_batch *batch, uint64_t inode, const char *name);

/* An attribute of the inode comes or goes by another way than set and remove. Used with
 * volume->metadata held. */
void xattr_names_changed(struct tfs_inode *inode);

/* Virtual attributes (inherited.c). Whether `name` is one of ours; its text, in memory of the
 * caller's. Errors: -ENODATA. */
bool inherited_xattr_is_ours(const char *name);
TFS_MUST_CHECK int inherited_xattr_read(struct tfs_volume *volume, struct tfs_inode *inode,
                                        const char *name, uint8_t **ret_value, size_t *ret_size);

/* The names of the settings that the directory has of its own, each with its zero: what is only
 * inherited from the mount is not listed. Returns their size. */
enum { INHERITED_XATTR_LIST_SIZE_MAX = 64 };
size_t inherited_xattr_list(struct tfs_inode *inode, char list[INHERITED_XATTR_LIST_SIZE_MAX]);

/* Set (value) or reset (NULL) what a directory's new files inherit. Errors: -EINVAL, -EPERM,
 * -ENODATA. */
TFS_MUST_CHECK int inherited_xattr_write(struct tfs_volume *volume, struct tfs_inode *inode,
                                         const char *name, const void *value, size_t size);

#endif
