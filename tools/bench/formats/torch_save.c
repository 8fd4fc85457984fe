/*
 * torch.save's archive, as PyTorchStreamWriter lays it out (formats/zip_write.h). Entries:
 * data.pkl, three small ones, data/0.., version, .data/serialization_id.
 *
 * The library writes through a std::ofstream (8 KiB, larger pieces go through), computes the CRC-32
 * of every payload on the way, and calls no fsync. The CRC is zlib's here, PyTorch uses its own:
 * both belong to the cost of saving.
 */
#include "formats/zip_layout.h"
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"
#include "tools/bench/formats/torch_load.h"
#include "tools/bench/formats/written.h"

#include "formats/torch_pickle.h"
#include "formats/zip_write.h"
#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 8191, ENTRY_NAME_BYTES_MAX = 512 };

struct archive {
    struct sink sink;
    const char *stem; /* the folder that all entries lie in: the file's name without extension */
    size_t stem_size;
    struct zip_writer writer;
};

static void archive_release(struct archive *archive)
{
    sink_release(&archive->sink);
    zip_writer_release(&archive->writer);
}

static int archive_add(struct archive *archive, const char *entry, const void *data, uint64_t size)
{
    tfs_cleanup(byte_buffer_release) struct byte_buffer around = {0};
    char name[ENTRY_NAME_BYTES_MAX];
    size_t header_size;
    int err;

    (void)snprintf(name, sizeof(name), "%.*s/%s", (int)archive->stem_size, archive->stem, entry);
    err = zip_writer_add(&archive->writer, name, size, zip_crc(data, size), &around, &header_size);
    if (err < 0)
        return console_fail(err, "the archive '%s'", archive->sink.path);
    err = sink_write(&archive->sink, around.data, header_size);
    if (err < 0)
        return err;
    err = sink_write(&archive->sink, data, size);
    if (err < 0)
        return err;
    return sink_write(&archive->sink, around.data + header_size, around.size - header_size);
}

static int archive_add_text(struct archive *archive, const char *entry, const char *text)
{
    return archive_add(archive, entry, text, strlen(text));
}

static int archive_end(struct archive *archive)
{
    tfs_cleanup(byte_buffer_release) struct byte_buffer end = {0};
    int err = zip_writer_end(&archive->writer, &end);

    if (err < 0)
        return console_fail(err, "the directory of '%s'", archive->sink.path);
    return sink_write(&archive->sink, end.data, end.size);
}

static int archive_add_pickle(struct archive *archive, const struct model *model)
{
    tfs_cleanup(byte_buffer_release) struct byte_buffer pickle = {0};
    struct written_tensor *tensors = written_tensors_of(model);
    int err = tensors ? torch_pickle_build(tensors, model->count, &pickle) : -ENOMEM;

    free(tensors);
    if (err < 0)
        return console_fail(err, "the pickle of '%s'", archive->sink.path);
    return archive_add(archive, "data.pkl", pickle.data, pickle.size);
}

static int archive_fill(struct archive *archive, const struct model *model)
{
    char entry[32];
    int err = archive_add_pickle(archive, model);

    if (err == 0)
        err = archive_add_text(archive, ".format_version", "1");
    if (err == 0)
        err = archive_add_text(archive, ".storage_alignment", "64");
    if (err == 0)
        err = archive_add_text(archive, "byteorder", "little");
    for (size_t i = 0; i < model->count && err == 0; i++) {
        (void)snprintf(entry, sizeof(entry), "data/%zu", i);
        err = archive_add(archive, entry, model->tensors[i].data, model->tensors[i].bytes);
    }
    if (err == 0)
        err = archive_add_text(archive, "version", "3\n");
    if (err == 0) /* the library hashes names and CRCs into 40 digits; no reader checks them */
        err = archive_add_text(archive, ".data/serialization_id",
                               "0000000000000000000000000000000000000000");
    return err == 0 ? archive_end(archive) : err;
}

static int torch_save(const struct model *model, const char *path, bool durable)
{
    tfs_cleanup(archive_release) struct archive archive = {.sink.fd = -1};
    const char *slash = strrchr(path, '/');
    int err;

    archive.stem = slash ? slash + 1 : path;
    archive.stem_size = strcspn(archive.stem, ".");
    err = sink_open(&archive.sink, path, BUFFER_BYTES);
    if (err < 0)
        return err;
    err = archive_fill(&archive, model);
    if (err < 0)
        return err;
    err = sink_finish(&archive.sink, durable);
    if (err < 0)
        return err;
    return durable ? sink_sync_directory_of(path) : 0;
}

const struct format format_torch = {
    .name = "torch",
    .extension = ".pt",
    .save = torch_save,
    .load = torch_load,
};
