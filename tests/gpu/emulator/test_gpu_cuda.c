/*
 * Goal: the CUDA backend gives every failure of the device to its caller, and gives everything
 * back; slots that work at the same time do not disturb each other. Method: the emulated GPU, which
 * can be told to fail; check_device.c, run with it, compares its results with the CPU's.
 */
#include "gpu/leaf_cpu.h"
#include "tests/gpu/emulator/emulator.h"
#include "tests/unit/gpu_reference.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEM_COUNT = 6, SLOT_COUNT = 4, ROUND_COUNT = 8, FAILURES_MAX = 500 };

static const struct gpu_slot_limits limits = {
    .byte_count = ITEM_COUNT * GPU_LEAF_BYTES, .item_count = ITEM_COUNT, .part_count = ITEM_COUNT};

/* Items of several dtypes and sizes, and their data. */
static struct gpu_batch batch_fill(struct gpu_slot *slot, uint64_t seed)
{
    static const enum dtype dtypes[ITEM_COUNT] = {DTYPE_BF16,    DTYPE_BYTES, DTYPE_F64,
                                                  DTYPE_F8_E4M3, DTYPE_BF16,  DTYPE_I16};
    const struct gpu_batch batch = {limits.byte_count, ITEM_COUNT, ITEM_COUNT, GPU_WORK_CHECK};

    for (uint32_t i = 0; i < ITEM_COUNT; i++) {
        const uint32_t size = GPU_LEAF_BYTES - i * 4096 - (i % 2) * 8;

        slot->items[i] = (struct gpu_item){i * GPU_LEAF_BYTES, size, i, 1, (uint32_t)dtypes[i]};
        slot->part_ends[i] = size;
        reference_fill(dtypes[i], seed + i, false, slot->data + (size_t)i * GPU_LEAF_BYTES, size);
    }
    return batch;
}

static void assert_results(const struct gpu_slot *slot)
{
    for (uint32_t i = 0; i < ITEM_COUNT; i++) {
        const struct gpu_item *item = &slot->items[i];
        struct gpu_leaf expected = {0};

        if (item->dtype != DTYPE_BYTES)
            reference_leaf((enum dtype)item->dtype, slot->data + item->offset, item->size,
                           &expected);
        assert_memory_equal(&slot->leaves[i], &expected, sizeof(expected));
        assert_int_equal(slot->part_crcs[i], reference_crc(slot->data + item->offset, item->size));
    }
}

/* ---- failures ---- */

/* All that a program does with a device. Returns the first error. */
static int whole_life(void)
{
    struct gpu_batch batch;
    struct gpu_times times;
    struct gpu_speed speed;
    struct gpu_slot *slot;
    struct gpu *gpu;
    int err = gpu_open(GPU_CHOICE_CUDA, &gpu);

    if (err < 0)
        return err;
    err = gpu_slot_new(gpu, &limits, &slot);
    if (err == 0) {
        batch = batch_fill(slot, 1);
        err = gpu_slot_start(slot, &batch);
        if (err == 0)
            err = gpu_slot_wait(slot, &times);
        if (err == 0)
            assert_results(slot);
        gpu_slot_free(slot);
    }
    if (err == 0)
        err = gpu_measure(gpu, GPU_LEAF_BYTES, DTYPE_BF16, 2, &speed);
    gpu_close(gpu);
    return err;
}

/* All was done and told; a slot that is freed waits once more, and has nobody left to tell. */
static bool was_while_freeing(int err)
{
    return err == 0 && strcmp(emulator_failure(), "cudaStreamSynchronize") == 0;
}

/* Fail the first, the second, ... until there is none any more to fail. */
static void assert_every_failure_is_told(void (*fail_at)(uint64_t number))
{
    uint64_t number = 1;

    for (;; number++) {
        int err;

        assert_true(number < FAILURES_MAX);
        fail_at(number);
        err = whole_life();
        assert_int_equal(emulator_live_count(), 0);
        if (!emulator_failure())
            break;
        if (err != -EIO && err != -ENOMEM && err != -ENODEV && !was_while_freeing(err))
            fail_msg("failure %u, of %s: %d", (unsigned)number, emulator_failure(), err);
    }
    assert_true(number > 10);
    fail_at(0);
    assert_int_equal(whole_life(), 0);
}

static void every_call_that_fails_is_told_and_nothing_is_left_behind(void **state)
{
    (void)state;
    assert_every_failure_is_told(emulator_fail_call);
}

static void work_that_fails_on_the_device_is_told_and_nothing_is_left_behind(void **state)
{
    (void)state;
    assert_every_failure_is_told(emulator_fail_work);
}

