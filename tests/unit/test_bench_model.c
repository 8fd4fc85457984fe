/*
 * Goal: synthetic data is honest: the distribution that it claims, no zeros, other data for other
 * seeds and runs, and a bound that is Shannon's. Method: moments of a large sample against their
 * known values; entropies that can be computed by hand.
 */
#include "tools/bench/model/entropy.h"
#include "tools/bench/model/fill.h"
#include "tools/bench/model/model.h"
#include "tools/common/console.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 1 << 20 };

static float as_float(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Mean, deviation and kurtosis of one row divided by its deviation. */
static void row_moments(const float *row, double *ret_mean, double *ret_deviation,
                        double *ret_kurtosis)
{
    double sum = 0;
    double squares = 0;
    double fourths = 0;

    for (int i = 0; i < SAMPLES; i++)
        sum += row[i];
    *ret_mean = sum / SAMPLES;
    for (int i = 0; i < SAMPLES; i++) {
        double distance = row[i] - *ret_mean;

        squares += distance * distance;
        fourths += distance * distance * distance * distance;
    }
    *ret_deviation = sqrt(squares / SAMPLES);
    *ret_kurtosis = fourths / SAMPLES / (squares / SAMPLES) / (squares / SAMPLES);
}

static void weights_of_a_row_are_normal(void **state)
{
    float *row = malloc(SAMPLES * sizeof(*row));
    double mean;
    double deviation;
    double kurtosis;

    (void)state;
    assert_non_null(row);
    fill_row(TENSOR_FP32, 1, SAMPLES, row);
    row_moments(row, &mean, &deviation, &kurtosis);
    assert_true(fabs(mean) < 0.01 * deviation);
    assert_true(fabs(kurtosis - 3) < 0.1); /* 1.8 would be uniform, 6 Laplace's */
    free(row);
}

static void scales_of_rows_are_log_normal(void **state)
{
    enum { ROWS = 4000, COLUMNS = 256 };
    static float row[COLUMNS];
    double sum = 0;
    double squares = 0;

    (void)state;
    for (int i = 0; i < ROWS; i++) {
        double power = 0;
        double logarithm;

        fill_row(TENSOR_FP32, (uint64_t)i + 10, COLUMNS, row);
        for (int j = 0; j < COLUMNS; j++)
            power += (double)row[j] * (double)row[j];
        logarithm = log(sqrt(power / COLUMNS));
        sum += logarithm;
        squares += logarithm * logarithm;
    }
    assert_true(fabs(sum / ROWS - log(0.02)) < 0.05);
    assert_true(fabs(sqrt(squares / ROWS - sum / ROWS * sum / ROWS) - 0.33) < 0.05);
}

static void no_kind_is_zeros_or_not_finite(void **state)
{
    enum { COLUMNS = 4096 };
    static uint8_t row[COLUMNS * 4];

    (void)state;
    for (int kind = 0; kind < TENSOR_BYTES; kind++) {
        unsigned width = tensor_kind_width(kind);
        int zeros = 0;

        fill_row((enum tensor_kind)kind, 3, COLUMNS, row);
        for (int i = 0; i < COLUMNS; i++) {
            uint32_t bits =
                width == 2 ? tfs_get_le16(row + 2 * i) : tfs_get_le32(row + (size_t)4 * (size_t)i);
            uint32_t exponents = kind == TENSOR_FP16 ? 0x7c00 : width == 2 ? 0x7f80 : 0x7f800000;

            zeros += bits == 0;
            assert_true((bits & exponents) != exponents);
        }
        assert_true(zeros < COLUMNS / 100);
    }
}

static void second_moments_are_positive(void **state)
{
    static uint32_t row[4096];

    (void)state;
    fill_row(TENSOR_ADAM_V, 5, 4096, row);
    for (int i = 0; i < 4096; i++)
        assert_true(as_float(row[i]) > 0);
}

/* bf16 keeps 8 bits of the significand: the rounding is off by at most 2^-9 of the value. */
static void bf16_and_fp16_are_the_rounded_fp32(void **state)
{
    enum { COLUMNS = 4096 };
    static uint32_t wide[COLUMNS];
    static uint16_t bf16[COLUMNS];
    static uint16_t fp16[COLUMNS];

    (void)state;
    fill_row(TENSOR_FP32, 9, COLUMNS, wide);
    fill_row(TENSOR_BF16, 9, COLUMNS, bf16);
    fill_row(TENSOR_FP16, 9, COLUMNS, fp16);
    for (int i = 0; i < COLUMNS; i++) {
        double value = (double)as_float(wide[i]);
        double narrow = (double)as_float((uint32_t)bf16[i] << 16);
        int exponent = (fp16[i] >> 10) & 31;
        double significand = (fp16[i] & 1023) / 1024.0 + (exponent > 0 ? 1 : 0);
        double half = ldexp(significand, (exponent > 0 ? exponent : 1) - 15);

        assert_true(fabs(narrow - value) <= fabs(value) * 0x1p-8);
        assert_true(fabs(half - fabs(value)) <= fmax(fabs(value) * 0x1p-11, 0x1p-25));
        assert_true((fp16[i] >> 15) == (wide[i] >> 31));
    }
}

static void variation_changes_mantissas_only_and_undoes_itself(void **state)
{
    enum { COLUMNS = 8192 };
    static uint16_t row[COLUMNS];
    static uint16_t varied[COLUMNS];
    int changed = 0;

    (void)state;
    fill_row(TENSOR_BF16, 11, COLUMNS, row);
    memcpy(varied, row, sizeof(row));
    fill_vary(TENSOR_BF16, 12, varied, sizeof(varied));
    for (int i = 0; i < COLUMNS; i++) {
        changed += varied[i] != row[i];
        assert_int_equal((varied[i] ^ row[i]) & 0xff80, 0);
    }
    assert_true(changed > COLUMNS / 2);
    fill_vary(TENSOR_BF16, 12, varied, sizeof(varied));
    assert_memory_equal(varied, row, sizeof(row));
}

static struct model *model_of(uint64_t parameters, const char *mix, uint64_t seed)
{
    struct model_spec spec = {.parameters = parameters, .seed = seed};
    struct model *model;

    assert_int_equal(model_parse_mix(mix, &spec), 0);
    assert_int_equal(model_new(&spec, &model), 0);
    return model;
}

static void model_has_exactly_the_parameters_asked_for(void **state)
{
    static const uint64_t counts[] = {1, 63, 64, 1000, 393216, 1234567, 10000000};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(counts); i++) {
        struct model *model = model_of(counts[i], "train", 1);

        assert_int_equal(model->bytes, counts[i] * (2 + 4 + 4));
        model_free(model);
    }
}

