/*
 * Numbers that are never used twice: of inodes and of segments. They are taken from the index in
 * ranges, so that a number costs no write; what is left of a range at the end is never used.
 *
 * Threads: any. Takes a lock of rank NUMBERS, across the write of a new range to the index.
 */
#ifndef TFS_NUMBERS_H
#define TFS_NUMBERS_H

#include "store/base/defs.h"

struct tfs_index;
struct tfs_numbers;

enum numbers_kind { NUMBERS_INODE, NUMBERS_SEGMENT, NUMBERS_KIND_COUNT };

TFS_MUST_CHECK int numbers_new(struct tfs_index *index, struct tfs_numbers **ret);
void numbers_free(struct tfs_numbers *numbers); /* accepts NULL */

/*
 * A number that nothing in the index has, whatever the counter there says.
 *
 * Errors: of the index; -EUCLEAN: the counter is none; -EOVERFLOW after 2^63 of them.
 * Blocks: for a scan of all inodes or segments when the counter is lost.
 */
TFS_MUST_CHECK int numbers_take(struct tfs_numbers *numbers, enum numbers_kind kind, uint64_t *ret);

#endif
