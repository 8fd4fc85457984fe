#include "formats_fixture.h"

#include "formats/tensors.h"

#include "store/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void bytes_put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data)
            abort();
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void bytes_put_number(struct bytes *bytes, uint64_t number, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        uint8_t byte = (uint8_t)(number >> (8 * i));

        bytes_put(bytes, &byte, 1);
    }
}

void bytes_fill(struct bytes *bytes, uint8_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes_put(bytes, &value, 1);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}

static void bytes_count_up(struct bytes *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes_put_number(bytes, i & 0x3F, 1); /* finite in every format */
}

void safetensors_build(const char *header, size_t data_size, struct bytes *ret)
{
    bytes_put_number(ret, strlen(header), 8);
    bytes_put(ret, header, strlen(header));
    bytes_count_up(ret, data_size);
}

static void zip_record(const struct zip_member *member, size_t local_offset,
                       struct bytes *directory)
{
    bytes_put(directory, "PK\1\2", 4);
    bytes_fill(directory, 0, 12); /* versions, flags, method 0, time, date */
    bytes_put_number(directory, crc32(0, member->data, (uInt)member->size), 4);
    bytes_put_number(directory, member->size, 4);
    bytes_put_number(directory, member->size, 4);
    bytes_put_number(directory, strlen(member->name), 2);
    bytes_fill(directory, 0, 12); /* lengths and attributes */
    bytes_put_number(directory, local_offset, 4);
    bytes_put(directory, member->name, strlen(member->name));
}

void zip_build(const struct zip_member *members, size_t count, struct bytes *ret)
{
    struct bytes directory = {0};
    size_t directory_offset;

    for (size_t i = 0; i < count; i++) {
        zip_record(&members[i], ret->size, &directory);
        bytes_put(ret, "PK\3\4", 4);
        bytes_fill(ret, 0, 22);
        bytes_put_number(ret, strlen(members[i].name), 2);
        bytes_put_number(ret, 5, 2); /* an extra field that only the local header has */
        bytes_put(ret, members[i].name, strlen(members[i].name));
        bytes_put(ret, "FB\1\0Z", 5);
        bytes_put(ret, members[i].data, members[i].size);
    }
    directory_offset = ret->size;
    bytes_put(ret, directory.data, directory.size);
    bytes_put(ret, "PK\5\6", 4);
    bytes_fill(ret, 0, 4);
    bytes_put_number(ret, count, 2);
    bytes_put_number(ret, count, 2);
    bytes_put_number(ret, directory.size, 4);
    bytes_put_number(ret, directory_offset, 4);
    bytes_put_number(ret, 0, 2);
    bytes_free(&directory);
}

void zip64_end_add(struct bytes *bytes, bool is_needed)
{
    const size_t record_offset = bytes->size - 22;
    uint8_t end[22];

    memcpy(end, bytes->data + record_offset, sizeof(end));
    bytes->size = record_offset;
    bytes_put(bytes, "PK\6\6", 4);
    bytes_put_number(bytes, 44, 8);
    bytes_fill(bytes, 0, 12);
    bytes_put_number(bytes, tfs_get_le16(end + 10), 8); /* entries on this disk, and on all */
    bytes_put_number(bytes, tfs_get_le16(end + 10), 8);
    bytes_put_number(bytes, tfs_get_le32(end + 12), 8);
    bytes_put_number(bytes, tfs_get_le32(end + 16), 8);
    bytes_put(bytes, "PK\6\7\0\0\0\0", 8);
    bytes_put_number(bytes, record_offset, 8);
    bytes_put_number(bytes, 1, 4);
    if (is_needed)
        memset(end + 8, 0xFF, 12);
    bytes_put(bytes, end, sizeof(end));
}

static void pickle_text(struct bytes *bytes, const char *text)
{
    bytes_put(bytes, "X", 1);
    bytes_put_number(bytes, strlen(text), 4);
    bytes_put(bytes, text, strlen(text));
}

/* {label: torch._utils._rebuild_tensor_v2(persistent ('storage', type, '0', 'cpu', n), 0)} */
void pickle_build(const char *label, const char *storage, uint32_t element_count, struct bytes *ret)
{
    static const char rebuild[] = "ctorch._utils\n_rebuild_tensor_v2\n((";

    bytes_put(ret, "\x80\x02}q\x00", 5);
    pickle_text(ret, label);
    bytes_put(ret, rebuild, strlen(rebuild));
    pickle_text(ret, "storage");
    bytes_put(ret, "ctorch\n", 7);
    bytes_put(ret, storage, strlen(storage));
    bytes_put(ret, "\n", 1);
    pickle_text(ret, "0");
    pickle_text(ret, "cpu");
    bytes_put(ret, "J", 1);
    bytes_put_number(ret, element_count, 4);
    bytes_put(ret, "tQK\x00tRs.", 8);
}

void npy_build(const char *header, size_t data_size, struct bytes *ret)
{
    bytes_put(ret, "\x93NUMPY\1\0", 8);
    bytes_put_number(ret, strlen(header), 2);
    bytes_put(ret, header, strlen(header));
    bytes_count_up(ret, data_size);
}

int parse(const struct bytes *bytes, struct tensor_list *ret)
{
    struct format_source source;

    format_source_of_memory(bytes->data, bytes->size, &source);
    return tensors_find(&source, ret);
}
