/*
 * torch.save's archive, as PyTorchStreamWriter lays it out: a ZIP whose entries are stored, each
 * payload at a multiple of 64 by a padding field "FB" in the local header, CRC and sizes behind the
 * payload, zip64 records at the end in any case. Entries: data.pkl, three small ones, data/0..,
 * version, .data/serialization_id.
 *
 * The library writes through a std::ofstream (8 KiB, larger pieces go through), computes the CRC-32
 * of every payload on the way, and calls no fsync. The CRC is zlib's here, PyTorch uses its own:
 * both belong to the cost of saving.
 */
#include "formats/zip_layout.h"
#include "tools/bench/formats/format.h"
#include "tools/bench/formats/sink.h"
#include "tools/bench/formats/torch_load.h"
#include "tools/bench/formats/torch_pickle.h"

#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { BUFFER_BYTES = 8191, PAYLOAD_ALIGNMENT = 64, ENTRY_NAME_BYTES_MAX = 512 };

struct archive {
    struct sink sink;
    const char *stem; /* the folder that all entries lie in: the file's name without extension */
    size_t stem_size;
    struct byte_buffer directory;
    uint64_t entry_count;
};

static void archive_release(struct archive *archive)
{
    sink_release(&archive->sink);
    byte_buffer_release(&archive->directory);
}

/* The zip64 field: only what does not fit into 32 bits, in this order. */
static void append_zip64_field(struct byte_buffer *out, uint64_t size, uint64_t offset)
{
    bool big_size = size >= ZIP_LIMIT_32;
    bool big_offset = offset >= ZIP_LIMIT_32;

    if (!big_size && !big_offset)
        return;
    byte_buffer_append_le(out, ZIP_EXTRA_ZIP64, 2);
    byte_buffer_append_le(out, (big_size ? 16 : 0) + (big_offset ? 8 : 0), 2);
    if (big_size) {
        byte_buffer_append_le(out, size, 8);
        byte_buffer_append_le(out, size, 8);
    }
    if (big_offset)
        byte_buffer_append_le(out, offset, 8);
}

static void append_padding_field(struct byte_buffer *out, uint64_t start)
{
    unsigned padding = (unsigned)(tfs_align_up(start, PAYLOAD_ALIGNMENT) - start);

    byte_buffer_append(out, "FB", 2);
    byte_buffer_append_le(out, padding, 2);
    while (padding-- > 0)
        byte_buffer_append_byte(out, 'Z');
}

static void build_local_header(struct byte_buffer *out, const char *name, uint64_t size,
                               uint64_t offset)
{
    struct byte_buffer extra = {0};
    size_t name_size = strlen(name);

    append_zip64_field(&extra, size, offset);
    append_padding_field(&extra, offset + ZIP_LOCAL_BYTES + name_size + extra.size + 4);
    byte_buffer_append_le(out, ZIP_LOCAL_SIGNATURE, 4);
    byte_buffer_append_le(out, 0, 2); /* version needed: 0, as miniz writes for stored entries */
    byte_buffer_append_le(out, ZIP_FLAGS_TORCH, 2);
    byte_buffer_append_le(out, 0, 2); /* stored */
    byte_buffer_append_le(out, 0, 4); /* no date */
    byte_buffer_append_le(out, 0, 8); /* CRC and size follow the payload */
    byte_buffer_append_le(out, 0, 4);
    byte_buffer_append_le(out, name_size, 2);
    byte_buffer_append_le(out, extra.size, 2);
    byte_buffer_append(out, name, name_size);
    byte_buffer_append(out, extra.data, extra.size);
    if (extra.error < 0)
        out->error = extra.error;
    byte_buffer_release(&extra);
}

static void build_descriptor(struct byte_buffer *out, uint32_t crc, uint64_t size, uint64_t offset)
{
    unsigned width = size >= ZIP_LIMIT_32 || offset >= ZIP_LIMIT_32 ? 8 : 4;

    byte_buffer_append_le(out, ZIP_DESCRIPTOR_SIGNATURE, 4);
    byte_buffer_append_le(out, crc, 4);
    byte_buffer_append_le(out, size, width);
    byte_buffer_append_le(out, size, width);
}