static void same_seed_gives_the_same_model_and_another_seed_another(void **state)
{
    struct model *one = model_of(500000, "bf16", 7);
    struct model *same = model_of(500000, "bf16", 7);
    struct model *other = model_of(500000, "bf16", 8);

    (void)state;
    assert_int_equal(model_compare(one, same), 0);
    assert_int_equal(model_compare(one, other), -EBADMSG);
    model_free(one);
    model_free(same);
    model_free(other);
}

static void comparing_finds_a_single_wrong_bit(void **state)
{
    struct model *model = model_of(500000, "bf16", 7);
    struct model *copy;

    (void)state;
    assert_int_equal(model_new_like(model, &copy), 0);
    assert_int_equal(model_compare(model, copy), -EBADMSG); /* a fresh landing place is poisoned */
    memcpy(copy->memory, model->memory, model->memory_bytes);
    assert_int_equal(model_compare(model, copy), 0);
    copy->tensors[copy->count - 1].data[copy->tensors[copy->count - 1].bytes - 1] ^= 1;
    assert_int_equal(model_compare(model, copy), -EBADMSG);
    model_free(model);
    model_free(copy);
}

static void every_run_has_other_bytes_and_the_first_can_be_had_again(void **state)
{
    struct model *model = model_of(500000, "bf16", 7);
    struct model *copy;

    (void)state;
    assert_int_equal(model_new_like(model, &copy), 0);
    memcpy(copy->memory, model->memory, model->memory_bytes);
    model_vary(model, 1);
    assert_int_equal(model_compare(model, copy), -EBADMSG);
    model_vary(model, 2);
    model_vary(model, 0);
    assert_int_equal(model_compare(model, copy), 0);
    model_free(model);
    model_free(copy);
}

