/*
 * GGUF (ggml's docs/gguf.md), versions 2 and 3, little-endian: "GGUF", version, count of tensors,
 * count of pairs; the pairs, each a key, a type and a value; of each tensor its name, shape, type
 * and offset; then, from the next multiple of the alignment on, the tensors one after the other,
 * each at a multiple of it. The loader refuses other offsets, so they tell of damage.
 */
#include "formats/gguf.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES = 64 << 10,
    MAGIC_BYTES = 4,
    KEY_BYTES_MAX = 65535,
    NAME_BYTES_MAX = 4096,
    DIMENSION_COUNT_MAX = 4,
    ALIGNMENT_DEFAULT = 32,
    VALUE_STRING = 8,
    VALUE_ARRAY = 9,
    VALUE_UINT32 = 4,
};

/* Bytes of a value by its type; 0 for strings and arrays. */
static const uint8_t value_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

struct reader {
    const struct format_source *source;
    struct tensor_list *list;
    uint8_t *window;
    uint64_t window_offset;
    size_t window_size;
    uint64_t offset; /* of the next byte */
    uint64_t tensor_count;
    uint64_t pair_count;
    uint32_t alignment;
};

/* The window moves to the next byte. */
static int window_fill(struct reader *reader)
{
    const uint64_t left = reader->source->size - reader->offset;
    const size_t size = (size_t)tfs_min_u64(WINDOW_BYTES, left);
    int err = tensor_list_read(reader->list, reader->source, reader->offset, reader->window, size);

    if (err < 0)
        return err;
    reader->window_offset = reader->offset;
    reader->window_size = size;
    return 0;
}

static int cut_off(struct reader *reader)
{
    return tensor_list_malformed(reader->list, "cut off in its header, at byte %" PRIu64,
                                 reader->source->size);
}

/* dst NULL: pass over them. */
static int take(struct reader *reader, void *dst, uint64_t size)
{
    if (size > reader->source->size - reader->offset)
        return cut_off(reader);
    if (reader->offset + size > FORMAT_HEADER_BYTES_MAX)
        return tensor_list_malformed(reader->list, "a header above %u bytes",
                                     FORMAT_HEADER_BYTES_MAX);
    if (dst) {
        uint64_t at = reader->offset - reader->window_offset;

        if (at > reader->window_size || size > reader->window_size - at) {
            int err = window_fill(reader);

            if (err < 0)
                return err;
            at = 0;
        }
        memcpy(dst, reader->window + at, size); /* at most a name, so it fits the window */
    }
    reader->offset += size;
    return 0;
}

static int take_u32(struct reader *reader, uint32_t *ret)
{
    uint8_t bytes[4];
    int err = take(reader, bytes, sizeof(bytes));

    if (err == 0)
        *ret = tfs_get_le32(bytes);
    return err;
}

static int take_u64(struct reader *reader, uint64_t *ret)
{
    uint8_t bytes[8];
    int err = take(reader, bytes, sizeof(bytes));

    if (err == 0)
        *ret = tfs_get_le64(bytes);
    return err;
}

static int skip_string(struct reader *reader)
{
    uint64_t size = 0;
    int err = take_u64(reader, &size);

    return err < 0 ? err : take(reader, NULL, size);
}

static int skip_array(struct reader *reader)
{
    uint32_t type = 0;
    uint64_t count = 0;
    uint64_t size;
    int err = take_u32(reader, &type);

    if (err == 0)
        err = take_u64(reader, &count);
    if (err < 0)
        return err;
    if (type >= TFS_ARRAY_COUNT(value_bytes) || type == VALUE_ARRAY)
        return tensor_list_malformed(reader->list, "an array of values of type %u", type);
    if (type != VALUE_STRING)
        return tfs_mul_overflows(count, value_bytes[type], &size) ? cut_off(reader)
                                                                  : take(reader, NULL, size);
    for (uint64_t i = 0; err == 0 && i < count; i++)
        err = format_source_is_stopped(reader->source) ? -EINTR : skip_string(reader);
    return err;
}

static int take_value(struct reader *reader, uint32_t type, bool is_alignment)
{
    if (type == VALUE_STRING)
        return skip_string(reader);
    if (type == VALUE_ARRAY)
        return skip_array(reader);
    if (type >= TFS_ARRAY_COUNT(value_bytes))
        return tensor_list_malformed(reader->list, "a value of type %u", type);
    if (!is_alignment)
        return take(reader, NULL, value_bytes[type]);
    if (type != VALUE_UINT32)
        return tensor_list_malformed(reader->list, "general.alignment is no number of 32 bits");
    return take_u32(reader, &reader->alignment);
}

static int take_pair(struct reader *reader)
{
    static const char alignment_key[] = "general.alignment";
    char key[sizeof(alignment_key) - 1];
    bool is_alignment = false;
    uint32_t type = 0;
    uint64_t size = 0;
    int err = take_u64(reader, &size);

    if (err < 0)
        return err;
    if (size > KEY_BYTES_MAX)
        return tensor_list_malformed(reader->list, "a key of %" PRIu64 " bytes", size);
    if (size == sizeof(key)) {
        err = take(reader, key, sizeof(key));
        is_alignment = err == 0 && memcmp(key, alignment_key, sizeof(key)) == 0;
    } else {
        err = take(reader, NULL, size);
    }
    if (err == 0)
        err = take_u32(reader, &type);
    return err < 0 ? err : take_value(reader, type, is_alignment);
}

