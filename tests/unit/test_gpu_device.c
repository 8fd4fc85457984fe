/*
 * Goal: devices are chosen as asked, batches that contradict themselves are refused before any
 * device sees them, and a slot's results are the leaves' and parts'. Here on the CPU;
 * tests/gpu/check_device.c compares a GPU with it.
 */
#include "gpu/leaf_cpu.h"
#include "gpu_reference.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct gpu_slot_limits limits = {
    .byte_count = 4 * GPU_LEAF_BYTES, .item_count = 8, .part_count = 16};

struct fixture {
    struct gpu *gpu;
    struct gpu_slot *slot;
    struct gpu_batch batch; /* two good items in three parts */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (!fixture || gpu_open(GPU_CHOICE_CPU, &fixture->gpu) < 0 ||
        gpu_slot_new(fixture->gpu, &limits, &fixture->slot) < 0)
        return -1;
    reference_fill(DTYPE_BF16, 1, false, fixture->slot->data, GPU_LEAF_BYTES);
    reference_fill(DTYPE_F32, 2, false, fixture->slot->data + GPU_LEAF_BYTES, 1000);
    fixture->slot->items[0] = (struct gpu_item){0, GPU_LEAF_BYTES, 0, 2, DTYPE_BF16};
    fixture->slot->items[1] = (struct gpu_item){GPU_LEAF_BYTES, 1000, 2, 1, DTYPE_F32};
    fixture->slot->part_ends[0] = 12345;
    fixture->slot->part_ends[1] = GPU_LEAF_BYTES;
    fixture->slot->part_ends[2] = 1000;
    fixture->batch = (struct gpu_batch){2 * GPU_LEAF_BYTES, 2, 3, GPU_WORK_CHECK};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    gpu_slot_free(fixture->slot);
    gpu_close(fixture->gpu);
    free(fixture);
    return 0;
}

static void a_batch_gives_its_leaves_and_the_checksums_of_its_parts(void **state)
{
    struct fixture *fixture = *state;
    struct gpu_slot *slot = fixture->slot;
    struct gpu_leaf expected;
    struct gpu_times times;

    assert_int_equal(gpu_slot_start(slot, &fixture->batch), 0);
    assert_int_equal(gpu_slot_wait(slot, &times), 0);
    assert_true(times.check_begin_ns <= times.check_end_ns);
    assert_int_equal(slot->part_crcs[0], reference_crc(slot->data, 12345));
    assert_int_equal(slot->part_crcs[1], reference_crc(slot->data + 12345, GPU_LEAF_BYTES - 12345));
    assert_int_equal(slot->part_crcs[2], reference_crc(slot->data + GPU_LEAF_BYTES, 1000));
    reference_leaf(DTYPE_BF16, slot->data, GPU_LEAF_BYTES, &expected);
    assert_memory_equal(&slot->leaves[0], &expected, sizeof(expected));
    reference_leaf(DTYPE_F32, slot->data + GPU_LEAF_BYTES, 1000, &expected);
    assert_memory_equal(&slot->leaves[1], &expected, sizeof(expected));
}

static void bytes_without_a_dtype_have_a_checksum_and_no_statistics(void **state)
{
    static const struct gpu_leaf none;
    struct fixture *fixture = *state;
    struct gpu_times times;

    fixture->slot->items[1].dtype = DTYPE_BYTES;
    assert_int_equal(gpu_slot_start(fixture->slot, &fixture->batch), 0);
    assert_int_equal(gpu_slot_wait(fixture->slot, &times), 0);
    assert_memory_equal(&fixture->slot->leaves[1], &none, sizeof(none));
}

static void assert_refused(struct fixture *fixture)
{
    assert_int_equal(gpu_slot_start(fixture->slot, &fixture->batch), -EINVAL);
}

static void a_batch_beyond_the_slot_s_limits_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct gpu_batch good = fixture->batch;

    fixture->batch.byte_count = limits.byte_count + 1;
    assert_refused(fixture);
    fixture->batch = good;
    fixture->batch.item_count = limits.item_count + 1;
    assert_refused(fixture);
    fixture->batch = good;
    fixture->batch.part_count = limits.part_count + 1;
    assert_refused(fixture);
}

