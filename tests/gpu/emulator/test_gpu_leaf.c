/*
 * Goal: every way to check a leaf gives the numbers that gpu.h promises, bit for bit: the CPU's
 * code for each instruction set, and the CUDA kernel on the emulated GPU.
 * Method: both against a plain reference, for every dtype, over sizes around every border.
 */
#include "gpu/leaf_cpu.h"
#include "tests/unit/gpu_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TILE = 4096, ROW = 128, PARTS_MAX = GPU_LEAF_BYTES / 256 + 1 };

static uint8_t data[GPU_LEAF_BYTES] __attribute__((aligned(256)));

static struct gpu *emulated;
static struct gpu_slot *slot;

static const uint32_t sizes[] = {8,
                                 16,
                                 24,
                                 120,
                                 128,
                                 136,
                                 ROW * 31,
                                 TILE - 8,
                                 TILE,
                                 TILE + 8,
                                 2 * TILE,
                                 3 * TILE - 128,
                                 40 * ROW,
                                 41 * ROW,
                                 5 * TILE + 1000,
                                 GPU_LEAF_BYTES - 8,
                                 GPU_LEAF_BYTES};

/* By their bytes: -0 and +0 differ, and a NaN equals itself. */
static bool same_bytes(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

static void assert_leaves_equal(enum dtype dtype, uint32_t size, const char *way,
                                const struct gpu_leaf *leaf, const struct gpu_leaf *expected)
{
    if (same_bytes(leaf, expected, sizeof(*leaf)))
        return;
    print_error("%s %s, %u bytes: sum %a, not %a; squares %a, not %a; min %a %a max %a %a; "
                "nan %u %u inf %u %u zero %u %u\n",
                way, dtype_name(dtype), size, leaf->sum, expected->sum, leaf->square_sum,
                expected->square_sum, leaf->min, expected->min, leaf->max, expected->max,
                leaf->nan_count, expected->nan_count, leaf->inf_count, expected->inf_count,
                leaf->zero_count, expected->zero_count);
    fail();
}

/* `data` as one leaf, on the emulated GPU. */
static void kernel_leaf(enum dtype dtype, uint32_t size, const uint32_t *part_ends,
                        uint32_t part_count, uint32_t *crcs, struct gpu_leaf *ret)
{
    const struct gpu_batch batch = {size, 1, part_count, GPU_WORK_CHECK};
    struct gpu_times times;

    memcpy(slot->data, data, size);
    memcpy(slot->part_ends, part_ends, part_count * sizeof(*part_ends));
    slot->items[0] = (struct gpu_item){0, size, 0, part_count, (uint32_t)dtype};
    assert_int_equal(gpu_slot_start(slot, &batch), 0);
    assert_int_equal(gpu_slot_wait(slot, &times), 0);
    memcpy(crcs, slot->part_crcs, part_count * sizeof(*crcs));
    *ret = slot->leaves[0];
}

static void assert_all_ways_agree(enum dtype dtype, uint32_t size)
{
    const struct gpu_leaf_variant *variant;
    struct gpu_leaf expected;
    struct gpu_leaf leaf;
    uint32_t crc;

    reference_leaf(dtype, data, size, &expected);
    for (unsigned i = 0; (variant = gpu_leaf_variant(i)) != NULL; i++) {
        memset(&leaf, 0xA5, sizeof(leaf));
        variant->function(dtype, data, size, &leaf);
        assert_leaves_equal(dtype, size, variant->name, &leaf, &expected);
    }
    kernel_leaf(dtype, size, &size, 1, &crc, &leaf);
    assert_leaves_equal(dtype, size, "kernel", &leaf, &expected);
    assert_int_equal(crc, reference_crc(data, size));
}

static void all_ways_agree_on_finite_elements(void **state)
{
    (void)state;
    for (int dtype = DTYPE_BOOL; dtype < DTYPE_ARITHMETIC_COUNT; dtype++) {
        for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
            reference_fill((enum dtype)dtype, i, true, data, sizes[i]);
            assert_all_ways_agree((enum dtype)dtype, sizes[i]);
        }
    }
}

static void all_ways_agree_on_nan_infinities_zeros_and_subnormals(void **state)
{
    (void)state;
    for (int dtype = DTYPE_BOOL; dtype < DTYPE_ARITHMETIC_COUNT; dtype++) {
        for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
            reference_fill((enum dtype)dtype, i + 100, false, data, sizes[i]);
            assert_all_ways_agree((enum dtype)dtype, sizes[i]);
        }
    }
}

static void all_ways_agree_on_single_elements_of_odd_counts(void **state)
{
    (void)state;
    for (int dtype = DTYPE_BOOL; dtype < DTYPE_ARITHMETIC_COUNT; dtype++) {
        uint32_t width = dtype_width((enum dtype)dtype);

        for (uint32_t count = 1; count < 70; count += 2) {
            reference_fill((enum dtype)dtype, count, false, data, count * width);
            assert_all_ways_agree((enum dtype)dtype, count * width);
        }
    }
}

