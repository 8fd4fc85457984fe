/*
 * Goal: tensors of GGUF files are found where they are, and a file that its loader refuses is
 * malformed. Method: files built in memory, each wrong in one way, and one cut at every byte.
 */
#include "formats_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { F32 = 0, Q4_0 = 2, BF16 = 30, UNKNOWN_TYPE = 99 };

struct gguf_tensor {
    const char *name;
    uint32_t type;
    uint64_t rows;
    uint64_t columns; /* the first dimension */
    uint64_t offset;
    size_t size; /* of its data */
};

static void put_string(struct bytes *bytes, const char *text)
{
    bytes_put_number(bytes, strlen(text), 8);
    bytes_put(bytes, text, strlen(text));
}

/* A number, a text, a list of texts and one of numbers; and the alignment, unless it is 0. */
static void put_pairs(struct bytes *bytes, uint32_t alignment)
{
    put_string(bytes, "a.number");
    bytes_put_number(bytes, 10, 4);
    bytes_put_number(bytes, 7, 8);
    put_string(bytes, "general.name");
    bytes_put_number(bytes, 8, 4);
    put_string(bytes, "model");
    put_string(bytes, "tokens");
    bytes_put_number(bytes, 9, 4);
    bytes_put_number(bytes, 8, 4);
    bytes_put_number(bytes, 2, 8);
    put_string(bytes, "x");
    put_string(bytes, "");
    put_string(bytes, "scores");
    bytes_put_number(bytes, 9, 4);
    bytes_put_number(bytes, 6, 4);
    bytes_put_number(bytes, 3, 8);
    bytes_fill(bytes, 0, 12);
    if (alignment > 0) {
        put_string(bytes, "general.alignment");
        bytes_put_number(bytes, 4, 4);
        bytes_put_number(bytes, alignment, 4);
    }
}

static void gguf_build(uint32_t version, uint32_t alignment, const struct gguf_tensor *tensors,
                       size_t count, struct bytes *ret)
{
    const size_t step = alignment > 0 ? alignment : 32;

    bytes_put(ret, "GGUF", 4);
    bytes_put_number(ret, version, 4);
    bytes_put_number(ret, count, 8);
    bytes_put_number(ret, alignment > 0 ? 5 : 4, 8);
    put_pairs(ret, alignment);
    for (size_t i = 0; i < count; i++) {
        put_string(ret, tensors[i].name);
        bytes_put_number(ret, 2, 4);
        bytes_put_number(ret, tensors[i].columns, 8);
        bytes_put_number(ret, tensors[i].rows, 8);
        bytes_put_number(ret, tensors[i].type, 4);
        bytes_put_number(ret, tensors[i].offset, 8);
    }
    for (size_t i = 0; i < count; i++) {
        bytes_fill(ret, 0, step - 1 - (ret->size + step - 1) % step);
        bytes_fill(ret, (uint8_t)(i + 1), tensors[i].size);
    }
}

static const struct gguf_tensor good[] = {
    {"a", F32, 3, 5, 0, 60}, {"b", Q4_0, 2, 64, 64, 72}, {"c", BF16, 1, 3, 160, 6}};

static void assert_reason(struct bytes *bytes, const char *reason)
{
    struct tensor_list list;

    assert_int_equal(parse(bytes, &list), -EUCLEAN);
    assert_string_equal(list.format, "gguf");
    if (!strstr(list.reason, reason)) {
        print_error("'%s' is not in '%s'\n", reason, list.reason);
        fail();
    }
    tensor_list_release(&list);
    bytes_free(bytes);
}

