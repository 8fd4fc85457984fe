/*
 * Byte planes: every implementation that the machine has gives the bytes that the definition gives,
 * writes nothing beyond, and merging undoes splitting; for each width, with and without rotation,
 * at element counts around the vectors' sizes and at odd addresses.
 */
#include "store/codec/planes.h"

#include "tests/unit/frame_data.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT_MAX = 400, SOURCE_SHIFT = 3, GUARD = 0xA5 };

struct plane_memory {
    uint8_t *planes[PLANES_MAX]; /* each COUNT_MAX + 1 bytes, the one after `count` a guard */
};

static void memory_init(struct plane_memory *memory)
{
    for (int k = 0; k < PLANES_MAX; k++) {
        memory->planes[k] = malloc(COUNT_MAX + 1);
        assert_non_null(memory->planes[k]);
        memset(memory->planes[k], GUARD, COUNT_MAX + 1);
    }
}

static void memory_release(struct plane_memory *memory)
{
    for (int k = 0; k < PLANES_MAX; k++)
        free(memory->planes[k]);
}

/* The element as a number, its top 16 bits rotated, and byte k of that. */
static uint8_t defined_byte(const uint8_t *element, unsigned width, bool rotated, unsigned k)
{
    uint64_t value = 0;
    uint16_t top;

    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)element[i] << (8 * i);
    top = (uint16_t)(value >> (8 * (width - 2)));
    if (rotated) {
        top = (uint16_t)(top << 1 | top >> 15);
        value &= ~(0xFFFFull << (8 * (width - 2)));
        value |= (uint64_t)top << (8 * (width - 2));
    }
    return (uint8_t)(value >> (8 * k));
}

static void check(const struct planes_ops *ops, unsigned width_log, bool rotated, size_t count)
{
    unsigned width = 1u << width_log;
    size_t size = count * width;
    struct data_random random = {.state = 17 + count};
    struct plane_memory memory;
    uint8_t *src = malloc(SOURCE_SHIFT + size);
    uint8_t *back = malloc(SOURCE_SHIFT + size + 1);

    assert_non_null(src);
    assert_non_null(back);
    memory_init(&memory);
    data_fill(&random, DATA_RANDOM, src + SOURCE_SHIFT, size);
    ops->split[width_log - 1][rotated](src + SOURCE_SHIFT, count, memory.planes);
    for (unsigned k = 0; k < width; k++) {
        for (size_t i = 0; i < count; i++)
            assert_int_equal(memory.planes[k][i],
                             defined_byte(src + SOURCE_SHIFT + i * width, width, rotated, k));
        assert_int_equal(memory.planes[k][count], GUARD);
    }
    back[SOURCE_SHIFT + size] = GUARD;
    ops->merge[width_log - 1][rotated]((const uint8_t *const *)memory.planes, count,
                                       back + SOURCE_SHIFT);
    assert_memory_equal(back + SOURCE_SHIFT, src + SOURCE_SHIFT, size);
    assert_int_equal(back[SOURCE_SHIFT + size], GUARD);
    memory_release(&memory);
    free(src);
    free(back);
}

static void every_implementation_gives_the_bytes_of_the_definition(void **state)
{
    static const size_t counts[] = {0,  1,  15, 16, 17,  31,  32,  33,
                                    63, 64, 65, 95, 127, 128, 129, COUNT_MAX};
    const struct planes_ops *implementations[PLANES_IMPLEMENTATIONS_MAX];
    size_t implementation_count = planes_implementations(implementations);

    (void)state;
    for (size_t i = 0; i < implementation_count; i++) {
        printf("planes: %s\n", implementations[i]->name);
        for (unsigned width_log = 1; width_log <= PLANES_WIDTH_LOG_MAX; width_log++)
            for (int rotated = 0; rotated < 2; rotated++)
                for (size_t c = 0; c < TFS_ARRAY_COUNT(counts); c++)
                    check(implementations[i], width_log, rotated, counts[c]);
    }
}

static void the_fastest_implementation_is_the_one_in_use(void **state)
{
    const struct planes_ops *implementations[PLANES_IMPLEMENTATIONS_MAX];
    size_t count = planes_implementations(implementations);

    (void)state;
    assert_true(count >= 1);
    assert_ptr_equal(planes_best(), implementations[0]);
    assert_ptr_equal(implementations[count - 1], &planes_ops_plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_implementation_gives_the_bytes_of_the_definition),
        cmocka_unit_test(the_fastest_implementation_is_the_one_in_use),
    };

    return cmocka_run_group_tests_name("planes", tests, NULL, NULL);
}
