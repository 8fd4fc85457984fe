/*
 * Goal: what the writers write is what the readers read, and the bytes are those that the format's
 * own library writes. Method: each type that a format has is written and found again; headers are
 * compared with those of safetensors 0.8.0 and numpy 2.4.6.
 */
#include "formats/npy_write.h"
#include "formats/pickle.h"
#include "formats/safetensors_write.h"
#include "formats/torch_names.h"
#include "formats/torch_pickle.h"
#include "formats/zip_layout.h"
#include "formats/zip_write.h"
#include "formats_fixture.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t shape[] = {2, 3, 4};

static struct written_tensor tensor_of(const char *name, enum dtype dtype)
{
    struct written_tensor tensor = {
        .name = name, .dtype = dtype, .dimension_count = 3, .shape = shape};

    assert_int_equal(dtype_size(dtype, 2 * 3 * 4, &tensor.size), 0);
    return tensor;
}

/* A header, and as many bytes as the tensor has. */
static void file_build(const struct byte_buffer *header, uint64_t size, struct bytes *ret)
{
    *ret = (struct bytes){0};
    bytes_put(ret, header->data, header->size);
    bytes_fill(ret, 0, size);
}

static void assert_found(const struct bytes *bytes, const char *name,
                         const struct written_tensor *written)
{
    struct tensor_list list;

    assert_int_equal(parse(bytes, &list), 0);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.tensors[0].name, name);
    assert_int_equal(list.tensors[0].dtype, written->dtype);
    assert_int_equal(list.tensors[0].size, written->size);
    assert_int_equal(list.tensors[0].offset, bytes->size - written->size);
    tensor_list_release(&list);
}

static void every_type_of_safetensors_is_written_and_found(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        struct written_tensor tensor;
        struct byte_buffer header = {0};
        struct bytes bytes;

        if (!dtype_info((enum dtype)i)->names[DTYPE_IN_SAFETENSORS])
            continue;
        tensor = tensor_of("t", (enum dtype)i);
        assert_int_equal(safetensors_header_build(&tensor, 1, &header), 0);
        assert_int_equal(header.size % 8, 0);
        file_build(&header, tensor.size, &bytes);
        assert_found(&bytes, "t", &tensor);
        byte_buffer_release(&header);
        bytes_free(&bytes);
    }
}

static void any_name_of_utf8_is_written_and_found(void **state)
{
    static const char *const names[] = {"", "a\"b\\c", "line\nend\x01", "\xc3\xa4\xe2\x82\xac",
                                        "a b/c.d"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        const struct written_tensor tensor = tensor_of(names[i], DTYPE_BF16);
        struct byte_buffer header = {0};
        struct bytes bytes;

        assert_int_equal(safetensors_header_build(&tensor, 1, &header), 0);
        file_build(&header, tensor.size, &bytes);
        assert_found(&bytes, names[i], &tensor);
        byte_buffer_release(&header);
        bytes_free(&bytes);
    }
}

static void headers_are_those_that_the_libraries_write(void **state)
{
    static const char safetensors[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F32\","
        "\"shape\":[2,3,4],\"data_offsets\":[0,96]}}";
    static const char *const npy[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4), }",
    };
    struct written_tensor tensor = tensor_of("w", DTYPE_F32);
    struct byte_buffer header = {0};

    (void)state;
    assert_int_equal(safetensors_header_build(&tensor, 1, &header), 0);
    assert_int_equal(tfs_get_le64(header.data), header.size - 8);
    assert_memory_equal(header.data + 8, safetensors, strlen(safetensors));
    byte_buffer_release(&header);
    for (unsigned i = 0; i < TFS_ARRAY_COUNT(npy); i++) {
        tensor.dimension_count = i;
        assert_int_equal(npy_header_build(&tensor, &header), 0);
        assert_int_equal(header.size % 64, 0);
        assert_memory_equal(header.data, "\x93NUMPY\x01\x00", 8);
        assert_memory_equal(header.data + 10, npy[i], strlen(npy[i]));
        assert_int_equal(header.data[header.size - 1], '\n');
        byte_buffer_release(&header);
    }
}

static void every_type_of_npy_is_written_and_found(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        struct written_tensor tensor;
        struct byte_buffer header = {0};
        struct bytes bytes;

        if (!dtype_info((enum dtype)i)->names[DTYPE_IN_NPY])
            continue;
        tensor = tensor_of("t", (enum dtype)i);
        assert_int_equal(npy_header_build(&tensor, &header), 0);
        file_build(&header, tensor.size, &bytes);
        assert_found(&bytes, "array", &tensor);
        byte_buffer_release(&header);
        bytes_free(&bytes);
    }
}

