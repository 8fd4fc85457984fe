/*
 * A directory with one file per tensor: numpy.save's, or plain files.
 *
 * numpy.save opens the file, writes the header (numpy.lib.format, version 1.0: magic, length, a
 * Python dict padded with blanks so that the data starts at a multiple of 64), then the array with
 * one write; no fsync, no rename.
 */
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"
#include "tools/bench/formats/written.h"

#include "formats/npy.h"
#include "formats/npy_write.h"
#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int file_save(const struct tensor *tensor, const char *path, bool durable, bool with_header)
{
    tfs_cleanup(sink_release) struct sink sink = {.fd = -1};
    tfs_cleanup(byte_buffer_release) struct byte_buffer header = {0};
    const struct written_tensor written = written_tensor_of(tensor);
    int err = with_header ? npy_header_build(&written, &header) : 0;

    if (err < 0)
        return console_fail(err, "the header of '%s'", path);
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

/* Where the array begins, which reaches to the file's end. */
static int array_find(struct source *source, uint64_t *ret_offset)
{
    const struct format_source format = source_as_format(source);
    struct tensor_list list;
    int err;

    tensor_list_init(&list);
    err = npy_find(&format, 0, format.size, "array", &list);
    if (err < 0)
        err = source_complain(source, err, list.reason);
    else if (list.tensors[0].offset + list.tensors[0].size != format.size)
        err = source_reject(source, "another size");
    else
        *ret_offset = list.tensors[0].offset;
    tensor_list_release(&list);
    return err;
}

static int file_load(struct tensor *tensor, const char *path, enum source_method method,
                     bool with_header)
{
    tfs_cleanup(source_release) struct source source;
    uint64_t data = 0;
    int err = source_open(&source, path, method);

    if (err == 0 && with_header)
        err = array_find(&source, &data);
    if (err < 0)
        return err;
    if (source.size - data != tensor->bytes)
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
