/*
 * The check on a GPU: one warp for each leaf, one lane of arithmetic.h for each thread of it.
 *
 * A warp walks through the parts of its leaf, tile by tile. A tile on the border of two parts is
 * visited once for each of them, with the bytes of the other one masked; its elements are summed at
 * the first visit. Warps share nothing but a table that is only read after the one barrier, so no
 * result depends on timing.
 */
#include "gpu/kernel.h"

#include "gpu/arithmetic.h"
#include "gpu/tile.cuh"

#include <cuda_runtime.h>

static const uint32_t WARPS_PER_BLOCK = 8;
static const uint32_t ALL_LANES = 0xFFFFFFFFu;

struct tile {
    const uint8_t *data; /* aligned to 4 bytes */
    uint32_t size;       /* bytes of it inside the leaf, 1 .. GPU_TILE_BYTES */
};

/* The lane's words; zeros behind the tile's end, whole words only. */
static __device__ __forceinline__ void tile_load(struct tile tile, uint32_t lane_index,
                                                 uint32_t words[GPU_TILE_ROWS])
{
    const uint32_t *source = reinterpret_cast<const uint32_t *>(tile.data) + lane_index;

    if (tile.size == GPU_TILE_BYTES) {
#pragma unroll
        for (uint32_t row = 0; row < GPU_TILE_ROWS; row++)
            words[row] = source[row * GPU_LANES];
        return;
    }
#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++)
        words[row] = row * GPU_ROW_BYTES + lane_index * 4 < tile.size ? source[row * GPU_LANES] : 0;
}

/* Keep the bytes [begin, end) of the tile. */
static __device__ __forceinline__ void tile_mask(uint32_t lane_index, uint32_t begin, uint32_t end,
                                                 uint32_t words[GPU_TILE_ROWS])
{
#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++)
        words[row] &= gpu_word_mask(row * GPU_ROW_BYTES + lane_index * 4, begin, end);
}

/*
 * Elements of 8 bytes lie in two lanes. In each two rows, an even lane takes the first row's
 * element that begins in it, its odd neighbour the second row's: each gives the other the half that
 * it lacks.
 */
static __device__ __forceinline__ void tile_gather_wide(uint32_t lane_index,
                                                        const uint32_t words[GPU_TILE_ROWS],
                                                        uint64_t elements[GPU_TILE_ROWS / 2])
{
    const bool odd = (lane_index & 1) != 0;

#pragma unroll
    for (uint32_t i = 0; i < GPU_TILE_ROWS / 2; i++) {
        uint32_t given = odd ? words[2 * i] : words[2 * i + 1];
        uint32_t taken = __shfl_xor_sync(ALL_LANES, given, 1);
        uint32_t low = odd ? taken : words[2 * i];
        uint32_t high = odd ? words[2 * i + 1] : taken;

        elements[i] = (uint64_t)high << 32 | low;
    }
}

template <uint32_t DTYPE>
static __device__ __forceinline__ void tile_add_elements(struct tile tile, uint32_t lane_index,
                                                         const uint32_t words[GPU_TILE_ROWS],
                                                         struct gpu_lane *lane)
{
    if (gpu_width_of(DTYPE) == 8 && tile.size == GPU_TILE_BYTES) {
        uint64_t elements[GPU_TILE_ROWS / 2];

        tile_gather_wide(lane_index, words, elements);
        gpu_lane_add_wide_tile(DTYPE, elements, lane);
        return;
    }
    if (gpu_width_of(DTYPE) != 8 && tile.size == GPU_TILE_BYTES && tile_add<DTYPE>(words, lane))
        return;
    gpu_lane_add_tile_plainly(DTYPE, tile.data, tile.size, lane_index, lane);
}

static __device__ __forceinline__ uint32_t warp_xor(uint32_t value)
{
#pragma unroll
    for (uint32_t distance = GPU_LANES / 2; distance > 0; distance /= 2)
        value ^= __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
}

/* Lane 0 ends with all lanes merged, in the order that gpu.h states. */
static __device__ __forceinline__ void warp_merge(struct gpu_lane *lane)
{
#pragma unroll
    for (uint32_t distance = GPU_LANES / 2; distance > 0; distance /= 2) {
        struct gpu_lane other;

        other.sum = __shfl_down_sync(ALL_LANES, lane->sum, distance);
        other.square_sum = __shfl_down_sync(ALL_LANES, lane->square_sum, distance);
        other.min = __shfl_down_sync(ALL_LANES, lane->min, distance);
        other.max = __shfl_down_sync(ALL_LANES, lane->max, distance);
        other.float_min = __shfl_down_sync(ALL_LANES, lane->float_min, distance);
        other.float_max = __shfl_down_sync(ALL_LANES, lane->float_max, distance);
        other.nan_count = __shfl_down_sync(ALL_LANES, lane->nan_count, distance);
        other.inf_count = __shfl_down_sync(ALL_LANES, lane->inf_count, distance);
        other.zero_count = __shfl_down_sync(ALL_LANES, lane->zero_count, distance);
        gpu_lane_merge(lane, &other);
    }
}

/* What a lane needs for checksums. */
struct crc_tools {
    const uint32_t (*row_table)[256]; /* shared memory */
    uint32_t lane_factor;
    uint32_t lane_index;
};

