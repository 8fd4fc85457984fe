/*
 * Goal: a GPU gives the CPU's results bit for bit, and finds what is planted.
 * Method: the same batches on both, over every dtype and the sizes around each border, in parts of
 * many lengths; then a large tensor in a stream of batches. A plain program, since it is also built
 * where there is nothing but CUDA, CMake and a compiler. Prints one JSON object; exits 77 where
 * there is no GPU.
 *
 * usage: check_device [--device gpu|cpu] [--large BYTES] [--small]
 *        --device cpu compares the CPU with itself, to try the program; --small is for sanitizers.
 */
#include "gpu/gpu.h"
#include "tests/unit/gpu_reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES_MAX = 64, PARTS_MAX = 1 << 15, EXIT_SKIP = 77 };

static const struct gpu_slot_limits limits = {(size_t)LEAVES_MAX * GPU_LEAF_BYTES, LEAVES_MAX,
                                              PARTS_MAX};

static struct {
    uint64_t check_count;
    uint64_t failure_count;
} tally;

/* The device under test and the CPU, each with one slot; both slots get the same batch. */
struct pair {
    struct gpu *gpus[2];
    struct gpu_slot *slots[2];
};

static void expect(bool holds, const char *what, enum dtype dtype, uint64_t size)
{
    tally.check_count++;
    if (holds)
        return;
    tally.failure_count++;
    if (tally.failure_count <= 20)
        (void)fprintf(stderr, "FAILED: %s, %s, %" PRIu64 " bytes\n", what, dtype_name(dtype), size);
}

/* By their bytes: -0 and +0 differ, and a NaN equals itself. */
static bool same_bytes(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    (void)fprintf(stderr, "check_device: %s: error %d\n", what, -err);
    exit(1);
}

static void pair_run(struct pair *pair, const struct gpu_batch *batch)
{
    struct gpu_times times;

    for (int i = 0; i < 2; i++)
        must(gpu_slot_start(pair->slots[i], batch), "start a batch");
    for (int i = 0; i < 2; i++)
        must(gpu_slot_wait(pair->slots[i], &times), "wait for a batch");
}

/* Describe `size` bytes of dtype in a slot: leaves, cut into parts of at most part_bytes. */
static struct gpu_batch batch_describe(struct gpu_slot *slot, enum dtype dtype, uint32_t size,
                                       uint32_t part_bytes)
{
    struct gpu_batch batch = {.byte_count = size, .work = GPU_WORK_CHECK};

    for (uint32_t at = 0; at < size; at += GPU_LEAF_BYTES) {
        struct gpu_item *item = &slot->items[batch.item_count++];

        *item = (struct gpu_item){.offset = at,
                                  .size = (uint32_t)tfs_min_u64(size - at, GPU_LEAF_BYTES),
                                  .part_first = batch.part_count,
                                  .dtype = (uint32_t)dtype};
        for (uint32_t end = 0; end < item->size; item->part_count++) {
            end = (uint32_t)tfs_min_u64((uint64_t)end + part_bytes, item->size);
            slot->part_ends[batch.part_count++] = end;
        }
    }
    return batch;
}

/* The first slot's data, checked on both devices. */
static void pair_check(struct pair *pair, enum dtype dtype, uint32_t size, uint32_t part_bytes)
{
    struct gpu_batch batch = batch_describe(pair->slots[0], dtype, size, part_bytes);

    (void)batch_describe(pair->slots[1], dtype, size, part_bytes);
    memcpy(pair->slots[1]->data, pair->slots[0]->data, size);
    pair_run(pair, &batch);
    expect(same_bytes(pair->slots[0]->leaves, pair->slots[1]->leaves,
                      batch.item_count * sizeof(struct gpu_leaf)),
           "statistics equal the CPU's", dtype, size);
    expect(same_bytes(pair->slots[0]->part_crcs, pair->slots[1]->part_crcs,
                      batch.part_count * sizeof(uint32_t)),
           "checksums equal the CPU's", dtype, size);
}