/* The first dimension is that of rows, which are made of whole blocks. */
static int take_shape(struct reader *reader, const char *name, uint64_t *ret_first,
                      uint64_t *ret_count)
{
    uint32_t dimension_count = 0;
    int err = take_u32(reader, &dimension_count);

    if (err < 0)
        return err;
    if (dimension_count > DIMENSION_COUNT_MAX)
        return tensor_list_malformed(reader->list, "tensor '%.100s' has %u dimensions", name,
                                     dimension_count);
    *ret_first = 1;
    *ret_count = 1;
    for (uint32_t i = 0; i < dimension_count; i++) {
        uint64_t dimension = 0;

        err = take_u64(reader, &dimension);
        if (err < 0)
            return err;
        if (i == 0)
            *ret_first = dimension;
        if (tfs_mul_overflows(*ret_count, dimension, ret_count))
            return tensor_list_malformed(reader->list, "tensor '%.100s': bad shape", name);
    }
    return 0;
}

/* Its offset, which is counted from where the data begin, stays as it is. */
static int take_tensor(struct reader *reader)
{
    char name[NAME_BYTES_MAX];
    struct tensor_place tensor = {.name = NULL};
    uint64_t name_size = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    uint32_t type = 0;
    int err = take_u64(reader, &name_size);

    if (err == 0 && name_size >= sizeof(name))
        return tensor_list_malformed(reader->list, "a name of %" PRIu64 " bytes", name_size);
    if (err == 0)
        err = take(reader, name, name_size);
    if (err < 0)
        return err;
    name[name_size] = '\0';
    err = take_shape(reader, name, &first, &count);
    if (err == 0)
        err = take_u32(reader, &type);
    if (err == 0)
        err = take_u64(reader, &tensor.offset);
    if (err < 0)
        return err;
    if (dtype_of_gguf(type, &tensor.dtype) < 0)
        return tensor_list_malformed(reader->list, "tensor '%.100s': unknown type %u", name, type);
    if (first % dtype_info(tensor.dtype)->block_elements != 0 ||
        dtype_size(tensor.dtype, count, &tensor.size) < 0)
        return tensor_list_malformed(reader->list, "tensor '%.100s': bad shape", name);
    return tensor_list_add(reader->list, name, strlen(name), &tensor);
}

/* Each tensor follows the one before it, in the order of the header. */
static int tensors_place(struct reader *reader)
{
    const uint64_t data_offset = tfs_align_up(reader->offset, reader->alignment);
    uint64_t expected = 0;

    for (size_t i = 0; i < reader->list->count; i++) {
        struct tensor_place *tensor = &reader->list->tensors[i];
        uint64_t end;

        if (tensor->offset != expected)
            return tensor_list_malformed(reader->list,
                                         "tensor '%.100s' at %" PRIu64 " of the data, not %" PRIu64,
                                         tensor->name, tensor->offset, expected);
        if (tfs_add_overflows(expected, tensor->size, &end) ||
            end > UINT64_MAX - reader->alignment - data_offset ||
            end + data_offset > reader->source->size)
            return tensor_list_malformed(reader->list,
                                         "cut off: tensor '%.100s', of %" PRIu64
                                         " bytes, ends behind the file's %" PRIu64,
                                         tensor->name, tensor->size, reader->source->size);
        tensor->offset += data_offset;
        expected = tfs_align_up(end, reader->alignment);
    }
    return 0;
}

static int header_take(struct reader *reader)
{
    uint32_t version = 0;
    int err = take(reader, NULL, MAGIC_BYTES);

    if (err == 0)
        err = take_u32(reader, &version);
    if (err < 0)
        return err;
    if (version != 2 && version != 3)
        return tensor_list_malformed(
            reader->list,
            (version & 0xFFFF) == 0 && version != 0 ? "big-endian, version 0x%08x" : "version %u",
            version);
    err = take_u64(reader, &reader->tensor_count);
    if (err == 0)
        err = take_u64(reader, &reader->pair_count);
    for (uint64_t i = 0; err == 0 && i < reader->pair_count; i++)
        err = take_pair(reader);
    for (uint64_t i = 0; err == 0 && i < reader->tensor_count; i++)
        err = take_tensor(reader);
    if (err < 0)
        return err;
    if (!tfs_is_power_of_two(reader->alignment) || reader->alignment > FORMAT_HEADER_BYTES_MAX)
        return tensor_list_malformed(reader->list, "an alignment of %u", reader->alignment);
    return tensors_place(reader);
}

int gguf_find(const struct format_source *source, struct tensor_list *list)
{
    struct reader reader = {.source = source,
                            .list = list,
                            .window = malloc(WINDOW_BYTES),
                            .alignment = ALIGNMENT_DEFAULT};
    int err = reader.window ? header_take(&reader) : -ENOMEM;

    free(reader.window);
    return err == 0 ? tensor_list_check_names(list) : err;
}
