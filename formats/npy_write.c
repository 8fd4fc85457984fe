#include "formats/npy_write.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <string.h>

enum { MAGIC_BYTES = 8, PREFIX_BYTES = 10, ARRAY_ALIGNMENT = 64 };

int npy_header_build(const struct written_tensor *tensor, struct byte_buffer *ret)
{
    const char *descr = dtype_info(tensor->dtype)->names[DTYPE_IN_NPY];
    struct byte_buffer header = {0};

    if (!descr)
        return tfs_fail(-EINVAL, "numpy has no %s", dtype_name(tensor->dtype));
    byte_buffer_append(&header, "\x93NUMPY\x01\x00", MAGIC_BYTES);
    byte_buffer_append_le(&header, 0, 2);
    byte_buffer_append_text(&header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                            dtype_width(tensor->dtype) == 1 ? '|' : '<', descr);
    for (unsigned d = 0; d < tensor->dimension_count; d++)
        byte_buffer_append_text(&header, d ? " %llu%s" : "%llu%s",
                                (unsigned long long)tensor->shape[d],
                                d + 1 < tensor->dimension_count || d == 0 ? "," : "");
    byte_buffer_append_string(&header, "), }");
    while ((header.size + 1) % ARRAY_ALIGNMENT != 0 && header.error == 0)
        byte_buffer_append_byte(&header, ' ');
    byte_buffer_append_byte(&header, '\n');
    if (header.error == 0 && header.size - PREFIX_BYTES > UINT16_MAX) {
        byte_buffer_release(&header);
        return tfs_fail(-EINVAL, "a header of too many dimensions");
    }
    if (header.error == 0)
        tfs_put_le16(header.data + MAGIC_BYTES, (uint16_t)(header.size - PREFIX_BYTES));
    return byte_buffer_take(&header, ret);
}
