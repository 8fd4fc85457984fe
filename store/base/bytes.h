/*
 * Integers in byte order of choice at unaligned addresses. Index keys are big-endian so that they
 * sort by value; everything else on disk is little-endian.
 */
#ifndef TFS_BASE_BYTES_H
#define TFS_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define TFS_BYTES_ACCESSORS(name, type, to_disk, from_disk)                                        \
    static inline void tfs_put_##name(void *at, type value)                                        \
    {                                                                                              \
        type raw = to_disk(value);                                                                 \
        memcpy(at, &raw, sizeof(raw));                                                             \
    }                                                                                              \
    static inline type tfs_get_##name(const void *at)                                              \
    {                                                                                              \
        type raw;                                                                                  \
        memcpy(&raw, at, sizeof(raw));                                                             \
        return from_disk(raw);                                                                     \
    }

TFS_BYTES_ACCESSORS(le16, uint16_t, htole16, le16toh)
TFS_BYTES_ACCESSORS(le32, uint32_t, htole32, le32toh)
TFS_BYTES_ACCESSORS(le64, uint64_t, htole64, le64toh)
TFS_BYTES_ACCESSORS(be32, uint32_t, htobe32, be32toh)
TFS_BYTES_ACCESSORS(be64, uint64_t, htobe64, be64toh)

#undef TFS_BYTES_ACCESSORS

#endif
