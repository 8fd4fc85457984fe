/*
 * Writing a zip archive as torch.save lays it out (torch_zip.h): entries are stored, their data
 * begin at multiples of 64 by a padding field in the local header, CRC-32 and sizes stand behind
 * the data, and zip64 records at the end in any case.
 */
#ifndef TFS_FORMATS_ZIP_WRITE_H
#define TFS_FORMATS_ZIP_WRITE_H

#include "formats/byte_buffer.h"

/* Begin with zeros. */
struct zip_writer {
    struct byte_buffer directory; /* of the entries so far */
    uint64_t entry_count;
    uint64_t offset; /* bytes of the archive so far */
};

/* The CRC-32 that zip has of data. */
uint32_t zip_crc(const void *data, uint64_t size);

/*
 * Add an entry. What it writes is: the first *ret_header_size bytes of *ret, the data, which have
 * `size` bytes and this CRC-32, and the rest of *ret.
 *
 * Ownership: *ret is released with byte_buffer_release.
 * Errors:    -ENAMETOOLONG (above 64 KiB), -ENOMEM; then only zip_writer_release may follow.
 */
TFS_MUST_CHECK int zip_writer_add(struct zip_writer *writer, const char *name, uint64_t size,
                                  uint32_t crc, struct byte_buffer *ret, size_t *ret_header_size);

/*
 * What ends the archive: the directory and the end records. The writer is empty then.
 *
 * Ownership: *ret is released with byte_buffer_release.
 * Errors:    -ENOMEM.
 */
TFS_MUST_CHECK int zip_writer_end(struct zip_writer *writer, struct byte_buffer *ret);
void zip_writer_release(struct zip_writer *writer);

#endif
