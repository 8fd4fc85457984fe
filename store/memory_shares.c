/*
 * Scratch memory is bounded to a third of it: with little memory there are fewer workers. What is
 * left is for buffers.
 */
#include "store/memory_shares.h"

#include "store/codec/frame.h"
#include "store/read/scratch.h"

enum {
    BUFFERS_MIN = 96,       /* with less, one writer and one reader wait for each other's buffers */
    CLEAN_BUFFERS_MIN = 24, /* always left for loads */
    REQUEST_SCRATCHES_MIN = 2,
    REQUEST_SCRATCHES_MAX = 16,
};

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return tfs_max_u64(low, tfs_min_u64(value, high));
}

struct memory_shares memory_shares_of(struct tfs_volume_options *options)
{
    uint64_t worker = scratch_capacity_for_frames() + 3 * TFS_MIB;    /* with its codec context */
    uint64_t request = scratch_capacity_for_requests() + 3 * TFS_MIB; /* likewise */
    struct memory_shares shares = {
        .index = clamp(options->memory_size / 8, 8 * TFS_MIB, 128 * TFS_MIB),
        .headers = clamp(options->memory_size / 64, TFS_MIB, 64 * TFS_MIB),
        .names = clamp(options->memory_size / 256, 64 * TFS_KIB, 16 * TFS_MIB),
        .inodes = clamp(options->memory_size / 16, 4 * TFS_MIB, 256 * TFS_MIB),
        .rows = clamp(options->memory_size / 128, TFS_MIB, 64 * TFS_MIB),
    };
    uint64_t scratches;
    uint64_t taken;

    options->threads = (unsigned)clamp(options->memory_size / 6 / worker, 1, options->threads);
    shares.request_scratches =
        (unsigned)clamp(options->memory_size / 12 / request, REQUEST_SCRATCHES_MIN,
                        tfs_min_u64(2ull * options->threads, REQUEST_SCRATCHES_MAX));
    scratches = options->threads * worker + (shares.request_scratches + 4ull) * request;
    taken = shares.index + shares.headers + shares.names + shares.inodes + shares.rows + scratches;
    shares.buffers =
        tfs_max_u64(BUFFERS_MIN, (options->memory_size - tfs_min_u64(options->memory_size, taken)) /
                                     FRAME_BUFFER_SIZE);
    shares.dirty_buffers = shares.buffers - tfs_max_u64(CLEAN_BUFFERS_MIN, shares.buffers / 8);
    return shares;
}