static void check_sizes(struct pair *pair, bool small)
{
    static const uint32_t counts[] = {0,    1,    3,     31,    32,    33,     63,    65,
                                      127,  1023, 1025,  2047,  2049,  4095,   4097,  8191,
                                      8192, 8193, 65535, 65536, 65537, 100001, 300007};
    static const uint32_t part_sizes[] = {GPU_LEAF_BYTES, 40961, 4096, 257};
    const size_t count = small ? 15 : TFS_ARRAY_COUNT(counts); /* with a whole tile of bytes */

    for (int d = DTYPE_BYTES; d < DTYPE_ARITHMETIC_COUNT; d++) {
        const enum dtype dtype = (enum dtype)d;

        for (size_t i = 0; i < count; i++) {
            uint32_t size = counts[i] * dtype_width(dtype);

            for (int plain = 0; plain < 2; plain++) {
                reference_fill(dtype, i + 1, plain, pair->slots[0]->data, size);
                pair_check(pair, dtype, size, part_sizes[i % TFS_ARRAY_COUNT(part_sizes)]);
            }
        }
    }
}

/* A NaN, an infinity and a flipped bit at the first, the last and random places of bf16 elements.
 */
static void check_planted(struct pair *pair, bool small)
{
    const uint32_t size = small ? 3 * 4096 : 5 * GPU_LEAF_BYTES + 770;
    const uint32_t places[] = {0, size / 2 - 1, size / 5, size / 3, 1};
    struct gpu_slot *slot = pair->slots[0];

    for (size_t i = 0; i < TFS_ARRAY_COUNT(places); i++) {
        const uint32_t leaf = 2 * places[i] / GPU_LEAF_BYTES;
        uint16_t *element = (uint16_t *)(void *)slot->data + places[i];
        uint32_t crc;

        reference_fill(DTYPE_BF16, i, true, slot->data, size);
        pair_check(pair, DTYPE_BF16, size, GPU_LEAF_BYTES);
        crc = slot->part_crcs[leaf];
        *element ^= (uint16_t)(1u << i);
        pair_check(pair, DTYPE_BF16, size, GPU_LEAF_BYTES);
        expect(slot->part_crcs[leaf] != crc, "a flipped bit changes the checksum", DTYPE_BF16,
               size);
        *element = 0x7FC0;
        pair_check(pair, DTYPE_BF16, size, GPU_LEAF_BYTES);
        expect(slot->leaves[leaf].nan_count == 1, "a NaN is counted", DTYPE_BF16, size);
        *element = 0xFF80;
        pair_check(pair, DTYPE_BF16, size, GPU_LEAF_BYTES);
        expect(slot->leaves[leaf].inf_count == 1, "an infinity is counted", DTYPE_BF16, size);
    }
}

/* Items of all dtypes in one batch, as small tensors make them. */
static void check_mixture(struct pair *pair)
{
    struct gpu_batch batch = {.work = GPU_WORK_CHECK};

    for (uint32_t i = 0; i < LEAVES_MAX; i++) {
        const enum dtype dtype = (enum dtype)(i * 7 % DTYPE_ARITHMETIC_COUNT);
        const uint32_t size = (1 + i * 127) * dtype_width(dtype);
        const struct gpu_item item = {(uint32_t)batch.byte_count, size, i, 1, (uint32_t)dtype};

        reference_fill(dtype, i, false, pair->slots[0]->data + batch.byte_count, size);
        memcpy(pair->slots[1]->data + batch.byte_count, pair->slots[0]->data + batch.byte_count,
               size);
        for (int s = 0; s < 2; s++) {
            pair->slots[s]->items[i] = item;
            pair->slots[s]->part_ends[i] = size;
        }
        batch.byte_count += tfs_align_up(size, GPU_ITEM_ALIGNMENT);
        batch.item_count++;
        batch.part_count++;
    }
    pair_run(pair, &batch);
    expect(same_bytes(pair->slots[0]->leaves, pair->slots[1]->leaves,
                      LEAVES_MAX * sizeof(struct gpu_leaf)) &&
               same_bytes(pair->slots[0]->part_crcs, pair->slots[1]->part_crcs,
                          LEAVES_MAX * sizeof(uint32_t)),
           "a mixture equals the CPU's", DTYPE_BYTES, batch.byte_count);
}