/* The bytes [begin, end) of a leaf. */
struct part {
    uint32_t begin;
    uint32_t end;
};

/* One part of a leaf: the lane's share of its checksum, and the elements of the tiles that begin in
 * it. */
template <uint32_t DTYPE>
static __device__ __forceinline__ uint32_t part_check(const uint8_t *leaf, uint32_t leaf_size,
                                                      struct part part, struct crc_tools tools,
                                                      struct gpu_lane *lane)
{
    struct gpu_crc_lane crc;

    gpu_crc_lane_init(&crc);
#pragma unroll 1
    for (uint32_t base = part.begin / GPU_TILE_BYTES * GPU_TILE_BYTES; base < part.end;
         base += GPU_TILE_BYTES) {
        uint32_t words[GPU_TILE_ROWS];
        struct tile tile;

        tile.data = leaf + base;
        tile.size = leaf_size - base < GPU_TILE_BYTES ? leaf_size - base : GPU_TILE_BYTES;
        tile_load(tile, tools.lane_index, words);
        if (DTYPE != DTYPE_BYTES && base >= part.begin)
            tile_add_elements<DTYPE>(tile, tools.lane_index, words, lane);
        if (base < part.begin || part.end - base < GPU_TILE_BYTES)
            tile_mask(tools.lane_index, part.begin > base ? part.begin - base : 0, part.end - base,
                      words);
        gpu_crc_lane_add_tile(&crc, words);
    }
    return gpu_crc_lane_finish(&crc, tools.row_table, tools.lane_factor);
}

template <uint32_t DTYPE>
static __global__ void __launch_bounds__(WARPS_PER_BLOCK *GPU_LANES, 2)
    check_items(struct gpu_kernel_batch batch)
{
    __shared__ uint32_t row_table[4][256];
    const uint32_t lane_index = threadIdx.x % GPU_LANES;
    const uint32_t order_index = blockIdx.x * WARPS_PER_BLOCK + threadIdx.x / GPU_LANES;

    for (uint32_t i = threadIdx.x; i < 4 * 256; i += WARPS_PER_BLOCK * GPU_LANES)
        row_table[i / 256][i % 256] = batch.constants->row_table[i / 256][i % 256];
    __syncthreads();
    if (order_index >= batch.order_count)
        return; /* the whole warp */

    const uint32_t item_index = batch.order[order_index];
    const struct gpu_item item = batch.items[item_index];
    const struct crc_tools tools = {row_table, batch.constants->lane_factor[lane_index],
                                    lane_index};
    struct gpu_lane lane;
    struct part part = {0, 0};

    gpu_lane_init(&lane);
#pragma unroll 1
    for (uint32_t i = item.part_first; i < item.part_first + item.part_count; i++) {
        uint32_t raw;

        part.end = batch.part_ends[i];
        raw = warp_xor(part_check<DTYPE>(batch.data + item.offset, item.size, part, tools, &lane));
        if (lane_index == 0)
            batch.part_raws[i] = raw;
        part.begin = part.end;
    }
    if (DTYPE != DTYPE_BYTES) {
        warp_merge(&lane);
        if (lane_index == 0)
            gpu_lane_finish(DTYPE, &lane, &batch.leaves[item_index]);
    }
}

template <uint32_t DTYPE>
static cudaError_t launch(const struct gpu_kernel_batch *batch, cudaStream_t stream)
{
    const uint32_t block_count = (batch->order_count + WARPS_PER_BLOCK - 1) / WARPS_PER_BLOCK;
    const dim3 grid = {block_count, 1, 1};
    const dim3 block = {WARPS_PER_BLOCK * GPU_LANES, 1, 1};
    struct gpu_kernel_batch argument = *batch;
    void *arguments[] = {&argument};

    return cudaLaunchKernel(check_items<DTYPE>, grid, block, arguments, 0, stream);
}

typedef cudaError_t launch_function(const struct gpu_kernel_batch *batch, cudaStream_t stream);

/* In the order of enum dtype. */
static launch_function *const launchers[] = {
    launch<DTYPE_BYTES>, launch<DTYPE_BOOL>, launch<DTYPE_U8>,      launch<DTYPE_I8>,
    launch<DTYPE_U16>,   launch<DTYPE_I16>,  launch<DTYPE_U32>,     launch<DTYPE_I32>,
    launch<DTYPE_U64>,   launch<DTYPE_I64>,  launch<DTYPE_F8_E4M3>, launch<DTYPE_F8_E5M2>,
    launch<DTYPE_F16>,   launch<DTYPE_BF16>, launch<DTYPE_F32>,     launch<DTYPE_F64>,
};

static_assert(sizeof(launchers) / sizeof(launchers[0]) == DTYPE_ARITHMETIC_COUNT,
              "a launcher per dtype");

int gpu_kernel_launch(uint32_t dtype, const struct gpu_kernel_batch *batch,
                      struct CUstream_st *stream)
{
    if (dtype >= DTYPE_ARITHMETIC_COUNT || batch->order_count == 0)
        return cudaErrorInvalidValue;
    return launchers[dtype](batch, stream);
}

int gpu_kernel_probe(void)
{
    cudaFuncAttributes attributes;

    return cudaFuncGetAttributes(&attributes, check_items<DTYPE_BYTES>);
}
