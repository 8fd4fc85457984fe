#include "formats/safetensors_write.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/utf8.h"

#include <errno.h>
#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_ALIGNMENT = 8 };

static bool is_utf8(const char *text)
{
    while (*text != '\0') {
        size_t size = tfs_utf8_size(text);

        if (size == 0)
            return false;
        text += size;
    }
    return true;
}

static void append_string(struct byte_buffer *header, const char *text)
{
    byte_buffer_append_byte(header, '"');
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            byte_buffer_append_byte(header, '\\');
        if (c < 0x20)
            byte_buffer_append_text(header, "\\u%04x", c);
        else
            byte_buffer_append_byte(header, c);
    }
    byte_buffer_append_byte(header, '"');
}

static void append_tensor(struct byte_buffer *header, const struct written_tensor *tensor,
                          uint64_t offset)
{
    const uint64_t end = offset + tensor->size;

    append_string(header, tensor->name);
    byte_buffer_append_text(header, ":{\"dtype\":\"%s\",\"shape\":[",
                            dtype_info(tensor->dtype)->names[DTYPE_IN_SAFETENSORS]);
    for (unsigned d = 0; d < tensor->dimension_count; d++)
        byte_buffer_append_text(header, d ? ",%llu" : "%llu", (unsigned long long)tensor->shape[d]);
    byte_buffer_append_text(header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset,
                            (unsigned long long)end);
}

int safetensors_header_build(const struct written_tensor *tensors, size_t count,
                             struct byte_buffer *ret)
{
    struct byte_buffer header = {0};
    uint64_t offset = 0;

    byte_buffer_append_le(&header, 0, LENGTH_BYTES);
    byte_buffer_append_string(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < count; i++) {
        if (!dtype_info(tensors[i].dtype)->names[DTYPE_IN_SAFETENSORS] ||
            !is_utf8(tensors[i].name)) {
            byte_buffer_release(&header);
            return tfs_fail(-EINVAL, "tensor '%s' of %s cannot be in safetensors", tensors[i].name,
                            dtype_name(tensors[i].dtype));
        }
        byte_buffer_append_byte(&header, ',');
        append_tensor(&header, &tensors[i], offset);
        offset += tensors[i].size;
    }
    byte_buffer_append_byte(&header, '}');
    while (header.size % HEADER_ALIGNMENT != 0 && header.error == 0)
        byte_buffer_append_byte(&header, ' ');
    if (header.error == 0)
        tfs_put_le64(header.data, header.size - LENGTH_BYTES);
    return byte_buffer_take(&header, ret);
}
