/*
 * A growing buffer for headers. The first failure is kept, so that a series of appends is checked
 * once at its end.
 */
#ifndef TFS_FORMATS_BYTE_BUFFER_H
#define TFS_FORMATS_BYTE_BUFFER_H

#include "store/base/defs.h"

struct byte_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    int error; /* 0, or -ENOMEM once an append failed */
};

void byte_buffer_append(struct byte_buffer *buffer, const void *data, size_t size);
void byte_buffer_append_byte(struct byte_buffer *buffer, uint8_t byte);
void byte_buffer_append_le(struct byte_buffer *buffer, uint64_t value, unsigned bytes);
void byte_buffer_append_string(struct byte_buffer *buffer, const char *text);
/* At most 1023 bytes. */
void byte_buffer_append_text(struct byte_buffer *buffer, const char *format, ...) TFS_PRINTF(2, 3);

/* Hand over what was appended, or what went wrong; the buffer is empty then. Errors: -ENOMEM. */
TFS_MUST_CHECK int byte_buffer_take(struct byte_buffer *buffer, struct byte_buffer *ret);
void byte_buffer_release(struct byte_buffer *buffer);

#endif
