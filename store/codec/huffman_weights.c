/*
 * The description of a Huffman code: its weights, as numbers of four bits or coded with FSE (RFC
 * 8878, 4.1 and 4.2.1.2).
 *
 * FSE has a state of 2^accuracy values. A weight of probability p / 2^accuracy owns p of them; to
 * code it, the state gives off so many low bits that what remains is in p..2p-1, and that number
 * chooses one of the values that it owns. Two states take turns. A decoder starts at the end, so
 * the weights are coded from the last to the first.
 */
#include "store/base/bytes.h"
#include "store/codec/huffman_code.h"

#include <assert.h>
#include <string.h>

enum {
    WEIGHT_VALUES = HUFFMAN_LENGTH_MAX + 1, /* 0..11 */
    DIRECT_COUNT_MAX = 128,
    DIRECT_HEADER = 127, /* the first byte of direct weights is this and their count */
    FSE_SIZE_MAX = 127,
    FSE_ACCURACY_MIN = 5,
    FSE_ACCURACY_MAX = 6, /* for weights, 4.2.1.2 */
    FSE_CELLS_MAX = 1 << FSE_ACCURACY_MAX,
    /* A table takes 4 bits and up to 7 a weight; coded weights up to 6 bits each. */
    FSE_BUFFER_SIZE = 256,
};

/* The weights of all symbols but the last one, whose weight follows from them. */
struct weights {
    uint8_t weights[HUFFMAN_SYMBOLS];
    unsigned count;
    unsigned counts[WEIGHT_VALUES]; /* by value */
};

struct fse {
    unsigned accuracy;
    unsigned shares[WEIGHT_VALUES]; /* how many cells a weight owns */
    unsigned firsts[WEIGHT_VALUES]; /* where its cells start in `cells` */
    uint8_t cells[FSE_CELLS_MAX];   /* numbers of cells, by owner, ascending */
};

/* Bits from the low end of each byte on. A whole word is written each time. */
struct bit_writer {
    uint8_t *at;
    uint64_t bits; /* not yet in bytes */
    unsigned used; /* of them, below 8 */
};

static inline void bits_put(struct bit_writer *writer, uint32_t value, unsigned count)
{
    writer->bits |= (uint64_t)value << writer->used;
    writer->used += count;
    tfs_put_le64(writer->at, writer->bits);
    writer->at += writer->used / 8;
    writer->bits >>= writer->used & ~7u;
    writer->used %= 8;
}

/* Fill the last byte up with zeros. */
static inline void bits_end(struct bit_writer *writer)
{
    if (writer->used > 0)
        bits_put(writer, 0, 8 - writer->used);
}

static unsigned log2_floor(uint32_t value)
{
    return 31u - (unsigned)__builtin_clz(value);
}

/*
 * Share 2^accuracy cells out: at least one for each weight that occurs, and the others so that the
 * sum of count * log2(share) is near its greatest. The gain of one more cell, count * log2((share +
 * 1) / share), is taken for count / (share + 1/2).
 *
 * Returns: false when only one weight occurs, which FSE cannot code.
 */
static bool fse_share(struct fse *fse, const struct weights *weights)
{
    const unsigned *counts = weights->counts;
    unsigned cells = 1u << fse->accuracy;
    unsigned sum = 0;

    for (unsigned weight = 0; weight < WEIGHT_VALUES; weight++) {
        if (counts[weight] == weights->count)
            return false;
        fse->shares[weight] = counts[weight] * cells / weights->count;
        if (counts[weight] > 0 && fse->shares[weight] == 0)
            fse->shares[weight] = 1;
        sum += fse->shares[weight];
    }
    for (; sum < cells; sum++) {
        unsigned best = 0;

        for (unsigned weight = 1; weight < WEIGHT_VALUES; weight++)
            if (counts[weight] * (2 * fse->shares[best] + 1) >
                counts[best] * (2 * fse->shares[weight] + 1))
                best = weight;
        fse->shares[best]++;
    }
    for (; sum > cells; sum--) {
        unsigned best = WEIGHT_VALUES;

        for (unsigned weight = 0; weight < WEIGHT_VALUES; weight++)
            if (fse->shares[weight] > 1 &&
                (best == WEIGHT_VALUES || counts[weight] * (2 * fse->shares[best] - 1) <
                                              counts[best] * (2 * fse->shares[weight] - 1)))
                best = weight;
        assert(best < WEIGHT_VALUES); /* there are more cells than weights */
        fse->shares[best]--;
    }
    return true;
}

