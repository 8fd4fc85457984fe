#include "store/codec/entropy.h"

enum { FRACTION_BITS = 16 };

/* By squaring: each time the square reaches 2, the next bit of the logarithm is 1. Exact to the
 * last bit. */
static uint32_t log2_fixed(uint32_t value)
{
    unsigned whole = 31u - (unsigned)__builtin_clz(value);
    uint64_t x = ((uint64_t)value << 31) >> whole; /* 1 <= x < 2, with 31 bits behind the point */
    uint32_t result = whole;

    for (int bit = 0; bit < FRACTION_BITS; bit++) {
        x = x * x >> 31;
        result <<= 1;
        if (x >> 32) {
            result |= 1;
            x >>= 1;
        }
    }
    return result;
}

void entropy_table_init(struct entropy_table *table)
{
    table->log2[0] = 0; /* 0 * log2(0) counts as 0 */
    for (uint32_t i = 1; i <= ENTROPY_SAMPLES_MAX; i++)
        table->log2[i] = log2_fixed(i);
}

uint32_t entropy_estimate(const struct entropy_table *table, const uint16_t counts[ENTROPY_SYMBOLS],
                          uint32_t total)
{
    enum { HALF_OVER_LN2 = 739 }; /* ENTROPY_BIT / (2 ln 2) */
    uint64_t sum = 0;
    uint32_t seen = 0;
    uint64_t bits;

    if (total == 0)
        return 0;
    for (uint32_t i = 0; i < ENTROPY_SYMBOLS; i++) {
        sum += (uint64_t)counts[i] * table->log2[counts[i]];
        seen += counts[i] != 0;
    }
    bits = (table->log2[total] - sum / total) >> (FRACTION_BITS - 10); /* 2^10 is ENTROPY_BIT */
    return (uint32_t)bits + (seen - 1) * HALF_OVER_LN2 / total;
}
