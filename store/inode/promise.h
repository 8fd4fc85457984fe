/*
 * Promises: what fsync, close, a new name and the commit interval stand for. A promise names the
 * file as it was at one moment: its size then, with all that was written into it by then.
 *
 *     promise_ask -> write-back of all that is dirty -> promise_keep -> commit
 *
 * A kept promise is a part of data->base_size: no commit shows less of the file from then on, and
 * what other programs write meanwhile or later takes nothing from it. Where they wrote into a hole
 * or over old data below that size, and it is not written back yet, a crash shows the hole or the
 * old data, as the file had it when the promise was asked for. Only a cut takes from a promise.
 */
#ifndef TFS_PROMISE_H
#define TFS_PROMISE_H

#include "store/base/list.h"

struct tfs_data;
struct tfs_inode;

struct promise {
    struct list node; /* on data->promises until it is kept or dropped */
    uint64_t size;    /* what is left of it: a cut lowers it; guarded by the inode's lock */
};

/* full_size: the size that programs see, though its end may never have been written; else without
 * what truncate appended. */
void promise_ask(struct tfs_inode *inode, bool full_size, struct promise *ret);
void promise_keep(struct tfs_inode *inode, struct promise *promise);
void promise_drop(struct tfs_inode *inode, struct promise *promise);

/* The same with the inode's lock: of a given size; kept; dropped. */
void promise_note_locked(struct tfs_data *data, uint64_t size, struct promise *ret);
void promise_keep_locked(struct tfs_data *data, struct promise *promise);
void promise_drop_locked(struct promise *promise);

/* The file is being cut: nothing promised or committed lies behind `size` any more. */
void promise_cut_locked(struct tfs_data *data, uint64_t size);

#endif
