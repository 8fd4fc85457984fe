/*
 * Deflate: that nothing is tried for long which cannot become smaller, that what can is compressed
 * as it was asked for, and that zlib reads all of it.
 *
 * Method: noise, the high and low bytes of floats, and lines of a log, in records of 256 bytes and
 * in blocks. Which compressors were made says what was tried.
 */
#include "store/codec/codec_ctx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RECORD = 256, BLOCK = 256 * 1024 };

static uint8_t block[BLOCK];
static uint8_t stream[BLOCK];
static uint8_t decoded[BLOCK];

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void fill_with_noise(void)
{
    uint32_t state = 1;

    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (uint8_t)next(&state);
}

/* As bf16 weights are: a byte of noise, and one of six values. */
static void fill_with_weights(void)
{
    uint32_t state = 2;

    for (size_t i = 0; i < BLOCK; i += 2) {
        block[i] = (uint8_t)next(&state);
        block[i + 1] = (uint8_t)(0x3a + __builtin_ctz(next(&state) | 32));
    }
}

static void fill_with_lines(void)
{
    uint32_t state = 3;
    size_t at = 0;

    while (at + 100 < BLOCK)
        at += (size_t)sprintf((char *)block + at, "{\"step\": %zu, \"loss\": 2.%05u, \"ok\": 1}\n",
                              at, next(&state));
    memset(block + at, ' ', BLOCK - at);
}

/* Compresses [from, from + size) and has zlib read it back. Returns the size, `size` if raw. */
static size_t stored_size(struct codec_ctx *ctx, int level, size_t from, size_t size)
{
    int64_t stored = codec_deflate(ctx, level, block + from, size, stream, size - 1);

    assert_true(stored >= 0);
    if (stored == 0)
        return size;
    assert_int_equal(codec_inflate(ctx, stream, (size_t)stored, decoded, size), 0);
    assert_memory_equal(decoded, block + from, size);
    return (size_t)stored;
}

static size_t stored_in_records(struct codec_ctx *ctx, int level)
{
    size_t sum = 0;

    for (size_t at = 0; at < BLOCK; at += RECORD)
        sum += stored_size(ctx, level, at, RECORD);
    return sum;
}

static int set_up(void **state)
{
    struct codec_ctx *ctx;

    assert_int_equal(codec_ctx_new(&ctx), 0);
    *state = ctx;
    return 0;
}

static int tear_down(void **state)
{
    codec_ctx_free(*state);
    return 0;
}

static void small_records_that_cannot_shrink_are_not_tried(void **state)
{
    struct codec_ctx *ctx = *state;

    fill_with_noise();
    assert_int_equal(stored_in_records(ctx, 6), BLOCK);
    assert_null(ctx->deflate.quick);
    assert_null(ctx->deflate.asked);
    fill_with_weights(); /* of which one record in a hundred may be lucky */
    assert_in_range(stored_in_records(ctx, 6), BLOCK * 99 / 100, BLOCK);
}

static void small_records_that_shrink_are_deflated(void **state)
{
    fill_with_lines();
    assert_in_range(stored_in_records(*state, 6), BLOCK / 5, BLOCK * 55 / 100);
    memset(block, 'x', RECORD);
    assert_in_range(stored_size(*state, 6, 0, RECORD), 1, 20);
}

/* Two halves of noise that are the same: entropy alone would not try. */
static void small_records_of_repeated_noise_are_deflated(void **state)
{
    fill_with_noise();
    memcpy(block + RECORD / 2, block, RECORD / 2);
    assert_in_range(stored_size(*state, 6, 0, RECORD), 1, RECORD * 3 / 4);
}

static void weights_are_compressed_the_quick_way_at_every_level(void **state)
{
    size_t quick;

    fill_with_weights();
    quick = stored_size(*state, 1, 0, BLOCK);
    assert_in_range(quick, BLOCK * 2 / 3, BLOCK * 3 / 4);
    for (int level = 2; level <= 9; level++)
        assert_int_equal(stored_size(*state, level, 0, BLOCK), quick);
}

static void text_is_compressed_as_hard_as_was_asked(void **state)
{
    size_t quick;
    size_t middle;
    size_t best;

    fill_with_lines();
    quick = stored_size(*state, 1, 0, BLOCK);
    middle = stored_size(*state, 6, 0, BLOCK);
    best = stored_size(*state, 9, 0, BLOCK);
    assert_true(middle < quick);
    assert_true(best <= middle);
    assert_int_equal(stored_size(*state, 1, 0, BLOCK), quick); /* and back */
}

static void what_does_not_fit_is_left_raw(void **state)
{
    fill_with_lines();
    assert_int_equal(codec_deflate(*state, 6, block, BLOCK, stream, 100), 0);
    fill_with_noise();
    assert_int_equal(codec_deflate(*state, 6, block, BLOCK, stream, BLOCK - 1), 0);
}

#define DEFLATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEFLATE_TEST(small_records_that_cannot_shrink_are_not_tried),
        DEFLATE_TEST(small_records_that_shrink_are_deflated),
        DEFLATE_TEST(small_records_of_repeated_noise_are_deflated),
        DEFLATE_TEST(weights_are_compressed_the_quick_way_at_every_level),
        DEFLATE_TEST(text_is_compressed_as_hard_as_was_asked),
        DEFLATE_TEST(what_does_not_fit_is_left_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
