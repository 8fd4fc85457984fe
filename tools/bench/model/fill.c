/*
 * An element costs half a random number and one look-up: the quantile function of its distribution,
 * tabulated at QUANTILE_CELLS points and linear between them. Outside of the first and the last
 * cell the error is below the precision of bf16; in those two (one element in a thousand) the tail
 * is a straight line up to 4.7 sigma.
 */
#include "tools/bench/model/fill.h"

#include "store/base/bytes.h"
#include "tools/bench/model/random.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>

enum {
    QUANTILE_BITS = 11,
    QUANTILE_CELLS = 1 << QUANTILE_BITS,
    FRACTION_BITS = 32 - QUANTILE_BITS
};

static const double TAIL_SIGMA = 4.7;

struct quantile {
    float base;
    float slope; /* per 2^-FRACTION_BITS of a cell */
};

/* Written once under tables_once, read-only from then on. */
static struct quantile normal_table[QUANTILE_CELLS];
static struct quantile lognormal_table[QUANTILE_CELLS];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

/* The standard normal quantile, by bisection of erfc: slow, exact, and only done once for each
 * cell. */
static double normal_quantile(double share)
{
    double low = -TAIL_SIGMA;
    double high = TAIL_SIGMA;

    if (share <= 0)
        return low;
    if (share >= 1)
        return high;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (0.5 * erfc(-middle * M_SQRT1_2) < share)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static void tables_fill(void)
{
    for (int cell = 0; cell < QUANTILE_CELLS; cell++) {
        double from = normal_quantile((double)cell / QUANTILE_CELLS);
        double to = normal_quantile((double)(cell + 1) / QUANTILE_CELLS);
        double steps = 1u << FRACTION_BITS;

        normal_table[cell] = (struct quantile){(float)from, (float)((to - from) / steps)};
        lognormal_table[cell] =
            (struct quantile){(float)exp(from), (float)((exp(to) - exp(from)) / steps)};
    }
}

static inline float quantile_draw(const struct quantile *table, uint32_t random)
{
    const struct quantile *cell = &table[random >> FRACTION_BITS];

    return cell->base + cell->slope * (float)(random & ((1u << FRACTION_BITS) - 1));
}

static inline uint32_t float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* To the nearest, ties to even. No NaN comes here. */
static inline uint16_t bf16_round(float value)
{
    uint32_t bits = float_bits(value);

    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* To the nearest, halves away from zero. Values are far from overflow; below 2^-14 they become
 * subnormal. */
static inline uint16_t fp16_round(float value)
{
    uint32_t bits = float_bits(value);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    float magnitude = fabsf(value);

    if (magnitude < 0x1p-14f)
        return (uint16_t)(sign | (uint16_t)lroundf(magnitude * 0x1p24f));
    bits = (bits & 0x7fffffff) + 0x1000; /* half of the last place that stays */
    return (uint16_t)(sign | (uint16_t)((bits - (112u << 23)) >> 13));
}

struct row_shape {
    const struct quantile *table;
    double scale;
    double spread; /* sigma of the logarithm of a row's scale */
};

static struct row_shape row_shape(enum tensor_kind kind)
{
    switch (kind) {
    case TENSOR_ADAM_M:
        return (struct row_shape){normal_table, 1e-4, 1.0};
    case TENSOR_ADAM_V:
        return (struct row_shape){lognormal_table, 1e-8, 1.5};
    default: /* gives 2.65 bits of exponent; trained language models have 2.57 to 2.74 */
        return (struct row_shape){normal_table, 0.02, 0.33};
    }
}

/* `out` is an array of what `convert` returns; the other names are those of fill_elements. */
#define FILL_LOOP(out, convert)                                                                    \
    do {                                                                                           \
        uint64_t i = 0;                                                                            \
                                                                                                   \
        for (; i + 2 <= columns; i += 2) {                                                         \
            uint64_t bits = random_next(&random);                                                  \
                                                                                                   \
            (out)[i] = convert(offset + scale * quantile_draw(table, (uint32_t)bits));             \
            (out)[i + 1] = convert(offset + scale * quantile_draw(table, (uint32_t)(bits >> 32))); \
        }                                                                                          \
        if (i < columns)                                                                           \
            (out)[i] =                                                                             \
                convert(offset + scale * quantile_draw(table, (uint32_t)random_next(&random)));    \
    } while (0)

static void fill_elements(enum tensor_kind kind, struct random random, const struct quantile *table,
                          float offset, float scale, uint64_t columns, void *dst)
{
    uint16_t *narrow = dst;
    uint32_t *wide = dst;

    switch (kind) {
    case TENSOR_BF16:
        FILL_LOOP(narrow, bf16_round);
        break;
    case TENSOR_FP16:
        FILL_LOOP(narrow, fp16_round);
        break;
    default:
        FILL_LOOP(wide, float_bits);
        break;
    }
}

void fill_row(enum tensor_kind kind, uint64_t seed, uint64_t columns, void *dst)
{
    struct random random;
    struct row_shape shape;
    double uneven;

    assert(kind < TENSOR_BYTES);
    (void)pthread_once(&tables_once, tables_fill);
    random_init(&random, seed);
    shape = row_shape(kind);
    uneven =
        exp(shape.spread * (double)quantile_draw(normal_table, (uint32_t)random_next(&random)));
    fill_elements(kind, random, shape.table, 0, (float)(shape.scale * uneven), columns, dst);
}

void fill_gain(enum tensor_kind kind, uint64_t seed, uint64_t columns, void *dst)
{
    struct random random;

    assert(kind < TENSOR_BYTES);
    (void)pthread_once(&tables_once, tables_fill);
    random_init(&random, seed);
    fill_elements(kind, random, normal_table, 1, 0.05f, columns, dst);
}

static uint64_t mantissa_mask(enum tensor_kind kind)
{
    switch (kind) {
    case TENSOR_BF16:
        return 0x007f007f007f007full;
    case TENSOR_FP16:
        return 0x03ff03ff03ff03ffull;
    case TENSOR_BYTES:
        return 0;
    default:
        return 0x007fffff007fffffull;
    }
}

void fill_vary(enum tensor_kind kind, uint64_t seed, void *data, uint64_t bytes)
{
    enum { KEY_BYTES = 4096 }; /* one key for so many: the mixer then costs nothing */
    uint64_t mask = mantissa_mask(kind);
    uint8_t *at = data;
    uint64_t whole = bytes / sizeof(uint64_t) * sizeof(uint64_t);
    uint64_t key = 0;

    if (mask == 0)
        return;
    for (uint64_t offset = 0; offset < whole; offset += sizeof(uint64_t)) {
        if (offset % KEY_BYTES == 0)
            key = random_splitmix(&seed) & mask;
        tfs_put_le64(at + offset, tfs_get_le64(at + offset) ^ key);
    }
}