static void tensors_of_gguf_are_found_by_the_sizes_of_their_blocks(void **state)
{
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        gguf_build(version, 0, good, 3, &bytes);
        assert_int_equal(parse(&bytes, &list), 0);
        assert_string_equal(list.format, "gguf");
        assert_int_equal(list.count, 3);
        for (size_t i = 0; i < 3; i++) {
            assert_string_equal(list.tensors[i].name, good[i].name);
            assert_int_equal(list.tensors[i].size, good[i].size);
            assert_int_equal(bytes.data[list.tensors[i].offset], i + 1);
            assert_int_equal(bytes.data[list.tensors[i].offset + good[i].size - 1], i + 1);
        }
        assert_int_equal(list.tensors[0].dtype, DTYPE_F32);
        assert_int_equal(list.tensors[1].dtype, DTYPE_Q4_0);
        assert_int_equal(list.tensors[2].dtype, DTYPE_BF16);
        tensor_list_release(&list);
        bytes_free(&bytes);
    }
}

static void the_alignment_is_the_file_s(void **state)
{
    static const struct gguf_tensor tensors[] = {{"a", F32, 1, 1, 0, 4}, {"b", F32, 1, 1, 128, 4}};
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    gguf_build(3, 128, tensors, 2, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_int_equal(list.tensors[1].offset - list.tensors[0].offset, 128);
    assert_int_equal(list.tensors[0].offset % 128, 0);
    tensor_list_release(&list);
    bytes_free(&bytes);
    gguf_build(3, 24, tensors, 2, &bytes);
    assert_reason(&bytes, "an alignment of 24");
}

static void a_gguf_cut_off_anywhere_is_refused(void **state)
{
    struct bytes whole = {0};

    (void)state;
    gguf_build(3, 0, good, 3, &whole);
    for (size_t size = 4; size < whole.size; size++) {
        struct bytes bytes = {0};

        bytes_put(&bytes, whole.data, size);
        assert_reason(&bytes, "");
    }
    bytes_free(&whole);
}

static void ggufs_that_lie_are_refused(void **state)
{
    static const struct {
        struct gguf_tensor tensors[2];
        const char *reason;
    } rows[] = {
        {{{"a", F32, 1, 1, 0, 4}, {"a", F32, 1, 1, 32, 4}}, "tensor 'a' twice"},
        {{{"a", F32, 1, 1, 0, 4}, {"b", F32, 1, 1, 64, 36}},
         "tensor 'b' at 64 of the data, not 32"},
        {{{"a", F32, 1, 1, 0, 4}, {"b", F32, 1, 1, 0, 4}}, "tensor 'b' at 0 of the data, not 32"},
        {{{"a", UNKNOWN_TYPE, 1, 1, 0, 4}, {"b", F32, 1, 1, 32, 4}}, "'a': unknown type 99"},
        {{{"a", Q4_0, 1, 33, 0, 36}, {"b", F32, 1, 1, 64, 4}}, "'a': bad shape"},
        {{{"a", F32, 1ull << 33, 1ull << 33, 0, 4}, {"b", F32, 1, 1, 32, 4}}, "'a': bad shape"},
        {{{"a", F32, 1ull << 31, 1ull << 32, 0, 4}, {"b", F32, 1, 1, 32, 4}}, "'a': bad shape"},
        {{{"a", F32, 1ull << 30, 1ull << 30, 0, 4}, {"b", F32, 1, 1, 32, 4}},
         "cut off: tensor 'a'"},
        {{{"a", F32, 1, 1, 0, 4}, {"b", F32, 1, 2, 32, 4}}, "cut off: tensor 'b'"},
    };
    static const struct {
        uint32_t version;
        const char *reason;
    } versions[] = {{0, "version 0"}, {1, "version 1"}, {4, "version 4"}, {3u << 24, "big-endian"}};
    struct bytes bytes = {0};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        gguf_build(3, 0, rows[i].tensors, 2, &bytes);
        assert_reason(&bytes, rows[i].reason);
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(versions); i++) {
        gguf_build(versions[i].version, 0, good, 3, &bytes);
        assert_reason(&bytes, versions[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_of_gguf_are_found_by_the_sizes_of_their_blocks),
        cmocka_unit_test(the_alignment_is_the_file_s),
        cmocka_unit_test(a_gguf_cut_off_anywhere_is_refused),
        cmocka_unit_test(ggufs_that_lie_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
