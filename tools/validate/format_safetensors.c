/*
 * safetensors (huggingface/safetensors, README, "Format"): 8 bytes, little-endian: N, the size of
 * the header; N bytes of JSON, an object of name -> {dtype, shape, data_offsets}, offsets counted
 * from the header's end; the rest are data. "__metadata__" maps strings to strings.
 */
#include "tools/validate/format.h"
#include "tools/validate/json_reader.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DIMENSION_COUNT_MAX = 64, KEY_BYTES_MAX = 64 };

struct header {
    struct validate_json json;
    const char *begin; /* of the JSON text */
    struct tensor_list *list;
    uint64_t data_offset; /* of the first byte behind the header */
    char name[FORMAT_NAME_BYTES_MAX];
    size_t name_size;
};

/* What the header says of one tensor. */
struct entry {
    char dtype[KEY_BYTES_MAX];
    uint64_t element_count; /* of the shape */
    uint64_t begin;
    uint64_t end;
    bool has_dtype;
    bool has_shape;
    bool has_offsets;
};

struct dtype_row {
    const char *name;
    enum gpu_dtype dtype;
    uint32_t per_element; /* how many of dtype make one element */
};

static const struct dtype_row dtypes[] = {
    {"BOOL", GPU_BOOL, 1},       {"U8", GPU_U8, 1},           {"I8", GPU_I8, 1},
    {"U16", GPU_U16, 1},         {"I16", GPU_I16, 1},         {"U32", GPU_U32, 1},
    {"I32", GPU_I32, 1},         {"U64", GPU_U64, 1},         {"I64", GPU_I64, 1},
    {"F8_E4M3", GPU_F8_E4M3, 1}, {"F8_E5M2", GPU_F8_E5M2, 1}, {"F16", GPU_F16, 1},
    {"BF16", GPU_BF16, 1},       {"F32", GPU_F32, 1},         {"F64", GPU_F64, 1},
    {"C64", GPU_F32, 2},
};

static int header_malformed(struct header *header, const char *what)
{
    return format_list_malformed(header->list, "%s at byte %zu of the header, near '%.*s'", what,
                                 (size_t)(header->json.at - header->begin),
                                 (int)tfs_min_u64(header->name_size, 100), header->name);
}

static int shape_parse(struct header *header, struct entry *entry)
{
    unsigned dimension_count = 0;

    entry->element_count = 1;
    if (!validate_json_take(&header->json, '['))
        return header_malformed(header, "shape is no array");
    if (validate_json_take(&header->json, ']'))
        return 0;
    do {
        uint64_t dimension;

        if (dimension_count++ == DIMENSION_COUNT_MAX ||
            validate_json_u64(&header->json, &dimension) < 0 ||
            tfs_mul_overflows(entry->element_count, dimension, &entry->element_count))
            return header_malformed(header, "bad shape");
    } while (validate_json_take(&header->json, ','));
    return validate_json_take(&header->json, ']') ? 0 : header_malformed(header, "bad shape");
}

static int offsets_parse(struct header *header, struct entry *entry)
{
    struct validate_json *json = &header->json;

    if (!validate_json_take(json, '[') || validate_json_u64(json, &entry->begin) < 0 ||
        !validate_json_take(json, ',') || validate_json_u64(json, &entry->end) < 0 ||
        !validate_json_take(json, ']') || entry->begin > entry->end)
        return header_malformed(header, "bad data_offsets");
    return 0;
}

static int member_parse(struct header *header, struct entry *entry)
{
    char key[KEY_BYTES_MAX];
    size_t size;

    if (validate_json_string(&header->json, key, sizeof(key) - 1, &size) < 0 ||
        !validate_json_take(&header->json, ':'))
        return header_malformed(header, "bad member");
    key[size] = '\0';
    if (strcmp(key, "dtype") == 0) {
        entry->has_dtype = true;
        if (validate_json_string(&header->json, entry->dtype, sizeof(entry->dtype) - 1, &size) < 0)
            return header_malformed(header, "bad dtype");
        entry->dtype[size] = '\0';
        return 0;
    }
    if (strcmp(key, "shape") == 0) {
        entry->has_shape = true;
        return shape_parse(header, entry);
    }
    if (strcmp(key, "data_offsets") == 0) {
        entry->has_offsets = true;
        return offsets_parse(header, entry);
    }
    return validate_json_skip(&header->json) < 0 ? header_malformed(header, "bad member") : 0;
}

