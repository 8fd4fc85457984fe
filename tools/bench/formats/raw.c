/*
 * The tensors one after the other in a file without header, in writes of 1 MiB: what a plain copy
 * does, and the measure of what the formats add.
 */
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"

enum { WRITE_BYTES = 1 << 20 };

static int raw_fill(struct sink *sink, const struct tensor *tensor)
{
    for (uint64_t offset = 0; offset < tensor->bytes; offset += WRITE_BYTES) {
        uint64_t size = tfs_min_u64(WRITE_BYTES, tensor->bytes - offset);
        int err = sink_write(sink, tensor->data + offset, size);

        if (err < 0)
            return err;
    }
    return 0;
}

static int raw_save(const struct model *model, const char *path, bool durable)
{
    tfs_cleanup(sink_release) struct sink sink = {.fd = -1};
    int err = sink_open(&sink, path, WRITE_BYTES);

    for (size_t i = 0; i < model->count && err == 0; i++)
        err = raw_fill(&sink, &model->tensors[i]);
    if (err < 0)
        return err;
    err = sink_finish(&sink, durable);
    if (err < 0)
        return err;
    return durable ? sink_sync_directory_of(path) : 0;
}

static int raw_load(struct model *into, const char *path, enum source_method method)
{
    tfs_cleanup(source_release) struct source source;
    uint64_t offset = 0;
    int err = source_open(&source, path, method);

    for (size_t i = 0; i < into->count && err == 0; i++) {
        err = source_read(&source, offset, into->tensors[i].data, into->tensors[i].bytes);
        offset += into->tensors[i].bytes;
    }
    return err;
}

const struct format format_raw = {
    .name = "raw",
    .extension = ".raw",
    .save = raw_save,
    .load = raw_load,
};