/* Spread the cells over the table (4.1.1) and list them by owner. */
static void fse_spread(struct fse *fse)
{
    unsigned cells = 1u << fse->accuracy;
    unsigned step = (cells >> 1) + (cells >> 3) + 3;
    unsigned next[WEIGHT_VALUES];
    uint8_t owners[FSE_CELLS_MAX];
    unsigned at = 0;
    unsigned first = 0;

    for (unsigned weight = 0; weight < WEIGHT_VALUES; weight++) {
        next[weight] = fse->firsts[weight] = first;
        first += fse->shares[weight];
        for (unsigned i = 0; i < fse->shares[weight]; i++) {
            owners[at] = (uint8_t)weight;
            at = (at + step) & (cells - 1);
        }
    }
    assert(at == 0); /* the step is odd: each cell was met once */
    for (unsigned cell = 0; cell < cells; cell++)
        fse->cells[next[owners[cell]]++] = (uint8_t)cell;
}

/*
 * Write the shares (4.1.1). A number is at most one more than what is left; it takes as many bits
 * as that limit, and one less where the high values of these bits would be unused.
 */
static uint8_t *fse_put_shares(const struct fse *fse, uint8_t *dst)
{
    struct bit_writer writer = {.at = dst};
    unsigned left = 1u << fse->accuracy;
    unsigned weight = 0;

    bits_put(&writer, fse->accuracy - FSE_ACCURACY_MIN, 4);
    while (left > 0) {
        unsigned value = fse->shares[weight] + 1; /* 0 would be a probability below 1 */
        unsigned count = log2_floor(left + 1) + 1;
        unsigned short_values = (1u << count) - 1 - (left + 1);
        unsigned zeros;

        if (value < short_values)
            bits_put(&writer, value, count - 1);
        else
            bits_put(&writer, value < 1u << (count - 1) ? value : value + short_values, count);
        left -= fse->shares[weight];
        if (fse->shares[weight++] > 0)
            continue;
        /* After a share of 0, how many more follow: digits of 0..3, until one is not 3. */
        do {
            for (zeros = 0; zeros < 3 && fse->shares[weight] == 0; zeros++)
                weight++;
            bits_put(&writer, zeros, 2);
        } while (zeros == 3);
    }
    bits_end(&writer);
    return writer.at;
}

/* What coding a weight takes, in one place. */
struct fse_step {
    uint8_t bits;  /* given off, or one less: */
    uint8_t share; /* what remains of the state is not below this */
    int16_t cells; /* add what remains: its place in `cells` */
};

/* Give off bits of a state and move to a cell of the weight that `step` is of. States count from
 * 2^accuracy on. */
static inline unsigned fse_move(const struct fse *fse, unsigned state, struct fse_step step,
                                struct bit_writer *writer)
{
    unsigned bits = step.bits - (state >> step.bits < step.share);

    bits_put(writer, state & ((1u << bits) - 1), bits);
    return (1u << fse->accuracy) + fse->cells[(int)(state >> bits) + step.cells];
}

/*
 * Code the weights. The first two states stand for the last two weights; they are the first cells
 * of these, from which a decoder would take a bit more than there is, which is how it knows the
 * end.
 */
