/*
 * The implementations of CRC32C behind tfs_crc32c, and the arithmetic that they share. Private to
 * crc32c*.c, its test and its bench.
 *
 * Notation: a 32-bit register holds a polynomial over GF(2) with bit 31 as x^0 and bit 0 as x^31
 * ("reflected"); P is the CRC's polynomial. An implementation works on the raw register, without
 * the inversions at start and end.
 */
#ifndef TFS_BASE_CRC32C_INTERNAL_H
#define TFS_BASE_CRC32C_INTERNAL_H

#include "store/base/defs.h"

typedef uint32_t crc32c_function(uint32_t state, const uint8_t *data, size_t size);

struct crc32c_implementation {
    const char *name;
    crc32c_function *update;
};

/* x^n mod P. */
uint32_t crc32c_x_power(uint64_t n);

uint32_t crc32c_update_portable(uint32_t state, const uint8_t *data, size_t size);
#if defined(TFS_CRC32C_SSE42)
uint32_t crc32c_update_sse42(uint32_t state, const uint8_t *data, size_t size);
uint32_t crc32c_update_avx512(uint32_t state, const uint8_t *data, size_t size);
#endif
#if defined(TFS_CRC32C_ARM)
uint32_t crc32c_update_arm(uint32_t state, const uint8_t *data, size_t size);
#endif

/* All that this machine can run, fastest first, at most CRC32C_IMPLEMENTATIONS_MAX; the last is
 * portable. */
enum { CRC32C_IMPLEMENTATIONS_MAX = 4 };
size_t crc32c_implementations(struct crc32c_implementation *ret);

#endif
