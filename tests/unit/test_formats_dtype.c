/*
 * Goal: the table of types holds every name that a format has, each once, with the size that the
 * format gives it; a name leads to its type and the type to its name. Method: the table is walked
 * by its columns, and compared with the formats' own lists, written down here from their sources.
 */
#include "formats/dtype.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_type_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        assert_non_null(dtype_info((enum dtype)i)->name);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(dtype_name((enum dtype)i), dtype_name((enum dtype)j));
    }
    assert_string_equal(dtype_name(DTYPE_COUNT), "unknown");
}

static void every_name_in_a_format_leads_back_to_its_type(void **state)
{
    (void)state;
    for (size_t c = 0; c < DTYPE_FORMAT_COUNT; c++) {
        for (int i = 0; i < DTYPE_COUNT; i++) {
            const char *name = dtype_info((enum dtype)i)->names[c];
            enum dtype found = DTYPE_COUNT;

            if (!name)
                continue;
            assert_int_equal(dtype_find((enum dtype_format)c, name, strlen(name), &found), 0);
            assert_int_equal(found, i); /* and not an earlier one of the same name */
        }
    }
}

static void every_number_of_ggml_leads_back_to_its_type(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        enum dtype found = DTYPE_COUNT;

        if (dtype_info((enum dtype)i)->gguf == DTYPE_GGUF_NONE)
            continue;
        assert_int_equal(dtype_of_gguf(dtype_info((enum dtype)i)->gguf, &found), 0);
        assert_int_equal(found, i);
    }
}

static void what_is_no_name_is_refused_and_nothing_returned(void **state)
{
    static const char *const names[] = {"", "F", "F321", "f32 ", "FLOATSTORAGE", "x"};

    (void)state;
    for (size_t c = 0; c < DTYPE_FORMAT_COUNT; c++) {
        for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
            enum dtype found = DTYPE_COUNT;

            assert_int_equal(dtype_find((enum dtype_format)c, names[i], strlen(names[i]), &found),
                             -ENOENT);
            assert_int_equal(found, DTYPE_COUNT);
        }
    }
    for (uint32_t type = 42; type < 1000; type++)
        assert_int_equal(dtype_of_gguf(type, &(enum dtype){DTYPE_BYTES}), -ENOENT);
    assert_int_equal(dtype_of_gguf(DTYPE_GGUF_NONE, &(enum dtype){DTYPE_BYTES}), -ENOENT);
}

static void a_name_needs_no_end(void **state)
{
    enum dtype found = DTYPE_COUNT;

    (void)state;
    assert_int_equal(dtype_find(DTYPE_IN_SAFETENSORS, "F16\"", 3, &found), 0);
    assert_int_equal(found, DTYPE_F16);
}

/* The first number in a name, 0 when there is none. */
static uint32_t number_in(const char *name)
{
    while (*name && !isdigit((unsigned char)*name))
        name++;
    return (uint32_t)strtoul(name, NULL, 10);
}

static void assert_bits(const struct dtype_info *info, const char *name, uint32_t bits)
{
    if (info->block_elements != 1 || info->block_bits != bits)
        fail_msg("'%s' has %u bits in the table, %u by its name", name, info->block_bits, bits);
}

static void sizes_are_those_that_names_say(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        const struct dtype_info *info = dtype_info((enum dtype)i);

        if (info->names[DTYPE_IN_SAFETENSORS] &&
            number_in(info->names[DTYPE_IN_SAFETENSORS]) > 0) /* but for BOOL */
            assert_bits(info, info->names[DTYPE_IN_SAFETENSORS],
                        number_in(info->names[DTYPE_IN_SAFETENSORS]));
        if (info->names[DTYPE_IN_NPY])
            assert_bits(info, info->names[DTYPE_IN_NPY], 8 * number_in(info->names[DTYPE_IN_NPY]));
        if (info->names[DTYPE_IN_TORCH] && number_in(info->names[DTYPE_IN_TORCH]) > 0 &&
            !strchr(info->names[DTYPE_IN_TORCH], 'x'))
            assert_bits(info, info->names[DTYPE_IN_TORCH], number_in(info->names[DTYPE_IN_TORCH]));
    }
    assert_bits(dtype_info(DTYPE_BOOL), "BOOL", 8);
    assert_bits(dtype_info(DTYPE_C64), "complex64", 64);
    assert_bits(dtype_info(DTYPE_C128), "complex128", 128);
    assert_bits(dtype_info(DTYPE_QU4X2), "quint4x2", 4 * 2);
    assert_bits(dtype_info(DTYPE_QU2X4), "quint2x4", 2 * 4);
}

