/*
 * Members of zip archives that are deflated: numpy.savez_compressed writes them.
 */
#ifndef TFS_FORMATS_ZIP_INFLATE_H
#define TFS_FORMATS_ZIP_INFLATE_H

#include "formats/tensor_list.h"

struct zip_deflated {
    uint64_t offset; /* of its data */
    uint64_t size;   /* in the file */
    uint64_t raw_size;
    uint32_t crc; /* CRC-32 of what comes out */
};

/*
 * Inflate a member and compare what comes out with its size and checksum.
 *
 * Returns: NULL in *ret_reason when it is whole, else what is wrong; static.
 * Errors:  -ENOMEM, those of tensor_list_read().
 */
TFS_MUST_CHECK int zip_inflate_check(const struct format_source *source, struct tensor_list *list,
                                     const struct zip_deflated *member, const char **ret_reason);

#endif
