/*
 * From counts to a canonical code.
 *
 *   1. sort the symbols by count;
 *   2. build Huffman's tree with two queues: leaves, and inner nodes in the order in which they
 *      come to be (J. van Leeuwen, "On the construction of Huffman trees", 1976);
 *   3. if it is too deep, cut lengths off, and have others pay for it;
 *   4. number the codes as RFC 8878, 4.2.1.3 says: longest first, by symbol within one length.
 */
#include "store/codec/huffman_code.h"

#include <assert.h>
#include <string.h>

enum {
    LEAF_SYMBOL_BITS = 8,
    /* Counts are sorted by two digits; few leaves are sorted faster one by one. */
    DIGIT_BITS = 6,
    DIGITS = 1 << DIGIT_BITS,
    INSERTION_MAX = 32,
    WEIGHT_NONE = INT32_MAX,          /* above any sum */
    QUEUE_SIZE = HUFFMAN_SYMBOLS + 2, /* the next two are looked at, even behind the last one */
    EXCHANGE_ROUNDS_MAX = 4,
    LIMIT_SHIFT = 2,
};

/* The symbols that occur, as count << LEAF_SYMBOL_BITS | symbol, in ascending order. */
struct leaves {
    uint32_t leaves[HUFFMAN_SYMBOLS + 1]; /* collecting writes one beyond the last */
    unsigned count;
};

/* Lengths in bits by position in struct leaves: never ascending. */
struct leaf_lengths {
    uint8_t lengths[HUFFMAN_SYMBOLS];
};

static uint32_t leaf_weight(const struct leaves *leaves, unsigned i)
{
    return leaves->leaves[i] >> LEAF_SYMBOL_BITS;
}

static void leaves_sort_few(uint32_t *leaves, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        uint32_t leaf = leaves[i];
        unsigned at = i;

        for (; at > 0 && leaves[at - 1] > leaf; at--)
            leaves[at] = leaves[at - 1];
        leaves[at] = leaf;
    }
}

/* Move leaves from src to dst, sorted by the digit at `shift`; those alike stay in their order. */
static void leaves_sort_digit(const uint32_t *src, unsigned count, unsigned shift, uint32_t *dst)
{
    uint16_t places[DIGITS] = {0};
    uint16_t next = 0;

    for (unsigned i = 0; i < count; i++)
        places[src[i] >> shift & (DIGITS - 1)]++;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        uint16_t here = places[digit];

        places[digit] = next;
        next = (uint16_t)(next + here);
    }
    for (unsigned i = 0; i < count; i++)
        dst[places[src[i] >> shift & (DIGITS - 1)]++] = src[i];
}

/* Counts of two digits are sorted by these. There are few others: their sum is limited. */
static void leaves_sort(struct leaves *leaves)
{
    uint32_t large[HUFFMAN_COUNT_MAX >> (2 * DIGIT_BITS)], other[HUFFMAN_SYMBOLS];
    unsigned small_count = 0;
    unsigned large_count = 0;
    uint32_t all = 0; /* the bits that any small one has */

    if (leaves->count <= INSERTION_MAX) {
        leaves_sort_few(leaves->leaves, leaves->count);
        return;
    }
    for (unsigned i = 0; i < leaves->count; i++) {
        if (leaf_weight(leaves, i) >> (2 * DIGIT_BITS) != 0)
            large[large_count++] = leaves->leaves[i];
        else
            all |= leaves->leaves[small_count++] = leaves->leaves[i];
    }
    leaves_sort_digit(leaves->leaves, small_count, LEAF_SYMBOL_BITS, other);
    if (all >> (LEAF_SYMBOL_BITS + DIGIT_BITS) != 0)
        leaves_sort_digit(other, small_count, LEAF_SYMBOL_BITS + DIGIT_BITS, leaves->leaves);
    else
        memcpy(leaves->leaves, other, small_count * sizeof(other[0]));
    leaves_sort_few(large, large_count);
    memcpy(leaves->leaves + small_count, large, large_count * sizeof(large[0]));
}

static void leaves_collect(const uint32_t counts[HUFFMAN_SYMBOLS], struct leaves *ret)
{
    unsigned count = 0;

    for (uint32_t symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++) {
        ret->leaves[count] = counts[symbol] << LEAF_SYMBOL_BITS | symbol;
        count += counts[symbol] != 0;
    }
    ret->count = count;
}

/*
 * Huffman's tree: each new node takes the two lightest of leaves and inner nodes that have no
 * parent yet. Of a leaf and an inner node of equal weight the leaf is taken, which keeps the tree
 * low.
 *
 * Which are the lightest cannot be predicted, so nothing branches on it: the next two of each kind
 * get the new node as their parent, and those that were not taken get another one later. Weights
 * that no node has stand behind the last ones.
 *
 * Returns: its depth.
 */
