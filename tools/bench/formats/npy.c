/*
 * A directory with one file per tensor: numpy.save's, or plain files.
 *
 * numpy.save opens the file, writes the header (numpy.lib.format, version 1.0: magic, length, a
 * Python dict padded with blanks so that the data starts at a multiple of 64), then the array with
 * one write; no fsync, no rename.
 */
#include "tools/bench/formats/byte_buffer.h"
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"

#include "store/base/bytes.h"
#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAGIC_BYTES = 8, PREFIX_BYTES = 10, ARRAY_ALIGNMENT = 64, HEADER_BYTES_MAX = 512 };

static const char npy_magic[MAGIC_BYTES] = "\x93NUMPY\x01";

static void npy_header(const struct tensor *tensor, struct byte_buffer *header)
{
    byte_buffer_append(header, npy_magic, MAGIC_BYTES);
    byte_buffer_append_le(header, 0, 2);
    byte_buffer_append_text(header, "{'descr': '%s', 'fortran_order': False, 'shape': (%llu,",
                            tensor_kinds[tensor->kind].npy, (unsigned long long)tensor->shape[0]);
    if (tensor->dimension_count == 2)
        byte_buffer_append_text(header, " %llu", (unsigned long long)tensor->shape[1]);
    byte_buffer_append_text(header, "), }");
    while ((header->size + 1) % ARRAY_ALIGNMENT != 0 && header->error == 0)
        byte_buffer_append_byte(header, ' ');
    byte_buffer_append_byte(header, '\n');
    if (header->error == 0)
        tfs_put_le16(header->data + MAGIC_BYTES, (uint16_t)(header->size - PREFIX_BYTES));
}

static int file_save(const struct tensor *tensor, const char *path, bool durable, bool with_header)
{
    tfs_cleanup(sink_release) struct sink sink = {.fd = -1};
    tfs_cleanup(byte_buffer_release) struct byte_buffer header = {0};
    int err;

    if (with_header)
        npy_header(tensor, &header);
    if (header.error < 0)
        return console_fail(header.error, "the header of '%s'", path);
    err = sink_open(&sink, path, 0);
    if (err < 0)
        return err;
    err = sink_write(&sink, header.data, header.size);
    if (err < 0)
        return err;
    err = sink_write(&sink, tensor->data, tensor->bytes);
    return err < 0 ? err : sink_finish(&sink, durable);
}

static int directory_save(const struct model *model, const char *path, bool durable,
                          bool with_header)
{
    char file[PATH_MAX] = "";

    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return console_fail(-errno, "creating '%s'", path);
    for (size_t i = 0; i < model->count; i++) {
        const struct tensor *tensor = &model->tensors[i];
        int err;

        if (snprintf(file, sizeof(file), "%s/%s%s", path, tensor->name,
                     with_header ? ".npy" : "") >= (int)sizeof(file))
            return console_fail(-ENAMETOOLONG, "'%s'", tensor->name);
        err = file_save(tensor, file, durable, with_header);
        if (err < 0)
            return err;
    }
    if (!durable)
        return 0;
    if (sink_sync_directory_of(file) < 0)
        return -EIO;
    return sink_sync_directory_of(path);
}

static int file_load(struct tensor *tensor, const char *path, enum source_method method,
                     bool with_header)
{
    tfs_cleanup(source_release) struct source source;
    uint8_t prefix[PREFIX_BYTES];
    uint64_t data = 0;
    int err = source_open(&source, path, method);

    if (err < 0)
        return err;
    if (with_header) {
        err = source_read(&source, 0, prefix, sizeof(prefix));
        if (err < 0)
            return err;
        if (memcmp(prefix, npy_magic, MAGIC_BYTES) != 0)
            return source_reject(&source, "no npy header");
        data = PREFIX_BYTES + tfs_get_le16(prefix + MAGIC_BYTES);
    }
    if (source.size < data || source.size - data != tensor->bytes)
        return source_reject(&source, "another size");
    return source_read(&source, data, tensor->data, tensor->bytes);
}

static int directory_load(struct model *into, const char *path, enum source_method method,
                          bool with_header)
{
    char file[PATH_MAX];

    for (size_t i = 0; i < into->count; i++) {
        struct tensor *tensor = &into->tensors[i];
        int err;

        if (snprintf(file, sizeof(file), "%s/%s%s", path, tensor->name,
                     with_header ? ".npy" : "") >= (int)sizeof(file))
            return console_fail(-ENAMETOOLONG, "'%s'", tensor->name);
        err = file_load(tensor, file, method, with_header);
        if (err < 0)
            return err;
    }
    return 0;
}

static int npy_save(const struct model *model, const char *path, bool durable)
{
    return directory_save(model, path, durable, true);
}

static int npy_load(struct model *into, const char *path, enum source_method method)
{
    return directory_load(into, path, method, true);
}

static int files_save(const struct model *model, const char *path, bool durable)
{
    return directory_save(model, path, durable, false);
}

static int files_load(struct model *into, const char *path, enum source_method method)
{
    return directory_load(into, path, method, false);
}

const struct format format_npy = {
    .name = "npy",
    .extension = ".npy.d",
    .save = npy_save,
    .load = npy_load,
};

const struct format format_files = {
    .name = "files",
    .extension = ".files",
    .save = files_save,
    .load = files_load,
};
