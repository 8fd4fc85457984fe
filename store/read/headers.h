/*
 * The headers of frames read lately, so that a random read of a block costs one I/O and not two.
 *
 * Threads: any. Takes a lock of rank LEAF.
 */
#ifndef TFS_HEADERS_H
#define TFS_HEADERS_H

#include "store/tables/row.h"

struct tfs_headers;

struct frame_header {
    atomic_uint references;
    uint64_t segment;
    uint64_t offset;
    size_t size;
    uint8_t bytes[];
};

/* bytes_max: of all headers kept; the table itself is small. */
TFS_MUST_CHECK int headers_new(uint64_t bytes_max, struct tfs_headers **ret);
void headers_free(struct tfs_headers *headers); /* accepts NULL */

/* The header of this frame, counted for the caller, or NULL. */
struct frame_header *headers_find(struct tfs_headers *headers, const struct frame_ref *frame);

/* Keep a copy and return it, counted for the caller. The bytes have been checked. Errors: -ENOMEM.
 */
TFS_MUST_CHECK int headers_add(struct tfs_headers *headers, const struct frame_ref *frame,
                               const uint8_t *bytes, struct frame_header **ret);

void frame_header_unref(struct frame_header *header); /* accepts NULL */
void frame_header_unref_p(struct frame_header **header);

#endif