/* ---- choice ---- */

static void without_a_device_auto_takes_the_cpu_and_says_why(void **state)
{
    struct gpu *gpu;

    (void)state;
    emulator_set_present(false);
    assert_int_equal(gpu_open(GPU_CHOICE_CUDA, &gpu), -ENODEV);
    assert_int_equal(gpu_open(GPU_CHOICE_AUTO, &gpu), 0);
    assert_false(gpu_is_cuda(gpu));
    assert_string_equal(gpu_description(gpu), "cpu (no CUDA-capable device is detected)");
    gpu_close(gpu);
    emulator_set_present(true);
}

static void with_a_device_auto_takes_it_and_names_it(void **state)
{
    struct gpu *gpu;

    (void)state;
    assert_int_equal(gpu_open(GPU_CHOICE_AUTO, &gpu), 0);
    assert_true(gpu_is_cuda(gpu));
    assert_string_equal(gpu_description(gpu), "emulated GPU (sm_90, 1.0 GiB)");
    gpu_close(gpu);
}

/* ---- work ---- */

static void *slot_main(void *argument)
{
    struct gpu_slot *slot = argument;

    for (uint64_t round = 0; round < ROUND_COUNT; round++) {
        struct gpu_batch batch = batch_fill(slot, round);
        struct gpu_times times;

        assert_int_equal(gpu_slot_start(slot, &batch), 0);
        assert_int_equal(gpu_slot_wait(slot, &times), 0);
        assert_true(times.copy_begin_ns <= times.check_begin_ns);
        assert_true(times.check_begin_ns <= times.check_end_ns);
        assert_results(slot);
    }
    return NULL;
}

static void slots_that_work_at_the_same_time_do_not_disturb_each_other(void **state)
{
    pthread_t threads[SLOT_COUNT];
    struct gpu_slot *slots[SLOT_COUNT];
    struct gpu *gpu;

    (void)state;
    assert_int_equal(gpu_open(GPU_CHOICE_CUDA, &gpu), 0);
    for (int i = 0; i < SLOT_COUNT; i++)
        assert_int_equal(gpu_slot_new(gpu, &limits, &slots[i]), 0);
    for (int i = 0; i < SLOT_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, slot_main, slots[i]), 0);
    for (int i = 0; i < SLOT_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < SLOT_COUNT; i++)
        gpu_slot_free(slots[i]);
    gpu_close(gpu);
}

static void a_mere_copy_checks_nothing_and_still_has_times(void **state)
{
    static const struct gpu_leaf untouched = {.sum = 1.5, .nan_count = 7};
    struct gpu_times times = {1, 2, 3};
    struct gpu_batch batch;
    struct gpu_slot *slot;
    struct gpu *gpu;

    (void)state;
    assert_int_equal(gpu_open(GPU_CHOICE_CUDA, &gpu), 0);
    assert_int_equal(gpu_slot_new(gpu, &limits, &slot), 0);
    batch = batch_fill(slot, 3);
    batch.work = GPU_WORK_COPY;
    slot->leaves[0] = untouched;
    assert_int_equal(gpu_slot_start(slot, &batch), 0);
    assert_int_equal(gpu_slot_wait(slot, &times), 0);
    assert_memory_equal(&slot->leaves[0], &untouched, sizeof(untouched));
    assert_true(times.check_begin_ns <= times.check_end_ns);
    gpu_slot_free(slot);
    gpu_close(gpu);
}

static void a_batch_of_nothing_is_done(void **state)
{
    const struct gpu_batch nothing = {.work = GPU_WORK_CHECK};
    struct gpu_times times;
    struct gpu_slot *slot;
    struct gpu *gpu;

    (void)state;
    assert_int_equal(gpu_open(GPU_CHOICE_CUDA, &gpu), 0);
    assert_int_equal(gpu_slot_new(gpu, &limits, &slot), 0);
    assert_int_equal(gpu_slot_start(slot, &nothing), 0);
    assert_int_equal(gpu_slot_wait(slot, &times), 0);
    gpu_slot_free(slot);
    gpu_close(gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_that_fails_is_told_and_nothing_is_left_behind),
        cmocka_unit_test(work_that_fails_on_the_device_is_told_and_nothing_is_left_behind),
        cmocka_unit_test(without_a_device_auto_takes_the_cpu_and_says_why),
        cmocka_unit_test(with_a_device_auto_takes_it_and_names_it),
        cmocka_unit_test(slots_that_work_at_the_same_time_do_not_disturb_each_other),
        cmocka_unit_test(a_mere_copy_checks_nothing_and_still_has_times),
        cmocka_unit_test(a_batch_of_nothing_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
