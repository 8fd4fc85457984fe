/*
 * CRC32C: the portable implementation, the choice among those that the machine can run, and
 * combining.
 *
 * The portable one takes eight bytes a step from eight tables of 256 entries: entry [k][b] is the
 * effect of byte b followed by k zero bytes (M. Kounavis, F. Berry, "A systematic approach to
 * building high performance, software-based, CRC generators", 2005).
 *
 * Multiplying a register by x^(8n) appends n zero bytes; combining is that and an exclusive or.
 */
#include "store/base/crc32c.h"

#include "store/base/bytes.h"
#include "store/base/crc32c_internal.h"

#include <pthread.h>

#define CRC32C_POLYNOMIAL 0x82F63B78u /* reflected */
#define CRC32C_X_0        0x80000000u /* the polynomial 1 */

static pthread_once_t crc32c_once = PTHREAD_ONCE_INIT;
static uint32_t crc32c_table[8][256];       /* written under crc32c_once, constant afterwards */
static crc32c_function *crc32c_update_best; /* likewise */

/* The product of two polynomials modulo P, by long multiplication. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = CRC32C_X_0; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = (b >> 1) ^ (b & 1 ? CRC32C_POLYNOMIAL : 0);
    }
    return product;
}

uint32_t crc32c_x_power(uint64_t n)
{
    uint32_t result = CRC32C_X_0;
    uint32_t square = CRC32C_X_0 >> 1; /* x^1, then x^2, x^4, ... */

    for (; n != 0; n >>= 1) {
        if (n & 1)
            result = multiply(result, square);
        square = multiply(square, square);
    }
    return result;
}

static void table_fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;

        for (int bit = 0; bit < 8; bit++)
            state = (state >> 1) ^ (state & 1 ? CRC32C_POLYNOMIAL : 0);
        crc32c_table[0][byte] = state;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int zeros = 1; zeros < 8; zeros++) {
            uint32_t before = crc32c_table[zeros - 1][byte];

            crc32c_table[zeros][byte] = (before >> 8) ^ crc32c_table[0][before & 0xFF];
        }
    }
}

static void crc32c_resolve(void)
{
    struct crc32c_implementation implementations[CRC32C_IMPLEMENTATIONS_MAX];

    table_fill();
    (void)crc32c_implementations(implementations); /* there is always the portable one */
    crc32c_update_best = implementations[0].update;
}

uint32_t crc32c_update_portable(uint32_t state, const uint8_t *data, size_t size)
{
    (void)pthread_once(&crc32c_once, crc32c_resolve); /* cannot fail with these arguments */
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word = tfs_get_le64(data) ^ state;

        state = 0;
        for (int i = 0; i < 8; i++)
            state ^= crc32c_table[7 - i][(word >> (8 * i)) & 0xFF];
    }
    for (; size > 0; data++, size--)
        state = (state >> 8) ^ crc32c_table[0][(state ^ *data) & 0xFF];
    return state;
}

size_t crc32c_implementations(struct crc32c_implementation *ret)
{
    size_t count = 0;

#if defined(TFS_CRC32C_SSE42)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("vpclmulqdq"))
            ret[count++] = (struct crc32c_implementation){"avx512", crc32c_update_avx512};
        ret[count++] = (struct crc32c_implementation){"sse4.2", crc32c_update_sse42};
    }
#endif
#if defined(TFS_CRC32C_ARM)
    ret[count++] = (struct crc32c_implementation){"armv8", crc32c_update_arm};
#endif
    ret[count++] = (struct crc32c_implementation){"portable", crc32c_update_portable};
    return count;
}

uint32_t tfs_crc32c(uint32_t crc, const void *data, size_t size)
{
    (void)pthread_once(&crc32c_once, crc32c_resolve); /* cannot fail with these arguments */
    return ~crc32c_update_best(~crc, data, size);
}

/*
 * The inversions cancel: with ~ at start and end of both pieces, crc(AB) = crc(A) * x^(8 |B|) +
 * crc(B).
 */
uint32_t tfs_crc32c_combine(uint32_t a, uint32_t b, uint64_t size_b)
{
    return multiply(a, crc32c_x_power(size_b * 8)) ^ b;
}
