/*
 * Goal: what the libraries of a format refuse is malformed, with a reason that says what and where;
 * what they accept is not. Method: files in memory, each wrong in one way, or odd in one way.
 */
#include "formats_fixture.h"
#include "store/base/bytes.h"
#include "tools/validate/tensors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Without a name, or with one. */
static int parse_named(const struct bytes *bytes, const char *name, struct tensor_list *ret)
{
    struct format_source source;

    format_source_of_memory(bytes->data, bytes->size, &source);
    return validate_tensors_find(&source, name, ret);
}

static void assert_reason(struct bytes *bytes, const char *name, const char *format,
                          const char *reason)
{
    struct tensor_list list;

    if (parse_named(bytes, name, &list) != -EUCLEAN || strcmp(list.format, format) != 0 ||
        !strstr(list.reason, reason)) {
        print_error("'%s': %s, '%s', but not: %s, '%s'\n", name ? name : "", list.format,
                    list.reason, format, reason);
        fail();
    }
    assert_int_equal(list.count, 0);
    tensor_list_release(&list);
    bytes_free(bytes);
}

static void assert_taken(struct bytes *bytes, const char *name, const char *format, size_t count)
{
    struct tensor_list list;
    int err = parse_named(bytes, name, &list);

    if (err < 0)
        print_error("'%s': %s\n", name ? name : "", list.reason);
    assert_int_equal(err, 0);
    assert_string_equal(list.format, format);
    assert_int_equal(list.count, count);
    tensor_list_release(&list);
    bytes_free(bytes);
}

#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static void safetensors_that_the_library_refuses_are_malformed(void **state)
{
    static const struct {
        const char *header;
        size_t data_size;
        const char *reason;
    } rows[] = {
        {"{" ENTRY("a", "U8", "8", "0,8") "}", 9, "1 bytes at 69, behind the last tensor"},
        {"{}", 1, "1 bytes at 10, behind the last tensor"},
        {"{" ENTRY("a", "U8", "8", "1,9") "}", 9, "1 bytes at 61, before tensor 'a'"},
        {"{" ENTRY("a", "U8", "2", "0,2") "," ENTRY("b", "U8", "2", "4,6") "}", 6,
         "before tensor 'b', are no tensor's"},
        {"{" ENTRY("a", "U8", "2", "0,2") "," ENTRY("b", "U8", "2", "1,3") "}", 3,
         "'a' and 'b' overlap"},
        {"{" ENTRY("a", "F8_E8M0", "3", "0,2") "}", 2, "shape and data_offsets disagree"},
        {"{" ENTRY("a", "F8_E4M3FNUZ", "3", "0,2") "}", 2, "shape and data_offsets disagree"},
        {"{" ENTRY("a", "F4", "4", "0,4") "}", 4, "shape and data_offsets disagree"},
        {"{" ENTRY("a", "F4", "3", "0,2") "}", 2, "shape and data_offsets disagree"},
        {"{" ENTRY("a", "F6_E2M3", "4", "0,4") "}", 4, "shape and data_offsets disagree"},
        {"{" ENTRY("a", "F33", "1", "0,4") "}", 4, "unknown dtype"},
        {"{" ENTRY("a", "f32", "1", "0,4") "}", 4, "unknown dtype"},
        {"{" ENTRY("a", "U8", "2", "0,2") "," ENTRY("a", "U8", "2", "2,4") "}", 4,
         "tensor 'a' twice"},
        {"{" ENTRY("a", "U8", "0", "0,0") "," ENTRY("\\u0061", "U8", "2", "0,2") "}", 2,
         "tensor 'a' twice"},
        {"{" ENTRY("a\xff", "U8", "2", "0,2") "}", 2, "no UTF-8 at byte 3 of the header"},
        {"{" ENTRY("a", "U8", "2", "0,2") ",\"__metadata__\":{\"k\":\"\xc3\"}}", 2, "no UTF-8"},
        {"{\"__metadata__\":{\"k\":1}," ENTRY("a", "U8", "2", "0,2") "}", 2,
         "does not map strings to strings"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2,
         "a member twice"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct bytes bytes = {0};

        safetensors_build(rows[i].header, rows[i].data_size, &bytes);
        assert_reason(&bytes, NULL, "safetensors", rows[i].reason);
    }
}

static void safetensors_that_the_library_accepts_are_taken(void **state)
{
    static const struct {
        const char *header;
        size_t data_size;
        size_t count;
    } rows[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":null}", 0, 0},
        {"{\"__metadata__\":{\"a\":\"b\",\"c\":\"d\"}} ", 0, 0},
        {" \n\t\r {" ENTRY("a", "U8", "2", "0,2") "}", 2, 1},
        {"{" ENTRY("a", "F4", "6", "0,3") "," ENTRY("b", "F6_E3M2", "4", "3,6") "," ENTRY(
             "c", "F8_E8M0", "2,1", "6,8") "," ENTRY("d", "F8_E5M2FNUZ", "1",
                                                     "8,9") "," ENTRY("e", "C64", "1", "9,17") "}",
         17, 5},
        {"{" ENTRY("a", "U8", "0", "0,0") "," ENTRY("b", "U8", "2", "0,2") "," ENTRY(
             "c", "F64", "4,0,3", "2,2") "}",
         2, 3},
        {"{" ENTRY("a\\u0000b", "U8", "2", "0,2") "}", 2, 1},
        {"{" ENTRY("\xe2\x82\xac", "U8", "2", "0,2") "}", 2, 1},
        {"{" ENTRY("a", "U8",
                   "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                   "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2",
                   "0,2") "}",
         2, 1},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct bytes bytes = {0};

        safetensors_build(rows[i].header, rows[i].data_size, &bytes);
        assert_taken(&bytes, NULL, "safetensors", rows[i].count);
    }
}