static void all_ways_agree_when_nothing_is_finite(void **state)
{
    (void)state;
    memset(data, 0xFF, sizeof(data));
    for (int dtype = DTYPE_F8_E4M3; dtype < DTYPE_ARITHMETIC_COUNT; dtype++)
        assert_all_ways_agree((enum dtype)dtype, GPU_LEAF_BYTES);
}

static void a_sum_that_overflows_both_ways_is_one_nan_everywhere(void **state)
{
    static const double values[] = {1.7e308, -1.7e308};

    (void)state;
    /* Lane 0 sums to +inf, lane 1 to -inf. */
    for (uint32_t e = 0; e < GPU_LEAF_BYTES / 8; e++)
        memcpy(data + 8 * e, &values[e % 32 >= 16], 8);
    assert_all_ways_agree(DTYPE_F64, GPU_LEAF_BYTES);
}

/* Planted at the first, the last and a few other elements of an otherwise finite leaf. */
static void one_planted_nan_is_counted_wherever_it_is(void **state)
{
    const uint32_t count = GPU_LEAF_BYTES / 2;
    const uint16_t nan_bits = 0x7FC0;
    const uint32_t places[] = {0, 1, 63, 64, 2047, 2048, 31337, count - 2, count - 1};
    struct gpu_leaf leaf;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(places); i++) {
        reference_fill(DTYPE_BF16, i, true, data, GPU_LEAF_BYTES);
        memcpy(data + 2 * places[i], &nan_bits, sizeof(nan_bits));
        gpu_leaf_variant(0)->function(DTYPE_BF16, data, GPU_LEAF_BYTES, &leaf);
        assert_int_equal(leaf.nan_count, 1);
        assert_all_ways_agree(DTYPE_BF16, GPU_LEAF_BYTES);
    }
}

static void assert_parts_have_their_checksums(uint32_t size, const uint32_t *ends, uint32_t count)
{
    struct gpu_leaf expected;
    struct gpu_leaf leaf;
    uint32_t *crcs = calloc(count, sizeof(*crcs));
    uint32_t begin = 0;

    assert_non_null(crcs);
    reference_leaf(DTYPE_F16, data, size, &expected);
    kernel_leaf(DTYPE_F16, size, ends, count, crcs, &leaf);
    assert_leaves_equal(DTYPE_F16, size, "kernel in parts", &leaf, &expected);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(crcs[i], reference_crc(data + begin, ends[i] - begin));
        begin = ends[i];
    }
    free(crcs);
}

static void a_leaf_cut_anywhere_has_the_checksums_of_its_parts(void **state)
{
    static const uint32_t cuts[] = {1, 2, 3, 4, 5, 127, 128, 129, 4095, 4096, 4097, 30001, 65535};

    (void)state;
    reference_fill(DTYPE_F16, 7, false, data, GPU_LEAF_BYTES);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cuts); i++) {
        const uint32_t ends[] = {cuts[i], GPU_LEAF_BYTES};

        assert_parts_have_their_checksums(GPU_LEAF_BYTES, ends, 2);
    }
}

static void a_leaf_of_the_smallest_blocks_has_their_checksums(void **state)
{
    uint32_t ends[PARTS_MAX];
    uint32_t count = 0;

    (void)state;
    reference_fill(DTYPE_F16, 8, false, data, GPU_LEAF_BYTES);
    for (uint32_t end = 77; end < GPU_LEAF_BYTES; end += 256)
        ends[count++] = end;
    ends[count++] = GPU_LEAF_BYTES;
    assert_parts_have_their_checksums(GPU_LEAF_BYTES, ends, count);
}

static void every_flipped_bit_changes_the_checksum(void **state)
{
    const uint32_t size = 1000;
    struct gpu_leaf leaf;
    uint32_t before;
    uint32_t after;

    (void)state;
    reference_fill(DTYPE_U8, 9, true, data, size);
    kernel_leaf(DTYPE_BYTES, size, &size, 1, &before, &leaf);
    for (uint32_t bit = 0; bit < 8 * size; bit += 37) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        kernel_leaf(DTYPE_BYTES, size, &size, 1, &after, &leaf);
        assert_int_not_equal(before, after);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static int set_up(void **state)
{
    const struct gpu_slot_limits limits = {GPU_LEAF_BYTES, 1, PARTS_MAX};

    (void)state;
    if (gpu_open(GPU_CHOICE_CUDA, &emulated) < 0)
        return -1;
    return gpu_slot_new(emulated, &limits, &slot);
}

static int tear_down(void **state)
{
    (void)state;
    gpu_slot_free(slot);
    gpu_close(emulated);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_agree_on_finite_elements),
        cmocka_unit_test(all_ways_agree_on_nan_infinities_zeros_and_subnormals),
        cmocka_unit_test(all_ways_agree_on_single_elements_of_odd_counts),
        cmocka_unit_test(all_ways_agree_when_nothing_is_finite),
        cmocka_unit_test(a_sum_that_overflows_both_ways_is_one_nan_everywhere),
        cmocka_unit_test(one_planted_nan_is_counted_wherever_it_is),
        cmocka_unit_test(a_leaf_cut_anywhere_has_the_checksums_of_its_parts),
        cmocka_unit_test(a_leaf_of_the_smallest_blocks_has_their_checksums),
        cmocka_unit_test(every_flipped_bit_changes_the_checksum),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
