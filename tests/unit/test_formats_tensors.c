/*
 * Goal: tensors are found where they are in every format, and no header, however hostile, leads
 * outside the file, into another tensor, or into a crash. Method: files built in memory, each
 * malformed in one way.
 */
#include "formats/json_reader.h"
#include "formats/tensors.h"
#include "formats_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_tensor(const struct tensor_list *list, size_t index, const char *name,
                          enum dtype dtype, uint64_t offset, uint64_t size)
{
    assert_true(index < list->count);
    assert_string_equal(list->tensors[index].name, name);
    assert_int_equal(list->tensors[index].dtype, dtype);
    assert_int_equal(list->tensors[index].offset, offset);
    assert_int_equal(list->tensors[index].size, size);
}

static void assert_malformed(struct bytes *bytes, const char *format)
{
    struct tensor_list list;

    assert_int_equal(parse(bytes, &list), -EUCLEAN);
    assert_string_equal(list.format, format);
    assert_int_equal(list.count, 0);
    assert_true(list.reason[0] != '\0');
    tensor_list_release(&list);
    bytes_free(bytes);
}

/* ---- safetensors ---- */

static void safetensors_tensors_are_found_in_the_order_of_their_offsets(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"a\":\"b\"},"
        "\"w\\u00e9\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
        "\"x\":{\"shape\":[2],\"data_offsets\":[0,8],\"dtype\":\"F32\",\"more\":[{\"a\":[1]}]},"
        "\"empty\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[20,20]},"
        "\"e8\":{\"dtype\":\"F8_E8M0\",\"shape\":[5],\"data_offsets\":[20,25]}}  ";
    const uint64_t data = 8 + strlen(header);
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    safetensors_build(header, 25, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_string_equal(list.format, "safetensors");
    assert_int_equal(list.count, 4);
    assert_tensor(&list, 0, "x", DTYPE_F32, data, 8);
    assert_tensor(&list, 1, "w\xc3\xa9", DTYPE_BF16, data + 8, 12);
    assert_tensor(&list, 2, "empty", DTYPE_F64, data + 20, 0);
    assert_tensor(&list, 3, "e8", DTYPE_F8_E8M0, data + 20, 5);
    tensor_list_release(&list);
    bytes_free(&bytes);
}

#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static void safetensors_headers_that_lie_are_refused(void **state)
{
    static const char *const headers[] = {
        "{",
        "{}x",
        "{\"a\":3}",
        "{\"a\":{}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
        "{" ENTRY("a", "F32", "1", "0,4"), /* no end */
        "{" ENTRY("a", "F32", "1", "4,0") "}",
        "{" ENTRY("a", "F32", "1", "0,8") "}",
        "{" ENTRY("a", "F32", "-1", "0,4") "}",
        "{" ENTRY("a", "F32", "1.0", "0,4") "}",
        /* 2^64 elements, and 2^62 of 4 bytes: both overflow to 0 */
        "{" ENTRY("a", "F32", "4294967296,4294967296", "0,0") "}",
        "{" ENTRY("a", "F32", "4611686018427387904", "0,0") "}",
        /* behind the file's end */
        "{" ENTRY("a", "U8", "17", "0,17") "}",
        "{" ENTRY("a", "U8", "4", "14,18") "}",
        "{" ENTRY("a", "U8", "0", "18446744073709551615,18446744073709551615") "}",
        "{" ENTRY("a", "U8", "1", "0,18446744073709551616") "}",
        /* overlapping */
        "{" ENTRY("a", "U8", "8", "0,8") "," ENTRY("b", "U8", "8", "7,15") "}",
        "{" ENTRY("a", "U8", "8", "0,8") "," ENTRY("a", "U8", "8", "0,8") "}",
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(headers); i++) {
        struct bytes bytes = {0};

        safetensors_build(headers[i], 16, &bytes);
        assert_malformed(&bytes, "safetensors");
    }
}

static void a_safetensors_header_longer_than_its_file_is_refused(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    bytes_put_number(&bytes, 1000, 8);
    bytes_put(&bytes, "{}", 2);
    assert_malformed(&bytes, "safetensors");
}

static void deep_json_is_refused_without_recursion(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    bytes_put_number(&bytes, 20 + 2000000, 8);
    bytes_put(&bytes, "{\"__metadata__\":{\"a\":", 21);
    bytes_fill(&bytes, '[', 1000000);
    bytes_fill(&bytes, ']', 1000000);
    assert_malformed(&bytes, "safetensors");
}

static void a_safetensors_file_cut_off_anywhere_is_refused(void **state)
{
    static const char header[] =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
    struct bytes whole = {0};

    (void)state;
    safetensors_build(header, 16, &whole);
    for (size_t size = 10; size < whole.size; size++) {
        struct bytes bytes = {0};

        bytes_put(&bytes, whole.data, size);
        assert_malformed(&bytes, "safetensors");
    }
    bytes_free(&whole);
}

/* ---- JSON ---- */

static void json_strings_are_decoded_or_refused(void **state)
{
    static const char *const good[][2] = {{"\"a\\n\\\"\\/\"", "a\n\"/"},
                                          {" \"\\u0041\\u20ac\"", "A\xe2\x82\xac"},
                                          {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"}};
    static const char *const bad[] = {"\"a",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud83d\"",
                                      "\"\\udc00\"",
                                      "\"\\ud83d\\u0041\"",
                                      "a",
                                      "",
                                      "\"0123456789abcdef0\"",
                                      "\"\x01\""};
    char text[16];
    size_t size;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(good); i++) {
        struct json_reader json = {good[i][0], good[i][0] + strlen(good[i][0])};

        assert_int_equal(json_reader_string(&json, text, sizeof(text), &size), 0);
        assert_int_equal(size, strlen(good[i][1]));
        assert_memory_equal(text, good[i][1], size);
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++) {
        struct json_reader json = {bad[i], bad[i] + strlen(bad[i])};

        assert_int_equal(json_reader_string(&json, text, sizeof(text), &size), -EUCLEAN);
    }
}

static void json_values_are_skipped_when_their_brackets_match(void **state)
{
    static const char *const good[] = {
        "1", "-1.5e3", "null", "[]", "{\"a\":[1,{\"b\":\"]\"}]}", "\"\\\"\""};
    static const char *const bad[] = {"", "[", "[}", "{]", "]", "[\"", "\"\\", ","};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(good); i++) {
        struct json_reader json = {good[i], good[i] + strlen(good[i])};

        assert_int_equal(json_reader_skip(&json), 0);
        assert_ptr_equal(json.at, json.end);
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++) {
        struct json_reader json = {bad[i], bad[i] + strlen(bad[i])};

        assert_int_equal(json_reader_skip(&json), -EUCLEAN);
    }
}

static void json_may_be_as_deep_as_the_limit_and_no_deeper(void **state)
{
    char text[2 * JSON_READER_DEPTH_MAX + 2];
    struct json_reader json;

    (void)state;
    memset(text, '[', JSON_READER_DEPTH_MAX);
    memset(text + JSON_READER_DEPTH_MAX, ']', JSON_READER_DEPTH_MAX);
    json = (struct json_reader){text, text + 2 * JSON_READER_DEPTH_MAX};
    assert_int_equal(json_reader_skip(&json), 0);
    memset(text, '[', JSON_READER_DEPTH_MAX + 1);
    memset(text + JSON_READER_DEPTH_MAX + 1, ']', JSON_READER_DEPTH_MAX + 1);
    json = (struct json_reader){text, text + sizeof(text)};
    assert_int_equal(json_reader_skip(&json), -EUCLEAN);
}

/* ---- npy ---- */

/* An array of version 2, whose header may be long. */
static void npy2_build(const char *header, size_t space_count, size_t data_size, struct bytes *ret)
{
    bytes_put(ret, "\x93NUMPY\2\0", 8);
    bytes_put_number(ret, strlen(header) + space_count, 4);
    bytes_put(ret, header, strlen(header));
    bytes_fill(ret, ' ', space_count);
    bytes_fill(ret, 1, data_size);
}

static void an_npy_header_may_be_longer_than_a_mebibyte(void **state)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    npy2_build(header, 3 << 20, 8, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_tensor(&list, 0, "array", DTYPE_F32, 12 + strlen(header) + (3 << 20), 8);
    tensor_list_release(&list);
    bytes.size--;
    assert_malformed(&bytes, "npy");
}

static void npy_fields_that_nest_without_end_are_refused(void **state)
{
    struct bytes text = {0};
    struct bytes bytes = {0};

    (void)state;
    bytes_put(&text, "{'descr': ", 10);
    for (int i = 0; i < 100000; i++)
        bytes_put(&text, "[('a',", 6);
    bytes_fill(&text, '\0', 1);
    npy2_build((const char *)text.data, 0, 8, &bytes);
    assert_malformed(&bytes, "npy");
    bytes_free(&text);
}

static void npy_arrays_have_their_dtype_and_size(void **state)
{
    static const struct {
        const char *header;
        enum dtype dtype;
        uint64_t size;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", DTYPE_F32, 24},
        {"{'descr': '|b1', 'fortran_order': True, 'shape': (5,), }\n", DTYPE_BOOL, 5},
        {"{'descr': '<c16', 'fortran_order': False, 'shape': (), }\n", DTYPE_C128, 16},
        {"{'descr': '|V2', 'fortran_order': False, 'shape': (3L,), }\n", DTYPE_BF16, 6},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", DTYPE_BYTES, 8},
        {"{'descr': '<U3', 'fortran_order': False, 'shape': (2,), }\n", DTYPE_BYTES, 24},
        {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (2,), }\n", DTYPE_BYTES, 16},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n", DTYPE_BYTES, 32},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }\n", DTYPE_BYTES, 8},
        {"{'descr': [('id', '<i4'), ('shape', '<f4')], 'fortran_order': False, 'shape': (3,), }\n",
         DTYPE_BYTES, 24},
        {"{'descr': [(('a}, title', 'a'), '<f4', (2, 1)), ('', '|V4'), ('descr', [('it\\'s', "
         "'<f2'), "
         "('b', '|i1', (2,))])], 'fortran_order': False, 'shape': (1,), }",
         DTYPE_BYTES, 16},
        {"{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (2,), }\n",
         DTYPE_BYTES, 32},
        {"{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2, 3)}", DTYPE_F32, 24},
        {"{u'shape': (2, 3), u'descr': u'<f4', u'fortran_order': False}   \n", DTYPE_F32, 24},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct bytes bytes = {0};
        struct tensor_list list;

        npy_build(rows[i].header, 32, &bytes);
        assert_int_equal(parse(&bytes, &list), 0);
        assert_tensor(&list, 0, "array", rows[i].dtype, 10 + strlen(rows[i].header), rows[i].size);
        tensor_list_release(&list);
        bytes_free(&bytes);
    }
}

