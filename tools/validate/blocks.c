/*
 * See blocks.h.
 */
#include "tools/validate/blocks.h"

#include "fs/ioctl.h"
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "tools/common/interrupt.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int validate_blocks_init(struct validate_blocks *blocks, uint64_t file_size, uint32_t block_size)
{
    struct validate_blocks fresh = {.block_size = block_size, .file_size = file_size};

    if (!tfs_is_power_of_two(block_size) || block_size < VALIDATE_BLOCK_BYTES_MIN ||
        block_size > VALIDATE_BLOCK_BYTES_MAX)
        return tfs_fail(-EINVAL, "blocks of %u bytes", block_size);
    fresh.count = file_size / block_size + (file_size % block_size != 0);
    if (fresh.count > VALIDATE_BLOCK_COUNT_MAX)
        return tfs_fail(-EFBIG, "%llu blocks", (unsigned long long)fresh.count);
    fresh.crcs = calloc(fresh.count + 1, sizeof(*fresh.crcs));
    if (!fresh.crcs)
        return -ENOMEM;
    *blocks = fresh;
    return 0;
}

void validate_blocks_release(struct validate_blocks *blocks)
{
    free(blocks->crcs);
    memset(blocks, 0, sizeof(*blocks));
}

uint32_t validate_block_bytes(const struct validate_blocks *blocks, uint64_t index)
{
    return (uint32_t)tfs_min_u64(blocks->block_size,
                                 blocks->file_size - index * blocks->block_size);
}

/* What was just written is not in the store before fsync; one is enough. */
static int crcs_ask(int fd, struct tfs_block_crcs *query)
{
    if (ioctl(fd, TFS_IOC_BLOCK_CRCS, query) == 0)
        return 0;
    if (errno != EAGAIN || fsync(fd) != 0)
        return -errno;
    return ioctl(fd, TFS_IOC_BLOCK_CRCS, query) == 0 ? 0 : -errno;
}

static int crcs_collect(int fd, struct tfs_block_crcs *query, struct validate_blocks *blocks)
{
    uint64_t index = 0;

    while (index < blocks->count) {
        int err;

        if (interrupt_is_pending())
            return -EINTR;
        *query = (struct tfs_block_crcs){.offset = index * blocks->block_size,
                                         .count_max = TFS_BLOCK_CRCS_MAX};
        err = crcs_ask(fd, query);
        if (err < 0)
            return tfs_fail(err, "checksums of the blocks from %llu", (unsigned long long)index);
        if (query->block_size != blocks->block_size || query->count == 0 ||
            query->count > TFS_BLOCK_CRCS_MAX || query->count > blocks->count - index)
            return tfs_fail(-EUCLEAN, "%u checksums of blocks of %u bytes from block %llu",
                            query->count, query->block_size, (unsigned long long)index);
        memcpy(blocks->crcs + index, query->crc, query->count * sizeof(query->crc[0]));
        index += query->count;
    }
    return 0;
}

int validate_blocks_of_store(int fd, uint64_t file_size, struct validate_blocks *ret)
{
    struct validate_blocks blocks = {0};
    struct tfs_block_crcs *query = calloc(1, sizeof(*query));
    int err;

    if (!query)
        return -ENOMEM;
    query->count_max = 1;
    err = crcs_ask(fd, query);
    if (err == 0)
        err = validate_blocks_init(&blocks, file_size, query->block_size);
    if (err == 0)
        err = crcs_collect(fd, query, &blocks);
    free(query);
    if (err == 0) {
        *ret = blocks;
        return 1;
    }
    validate_blocks_release(&blocks);
    return err == -ENOTTY || err == -ENOSYS || err == -EOPNOTSUPP ? 0 : err;
}

bool validate_block_add(struct validate_block_cursor *cursor, const struct validate_blocks *blocks,
                        uint32_t part_crc, uint32_t part_size)
{
    assert(cursor->index < blocks->count);
    assert(part_size <= validate_block_bytes(blocks, cursor->index) - cursor->size);
    cursor->crc =
        cursor->size == 0 ? part_crc : tfs_crc32c_combine(cursor->crc, part_crc, part_size);
    cursor->size += part_size;
    return cursor->size == validate_block_bytes(blocks, cursor->index);
}

void validate_block_next(struct validate_block_cursor *cursor)
{
    *cursor = (struct validate_block_cursor){.index = cursor->index + 1};
}
