#include "formats/byte_buffer.h"

#include "store/base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void byte_buffer_append(struct byte_buffer *buffer, const void *data, size_t size)
{
    if (buffer->error < 0)
        return;
    if (buffer->size + size > buffer->capacity) {
        size_t capacity = (buffer->size + size) * 2;
        uint8_t *grown = realloc(buffer->data, capacity);

        if (!grown) {
            buffer->error = -ENOMEM;
            return;
        }
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    if (size > 0)
        (void)memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void byte_buffer_append_byte(struct byte_buffer *buffer, uint8_t byte)
{
    byte_buffer_append(buffer, &byte, 1);
}

void byte_buffer_append_le(struct byte_buffer *buffer, uint64_t value, unsigned bytes)
{
    uint8_t raw[sizeof(uint64_t)];

    assert(bytes <= sizeof(raw));
    tfs_put_le64(raw, value);
    byte_buffer_append(buffer, raw, bytes);
}

void byte_buffer_append_string(struct byte_buffer *buffer, const char *text)
{
    byte_buffer_append(buffer, text, strlen(text));
}

void byte_buffer_append_text(struct byte_buffer *buffer, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert(size >= 0 && (size_t)size < sizeof(text));
    byte_buffer_append(buffer, text, (size_t)size);
}

int byte_buffer_take(struct byte_buffer *buffer, struct byte_buffer *ret)
{
    int err = buffer->error;

    if (err < 0) {
        byte_buffer_release(buffer);
        return err;
    }
    *ret = *buffer;
    *buffer = (struct byte_buffer){0};
    return 0;
}

void byte_buffer_release(struct byte_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct byte_buffer){0};
}