static void an_item_outside_its_batch_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct gpu_item *item = &fixture->slot->items[1];
    const struct gpu_item good = *item;

    item->offset = GPU_LEAF_BYTES + 4; /* not aligned */
    assert_refused(fixture);
    *item = good;
    item->offset = 0xFFFFFF00u;
    assert_refused(fixture);
    *item = good;
    item->size = 0;
    assert_refused(fixture);
    *item = good;
    item->size = 999; /* no whole number of elements */
    assert_refused(fixture);
    *item = good;
    item->size = GPU_LEAF_BYTES + 4;
    assert_refused(fixture);
    *item = good;
    item->dtype = DTYPE_ARITHMETIC_COUNT;
    assert_refused(fixture);
    *item = good;
    item->part_count = 0;
    assert_refused(fixture);
    *item = good;
    item->part_first = 0xFFFFFFFFu;
    assert_refused(fixture);
}

static void parts_that_do_not_cover_their_item_are_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture->slot->part_ends[2] = 999;
    assert_refused(fixture);
    fixture->slot->part_ends[2] = 1000;
    fixture->slot->part_ends[0] = 0;
    assert_refused(fixture);
    fixture->slot->part_ends[0] = GPU_LEAF_BYTES;
    assert_refused(fixture);
}

static void a_slot_without_room_for_an_item_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct gpu_slot_limits bad[] = {
        {0, 1, 1}, {100, 1, 1}, {(size_t)2 << 30, 1, 1}, {256, 0, 1}, {256, 2, 1}};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++) {
        struct gpu_slot *slot;

        assert_int_equal(gpu_slot_new(fixture->gpu, &bad[i], &slot), -EINVAL);
    }
}

static void without_a_gpu_auto_takes_the_cpu_and_cuda_fails(void **state)
{
    struct gpu *gpu;

    (void)state;
    if (gpu_absence() == NULL)
        skip(); /* this machine has a GPU */
    assert_int_equal(gpu_open(GPU_CHOICE_CUDA, &gpu), -ENODEV);
    assert_int_equal(gpu_open(GPU_CHOICE_AUTO, &gpu), 0);
    assert_false(gpu_is_cuda(gpu));
    assert_non_null(strstr(gpu_description(gpu), gpu_absence()));
    gpu_close(gpu);
}

static void a_tensor_s_statistics_are_its_leaves_added_in_order(void **state)
{
    const struct gpu_leaf leaves[] = {
        {.sum = 1, .square_sum = 16, .min = -3, .max = 2, .nan_count = 1, .zero_count = 2},
        {.sum = 3, .square_sum = 9, .min = -1, .max = 5, .inf_count = 1},
    };
    struct gpu_stats stats;
    struct gpu_summary summary;

    (void)state;
    gpu_stats_init(&stats);
    gpu_stats_add(&stats, &leaves[0], 6);
    gpu_stats_add(&stats, &leaves[1], 4);
    gpu_stats_summarise(&stats, &summary);
    assert_true(stats.element_count == 10 && stats.nan_count == 1 && stats.inf_count == 1);
    assert_true(summary.min == -3 && summary.max == 5);
    assert_true(summary.mean == 0.5 && summary.norm == 5);
}

static void a_tensor_without_a_finite_element_has_no_mean(void **state)
{
    struct gpu_stats stats;
    struct gpu_summary summary;

    (void)state;
    gpu_stats_init(&stats);
    gpu_stats_summarise(&stats, &summary);
    assert_true(isnan(summary.min) && isnan(summary.max));
    assert_true(isnan(summary.mean) && isnan(summary.norm));
}

static void a_measurement_gives_three_speeds(void **state)
{
    struct fixture *fixture = *state;
    struct gpu_speed speed = {0, 0, 0};

    assert_int_equal(gpu_measure(fixture->gpu, 1 << 20, DTYPE_BF16, 3, &speed), 0);
    assert_true(speed.copy > 0 && speed.transfer > 0 && speed.check > 0);
    assert_int_equal(gpu_measure(fixture->gpu, 0, DTYPE_BF16, 3, &speed), -EINVAL);
    assert_int_equal(gpu_measure(fixture->gpu, 1, DTYPE_BF16, 0, &speed), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_gives_its_leaves_and_the_checksums_of_its_parts,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_without_a_dtype_have_a_checksum_and_no_statistics,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_beyond_the_slot_s_limits_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_item_outside_its_batch_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_that_do_not_cover_their_item_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_slot_without_room_for_an_item_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test(without_a_gpu_auto_takes_the_cpu_and_cuda_fails),
        cmocka_unit_test(a_tensor_s_statistics_are_its_leaves_added_in_order),
        cmocka_unit_test(a_tensor_without_a_finite_element_has_no_mean),
        cmocka_unit_test_setup_teardown(a_measurement_gives_three_speeds, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
