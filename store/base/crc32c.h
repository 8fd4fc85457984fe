/*
 * CRC32C (Castagnoli), the checksum of every block, frame and record.
 *
 * Polynomial 0x1EDC6F41, bit-reflected 0x82F63B78; bits least significant first; the register
 * starts as all ones and is inverted at the end (RFC 3720, 12.1). Functions take and return the
 * finished value, so that 0 starts a new checksum and a result can be continued:
 *
 *     crc(0, "123456789") = 0xE3069283
 *     crc(0, 32 bytes 0x00) = 0x8A9136AA       crc(0, 32 bytes 0xFF) = 0x62A8AB43
 *     crc(0, 0x00..0x1F)    = 0x46DD794E       crc(0, 0x1F..0x00)    = 0x113FDB5C
 *
 * Threads: any.
 */
#ifndef TFS_BASE_CRC32C_H
#define TFS_BASE_CRC32C_H

#include "store/base/defs.h"

/* The checksum of what `crc` covers followed by these bytes. */
uint32_t tfs_crc32c(uint32_t crc, const void *data, size_t size);

/* The checksum of a piece with checksum `a` followed by one of size_b bytes with checksum `b`.
 * O(log size_b); size_b below 2^61. */
uint32_t tfs_crc32c_combine(uint32_t a, uint32_t b, uint64_t size_b);

#endif