static unsigned tree_build(const struct leaves *leaves, struct leaf_lengths *ret)
{
    uint32_t leaf_weights[QUEUE_SIZE], inner_weights[QUEUE_SIZE];
    uint8_t leaf_parents[QUEUE_SIZE] = {0}, inner_parents[QUEUE_SIZE] = {0};
    uint8_t depths[HUFFMAN_SYMBOLS] = {0};
    unsigned count = leaves->count;
    unsigned root = count - 2;
    unsigned leaf = 0;
    unsigned inner = 0;

    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        leaf_weights[i] = inner_weights[i] = WEIGHT_NONE;
    for (unsigned i = 0; i < count; i++)
        leaf_weights[i] = leaf_weight(leaves, i);
    for (unsigned node = 0; node <= root; node++) {
        uint32_t a = leaf_weights[leaf], b = leaf_weights[leaf + 1];
        uint32_t x = inner_weights[inner], y = inner_weights[inner + 1];
        unsigned leaves_taken = b <= x ? 2 : a <= y;

        leaf_parents[leaf] = leaf_parents[leaf + 1] = (uint8_t)node;
        inner_parents[inner] = inner_parents[inner + 1] = (uint8_t)node;
        inner_weights[node] = leaves_taken == 2 ? a + b : leaves_taken == 1 ? a + x : x + y;
        leaf += leaves_taken;
        inner += 2 - leaves_taken;
    }
    depths[root] = 0;
    for (unsigned node = root; node > 0; node--)
        depths[node - 1] = (uint8_t)(depths[inner_parents[node - 1]] + 1);
    for (unsigned i = 0; i < count; i++)
        ret->lengths[i] = (uint8_t)(depths[leaf_parents[i]] + 1);
    return ret->lengths[0]; /* the lightest leaf is one of the deepest */
}

/*
 * Lengths by rank: leaves firsts[l] .. firsts[l - 1] - 1 have l bits, for l from 1 to the limit. A
 * leaf's share of the code space is 2^(limit - l), and all shares make 2^limit.
 */
struct ranks {
    unsigned firsts[HUFFMAN_LENGTH_MAX + 1];
    unsigned limit;
};

/* Cut lengths off at the limit. Returns: by how much the shares are too many. */
static unsigned ranks_cut(const struct leaf_lengths *lengths, unsigned count, unsigned limit,
                          struct ranks *ret)
{
    unsigned used = 0;
    unsigned i = 0;

    ret->limit = limit;
    for (unsigned length = limit; length > 0; length--) {
        unsigned first = i;

        while (i < count && lengths->lengths[i] >= length)
            i++;
        ret->firsts[length] = first;
        used += (i - first) << (limit - length);
    }
    ret->firsts[0] = count;
    return used - (1u << limit);
}

/*
 * Make leaves one bit longer until the shares are no longer too many: each time the lightest leaf
 * of the length that gives most for its weight, if it does not give too much.
 *
 * Returns: by how much the shares are then too few.
 */
static unsigned ranks_lengthen(struct ranks *ranks, const struct leaves *leaves, unsigned excess)
{
    assert(ranks->limit > 0);
    assert(ranks->limit <= HUFFMAN_LENGTH_MAX);
    while (excess > 0) {
        unsigned best = 0;
        uint64_t best_weight = 0;

        for (unsigned length = ranks->limit - 1; length > 0; length--) {
            unsigned gives = 1u << (ranks->limit - 1 - length);
            uint64_t weight;

            if (ranks->firsts[length] == ranks->firsts[length - 1])
                continue;
            if (best != 0 && gives > excess)
                break;
            /* In units of what the best one gives, which is less. */
            weight = leaf_weight(leaves, ranks->firsts[length]);
            if (best == 0 || weight < best_weight << (best - length)) {
                best = length;
                best_weight = weight;
            }
        }
        assert(best != 0); /* there are no more leaves than shares */
        ranks->firsts[best]++;
        if (1u << (ranks->limit - 1 - best) >= excess)
            return (1u << (ranks->limit - 1 - best)) - excess;
        excess -= 1u << (ranks->limit - 1 - best);
    }
    return 0;
}

/*
 * Spend what is left over: make the heaviest leaf of a length one bit shorter, where that saves
 * most for what it takes. The longest leaves take the least, and that divides what is left.
 *
 * Returns: the bits saved.
 */
