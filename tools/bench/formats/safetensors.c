/*
 * safetensors, https://huggingface.co/docs/safetensors: u64 length of the header, the header in
 * JSON padded with blanks to a multiple of 8, then the tensors without gaps.
 *
 * Its writer makes a temporary file beside the target, sets it to its full length, fills it front
 * to back through a buffer of 1 MiB (so that a tensor of 1 MiB or more is one write(2)) and renames
 * it. It never calls fsync.
 */
#include "tools/bench/formats/byte_buffer.h"
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"

#include "store/base/bytes.h"
#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 1 << 20,
    HEADER_BYTES_MAX = 100000000,
    LENGTH_BYTES = 8,
    HEADER_ALIGNMENT = 8
};

static void header_build(const struct model *model, struct byte_buffer *header)
{
    uint64_t offset = 0;

    byte_buffer_append_le(header, 0, LENGTH_BYTES);
    byte_buffer_append_text(header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < model->count; i++) {
        const struct tensor *tensor = &model->tensors[i];

        byte_buffer_append_text(header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%llu", tensor->name,
                                tensor_kinds[tensor->kind].safetensors,
                                (unsigned long long)tensor->shape[0]);
        for (unsigned d = 1; d < tensor->dimension_count; d++)
            byte_buffer_append_text(header, ",%llu", (unsigned long long)tensor->shape[d]);
        byte_buffer_append_text(header, "],\"data_offsets\":[%llu,%llu]}",
                                (unsigned long long)offset,
                                (unsigned long long)offset + tensor->bytes);
        offset += tensor->bytes;
    }
    byte_buffer_append_byte(header, '}');
    while (header->size % HEADER_ALIGNMENT != 0 && header->error == 0)
        byte_buffer_append_byte(header, ' ');
    if (header->error == 0 && header->data)
        tfs_put_le64(header->data, header->size - LENGTH_BYTES);
}

static int safetensors_fill(struct sink *sink, const struct model *model,
                            const struct byte_buffer *header)
{
    int err;

    if (ftruncate(sink->fd, (off_t)(header->size + model->bytes)) < 0)
        return console_fail(-errno, "setting the length of '%s'", sink->path);
    err = sink_write(sink, header->data, header->size);
    for (size_t i = 0; i < model->count && err == 0; i++)
        err = sink_write(sink, model->tensors[i].data, model->tensors[i].bytes);
    return err;
}

static int safetensors_save(const struct model *model, const char *path, bool durable)
{
    tfs_cleanup(sink_release) struct sink sink = {.fd = -1};
    tfs_cleanup(byte_buffer_release) struct byte_buffer header = {0};
    char temporary[PATH_MAX];
    int err;

    header_build(model, &header);
    if (header.error < 0)
        return console_fail(header.error, "the header of '%s'", path);
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    err = sink_open(&sink, temporary, BUFFER_BYTES);
    if (err < 0)
        return err;
    err = safetensors_fill(&sink, model, &header);
    if (err < 0)
        return err;
    err = sink_finish(&sink, durable);
    if (err < 0)
        return err;
    if (rename(temporary, path) < 0)
        return console_fail(-errno, "renaming '%s'", temporary);
    return durable ? sink_sync_directory_of(path) : 0;
}

/* The place of one tensor, from its object in the header. */
static int header_place(const struct source *source, const struct cJSON *object,
                        const struct tensor *tensor, uint64_t *ret_offset)
{
    const struct cJSON *offsets = cJSON_GetObjectItemCaseSensitive(object, "data_offsets");
    const struct cJSON *begin = cJSON_GetArrayItem(offsets, 0);
    const struct cJSON *end = cJSON_GetArrayItem(offsets, 1);

    if (!object || strcmp(object->string, tensor->name) != 0)
        return source_reject(source, "a tensor is missing in the header");
    if (!cJSON_IsNumber(begin) || !cJSON_IsNumber(end) || begin->valuedouble < 0 ||
        end->valuedouble > 0x1p53 || end->valuedouble - begin->valuedouble != (double)tensor->bytes)
        return source_reject(source, "a tensor has another size");
    *ret_offset = (uint64_t)begin->valuedouble;
    return 0;
}

/* The header's objects, __metadata__ aside, are in the order of the model. */
static int tensors_read(const struct source *source, const struct cJSON *header, uint64_t base,
                        struct model *into)
{
    const struct cJSON *object = header->child;

    for (size_t i = 0; i < into->count; i++) {
        struct tensor *tensor = &into->tensors[i];
        uint64_t offset = 0;
        int err;

        object = object ? object->next : NULL;
        err = header_place(source, object, tensor, &offset);
        if (err < 0)
            return err;
        err = source_read(source, base + offset, tensor->data, tensor->bytes);
        if (err < 0)
            return err;
    }
    return 0;
}

static int safetensors_load_open(const struct source *source, struct model *into)
{
    uint8_t length[LENGTH_BYTES];
    struct cJSON *header;
    uint64_t size;
    char *text;
    int err = source_read(source, 0, length, sizeof(length));

    if (err < 0)
        return err;
    size = tfs_get_le64(length);
    if (size > HEADER_BYTES_MAX)
        return source_reject(source, "its header is too long");
    text = malloc(size + 1);
    if (!text)
        return console_fail(-ENOMEM, "a header of %llu bytes", (unsigned long long)size);
    err = source_read(source, LENGTH_BYTES, text, size);
    text[size] = '\0';
    header = err == 0 ? cJSON_ParseWithLength(text, size) : NULL;
    free(text);
    if (err < 0)
        return err;
    err = header ? tensors_read(source, header, LENGTH_BYTES + size, into)
                 : source_reject(source, "its header is not JSON");
    cJSON_Delete(header);
    return err;
}

static int safetensors_load(struct model *into, const char *path, enum source_method method)
{
    tfs_cleanup(source_release) struct source source;
    int err = source_open(&source, path, method);

    return err < 0 ? err : safetensors_load_open(&source, into);
}

const struct format format_safetensors = {
    .name = "safetensors",
    .extension = ".safetensors",
    .save = safetensors_save,
    .load = safetensors_load,
};
