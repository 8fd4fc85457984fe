/*
 * Powers of x modulo the CRC32C polynomial. x has order 2^31 - 1 (P is x + 1 times a primitive
 * polynomial of degree 31), so a division by x^n is a multiplication by x^(2^31 - 1 - n).
 */
#include "gpu/crc.h"

#include <assert.h>
#include <pthread.h>

enum { POWER_COUNT = 31 };

static uint32_t powers[POWER_COUNT]; /* x^(2^i); written once, under powers_once */
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

static void powers_init(void)
{
    powers[0] = GPU_CRC_ONE >> 1;
    for (unsigned i = 1; i < POWER_COUNT; i++)
        powers[i] = gpu_crc_multiply(powers[i - 1], powers[i - 1]);
}

uint32_t gpu_crc_power(uint64_t exponent)
{
    uint32_t product = GPU_CRC_ONE;

    (void)pthread_once(&powers_once, powers_init); /* cannot fail */
    exponent %= GPU_CRC_ORDER;
    for (unsigned i = 0; i < POWER_COUNT; i++) {
        if (exponent >> i & 1)
            product = product == GPU_CRC_ONE ? powers[i] : gpu_crc_multiply(product, powers[i]);
    }
    return product;
}

void gpu_crc_constants_init(struct gpu_crc_constants *constants)
{
    const uint64_t row_bits = 8 * GPU_ROW_BYTES;
    const uint32_t row = gpu_crc_power(row_bits);

    for (unsigned k = 0; k < 4; k++) {
        for (uint32_t byte = 0; byte < 256; byte++)
            constants->row_table[k][byte] = gpu_crc_multiply(byte << (8 * k), row);
    }
    for (uint32_t lane = 0; lane < GPU_LANES; lane++)
        constants->lane_factor[lane] =
            gpu_crc_power(32 * (GPU_LANES - lane) + GPU_CRC_ORDER - row_bits * GPU_CRC_HISTORY);
}

uint32_t gpu_crc_from_raw(uint32_t raw, uint32_t size, uint32_t padding)
{
    assert(padding < GPU_TILE_BYTES);
    if (padding > 0)
        raw = gpu_crc_multiply(raw, gpu_crc_power(GPU_CRC_ORDER - 8 * (uint64_t)padding));
    /* The register starts as all ones, which stand before the message, and is inverted at the end.
     */
    return ~(raw ^ gpu_crc_multiply(0xFFFFFFFFu, gpu_crc_power(8 * (uint64_t)size)));
}