static uint8_t *fse_put_weights(const struct fse *fse, const struct weights *weights, uint8_t *dst)
{
    struct bit_writer writer = {.at = dst};
    struct fse_step steps[WEIGHT_VALUES];
    unsigned size = 1u << fse->accuracy;
    unsigned i = weights->count - 2;
    unsigned last = size + fse->cells[fse->firsts[weights->weights[i + 1]]];
    unsigned next = size + fse->cells[fse->firsts[weights->weights[i]]];

    for (unsigned weight = 0; weight < WEIGHT_VALUES; weight++) {
        unsigned share = fse->shares[weight];

        steps[weight].bits = (uint8_t)(share ? fse->accuracy - log2_floor(share) : 0);
        steps[weight].share = (uint8_t)share;
        steps[weight].cells = (int16_t)((int)fse->firsts[weight] - (int)share);
    }
    for (; i >= 2; i -= 2) {
        last = fse_move(fse, last, steps[weights->weights[i - 1]], &writer);
        next = fse_move(fse, next, steps[weights->weights[i - 2]], &writer);
    }
    if (i == 1) { /* the count is odd: `last` takes one more, and so is the first of all */
        unsigned first = fse_move(fse, last, steps[weights->weights[0]], &writer);

        last = next;
        next = first;
    }
    bits_put(&writer, last - size, fse->accuracy);
    bits_put(&writer, next - size, fse->accuracy);
    bits_put(&writer, 1, 1); /* the end mark, where decoding starts */
    bits_end(&writer);
    return writer.at;
}

/*
 * About how many bits the weights take, in 1/16, with what a finer table takes more: a bit for each
 * weight that has a share. Logarithms are interpolated between powers of two, which is wrong by as
 * much at twice the share.
 */
static unsigned fse_cost(const struct fse *fse, const struct weights *weights)
{
    const unsigned *counts = weights->counts;
    unsigned cost = 0;

    for (unsigned weight = 0; weight < WEIGHT_VALUES; weight++) {
        unsigned share = fse->shares[weight];

        if (share == 0)
            continue;
        cost += counts[weight] *
                (16 * (fse->accuracy - log2_floor(share)) + 16 - (share << 4 >> log2_floor(share)));
        cost += 16 * fse->accuracy;
    }
    return cost;
}

/* Returns: the size, or 0 when FSE does not apply. */
static size_t fse_encode(const struct weights *weights, uint8_t dst[FSE_BUFFER_SIZE])
{
    struct fse coarse = {.accuracy = FSE_ACCURACY_MIN};
    struct fse fine = {.accuracy = FSE_ACCURACY_MAX};
    struct fse *fse = &coarse;

    if (weights->count < 2 || !fse_share(&coarse, weights))
        return 0;
    (void)fse_share(&fine, weights); /* as above */
    if (fse_cost(&fine, weights) < fse_cost(&coarse, weights))
        fse = &fine;
    fse_spread(fse);
    return (size_t)(fse_put_weights(fse, weights, fse_put_shares(fse, dst)) - dst);
}

static size_t direct_encode(const struct weights *weights, uint8_t *dst)
{
    size_t size = 1;

    dst[0] = (uint8_t)(DIRECT_HEADER + weights->count);
    for (unsigned i = 0; i < weights->count; i += 2) {
        unsigned second = i + 1 < weights->count ? weights->weights[i + 1] : 0;

        dst[size++] = (uint8_t)(weights->weights[i] << 4 | second);
    }
    return size;
}

static void weights_take(const struct huffman_code *code, struct weights *ret)
{
    unsigned last = huffman_code_symbol_max(code);

    memset(ret, 0, sizeof(*ret));
    ret->count = last;
    for (unsigned i = 0; i + 1 < code->symbol_count; i++)
        ret->weights[code->symbols[i]] =
            (uint8_t)(code->length_max + 1 - code->lengths[code->symbols[i]]);
    ret->counts[0] = last + 1 - code->symbol_count;
    for (unsigned weight = 1; weight <= code->length_max; weight++)
        ret->counts[weight] = code->length_counts[code->length_max + 1 - weight];
    ret->counts[code->length_max + 1 - code->lengths[last]]--;
}

size_t huffman_code_describe(const struct huffman_code *code,
                             uint8_t ret[HUFFMAN_DESCRIPTION_SIZE_MAX])
{
    struct weights weights;
    uint8_t coded[FSE_BUFFER_SIZE];
    size_t best = 0;
    size_t size;

    weights_take(code, &weights);
    if (weights.count <= DIRECT_COUNT_MAX)
        best = direct_encode(&weights, ret);
    size = fse_encode(&weights, coded);
    if (size > 0 && size <= FSE_SIZE_MAX && (best == 0 || 1 + size < best)) {
        best = 1 + size;
        ret[0] = (uint8_t)size;
        memcpy(ret + 1, coded, size);
    }
    return best;
}
