/*
 * Files for the tests of formats/ and tools/validate, built in memory: a safetensors file, a zip
 * archive as torch.save or numpy.savez write it, and buffers that grow.
 */
#ifndef TFS_TESTS_FORMATS_FIXTURE_H
#define TFS_TESTS_FORMATS_FIXTURE_H

#include "formats/tensor_list.h"

struct bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Abort on a lack of memory: there is nothing to test then. */
void bytes_put(struct bytes *bytes, const void *data, size_t size);
void bytes_put_number(struct bytes *bytes, uint64_t number, size_t width);
void bytes_fill(struct bytes *bytes, uint8_t value, size_t size);
void bytes_free(struct bytes *bytes);

/* The header's size, the header, and data_size bytes that count up. */
void safetensors_build(const char *header, size_t data_size, struct bytes *ret);

struct zip_member {
    const char *name;
    const void *data;
    size_t size;
};

/* Stored members, local headers without sizes as torch writes them, and the directory. */
void zip_build(const struct zip_member *members, size_t count, struct bytes *ret);

/* Put the zip64 records that torch writes before the end record of the archive, the last thing in
 * bytes. With is_needed the end record's own fields say nothing, as in an archive of 4 GiB. */
void zip64_end_add(struct bytes *bytes, bool is_needed);

/* A data.pkl, protocol 2, of one tensor named `label` in storage "0". */
void pickle_build(const char *label, const char *storage, uint32_t element_count,
                  struct bytes *ret);

/* An npy file, version 1, of `data_size` bytes that count up. */
void npy_build(const char *header, size_t data_size, struct bytes *ret);

/* Parse bytes as a file. */
int parse(const struct bytes *bytes, struct tensor_list *ret);

#endif