static void append_central_header(struct byte_buffer *out, const char *name, uint32_t crc,
                                  uint64_t size, uint64_t offset)
{
    struct byte_buffer extra = {0};

    append_zip64_field(&extra, size, offset);
    byte_buffer_append_le(out, ZIP_CENTRAL_SIGNATURE, 4);
    byte_buffer_append_le(out, 0, 4); /* made by, needed */
    byte_buffer_append_le(out, ZIP_FLAGS_TORCH, 2);
    byte_buffer_append_le(out, 0, 6); /* stored, no date */
    byte_buffer_append_le(out, crc, 4);
    byte_buffer_append_le(out, tfs_min_u64(size, ZIP_LIMIT_32), 4);
    byte_buffer_append_le(out, tfs_min_u64(size, ZIP_LIMIT_32), 4);
    byte_buffer_append_le(out, strlen(name), 2);
    byte_buffer_append_le(out, extra.size, 2);
    byte_buffer_append_le(out, 0, 8); /* comment, disk, attributes */
    byte_buffer_append_le(out, 0, 2);
    byte_buffer_append_le(out, tfs_min_u64(offset, ZIP_LIMIT_32), 4);
    byte_buffer_append(out, name, strlen(name));
    byte_buffer_append(out, extra.data, extra.size);
    if (extra.error < 0)
        out->error = extra.error;
    byte_buffer_release(&extra);
}

/* crc32() takes 32-bit lengths. */
static uint32_t payload_crc(const uint8_t *data, uint64_t size)
{
    uLong crc = crc32(0, NULL, 0);

    while (size > 0) {
        uInt piece = (uInt)tfs_min_u64(size, 1u << 30);

        crc = crc32(crc, data, piece);
        data += piece;
        size -= piece;
    }
    return (uint32_t)crc;
}

static int archive_add(struct archive *archive, const char *entry, const void *data, uint64_t size)
{
    tfs_cleanup(byte_buffer_release) struct byte_buffer header = {0};
    char name[ENTRY_NAME_BYTES_MAX];
    uint64_t offset = archive->sink.offset;
    uint32_t crc = payload_crc(data, size);
    size_t header_size;
    int err;

    (void)snprintf(name, sizeof(name), "%.*s/%s", (int)archive->stem_size, archive->stem, entry);
    build_local_header(&header, name, size, offset);
    header_size = header.size;
    build_descriptor(&header, crc, size, offset);
    append_central_header(&archive->directory, name, crc, size, offset);
    archive->entry_count++;
    if (header.error < 0)
        return console_fail(header.error, "the archive '%s'", archive->sink.path);
    err = sink_write(&archive->sink, header.data, header_size);
    if (err < 0)
        return err;
    err = sink_write(&archive->sink, data, size);
    if (err < 0)
        return err;
    return sink_write(&archive->sink, header.data + header_size, header.size - header_size);
}

static int archive_add_text(struct archive *archive, const char *entry, const char *text)
{
    return archive_add(archive, entry, text, strlen(text));
}

/* The directory, the zip64 end record and its locator, the end record. */
static int archive_end(struct archive *archive)
{
    struct byte_buffer *out = &archive->directory;
    uint64_t offset = archive->sink.offset;
    uint64_t size = out->size;
    uint64_t count = archive->entry_count;

    byte_buffer_append_le(out, ZIP_END64_SIGNATURE, 4);
    byte_buffer_append_le(out, ZIP_END64_BYTES - 12, 8);
    byte_buffer_append_le(out, 0x031e, 2);
    byte_buffer_append_le(out, ZIP_VERSION_ZIP64, 2);
    byte_buffer_append_le(out, 0, 8); /* disks */
    byte_buffer_append_le(out, count, 8);
    byte_buffer_append_le(out, count, 8);
    byte_buffer_append_le(out, size, 8);
    byte_buffer_append_le(out, offset, 8);
    byte_buffer_append_le(out, ZIP_LOCATOR64_SIGNATURE, 4);
    byte_buffer_append_le(out, 0, 4);
    byte_buffer_append_le(out, offset + size, 8);
    byte_buffer_append_le(out, 1, 4);
    byte_buffer_append_le(out, ZIP_END_SIGNATURE, 4);
    byte_buffer_append_le(out, 0, 4);
    byte_buffer_append_le(out, tfs_min_u64(count, 0xffff), 2);
    byte_buffer_append_le(out, tfs_min_u64(count, 0xffff), 2);
    byte_buffer_append_le(out, tfs_min_u64(size, ZIP_LIMIT_32), 4);
    byte_buffer_append_le(out, tfs_min_u64(offset, ZIP_LIMIT_32), 4);
    byte_buffer_append_le(out, 0, 2);
    if (out->error < 0)
        return console_fail(out->error, "the directory of '%s'", archive->sink.path);
    return sink_write(&archive->sink, out->data, out->size);
}

static int archive_add_pickle(struct archive *archive, const struct model *model)
{
    tfs_cleanup(byte_buffer_release) struct byte_buffer pickle = {0};

    torch_pickle_build(model, &pickle);
    if (pickle.error < 0)
        return console_fail(pickle.error, "the pickle of '%s'", archive->sink.path);
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
