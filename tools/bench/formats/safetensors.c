/*
 * safetensors. Its writer makes a temporary file beside the target, sets it to its full length,
 * fills it front to back through a buffer of 1 MiB (so that a tensor of 1 MiB or more is one
 * write(2)) and renames it. It never calls fsync.
 */
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"
#include "tools/bench/formats/written.h"

#include "formats/safetensors.h"
#include "formats/safetensors_write.h"
#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20 };

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

static int header_build(const struct model *model, struct byte_buffer *ret)
{
    struct written_tensor *tensors = written_tensors_of(model);
    int err = tensors ? safetensors_header_build(tensors, model->count, ret) : -ENOMEM;

    free(tensors);
    return err;
}

static int safetensors_save(const struct model *model, const char *path, bool durable)
{
    tfs_cleanup(sink_release) struct sink sink = {.fd = -1};
    tfs_cleanup(byte_buffer_release) struct byte_buffer header = {0};
    char temporary[PATH_MAX];
    int err;

    err = header_build(model, &header);
    if (err < 0)
        return console_fail(err, "the header of '%s'", path);
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

/* They lie in the order of the model. */
static int tensors_read(const struct source *source, const struct tensor_list *list,
                        struct model *into)
{
    if (list->count != into->count)
        return source_reject(source, "it has another number of tensors");
    for (size_t i = 0; i < into->count; i++) {
        const struct tensor_place *place = &list->tensors[i];
        struct tensor *tensor = &into->tensors[i];
        int err;

        if (strcmp(place->name, tensor->name) != 0)
            return source_reject(source, "a tensor is missing in the header");
        if (place->size != tensor->bytes)
            return source_reject(source, "a tensor has another size");
        err = source_read(source, place->offset, tensor->data, tensor->bytes);
        if (err < 0)
            return err;
    }
    return 0;
}

static int safetensors_load(struct model *into, const char *path, enum source_method method)
{
    tfs_cleanup(source_release) struct source source;
    struct format_source format;
    struct tensor_list list;
    int err = source_open(&source, path, method);

    if (err < 0)
        return err;
    format = source_as_format(&source);
    tensor_list_init(&list);
    err = safetensors_find(&format, &list);
    err = err < 0 ? source_complain(&source, err, list.reason) : tensors_read(&source, &list, into);
    tensor_list_release(&list);
    return err;
}

const struct format format_safetensors = {
    .name = "safetensors",
    .extension = ".safetensors",
    .save = safetensors_save,
    .load = safetensors_load,
};