#define NPY(descr, shape) "{'descr': " descr ", 'fortran_order': False, 'shape': " shape "}"

static void npy_headers_that_lie_are_refused(void **state)
{
    static const char *const headers[] = {
        NPY("'<f4'", "(9,)"),
        NPY("'>f4'", "(9,)"),
        NPY("'<U3'", "(3,)"),
        NPY("[('a', '<f4'), ('b', '<i4', (2,))]", "(3,)"),
        NPY("[('a', [('b', '<f8')], (2,))]", "(3,)"),
        NPY("'<f4'", "(4294967296, 4294967296)"),
        NPY("'<f4'", "(4611686018427387904,)"),
        NPY("'<f4'", "(99999999999999999999999,)"),
        NPY("'<f4'", "(-1,)"),
        NPY("'<f4'", "(1 2)"),
        NPY("'<f4'", "3"),
        NPY("[('a', '<f8', (4611686018427387904,))]", "(1,)"),
        NPY("[('a', '<f4'", "(1,)"),
        NPY("[('a')]", "(1,)"),
        NPY("[('a', '<f4' 'b')]", "(1,)"),
        NPY("['<f4']", "(1,)"),
        NPY("<f4", "(1,)"),
        NPY("'<f4", "(1,)"),
        NPY("'<f4'", "(1,)") "x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1",
        "{'descr': '<f4', 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'other': {'descr': '<f4', 'fortran_order': False, 'shape': (1,)}}",
        "{'descr'",
        "[]",
        "",
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(headers); i++) {
        struct bytes bytes = {0};

        npy_build(headers[i], 32, &bytes);
        assert_malformed(&bytes, "npy");
    }
}