static void mixes_that_are_none_are_refused(void **state)
{
    static const char *const texts[] = {"",         "bf17",    "bf16=",          "bf16=0",
                                        "bf16=-1",  "bf16=1,", "bf16=1,,fp16=1", "bytes",
                                        "bf16=nan", "bf16=1 "};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        struct model_spec spec = {0};

        assert_int_equal(model_parse_mix(texts[i], &spec), -EINVAL);
    }
}

/* Each of 256 values 512 times in one plane, 0 always in the other: 8 + 0 bits for 2 bytes. */
static void bound_of_a_flat_and_a_constant_plane_is_half(void **state)
{
    static uint8_t data[ENTROPY_BLOCK_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i += 2)
        data[i] = (uint8_t)(i / 2);
    assert_true(fabs(entropy_bound(TENSOR_FP16, data, sizeof(data)) - sizeof(data) / 2.0) < 1e-6);
}

/* Three quarters 0 and one quarter 1: 0.25 * 2 + 0.75 * log2(4 / 3) = 0.811278 bits a byte. */
static void bound_of_two_values_is_their_entropy(void **state)
{
    static uint8_t data[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = i % 4 == 0;
    assert_true(fabs(entropy_bound(TENSOR_BYTES, data, sizeof(data)) - 4096 * 0.8112781245 / 8) <
                1e-6);
}

/* Signs at random on one exponent: with the sign beside the exponent 1 bit, behind the mantissa
 * none of its own. */
static void bound_counts_the_sign_where_it_costs_least(void **state)
{
    static uint8_t data[65536];
    double bound;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i += 2) {
        uint32_t mixed = (uint32_t)(i / 2) * 2654435761u;

        tfs_put_le16(data + i, (uint16_t)((mixed >> 31 << 15) | 0x3c80 | ((mixed >> 8) & 0x7f)));
    }
    bound = entropy_bound(TENSOR_BF16, data, sizeof(data));
    assert_true(bound <= sizeof(data) / 2.0);
    assert_true(bound > sizeof(data) * 0.49);
}

/*
 * Weights of language models in bf16 have 2.57 to 2.74 bits of exponent (as papers on lossless
 * compression report), and 8 bits of sign and mantissa: 66.1 to 67.1 % of 16 bits.
 */
static void bf16_models_have_the_entropy_of_real_ones(void **state)
{
    struct model *model = model_of(4000000, "bf16", 1);
    double share = model_entropy_bound(model) / (double)model->bytes;

    (void)state;
    assert_true(share > 0.657 && share < 0.671);
    model_free(model);
}

static int start(void **state)
{
    (void)state;
    console_init(true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_a_row_are_normal),
        cmocka_unit_test(scales_of_rows_are_log_normal),
        cmocka_unit_test(no_kind_is_zeros_or_not_finite),
        cmocka_unit_test(second_moments_are_positive),
        cmocka_unit_test(bf16_and_fp16_are_the_rounded_fp32),
        cmocka_unit_test(variation_changes_mantissas_only_and_undoes_itself),
        cmocka_unit_test(model_has_exactly_the_parameters_asked_for),
        cmocka_unit_test(same_seed_gives_the_same_model_and_another_seed_another),
        cmocka_unit_test(comparing_finds_a_single_wrong_bit),
        cmocka_unit_test(every_run_has_other_bytes_and_the_first_can_be_had_again),
        cmocka_unit_test(mixes_that_are_none_are_refused),
        cmocka_unit_test(bound_of_a_flat_and_a_constant_plane_is_half),
        cmocka_unit_test(bound_of_two_values_is_their_entropy),
        cmocka_unit_test(bound_counts_the_sign_where_it_costs_least),
        cmocka_unit_test(bf16_models_have_the_entropy_of_real_ones),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
