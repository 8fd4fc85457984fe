/*
 * Checksums and statistics of tensors in device memory: on an NVIDIA GPU, or on the CPU with the
 * same results bit for bit.
 *
 * Work comes in batches. A slot owns a buffer that the device can read quickly, the description of
 * one batch and its results; the caller fills the buffer with leaves of tensors, starts the batch,
 * and waits for it. Several slots overlap reading, copying and checking.
 *
 * A leaf is a piece of at most GPU_LEAF_BYTES of one tensor, cut from the tensor's first byte on.
 * It gives one struct gpu_leaf, and one CRC32C (store/base/crc32c.h) for each of the parts that it
 * is cut into, so that checksums of a file's blocks can be put together wherever the blocks'
 * borders lie.
 *
 * The numbers, the same in every run, with any number of threads, on every device:
 *   counts      are exact;
 *   min, max    are of the finite elements, a zero always as +0;
 *   sums        are of the finite elements, taken as double (exact but for 64-bit integers, which
 *               are rounded to nearest), each addition rounded to nearest.
 *
 * In a leaf 32 lanes sum for themselves, in ascending order, starting from +0. Element e of the
 * leaf belongs to lane
 *
 *     2 * (e % 16) + (e / 16) % 2      when elements have 8 bytes,
 *     (e * width / 4) % 32             otherwise.
 *
 * Then lane i adds lane i+16, i+8, i+4, i+2, i+1, and lane 0 has the leaf's sum. Leaves are added
 * in ascending order, starting from +0. Squares are rounded to double before they are added.
 * docs/decisions/gpu-summation-and-crc.md says why.
 *
 * Threads: functions on different slots may be called at the same time, on one slot by one thread
 * at a time.
 */
#ifndef TFS_GPU_GPU_H
#define TFS_GPU_GPU_H

#include "formats/dtype.h"
#include "store/base/defs.h"

#define GPU_LEAF_BYTES     65536u
#define GPU_ITEM_ALIGNMENT 256u /* of an item's offset in the slot's buffer */

/* What a leaf's elements add up to; min is +inf and max -inf where no element is finite. */
struct gpu_leaf {
    double sum;
    double square_sum;
    double min;
    double max;
    uint32_t nan_count;
    uint32_t inf_count;
    uint32_t zero_count;
    uint32_t reserved; /* zero, so that leaves can be compared as bytes */
};

/* One leaf of a batch. */
struct gpu_item {
    uint32_t offset;     /* in the slot's buffer, a multiple of GPU_ITEM_ALIGNMENT */
    uint32_t size;       /* 1 .. GPU_LEAF_BYTES, a multiple of the dtype's width */
    uint32_t part_first; /* index of its first part in part_ends and part_crcs */
    uint32_t part_count; /* at least 1 */
    uint32_t dtype;      /* enum dtype, below DTYPE_ARITHMETIC_COUNT */
};

/* A tensor's statistics, as they grow leaf by leaf. */
struct gpu_stats {
    uint64_t element_count;
    uint64_t nan_count;
    uint64_t inf_count;
    uint64_t zero_count;
    double sum;
    double square_sum;
    double min;
    double max;
};

/* Derived once all leaves are in; NaN where no element is finite. */
struct gpu_summary {
    double min;
    double max;
    double mean; /* over the finite elements */
    double norm; /* L2 */
};

void gpu_stats_init(struct gpu_stats *stats);
/* Leaves of a tensor in ascending order, or the sums are not the ones promised above. */
void gpu_stats_add(struct gpu_stats *stats, const struct gpu_leaf *leaf, uint64_t element_count);
void gpu_stats_summarise(const struct gpu_stats *stats, struct gpu_summary *ret);

struct gpu;

enum gpu_choice {
    GPU_CHOICE_AUTO, /* a GPU, else the CPU */
    GPU_CHOICE_CUDA,
    GPU_CHOICE_CPU
};

/*
 * Choose where to check.
 *
 * Returns: 0; *ret is freed with gpu_close.
 * Errors:  -ENODEV (GPU_CHOICE_CUDA without a usable device; gpu_absence() says why), -ENOMEM,
 * -EIO.
 */
TFS_MUST_CHECK int gpu_open(enum gpu_choice choice, struct gpu **ret);
void gpu_close(struct gpu *gpu);

bool gpu_is_cuda(const struct gpu *gpu);
/* One line: the device's name, or "cpu" and why no GPU is used. Valid until gpu_close. */
const char *gpu_description(const struct gpu *gpu);
/* Why no GPU can be used here, or NULL when one can. Static or thread-local. */
const char *gpu_absence(void);

struct gpu_slot_limits {
    size_t byte_count; /* of the buffer, a multiple of GPU_ITEM_ALIGNMENT, at most 1 GiB */
    uint32_t item_count;
    uint32_t part_count;
};

/*
 * One batch. The arrays are the slot's, as long as its limits say. Before a start the caller owns
 * them; between start and wait the device does; after wait the results are valid until the next
 * start.
 */
struct gpu_slot {
    uint8_t *data;
    struct gpu_item *items;
    uint32_t *part_ends; /* end of each part, from its item's first byte; ascending, the last is the
                            size */
    uint32_t *part_crcs; /* result */
    struct gpu_leaf *leaves; /* result, one for each item; zeros where the dtype is DTYPE_BYTES */
    struct gpu_slot_limits limits;
};

/* Freed with gpu_slot_free. Errors: -EINVAL (limits), -ENOMEM (also of the device), -EIO. */
TFS_MUST_CHECK int gpu_slot_new(struct gpu *gpu, const struct gpu_slot_limits *limits,
                                struct gpu_slot **ret);
void gpu_slot_free(struct gpu_slot *slot);

enum gpu_work {
    GPU_WORK_COPY,  /* to the device only: what a load without a check costs */
    GPU_WORK_CHECK, /* copy, then checksums and statistics */
};

struct gpu_batch {
    size_t byte_count; /* used of the buffer */
    uint32_t item_count;
    uint32_t part_count;
    enum gpu_work work;
};

/* When the device worked, in nanoseconds since gpu_open. */
struct gpu_times {
    uint64_t copy_begin_ns;
    uint64_t check_begin_ns; /* and the copy's end */
    uint64_t check_end_ns;
};

/*
 * Start a batch. On the CPU the work is done here, in the calling thread.
 *
 * Errors: -EINVAL (a batch that contradicts itself or the limits), -EIO (the device failed).
 */
TFS_MUST_CHECK int gpu_slot_start(struct gpu_slot *slot, const struct gpu_batch *batch);
TFS_MUST_CHECK int gpu_slot_wait(struct gpu_slot *slot, struct gpu_times *ret);

/* Bytes per second, medians over the rounds. */
struct gpu_speed {
    double copy;     /* a copy inside the device's memory, counting bytes read and written */
    double transfer; /* from the host's (pinned) memory to the device's; on the CPU as `copy` */
    double check;    /* the check alone, data already in device memory */
};

/*
 * Measure the device with `byte_count` bytes (rounded up to leaves) of random finite elements of
 * dtype.
 *
 * Errors: -EINVAL, -ENOMEM, -EIO.
 */
TFS_MUST_CHECK int gpu_measure(struct gpu *gpu, uint64_t byte_count, enum dtype dtype,
                               unsigned round_count, struct gpu_speed *ret);

#endif