/* One tensor of `size` bytes; each slotful differs from the one before. */
static void check_large(struct pair *pair, uint64_t size)
{
    struct gpu_stats stats[2];

    for (int s = 0; s < 2; s++)
        gpu_stats_init(&stats[s]);
    reference_fill(DTYPE_BF16, 1, true, pair->slots[0]->data, limits.byte_count);
    for (uint64_t at = 0; at < size; at += limits.byte_count) {
        const uint32_t bytes = (uint32_t)tfs_min_u64(limits.byte_count, size - at);

        for (uint32_t i = 0; i < bytes; i += GPU_LEAF_BYTES)
            pair->slots[0]->data[i + at / limits.byte_count % 4096] ^= 0x15; /* mantissa or sign */
        pair_check(pair, DTYPE_BF16, bytes, GPU_LEAF_BYTES);
        for (int s = 0; s < 2; s++) {
            for (uint32_t i = 0; i * GPU_LEAF_BYTES < bytes; i++)
                gpu_stats_add(&stats[s], &pair->slots[s]->leaves[i],
                              pair->slots[s]->items[i].size / 2);
        }
    }
    expect(same_bytes(&stats[0], &stats[1], sizeof(stats[0])), "a large tensor's statistics",
           DTYPE_BF16, size);
    expect(stats[0].element_count == size / 2, "a large tensor's count", DTYPE_BF16, size);
}

static int pair_open(struct pair *pair, enum gpu_choice choice)
{
    if (choice == GPU_CHOICE_CUDA && gpu_absence()) {
        (void)fprintf(stderr, "skip: %s\n", gpu_absence());
        return EXIT_SKIP;
    }
    must(gpu_open(choice, &pair->gpus[0]), "open the device");
    must(gpu_open(GPU_CHOICE_CPU, &pair->gpus[1]), "open the CPU");
    for (int i = 0; i < 2; i++)
        must(gpu_slot_new(pair->gpus[i], &limits, &pair->slots[i]), "make a slot");
    return 0;
}

static void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        gpu_slot_free(pair->slots[i]);
        gpu_close(pair->gpus[i]);
    }
}

int main(int argc, char **argv)
{
    enum gpu_choice choice = GPU_CHOICE_CUDA;
    uint64_t large_size = 16 * TFS_MIB + 2;
    bool small = false;
    struct pair pair;
    int status;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--small") == 0)
            small = true;
        else if (strcmp(argv[i], "--device") == 0 && i + 1 < argc)
            choice = strcmp(argv[++i], "cpu") == 0 ? GPU_CHOICE_CPU : GPU_CHOICE_CUDA;
        else if (strcmp(argv[i], "--large") == 0 && i + 1 < argc)
            large_size = strtoull(argv[++i], NULL, 10) & ~1ull;
    }
    status = pair_open(&pair, choice);
    if (status != 0)
        return status;
    check_sizes(&pair, small);
    check_planted(&pair, small);
    check_mixture(&pair);
    if (!small)
        check_large(&pair, large_size);
    (void)printf("{\"device\":\"%s\",\"checks\":%" PRIu64 ",\"failures\":%" PRIu64
                 ",\"large_bytes\":%" PRIu64 "}\n",
                 gpu_description(pair.gpus[0]), tally.check_count, tally.failure_count,
                 small ? 0 : large_size);
    pair_close(&pair);
    return tally.failure_count ? 1 : 0;
}
