/*
 * How the option `memory` is shared out among the parts of a volume. docs/ARCHITECTURE.md has the
 * table.
 */
#ifndef TFS_MEMORY_SHARES_H
#define TFS_MEMORY_SHARES_H

#include "store/store.h"

/* In bytes, where it does not say otherwise. */
struct memory_shares {
    uint64_t index;
    uint64_t headers;
    uint64_t names;
    uint64_t inodes;
    uint64_t rows;              /* that were looked up lately */
    unsigned request_scratches; /* how many */
    size_t buffers;             /* likewise */
    size_t dirty_buffers;       /* of these */
};

/* Lowers options->threads to as many as the memory is enough for. */
struct memory_shares memory_shares_of(struct tfs_volume_options *options);

#endif