static void a_name_may_be_longer_than_a_path(void **state)
{
    struct bytes header = {0};
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    bytes_put(&header, "{\"", 2);
    bytes_fill(&header, 'n', 100000);
    bytes_put(&header, "\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 51);
    bytes_fill(&header, '\0', 1);
    safetensors_build((const char *)header.data, 2, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_int_equal(strlen(list.tensors[0].name), 100000);
    tensor_list_release(&list);
    bytes_free(&bytes);
    bytes_free(&header);
}

/* More white space than is looked at to tell the format takes its name. */
static void white_space_without_end_takes_the_name(void **state)
{
    struct bytes header = {0};
    struct bytes bytes = {0};

    (void)state;
    bytes_fill(&header, ' ', 5000);
    bytes_put(&header, "{}", 3);
    safetensors_build((const char *)header.data, 0, &bytes);
    assert_taken(&bytes, "dir/model.safetensors", "safetensors", 0);
    bytes_free(&header);
}

static void what_is_in_place_of_a_file_is_named(void **state)
{
    static const char pointer[] =
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    static const char page[] = "\n<!DOCTYPE html><html>Not found</html>";
    static const char text[] = "Entry not found";
    static const char zeros[4096];
    static const struct {
        const char *name;
        const char *format;
        bool is_strict;
    } names[] = {
        {"model.safetensors", "safetensors", false},
        {"a/b.pt", "torch", true},
        {"model.gguf", "gguf", true},
        {"MODEL.PT", "torch", true},
        {"a.npy", "npy", true},
        {"a.npz", "zip", true},
        {"a.pth", "torch", false},
        {"last.ckpt", "torch", false},
        {"pytorch_model.bin", "torch", false},
        {"x/pytorch_model-00001-of-00002.bin", "torch", false},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        struct bytes bytes = {0};

        assert_reason(&bytes, names[i].name, names[i].format, "the file is empty");
        bytes_put(&bytes, pointer, strlen(pointer));
        assert_reason(&bytes, names[i].name, names[i].format, "a pointer of git LFS");
        bytes_put(&bytes, page, strlen(page));
        assert_reason(&bytes, names[i].name, names[i].format, "a page of HTML");
        bytes_put(&bytes, zeros, sizeof(zeros));
        assert_reason(&bytes, names[i].name, names[i].format, "zeros in place of the file");
        bytes_put(&bytes, text, strlen(text));
        if (names[i].is_strict)
            assert_reason(&bytes, names[i].name, names[i].format, "nothing that the library");
        else if (strcmp(names[i].format, "safetensors") == 0)
            assert_reason(&bytes, names[i].name, names[i].format, "a header of ");
        else
            assert_taken(&bytes, names[i].name, "raw", 0);
    }
}

static void names_that_say_little_say_nothing_against_a_file(void **state)
{
    static const char *const names[] = {"data.bin", "notes", "a.txt", "config.json", ".bin", "pt"};
    struct bytes bytes = {0};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        assert_taken(&bytes, names[i], "raw", 0);
        bytes_fill(&bytes, 0, 1000);
        assert_taken(&bytes, names[i], "raw", 0);
        bytes_put(&bytes, "<html>", 6);
        assert_taken(&bytes, names[i], "raw", 0);
        bytes_put(&bytes, "version https://git-lfs.github.com/spec/v1\n", 43);
        assert_reason(&bytes, names[i], "raw", "a pointer of git LFS");
    }
    assert_taken(&bytes, "__3_1.distcp", "raw", 0); /* a rank that had nothing to save */
    bytes_fill(&bytes, 0, 1000);
    assert_reason(&bytes, "__3_1.distcp", "torch", "zeros");
    bytes_put(&bytes, "\x80\x04N.", 4);
    assert_taken(&bytes, "pickle.pt", "raw", 0);
}

/* What torch.save wrote before zip: one tensor of halves in storage "0". */
static void legacy_build(uint32_t count, uint64_t count_written, size_t data_size,
                         struct bytes *ret)
{
    bytes_put(ret, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    bytes_put(ret, "\x80\x02M\xe9\x03.\x80\x02}.", 10);
    pickle_build("w", "HalfStorage", count, ret);
    bytes_put(ret,
              "\x80\x02]X\1\0\0\0"
              "0a.",
              11);
    bytes_put_number(ret, count_written, 8);
    bytes_fill(ret, 7, data_size);
}

static void torch_files_from_before_zip_have_their_tensors(void **state)
{
    struct bytes bytes = {0};
    struct tensor_list list;

    (void)state;
    legacy_build(4, 4, 8, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_string_equal(list.format, "torch");
    assert_int_equal(list.count, 1);
    assert_string_equal(list.tensors[0].name, "0 (w)");
    assert_int_equal(list.tensors[0].dtype, DTYPE_F16);
    assert_int_equal(list.tensors[0].offset, bytes.size - 8);
    assert_int_equal(list.tensors[0].size, 8);
    tensor_list_release(&list);
    bytes_fill(&bytes, 1, 3); /* something else behind it, as in a stream */
    assert_taken(&bytes, "a.pt", "torch", 1);
    legacy_build(4, 5, 10, &bytes);
    assert_reason(&bytes, "a.pt", "torch", "has 5 elements, its pickle says 4");
}

static void torch_files_from_before_zip_that_are_cut_off_are_refused(void **state)
{
    struct bytes whole = {0};

    (void)state;
    legacy_build(4, 4, 8, &whole);
    for (size_t size = 1; size < whole.size; size++) {
        struct bytes bytes = {0};

        bytes_put(&bytes, whole.data, size);
        assert_reason(&bytes, "a.pt", "torch", "cut off");
    }
    bytes_free(&whole);
}

static void an_archive_of_a_save_that_failed_is_refused(void **state)
{
    static const struct zip_member members[] = {{"m/version", "3\n", 2},
                                                {"m/byteorder", "little", 6},
                                                {"m/.data/serialization_id", "1", 1},
                                                {"m/more", "", 0}};
    struct bytes bytes = {0};

    (void)state;
    zip_build(members, 3, &bytes);
    assert_reason(&bytes, "a.pt", "zip", "its save did not end");
    zip_build(members, 4, &bytes);
    assert_taken(&bytes, "a.pt", "zip", 0);
    zip_build(members, 0, &bytes);
    assert_taken(&bytes, "a.npz", "zip", 0); /* numpy.savez of nothing */
}

static void another_format_is_no_safetensors(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    zip_build(&(struct zip_member){"a", "b", 1}, 1, &bytes);
    assert_reason(&bytes, "model.safetensors", "safetensors", "it is a file of zip");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_that_the_library_refuses_are_malformed),
        cmocka_unit_test(safetensors_that_the_library_accepts_are_taken),
        cmocka_unit_test(a_name_may_be_longer_than_a_path),
        cmocka_unit_test(white_space_without_end_takes_the_name),
        cmocka_unit_test(what_is_in_place_of_a_file_is_named),
        cmocka_unit_test(names_that_say_little_say_nothing_against_a_file),
        cmocka_unit_test(torch_files_from_before_zip_have_their_tensors),
        cmocka_unit_test(torch_files_from_before_zip_that_are_cut_off_are_refused),
        cmocka_unit_test(an_archive_of_a_save_that_failed_is_refused),
        cmocka_unit_test(another_format_is_no_safetensors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
