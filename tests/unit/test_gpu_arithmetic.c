/*
 * Goal: the arithmetic that the CUDA kernel and the CPU share is right: numbers are decoded
 * exactly, the polynomial identities behind the checksum hold. Method: all values of the small
 * formats against ldexp(), identities by computation.
 */
#include "gpu/crc.h"
#include "gpu_reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_decodes(enum dtype dtype, uint64_t bits)
{
    double expected = reference_decode(dtype, bits);
    uint64_t magnitude = gpu_magnitude((uint32_t)dtype, bits);
    bool nonfinite = magnitude >= gpu_nonfinite_from((uint32_t)dtype);
    double value;

    assert_int_equal(nonfinite, !isfinite(expected));
    if (nonfinite) {
        assert_int_equal(gpu_is_inf((uint32_t)dtype, magnitude), isinf(expected) != 0);
        return;
    }
    value = gpu_decode((uint32_t)dtype, bits);
    assert_memory_equal(&value, &expected, sizeof(value));
}

static void every_float_of_one_or_two_bytes_is_decoded_exactly(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 256; bits++) {
        assert_decodes(DTYPE_F8_E4M3, bits);
        assert_decodes(DTYPE_F8_E5M2, bits);
    }
    for (uint32_t bits = 0; bits < 65536; bits++) {
        assert_decodes(DTYPE_F16, bits);
        assert_decodes(DTYPE_BF16, bits);
    }
}

static void floats_of_four_and_eight_bytes_are_decoded_exactly(void **state)
{
    uint64_t bits = 88172645463325252ull;

    (void)state;
    for (int i = 0; i < 1000000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        assert_decodes(DTYPE_F32, bits & 0xFFFFFFFFu);
        assert_decodes(DTYPE_F64, bits);
    }
}

static void integers_keep_their_value_and_sign(void **state)
{
    (void)state;
    assert_true(gpu_decode(DTYPE_I8, 0x80) == -128);
    assert_true(gpu_decode(DTYPE_U8, 0x80) == 128);
    assert_true(gpu_decode(DTYPE_I16, 0xFFFF) == -1);
    assert_true(gpu_decode(DTYPE_U16, 0xFFFF) == 65535);
    assert_true(gpu_decode(DTYPE_I32, 0x80000000u) == -2147483648.0);
    assert_true(gpu_decode(DTYPE_U32, 0xFFFFFFFFu) == 4294967295.0);
    assert_true(gpu_decode(DTYPE_I64, ~0ull) == -1);
    assert_true(gpu_decode(DTYPE_U64, ~0ull) == 18446744073709551616.0);
}

static void widths_on_the_device_are_those_of_the_table(void **state)
{
    (void)state;
    for (uint32_t dtype = 0; dtype < DTYPE_ARITHMETIC_COUNT; dtype++)
        assert_int_equal(gpu_width_of(dtype), dtype_width((enum dtype)dtype));
}

static uint32_t packed_word(enum dtype dtype, uint32_t element, unsigned k)
{
    uint32_t width = dtype_width(dtype);
    uint32_t word = 0x3B3B3B3Bu; /* finite and not zero in every format */
    uint32_t mask = (width == 4 ? 0xFFFFFFFFu : (1u << (8 * width)) - 1) << (8 * width * k);

    return (word & ~mask) | (element << (8 * width * k) & mask);
}

static void packed_tests_find_each_zero_and_each_nonfinite_element(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_F16,
                                        DTYPE_BF16,    DTYPE_U8,      DTYPE_I16};

    (void)state;
    for (size_t d = 0; d < TFS_ARRAY_COUNT(dtypes); d++) {
        const uint32_t dtype = (uint32_t)dtypes[d];
        const uint32_t per_word = 4 / gpu_width_of(dtype);

        for (uint32_t bits = 0; bits < 1u << (8 * gpu_width_of(dtype)); bits++) {
            double value = reference_decode(dtypes[d], bits);

            for (unsigned k = 0; k < per_word; k++) {
                uint32_t word = packed_word(dtypes[d], bits, k);

                assert_int_equal(__builtin_popcount(gpu_packed_nonzero(dtype, word)),
                                 per_word - (value == 0));
                if (gpu_is_floating(dtype))
                    assert_int_equal(gpu_packed_nonfinite(dtype, word) != 0, !isfinite(value));
            }
        }
    }
}

static void x_has_the_order_that_divisions_rely_on(void **state)
{
    uint32_t power = gpu_crc_power(1);

    (void)state;
    /* 2^31 - 1 is prime, so x^(2^31 - 1) = 1 and x != 1 are enough; x^(2^31) = x by squaring. */
    for (int i = 0; i < 31; i++)
        power = gpu_crc_multiply(power, power);
    assert_int_equal(power, GPU_CRC_ONE >> 1);
    assert_int_equal(gpu_crc_multiply(gpu_crc_power(12345), gpu_crc_power(GPU_CRC_ORDER - 12345)),
                     GPU_CRC_ONE);
}

static void q_is_zero_at_a_row_s_distance(void **state)
{
    static const unsigned exponents[] = {40, 38, 36, 35, 33, 30, 27, 20, 13, 7, 1, 0};
    uint32_t sum = 0;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(exponents); i++)
        sum ^= gpu_crc_power((uint64_t)exponents[i] * 8 * GPU_ROW_BYTES);
    assert_int_equal(sum, 0);
}

static void multiplication_by_table_is_multiplication_by_y(void **state)
{
    struct gpu_crc_constants constants;
    uint32_t y = gpu_crc_power(8 * GPU_ROW_BYTES);

    (void)state;
    gpu_crc_constants_init(&constants);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t a = i * 2654435761u;

        assert_int_equal(gpu_crc_times_row((const uint32_t(*)[256])constants.row_table, a),
                         gpu_crc_multiply(a, y));
    }
}

static void a_word_s_mask_keeps_the_bytes_between_two_borders(void **state)
{
    (void)state;
    for (uint32_t begin = 0; begin < 14; begin++) {
        for (uint32_t end = begin; end < 14; end++) {
            uint32_t mask = gpu_word_mask(4, begin, end);

            for (uint32_t byte = 4; byte < 8; byte++)
                assert_int_equal(mask >> (8 * (byte - 4)) & 0xFF,
                                 byte >= begin && byte < end ? 0xFF : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_float_of_one_or_two_bytes_is_decoded_exactly),
        cmocka_unit_test(floats_of_four_and_eight_bytes_are_decoded_exactly),
        cmocka_unit_test(integers_keep_their_value_and_sign),
        cmocka_unit_test(widths_on_the_device_are_those_of_the_table),
        cmocka_unit_test(packed_tests_find_each_zero_and_each_nonfinite_element),
        cmocka_unit_test(x_has_the_order_that_divisions_rely_on),
        cmocka_unit_test(q_is_zero_at_a_row_s_distance),
        cmocka_unit_test(multiplication_by_table_is_multiplication_by_y),
        cmocka_unit_test(a_word_s_mask_keeps_the_bytes_between_two_borders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