/* ---- zip, torch ---- */

static void torch_build(const char *storage, uint32_t count, size_t data_size, struct bytes *ret)
{
    struct bytes pickle = {0};
    struct bytes data = {0};

    pickle_build("layer.weight", storage, count, &pickle);
    bytes_fill(&data, 0x3B, data_size);
    zip_build((const struct zip_member[]){{"m/data.pkl", pickle.data, pickle.size},
                                          {"m/byteorder", "little", 6},
                                          {"m/data/0", data.data, data.size}},
              3, ret);
    bytes_free(&pickle);
    bytes_free(&data);
}

static void torch_storages_are_named_and_typed_by_the_pickle(void **state)
{
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    torch_build("HalfStorage", 10, 20, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_string_equal(list.format, "torch");
    assert_int_equal(list.count, 1);
    assert_string_equal(list.tensors[0].name, "m/data/0 (layer.weight)");
    assert_int_equal(list.tensors[0].dtype, DTYPE_F16);
    assert_int_equal(list.tensors[0].size, 20);
    assert_int_equal(bytes.data[list.tensors[0].offset], 0x3B);
    assert_int_equal(bytes.data[list.tensors[0].offset - 1], 'Z');
    tensor_list_release(&list);
    bytes_free(&bytes);
}

static void a_storage_of_another_size_than_its_elements_is_refused(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    torch_build("HalfStorage", 11, 20, &bytes);
    assert_malformed(&bytes, "torch");
}

static void an_npz_has_its_members_arrays(void **state)
{
    struct bytes bytes = {0};
    struct bytes npy = {0};
    struct tensor_list list;

    (void)state;
    npy_build("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", 16, &npy);
    zip_build((const struct zip_member[]){{"a.npy", npy.data, npy.size}, {"b.txt", "text", 4}}, 2,
              &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_string_equal(list.format, "zip");
    assert_int_equal(list.count, 1);
    assert_string_equal(list.tensors[0].name, "a.npy");
    assert_int_equal(list.tensors[0].size, 16);
    tensor_list_release(&list);
    bytes_free(&npy);
    bytes_free(&bytes);
}

static void a_zip_cut_off_anywhere_is_refused(void **state)
{
    struct bytes whole = {0};

    (void)state;
    torch_build("FloatStorage", 4, 16, &whole);
    for (size_t size = 16; size < whole.size; size++) {
        struct bytes bytes = {0};

        bytes_put(&bytes, whole.data, size);
        assert_malformed(&bytes, "zip");
    }
    bytes_free(&whole);
}

/* Set `width` bytes at `at`, counted from the end of the archive, in an otherwise good archive. */
static void assert_patched_zip_is_malformed(size_t from_end, uint64_t value, size_t width,
                                            const char *format)
{
    struct bytes bytes = {0};

    torch_build("FloatStorage", 4, 16, &bytes);
    for (size_t i = 0; i < width; i++)
        bytes.data[bytes.size - from_end + i] = (uint8_t)(value >> (8 * i));
    assert_malformed(&bytes, format);
}

static void zip_directories_that_lie_are_refused(void **state)
{
    const size_t last_record = 22 + 46 + strlen("m/data/0");

    (void)state;
    assert_patched_zip_is_malformed(12, 4, 2, "zip");          /* one entry more */
    assert_patched_zip_is_malformed(10, 0x7FFFFFFF, 4, "zip"); /* the directory's size */
    assert_patched_zip_is_malformed(6, 0x7FFFFFFF, 4, "zip");  /* its offset */
    assert_patched_zip_is_malformed(6, 0xFFFFFFFF, 4, "zip");  /* zip64 that is not there */
    assert_patched_zip_is_malformed(last_record, 0, 4, "zip"); /* an entry's magic */
    assert_patched_zip_is_malformed(last_record - 20, 0x10000, 4, "zip");    /* its size */
    assert_patched_zip_is_malformed(last_record - 28, 0xFFFF, 2, "zip");     /* its name's length */
    assert_patched_zip_is_malformed(last_record - 42, 0x7FFFFFFF, 4, "zip"); /* its offset */
    assert_patched_zip_is_malformed(last_record - 42, 0xFFFFFFFF, 4, "zip"); /* zip64, not there */
    assert_patched_zip_is_malformed(last_record - 42, 1, 4, "zip"); /* no local header there */
}

static void what_has_no_known_format_is_raw(void **state)
{
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    bytes_fill(&bytes, 'x', 100);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_string_equal(list.format, "raw");
    assert_int_equal(list.count, 0);
    bytes_free(&bytes);
    assert_int_equal(parse(&bytes, &list), 0); /* an empty file */
    assert_string_equal(list.format, "raw");
}

static unsigned stops_left;

static bool is_stopped(void)
{
    return stops_left-- == 0;
}

/* Stopped at the first look, at the second, and so on, until it comes to its end. */
static void what_is_stopped_anywhere_ends_with_that_and_leaves_nothing(void **state)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                 "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
    struct bytes bytes = {0};
    struct format_source source;
    struct tensor_list list;
    unsigned count = 0;
    int err;

    (void)state;
    safetensors_build(header, 8, &bytes);
    format_source_of_memory(bytes.data, bytes.size, &source);
    source.is_stopped = is_stopped;
    do {
        stops_left = count++;
        err = tensors_find(&source, &list);
        assert_int_equal(list.count, err == 0 ? 2 : 0);
        assert_true(err == 0 || err == -EINTR);
        tensor_list_release(&list);
    } while (err < 0);
    assert_true(count > 4); /* three reads, two tensors */
    bytes_free(&bytes);
}

static ssize_t short_read(const struct format_source *source, uint64_t offset, void *dst,
                          size_t size)
{
    static bool is_repeated;

    is_repeated = !is_repeated;
    if (is_repeated)
        return -EINTR;
    memcpy(dst, (const char *)source->object + offset, size > 3 ? 3 : size);
    return size > 3 ? 3 : (ssize_t)size;
}

static ssize_t failing_read(const struct format_source *source, uint64_t offset, void *dst,
                            size_t size)
{
    (void)source;
    (void)offset;
    (void)dst;
    (void)size;
    return -EIO;
}

static void anybody_s_source_is_read_to_its_end(void **state)
{
    char text[] = "some text";
    struct format_source source = {.read = short_read, .size = sizeof(text), .object = text};
    char *bytes = NULL;

    (void)state;
    assert_int_equal(format_source_read_all(&source, &bytes), 0);
    assert_string_equal(bytes, text);
    free(bytes);
    bytes = NULL;
    source.read = failing_read;
    assert_int_equal(format_source_read_all(&source, &bytes), -EIO);
    source.size = FORMAT_HEADER_BYTES_MAX + 1;
    assert_int_equal(format_source_read_all(&source, &bytes), -EFBIG);
    assert_null(bytes);
    assert_int_equal(format_source_read(&source, source.size, text, 1), -EUCLEAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stopped_anywhere_ends_with_that_and_leaves_nothing),
        cmocka_unit_test(anybody_s_source_is_read_to_its_end),
        cmocka_unit_test(safetensors_tensors_are_found_in_the_order_of_their_offsets),
        cmocka_unit_test(safetensors_headers_that_lie_are_refused),
        cmocka_unit_test(a_safetensors_header_longer_than_its_file_is_refused),
        cmocka_unit_test(deep_json_is_refused_without_recursion),
        cmocka_unit_test(a_safetensors_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(json_strings_are_decoded_or_refused),
        cmocka_unit_test(json_values_are_skipped_when_their_brackets_match),
        cmocka_unit_test(json_may_be_as_deep_as_the_limit_and_no_deeper),
        cmocka_unit_test(npy_arrays_have_their_dtype_and_size),
        cmocka_unit_test(npy_headers_that_lie_are_refused),
        cmocka_unit_test(an_npy_header_may_be_longer_than_a_mebibyte),
        cmocka_unit_test(npy_fields_that_nest_without_end_are_refused),
        cmocka_unit_test(torch_storages_are_named_and_typed_by_the_pickle),
        cmocka_unit_test(a_storage_of_another_size_than_its_elements_is_refused),
        cmocka_unit_test(an_npz_has_its_members_arrays),
        cmocka_unit_test(a_zip_cut_off_anywhere_is_refused),
        cmocka_unit_test(zip_directories_that_lie_are_refused),
        cmocka_unit_test(what_has_no_known_format_is_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