static uint64_t ranks_shorten(struct ranks *ranks, const struct leaves *leaves, unsigned left)
{
    uint64_t saved = 0;

    while (left > 0) {
        unsigned best = 0;
        uint64_t best_weight = 0;

        for (unsigned length = ranks->limit; length > 1; length--) {
            uint64_t weight;

            if (1u << (ranks->limit - length) > left)
                break;
            if (ranks->firsts[length] == ranks->firsts[length - 1])
                continue;
            weight = leaf_weight(leaves, ranks->firsts[length - 1] - 1);
            if (best == 0 || weight > best_weight << (best - length)) {
                best = length;
                best_weight = weight;
            }
        }
        assert(best != 0);
        ranks->firsts[best - 1]--;
        left -= 1u << (ranks->limit - best);
        saved += best_weight;
    }
    return saved;
}

/* Make one leaf longer and spend what that gives on others, if it saves bits. Returns: whether it
 * does for any leaf. */
static bool ranks_exchange(struct ranks *ranks, const struct leaves *leaves)
{
    bool any = false;

    for (unsigned length = 1; length + 1 < ranks->limit; length++) {
        struct ranks trial = *ranks;

        if (ranks->firsts[length] == ranks->firsts[length - 1])
            continue;
        trial.firsts[length]++;
        if (ranks_shorten(&trial, leaves, 1u << (ranks->limit - 1 - length)) >
            leaf_weight(leaves, ranks->firsts[length])) {
            *ranks = trial;
            any = true;
        }
    }
    return any;
}

/*
 * Shorten the codes that are longer than the limit at the expense of others. The best lengths
 * within a limit take package-merge, which for 256 symbols takes as long as packing 20,000 of them;
 * this is within a thousandth of them.
 */
static void lengths_limit(const struct leaves *leaves, unsigned limit, struct leaf_lengths *lengths)
{
    struct ranks ranks;
    unsigned excess = ranks_cut(lengths, leaves->count, limit, &ranks);
    unsigned left = ranks_lengthen(&ranks, leaves, excess);

    (void)ranks_shorten(&ranks, leaves, left);
    for (int round = 0; round < EXCHANGE_ROUNDS_MAX; round++)
        if (!ranks_exchange(&ranks, leaves))
            break;
    for (unsigned length = limit; length > 0; length--)
        memset(lengths->lengths + ranks.firsts[length], (int)length,
               ranks.firsts[length - 1] - ranks.firsts[length]);
}

static void codes_number(const struct leaves *leaves, const struct leaf_lengths *lengths,
                         struct huffman_code *ret)
{
    uint16_t next[HUFFMAN_LENGTH_MAX + 1];
    uint16_t code = 0;
    unsigned i = 0;

    memset(ret->lengths, 0, sizeof(ret->lengths));
    for (unsigned length = HUFFMAN_LENGTH_MAX; length > 0; length--) {
        unsigned first = i;

        for (; i < leaves->count && lengths->lengths[i] == length; i++)
            ret->lengths[leaves->leaves[i] & (HUFFMAN_SYMBOLS - 1)] = (uint8_t)length;
        ret->length_counts[length] = i - first;
        next[length] = code;
        code = (uint16_t)((code + i - first) >> 1);
    }
    assert(code == 1); /* Kraft's sum: the code is complete */
    for (i = 0; i < ret->symbol_count; i++)
        ret->codes[ret->symbols[i]] = next[ret->lengths[ret->symbols[i]]]++;
}

static unsigned log2_floor(uint32_t value)
{
    return 31u - (unsigned)__builtin_clz(value);
}

/*
 * The longest code for so few bytes. Longer ones would be for bytes that occur once in four times
 * as many, and their lengths have to be described, too.
 */
static unsigned limit_of(uint32_t total, unsigned leaf_count)
{
    unsigned least = log2_floor(leaf_count - 1) + 2; /* twice as many codes as leaves */
    unsigned limit = log2_floor(total | 1u << LIMIT_SHIFT) - LIMIT_SHIFT;

    if (limit < least)
        limit = least;
    return limit < HUFFMAN_LENGTH_MAX ? limit : HUFFMAN_LENGTH_MAX;
}

void huffman_code_build(const uint32_t counts[HUFFMAN_SYMBOLS], struct huffman_code *ret)
{
    struct leaves leaves;
    struct leaf_lengths lengths = {.lengths = {0}};
    uint32_t total = 0;
    unsigned limit;

    leaves_collect(counts, &leaves);
    assert(leaves.count >= 2);
    ret->symbol_count = leaves.count;
    for (unsigned i = 0; i < leaves.count; i++) {
        ret->symbols[i] = (uint8_t)leaves.leaves[i];
        total += leaf_weight(&leaves, i);
    }
    leaves_sort(&leaves);
    limit = limit_of(total, leaves.count);
    if (tree_build(&leaves, &lengths) > limit)
        lengths_limit(&leaves, limit, &lengths);
    ret->length_max = lengths.lengths[0];
    codes_number(&leaves, &lengths, ret);
}
