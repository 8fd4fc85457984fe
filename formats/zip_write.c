/*
 * Records are appended field by field. The version that an entry needs is 0, as miniz writes for
 * stored entries.
 */
#include "formats/zip_write.h"

#include "formats/zip_layout.h"

#include "store/base/error.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

enum { DATA_ALIGNMENT = 64, NAME_BYTES_MAX = 0xffff };

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
    unsigned padding = (unsigned)(tfs_align_up(start, DATA_ALIGNMENT) - start);

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
    byte_buffer_append_le(out, 0, 2); /* version needed */
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
uint32_t zip_crc(const void *data, uint64_t size)
{
    const uint8_t *at = data;
    uLong crc = crc32(0, NULL, 0);

    while (size > 0) {
        uInt piece = (uInt)tfs_min_u64(size, 1u << 30);

        crc = crc32(crc, at, piece);
        at += piece;
        size -= piece;
    }
    return (uint32_t)crc;
}

int zip_writer_add(struct zip_writer *writer, const char *name, uint64_t size, uint32_t crc,
                   struct byte_buffer *ret, size_t *ret_header_size)
{
    const uint64_t offset = writer->offset;
    struct byte_buffer out = {0};
    size_t header_size;
    int err;

    if (strlen(name) > NAME_BYTES_MAX)
        return tfs_fail(-ENAMETOOLONG, "an entry's name of %zu bytes", strlen(name));
    build_local_header(&out, name, size, offset);
    header_size = out.size;
    build_descriptor(&out, crc, size, offset);
    append_central_header(&writer->directory, name, crc, size, offset);
    if (writer->directory.error < 0) {
        byte_buffer_release(&out);
        return writer->directory.error;
    }
    writer->entry_count++;
    writer->offset += out.size + size;
    err = byte_buffer_take(&out, ret);
    if (err == 0)
        *ret_header_size = header_size;
    return err;
}

/* The directory is followed by the zip64 end record, its locator, and the end record. */
int zip_writer_end(struct zip_writer *writer, struct byte_buffer *ret)
{
    struct byte_buffer *out = &writer->directory;
    const uint64_t offset = writer->offset;
    const uint64_t size = out->size;
    const uint64_t count = writer->entry_count;

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
    *writer = (struct zip_writer){.directory = *out};
    return byte_buffer_take(out, ret);
}

void zip_writer_release(struct zip_writer *writer)
{
    byte_buffer_release(&writer->directory);
    *writer = (struct zip_writer){.offset = 0};
}
