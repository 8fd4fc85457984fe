/*
 * safetensors (huggingface/safetensors, README, "Format"): 8 bytes, little-endian: N, the size of
 * the header; N bytes of JSON, an object of name -> {dtype, shape, data_offsets}, offsets counted
 * from the header's end; the rest are data. "__metadata__" maps strings to strings.
 *
 * What the library refuses is refused: text that is no UTF-8, a name twice, a dtype that it does
 * not know, a shape of another size than its bytes, and bytes that are no tensor's, between tensors
 * or behind the last.
 */
#include "formats/safetensors.h"

#include "formats/json_reader.h"

#include "store/base/bytes.h"
#include "store/base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 64 };

struct header {
    const struct format_source *source;
    struct json_reader json;
    const char *begin; /* of the JSON text */
    struct tensor_list *list;
    uint64_t data_offset; /* of the first byte behind the header */
    char *name;           /* as long as the header, since one name can be all of it */
    size_t name_size;
    size_t name_capacity;
    bool has_metadata;
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

static int header_malformed(struct header *header, const char *what)
{
    return tensor_list_malformed(header->list, "%s at byte %zu of the header, near '%.*s'", what,
                                 (size_t)(header->json.at - header->begin),
                                 (int)tfs_min_u64(header->name_size, 100), header->name);
}

static int shape_parse(struct header *header, struct entry *entry)
{
    entry->element_count = 1;
    if (!json_reader_take(&header->json, '['))
        return header_malformed(header, "shape is no array");
    if (json_reader_take(&header->json, ']'))
        return 0;
    do {
        uint64_t dimension;

        if (json_reader_u64(&header->json, &dimension) < 0 ||
            tfs_mul_overflows(entry->element_count, dimension, &entry->element_count))
            return header_malformed(header, "bad shape");
    } while (json_reader_take(&header->json, ','));
    return json_reader_take(&header->json, ']') ? 0 : header_malformed(header, "bad shape");
}

static int offsets_parse(struct header *header, struct entry *entry)
{
    struct json_reader *json = &header->json;

    if (!json_reader_take(json, '[') || json_reader_u64(json, &entry->begin) < 0 ||
        !json_reader_take(json, ',') || json_reader_u64(json, &entry->end) < 0 ||
        !json_reader_take(json, ']') || entry->begin > entry->end)
        return header_malformed(header, "bad data_offsets");
    return 0;
}

static int member_parse(struct header *header, struct entry *entry)
{
    char key[KEY_BYTES_MAX];
    size_t size;

    if (json_reader_string(&header->json, key, sizeof(key) - 1, &size) < 0 ||
        !json_reader_take(&header->json, ':'))
        return header_malformed(header, "bad member");
    key[size] = '\0';
    if ((strcmp(key, "dtype") == 0 && entry->has_dtype) ||
        (strcmp(key, "shape") == 0 && entry->has_shape) ||
        (strcmp(key, "data_offsets") == 0 && entry->has_offsets))
        return header_malformed(header, "a member twice");
    if (strcmp(key, "dtype") == 0) {
        entry->has_dtype = true;
        if (json_reader_string(&header->json, entry->dtype, sizeof(entry->dtype) - 1, &size) < 0)
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
    return json_reader_skip(&header->json) < 0 ? header_malformed(header, "bad member") : 0;
}

static int entry_parse(struct header *header, struct entry *entry)
{
    int err;

    if (!json_reader_take(&header->json, '{'))
        return header_malformed(header, "no object");
    do {
        err = member_parse(header, entry);
        if (err < 0)
            return err;
    } while (json_reader_take(&header->json, ','));
    if (!json_reader_take(&header->json, '}') || !entry->has_dtype || !entry->has_shape ||
        !entry->has_offsets)
        return header_malformed(header, "incomplete tensor");
    return 0;
}

static int entry_add(struct header *header, const struct entry *entry)
{
    struct tensor_place tensor = {.size = entry->end - entry->begin};
    uint64_t size;

    if (dtype_find(DTYPE_IN_SAFETENSORS, entry->dtype, strlen(entry->dtype), &tensor.dtype) < 0)
        return header_malformed(header, "unknown dtype");
    if (dtype_size(tensor.dtype, entry->element_count, &size) < 0 || size != tensor.size)
        return header_malformed(header, "shape and data_offsets disagree");
    if (tfs_add_overflows(header->data_offset, entry->begin, &tensor.offset))
        return header_malformed(header, "offset too large");
    return tensor_list_add(header->list, header->name, header->name_size, &tensor);
}

/* Behind the name: null, or an object of strings. */
static int metadata_parse(struct header *header)
{
    struct json_reader *json = &header->json;
    size_t unused;

    if (header->has_metadata)
        return header_malformed(header, "__metadata__ twice");
    header->has_metadata = true;
    if (json_reader_peek(json) == 'n')
        return json_reader_skip(json) < 0 ? header_malformed(header, "bad value") : 0;
    if (!json_reader_take(json, '{'))
        return header_malformed(header, "__metadata__ is no object");
    if (json_reader_take(json, '}'))
        return 0;
    do {
        if (json_reader_string(json, header->name, header->name_capacity, &unused) < 0 ||
            !json_reader_take(json, ':') ||
            json_reader_string(json, header->name, header->name_capacity, &unused) < 0)
            return header_malformed(header, "__metadata__ does not map strings to strings");
    } while (json_reader_take(json, ','));
    return json_reader_take(json, '}') ? 0 : header_malformed(header, "no end of __metadata__");
}

static int tensor_parse(struct header *header)
{
    struct entry entry = {.element_count = 1};
    int err;

    if (format_source_is_stopped(header->source))
        return -EINTR;
    if (json_reader_string(&header->json, header->name, header->name_capacity, &header->name_size) <
            0 ||
        !json_reader_take(&header->json, ':'))
        return header_malformed(header, "bad name");
    if (header->name_size == strlen("__metadata__") &&
        memcmp(header->name, "__metadata__", header->name_size) == 0)
        return metadata_parse(header);
    for (size_t i = 0; i < header->name_size; i++) {
        if (header->name[i] == '\0')
            header->name[i] = '\1'; /* a name is a string of C for the rest of us */
    }
    err = entry_parse(header, &entry);
    return err < 0 ? err : entry_add(header, &entry);
}

static int header_parse(struct header *header)
{
    int err;

    if (!json_reader_take(&header->json, '{'))
        return header_malformed(header, "no object");
    if (!json_reader_take(&header->json, '}')) {
        do {
            err = tensor_parse(header);
            if (err < 0)
                return err;
        } while (json_reader_take(&header->json, ','));
        if (!json_reader_take(&header->json, '}'))
            return header_malformed(header, "no end");
    }
    if (json_reader_peek(&header->json) != '\0' || header->json.at != header->json.end)
        return header_malformed(header, "bytes behind the end");
    return 0;
}

/* Every byte behind the header is one tensor's. */
static int coverage_check(struct tensor_list *list, uint64_t data_offset, uint64_t file_size)
{
    uint64_t at = data_offset;
    int err = tensor_list_finish(list, file_size);

    for (size_t i = 0; err == 0 && i < list->count; i++) {
        const struct tensor_place *tensor = &list->tensors[i];

        if (tensor->offset != at)
            return tensor_list_malformed(
                list, "%" PRIu64 " bytes at %" PRIu64 ", before tensor '%.100s', are no tensor's",
                tensor->offset - at, at, tensor->name);
        at += tensor->size;
    }
    if (err == 0 && at != file_size)
        return tensor_list_malformed(
            list, "%" PRIu64 " bytes at %" PRIu64 ", behind the last tensor", file_size - at, at);
    return err;
}

/* Most of it is ASCII. */
static int utf8_check(const char *text, size_t size, struct tensor_list *list)
{
    for (size_t at = 0; at < size;) {
        size_t character = text[at] > 0 ? 1 : tfs_utf8_size(text + at);

        if (character == 0)
            return tensor_list_malformed(list, "no UTF-8 at byte %zu of the header", at);
        at += character;
    }
    return 0;
}

/* The text ends with a zero that does not count. */
static int text_parse(const struct format_source *source, char *text, size_t size,
                      struct tensor_list *list)
{
    struct header header = {.source = source,
                            .list = list,
                            .json = {text, text + size},
                            .begin = text,
                            .data_offset = 8 + size,
                            .name = malloc(size + 1),
                            .name_capacity = size};
    int err = header.name ? utf8_check(text, size, list) : -ENOMEM;

    if (err == 0)
        err = header_parse(&header);
    if (err == 0)
        err = tensor_list_check_names(list);
    free(header.name);
    return err;
}

int safetensors_find(const struct format_source *source, struct tensor_list *list)
{
    uint8_t size_bytes[8];
    uint64_t size;
    char *text;
    int err = tensor_list_read(list, source, 0, size_bytes, sizeof(size_bytes));

    if (err < 0)
        return err;
    size = tfs_get_le64(size_bytes);
    if (size > FORMAT_HEADER_BYTES_MAX || size > source->size - sizeof(size_bytes))
        return tensor_list_malformed(list, "a header of %llu bytes", (unsigned long long)size);
    text = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    text[size] = '\0';
    err = tensor_list_read(list, source, sizeof(size_bytes), text, size);
    if (err == 0)
        err = text_parse(source, text, size, list);
    if (err == 0)
        err = coverage_check(list, sizeof(size_bytes) + size, source->size);
    free(text);
    return err;
}