static void safetensors_has_all_its_types_and_no_others(void **state)
{
    /* safetensors/src/tensor.rs, enum Dtype */
    static const char *const names[] = {
        "BOOL",        "F4",          "F6_E2M3", "F6_E3M2", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
        "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "I16",     "U16", "F16", "BF16",    "I32",
        "U32",         "F32",         "C64",     "F64",     "I64", "U64",
    };
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++)
        assert_int_equal(dtype_find(DTYPE_IN_SAFETENSORS, names[i], strlen(names[i]),
                                    &(enum dtype){DTYPE_BYTES}),
                         0);
    for (int i = 0; i < DTYPE_COUNT; i++)
        count += dtype_info((enum dtype)i)->names[DTYPE_IN_SAFETENSORS] != NULL;
    assert_int_equal(count, TFS_ARRAY_COUNT(names));
}

static void blocks_of_ggml_have_the_sizes_of_its_structs(void **state)
{
    /* ggml-common.h: number, elements and bytes of a block. Those not named were removed. */
    static const uint32_t blocks[][3] = {
        {0, 1, 4},      {1, 1, 2},      {2, 32, 18},    {3, 32, 20},    {6, 32, 22},
        {7, 32, 24},    {8, 32, 34},    {9, 32, 36},    {10, 256, 84},  {11, 256, 110},
        {12, 256, 144}, {13, 256, 176}, {14, 256, 210}, {15, 256, 292}, {16, 256, 66},
        {17, 256, 74},  {18, 256, 98},  {19, 256, 50},  {20, 32, 18},   {21, 256, 110},
        {22, 256, 82},  {23, 256, 136}, {24, 1, 1},     {25, 1, 2},     {26, 1, 4},
        {27, 1, 8},     {28, 1, 8},     {29, 256, 56},  {30, 1, 2},     {34, 256, 54},
        {35, 256, 66},  {39, 32, 17},   {40, 64, 36},   {41, 128, 18},
    };
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(blocks); i++) {
        enum dtype found = DTYPE_COUNT;

        assert_int_equal(dtype_of_gguf(blocks[i][0], &found), 0);
        assert_int_equal(dtype_info(found)->block_elements, blocks[i][1]);
        assert_int_equal(dtype_info(found)->block_bits, 8 * blocks[i][2]);
    }
    for (int i = 0; i < DTYPE_COUNT; i++)
        count += dtype_info((enum dtype)i)->gguf != DTYPE_GGUF_NONE;
    assert_int_equal(count, TFS_ARRAY_COUNT(blocks));
}

static void arithmetic_is_a_type_s_own_or_that_of_its_parts(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        const enum dtype arithmetic = dtype_info((enum dtype)i)->arithmetic;

        assert_true(arithmetic < DTYPE_ARITHMETIC_COUNT);
        assert_int_equal(dtype_width((enum dtype)i) % dtype_width(arithmetic), 0);
        if (i < DTYPE_ARITHMETIC_COUNT)
            assert_int_equal(arithmetic, i);
    }
    assert_int_equal(dtype_info(DTYPE_C64)->arithmetic, DTYPE_F32);
    assert_int_equal(dtype_info(DTYPE_C128)->arithmetic, DTYPE_F64);
}

static void sizes_are_whole_bytes_of_whole_blocks(void **state)
{
    uint64_t size = 7;

    (void)state;
    assert_int_equal(dtype_size(DTYPE_F4, 3, &size), -EUCLEAN);
    assert_int_equal(dtype_size(DTYPE_F6_E2M3, 2, &size), -EUCLEAN);
    assert_int_equal(dtype_size(DTYPE_Q4_0, 33, &size), -EUCLEAN);
    assert_int_equal(dtype_size(DTYPE_C128, UINT64_MAX / 15, &size), -EOVERFLOW);
    assert_int_equal(dtype_size(DTYPE_F6_E3M2, UINT64_MAX / 4, &size), -EOVERFLOW);
    assert_int_equal(size, 7);
    assert_int_equal(dtype_size(DTYPE_F4, 4, &size), 0);
    assert_int_equal(size, 2);
    assert_int_equal(dtype_size(DTYPE_Q4_0, 64, &size), 0);
    assert_int_equal(size, 36);
    assert_int_equal(dtype_size(DTYPE_F32, 1ull << 61, &size), 0);
    assert_int_equal(size, 1ull << 63);
    assert_int_equal(dtype_size(DTYPE_BF16, 0, &size), 0);
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_name_of_its_own),
        cmocka_unit_test(every_name_in_a_format_leads_back_to_its_type),
        cmocka_unit_test(every_number_of_ggml_leads_back_to_its_type),
        cmocka_unit_test(what_is_no_name_is_refused_and_nothing_returned),
        cmocka_unit_test(a_name_needs_no_end),
        cmocka_unit_test(sizes_are_those_that_names_say),
        cmocka_unit_test(safetensors_has_all_its_types_and_no_others),
        cmocka_unit_test(blocks_of_ggml_have_the_sizes_of_its_structs),
        cmocka_unit_test(arithmetic_is_a_type_s_own_or_that_of_its_parts),
        cmocka_unit_test(sizes_are_whole_bytes_of_whole_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
