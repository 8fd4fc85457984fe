/*
 * npy (numpy.lib.format): "\x93NUMPY", major and minor version, the size of the header (2 bytes in
 * version 1, else 4, little-endian), and the header: a Python dict literal with 'descr',
 * 'fortran_order' and 'shape'. Of the literal only 'descr' and 'shape' are looked at.
 */
#include "tools/validate/format.h"

#include "store/base/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NPY_HEADER_BYTES_MAX = 1 << 20, NPY_MAGIC_BYTES = 8, NPY_DIMENSION_COUNT_MAX = 64 };

struct descr_row {
    const char *name;
    enum gpu_dtype dtype;
    uint32_t element_size;
};

/* Without the byte order. numpy knows no bfloat16: ml_dtypes saves it as two void bytes. */
static const struct descr_row descrs[] = {
    {"f8", GPU_F64, 8},  {"f4", GPU_F32, 4}, {"f2", GPU_F16, 2},   {"V2", GPU_BF16, 2},
    {"i8", GPU_I64, 8},  {"i4", GPU_I32, 4}, {"i2", GPU_I16, 2},   {"i1", GPU_I8, 1},
    {"u8", GPU_U64, 8},  {"u4", GPU_U32, 4}, {"u2", GPU_U16, 2},   {"u1", GPU_U8, 1},
    {"b1", GPU_BOOL, 1}, {"c8", GPU_F32, 8}, {"c16", GPU_F64, 16},
};

/* What stands behind 'key': in the literal, or NULL. */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    if (!at)
        return NULL;
    at += strlen(key);
    while (*at == ' ')
        at++;
    if (*at++ != ':')
        return NULL;
    while (*at == ' ')
        at++;
    return at;
}

/* (3, 4), (3,) or (). */
static int shape_count(const char *at, uint64_t *ret)
{
    uint64_t count = 1;

    if (!at || *at++ != '(')
        return -EUCLEAN;
    for (unsigned i = 0; i < NPY_DIMENSION_COUNT_MAX; i++) {
        uint64_t dimension;
        char *end;

        while (*at == ' ' || *at == ',')
            at++;
        if (*at == ')') {
            *ret = count;
            return 0;
        }
        if (!isdigit((unsigned char)*at))
            return -EUCLEAN;
        errno = 0;
        dimension = strtoull(at, &end, 10);
        if (errno || tfs_mul_overflows(count, dimension, &count))
            return -EUCLEAN;
        at = *end == 'L' ? end + 1 : end; /* Python 2 wrote 3L */
    }
    return -EUCLEAN;
}

/* NULL for what we have no arithmetic for: other byte orders, texts, objects, structures. */
static const struct descr_row *descr_find(const char *at)
{
    if (!at || *at++ != '\'' || !strchr("<|=", *at) || *at == '\0')
        return NULL;
    at++;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(descrs); i++) {
        size_t size = strlen(descrs[i].name);

        if (strncmp(at, descrs[i].name, size) == 0 && at[size] == '\'')
            return &descrs[i];
    }
    return NULL;
}

static int header_parse(const char *header, const char *name, struct tensor *tensor,
                        struct tensor_list *list)
{
    const struct descr_row *descr = descr_find(value_of(header, "'descr'"));
    uint64_t count;
    uint64_t size;

    if (shape_count(value_of(header, "'shape'"), &count) < 0)
        return format_list_malformed(list, "npy '%s': bad shape", name);
    if (descr) {
        if (tfs_mul_overflows(count, descr->element_size, &size) || size > tensor->size)
            return format_list_malformed(list, "npy '%s': shape larger than its data", name);
        tensor->size = size;
        tensor->dtype = descr->dtype;
    }
    return format_list_add(list, name, strlen(name), tensor);
}

/* Where the header's text lies, counted from the magic. */
static int header_find(const uint8_t *magic, size_t *ret_offset, size_t *ret_size)
{
    if (memcmp(magic, "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
        return -EUCLEAN;
    *ret_offset = magic[6] == 1 ? NPY_MAGIC_BYTES + 2 : NPY_MAGIC_BYTES + 4;
    *ret_size = magic[6] == 1 ? tfs_get_le16(magic + 8) : tfs_get_le32(magic + 8);
    return *ret_size <= NPY_HEADER_BYTES_MAX ? 0 : -EUCLEAN;
}

int format_find_npy(const struct format_source *source, uint64_t offset, uint64_t size,
                    const char *name, struct tensor_list *list)
{
    struct tensor tensor = {.dtype = GPU_BYTES};
    uint8_t magic[NPY_MAGIC_BYTES + 4];
    size_t header_offset;
    size_t header_size;
    char *header;
    int err;

    if (size < sizeof(magic))
        return format_list_malformed(list, "npy '%s': cut off", name);
    err = format_read(source, list, offset, magic, sizeof(magic));
    if (err < 0)
        return err;
    if (header_find(magic, &header_offset, &header_size) < 0 || header_size > size - header_offset)
        return format_list_malformed(list, "npy '%s': bad header", name);
    header = calloc(1, header_size + 1);
    if (!header)
        return -ENOMEM;
    tensor.offset = offset + header_offset + header_size;
    tensor.size = size - header_offset - header_size;
    err = format_read(source, list, offset + header_offset, header, header_size);
    if (err == 0)
        err = header_parse(header, name, &tensor, list);
    free(header);
    return err;
}