static void what_a_format_cannot_hold_is_refused(void **state)
{
    const struct written_tensor scales = tensor_of("t", DTYPE_F8_E8M0);
    const struct written_tensor bytes = tensor_of("t", DTYPE_BYTES);
    const struct written_tensor bad_name = tensor_of("\xff", DTYPE_U8);
    struct byte_buffer none = {.size = 7};

    (void)state;
    assert_int_equal(npy_header_build(&scales, &none), -EINVAL);
    assert_int_equal(safetensors_header_build(&bytes, 1, &none), -EINVAL);
    assert_int_equal(safetensors_header_build(&bad_name, 1, &none), -EINVAL);
    assert_int_equal(torch_pickle_build(&scales, 1, &none), -EINVAL);
    assert_int_equal(none.size, 7);
}

static void entry_put(struct zip_writer *writer, const char *name, const void *data, size_t size,
                      struct bytes *bytes)
{
    struct byte_buffer around = {0};
    size_t header_size = 0;

    assert_int_equal(zip_writer_add(writer, name, size, zip_crc(data, size), &around, &header_size),
                     0);
    bytes_put(bytes, around.data, header_size);
    assert_int_equal(bytes->size % 64, 0);
    bytes_put(bytes, data, size);
    bytes_put(bytes, around.data + header_size, around.size - header_size);
    assert_int_equal(bytes->size, writer->offset);
    byte_buffer_release(&around);
}

/* What torch.save writes of these, each with its bytes all zero. */
static void archive_build(const struct written_tensor *tensors, size_t count, struct bytes *ret)
{
    struct zip_writer writer = {.offset = 0};
    struct byte_buffer part = {0};

    *ret = (struct bytes){0};
    assert_int_equal(torch_pickle_build(tensors, count, &part), 0);
    entry_put(&writer, "m/data.pkl", part.data, part.size, ret);
    byte_buffer_release(&part);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        uint8_t *data = calloc(1, tensors[i].size);

        assert_non_null(data);
        (void)snprintf(name, sizeof(name), "m/data/%zu", i);
        entry_put(&writer, name, data, tensors[i].size, ret);
        free(data);
    }
    assert_int_equal(zip_writer_end(&writer, &part), 0);
    bytes_put(ret, part.data, part.size);
    byte_buffer_release(&part);
    zip_writer_release(&writer);
}

static void every_storage_of_torch_is_written_and_found(void **state)
{
    struct written_tensor tensors[DTYPE_COUNT];
    struct tensor_list list;
    struct bytes bytes;
    size_t count = 0;

    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (dtype_info((enum dtype)i)->names[DTYPE_IN_TORCH_STORAGE])
            tensors[count++] = tensor_of(dtype_name((enum dtype)i), (enum dtype)i);
    }
    archive_build(tensors, count, &bytes);
    assert_int_equal(parse(&bytes, &list), 0);
    assert_string_equal(list.format, "torch");
    assert_int_equal(list.count, count);
    assert_int_equal(list.member_count, count + 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list.tensors[i].dtype, tensors[i].dtype);
        assert_int_equal(list.tensors[i].size, tensors[i].size);
        assert_non_null(strstr(list.tensors[i].name, tensors[i].name));
    }
    tensor_list_release(&list);
    bytes_free(&bytes);
}

static void names_of_torch_are_the_keys_of_the_dict(void **state)
{
    const struct written_tensor tensors[] = {tensor_of("b", DTYPE_U8), tensor_of("a", DTYPE_F32)};
    struct format_source source;
    struct torch_names names;
    struct bytes bytes;

    (void)state;
    archive_build(tensors, 2, &bytes);
    format_source_of_memory(bytes.data, bytes.size, &source);
    assert_int_equal(torch_names_find(&source, &names), 0);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.names[0], "a");
    assert_string_equal(names.names[1], "b");
    torch_names_release(&names);
    source.size--;
    assert_int_equal(torch_names_find(&source, &names), -EOPNOTSUPP);
    bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_of_safetensors_is_written_and_found),
        cmocka_unit_test(any_name_of_utf8_is_written_and_found),
        cmocka_unit_test(headers_are_those_that_the_libraries_write),
        cmocka_unit_test(every_type_of_npy_is_written_and_found),
        cmocka_unit_test(what_a_format_cannot_hold_is_refused),
        cmocka_unit_test(every_storage_of_torch_is_written_and_found),
        cmocka_unit_test(names_of_torch_are_the_keys_of_the_dict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