static int entry_parse(struct header *header, struct entry *entry)
{
    int err;

    if (!validate_json_take(&header->json, '{'))
        return header_malformed(header, "no object");
    do {
        err = member_parse(header, entry);
        if (err < 0)
            return err;
    } while (validate_json_take(&header->json, ','));
    if (!validate_json_take(&header->json, '}') || !entry->has_dtype || !entry->has_shape ||
        !entry->has_offsets)
        return header_malformed(header, "incomplete tensor");
    return 0;
}

/* Dtypes that we have no arithmetic for, those below a byte among them, are bytes of any size. */
static int entry_add(struct header *header, const struct entry *entry)
{
    struct tensor tensor = {.size = entry->end - entry->begin, .dtype = GPU_BYTES};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(dtypes); i++) {
        const uint32_t width = gpu_dtype_width(dtypes[i].dtype) * dtypes[i].per_element;
        uint64_t size;

        if (strcmp(entry->dtype, dtypes[i].name) != 0)
            continue;
        if (tfs_mul_overflows(entry->element_count, width, &size) || size != tensor.size)
            return header_malformed(header, "shape and data_offsets disagree");
        tensor.dtype = dtypes[i].dtype;
    }
    if (tfs_add_overflows(header->data_offset, entry->begin, &tensor.offset))
        return header_malformed(header, "offset too large");
    return format_list_add(header->list, header->name, header->name_size, &tensor);
}

static int tensor_parse(struct header *header)
{
    struct entry entry = {.element_count = 1};
    int err;

    if (validate_json_string(&header->json, header->name, sizeof(header->name),
                             &header->name_size) < 0 ||
        !validate_json_take(&header->json, ':'))
        return header_malformed(header, "bad name");
    if (header->name_size == strlen("__metadata__") &&
        memcmp(header->name, "__metadata__", header->name_size) == 0)
        return validate_json_skip(&header->json) < 0 ? header_malformed(header, "bad value") : 0;
    err = entry_parse(header, &entry);
    return err < 0 ? err : entry_add(header, &entry);
}

static int header_parse(struct header *header)
{
    int err;

    if (!validate_json_take(&header->json, '{'))
        return header_malformed(header, "no object");
    if (!validate_json_take(&header->json, '}')) {
        do {
            err = tensor_parse(header);
            if (err < 0)
                return err;
        } while (validate_json_take(&header->json, ','));
        if (!validate_json_take(&header->json, '}'))
            return header_malformed(header, "no end");
    }
    if (validate_json_peek(&header->json) != '\0' || header->json.at != header->json.end)
        return header_malformed(header, "bytes behind the end");
    return 0;
}

int format_find_safetensors(const struct format_source *source, struct tensor_list *list)
{
    struct header *header;
    uint8_t size_bytes[8];
    uint64_t size;
    char *text;
    int err = format_read(source, list, 0, size_bytes, sizeof(size_bytes));

    if (err < 0)
        return err;
    size = tfs_get_le64(size_bytes);
    if (size > FORMAT_HEADER_BYTES_MAX || size > source->size - sizeof(size_bytes))
        return format_list_malformed(list, "a header of %llu bytes", (unsigned long long)size);
    header = calloc(1, sizeof(*header));
    text = malloc(size + 1);
    err = header && text ? format_read(source, list, sizeof(size_bytes), text, size) : -ENOMEM;
    if (err == 0) {
        header->list = list;
        header->json = (struct validate_json){text, text + size};
        header->begin = text;
        header->data_offset = sizeof(size_bytes) + size;
        err = header_parse(header);
    }
    free(text);
    free(header);
    return err;
}
