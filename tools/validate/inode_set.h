/*
 * Files that were met already, by device and inode number: a hash table that only grows.
 */
#ifndef TFS_VALIDATE_INODE_SET_H
#define TFS_VALIDATE_INODE_SET_H

#include "store/base/defs.h"

#include <sys/types.h>

struct inode_slot {
    dev_t device;
    ino_t inode;
    void *value;
    bool is_used;
};

struct inode_set {
    struct inode_slot *slots;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
};

void inode_set_release(struct inode_set *set);

/*
 * Look an inode up, and add it with `value` when it is new.
 *
 * Returns: 0 when it is new; 1 when it was there, and *ret_value is what it was added with.
 * Errors:  -ENOMEM.
 */
TFS_MUST_CHECK int inode_set_add(struct inode_set *set, dev_t device, ino_t inode, void *value,
                                 void **ret_value);

#endif
