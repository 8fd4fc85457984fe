/*
 * Checksums of a file's blocks, as the file is read: put together from parts, compared with what
 * somebody recorded of them, or recorded.
 */
#ifndef TFS_VALIDATE_BLOCKS_H
#define TFS_VALIDATE_BLOCKS_H

#include "store/base/defs.h"

#define VALIDATE_BLOCK_BYTES_MIN     256u
#define VALIDATE_BLOCK_BYTES_MAX     (64u << 20)
#define VALIDATE_BLOCK_BYTES_DEFAULT (256u << 10)
#define VALIDATE_BLOCK_COUNT_MAX     (1ull << 32)

struct validate_blocks {
    uint32_t block_size; /* a power of two; only the last block may be shorter */
    uint64_t file_size;
    uint64_t count;
    uint32_t *crcs; /* CRC32C of each */
};

/* Room for the blocks of a file; crcs are 0. Errors: -EINVAL (block_size), -EFBIG, -ENOMEM. */
TFS_MUST_CHECK int validate_blocks_init(struct validate_blocks *blocks, uint64_t file_size,
                                        uint32_t block_size);
void validate_blocks_release(struct validate_blocks *blocks);

/* Bytes in block `index`. */
uint32_t validate_block_bytes(const struct validate_blocks *blocks, uint64_t index);

/*
 * Ask the mount for the checksums that its store keeps (fs/ioctl.h).
 *
 * Returns: 1, or 0 when the file is not on a tensorfs mount.
 * Errors:  -EUCLEAN (an answer that contradicts itself), -EINTR, -ENOMEM, others of the ioctl.
 */
TFS_MUST_CHECK int validate_blocks_of_store(int fd, uint64_t file_size,
                                            struct validate_blocks *ret);

/* The checksum that grows from part to part; a part never crosses a border of blocks. */
struct validate_block_cursor {
    uint64_t index;
    uint32_t crc;
    uint32_t size;
    bool is_unreadable;
};

/* Add a part. Returns true when the block is complete; then use the cursor and call _next. */
bool validate_block_add(struct validate_block_cursor *cursor, const struct validate_blocks *blocks,
                        uint32_t part_crc, uint32_t part_size);
void validate_block_next(struct validate_block_cursor *cursor);

#endif
