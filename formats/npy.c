/*
 * npy (numpy.lib.format): "\x93NUMPY", major and minor version, the size of the header (2 bytes in
 * version 1, else 4, little-endian), the header (npy_header.h), and the elements. numpy passes over
 * what follows them, and so do we.
 */
#include "formats/npy.h"

#include "formats/npy_header.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NPY_MAGIC_BYTES = 8 };

static int header_apply(const char *text, size_t text_size, const char *name,
                        struct tensor_place *tensor, struct tensor_list *list)
{
    struct npy_header header;
    const char *reason;
    uint64_t size;

    if (npy_header_parse(text, text_size, &header, &reason) < 0)
        return tensor_list_malformed(list, "npy '%.100s': %s", name, reason);
    if (header.element_size > 0) {
        if (tfs_mul_overflows(header.element_count, header.element_size, &size) ||
            size > tensor->size)
            return tensor_list_malformed(list,
                                         "npy '%.100s': shape larger than its data, %" PRIu64
                                         " elements of %" PRIu64 " bytes in %" PRIu64,
                                         name, header.element_count, header.element_size,
                                         tensor->size);
        tensor->size = size;
        tensor->dtype = header.dtype;
    }
    return tensor_list_add(list, name, strlen(name), tensor);
}

/* Where the header's text lies, counted from the magic. */
static int header_find(const uint8_t *magic, size_t *ret_offset, size_t *ret_size)
{
    if (memcmp(magic, "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
        return -EUCLEAN;
    *ret_offset = magic[6] == 1 ? NPY_MAGIC_BYTES + 2 : NPY_MAGIC_BYTES + 4;
    *ret_size = magic[6] == 1 ? tfs_get_le16(magic + 8) : tfs_get_le32(magic + 8);
    return *ret_size <= FORMAT_HEADER_BYTES_MAX ? 0 : -EUCLEAN;
}

int npy_find(const struct format_source *source, uint64_t offset, uint64_t size, const char *name,
             struct tensor_list *list)
{
    struct tensor_place tensor = {.dtype = DTYPE_BYTES};
    uint8_t magic[NPY_MAGIC_BYTES + 4];
    size_t header_offset;
    size_t header_size;
    char *header;
    int err;

    if (size < sizeof(magic))
        return tensor_list_malformed(list, "npy '%.100s': cut off", name);
    err = tensor_list_read(list, source, offset, magic, sizeof(magic));
    if (err < 0)
        return err;
    if (header_find(magic, &header_offset, &header_size) < 0 || header_size > size - header_offset)
        return tensor_list_malformed(list, "npy '%.100s': bad header", name);
    header = malloc(header_size + 1);
    if (!header)
        return -ENOMEM;
    tensor.offset = offset + header_offset + header_size;
    tensor.size = size - header_offset - header_size;
    err = tensor_list_read(list, source, offset + header_offset, header, header_size);
    if (err == 0)
        err = header_apply(header, header_size, name, &tensor, list);
    free(header);
    return err;
}
