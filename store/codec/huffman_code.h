/*
 * Huffman codes as zstd has them: up to 11 bits, canonical. Private to this folder, its tests and
 * its bench.
 */
#ifndef TFS_CODEC_HUFFMAN_CODE_H
#define TFS_CODEC_HUFFMAN_CODE_H

#include "store/base/defs.h"

enum {
    HUFFMAN_SYMBOLS = 256,
    HUFFMAN_LENGTH_MAX = 11,                /* RFC 8878, 4.2.1 */
    HUFFMAN_COUNT_MAX = (1 << 18) - 1,      /* the sum of all counts of a code */
    HUFFMAN_DESCRIPTION_SIZE_MAX = 1 + 128, /* one byte, then what 7 bits can say */
};

/* The code of a symbol is the low `lengths[symbol]` bits of `codes[symbol]`. */
struct huffman_code {
    uint8_t lengths[HUFFMAN_SYMBOLS]; /* in bits; 0: the symbol has no code */
    uint16_t codes[HUFFMAN_SYMBOLS];  /* undefined where there is none */
    uint8_t symbols[HUFFMAN_SYMBOLS]; /* those that have a code, ascending */
    unsigned symbol_count;
    unsigned length_counts[HUFFMAN_LENGTH_MAX + 1]; /* how many codes have so many bits */
    unsigned length_max;                            /* of the lengths in use */
};

static inline unsigned huffman_code_symbol_max(const struct huffman_code *code)
{
    return code->symbols[code->symbol_count - 1];
}

/*
 * Make the code for which the sum of counts[s] * lengths[s] is least, or nearly so where it would
 * need lengths above a limit: HUFFMAN_LENGTH_MAX, and less for small sums, whose long codes would
 * save less than their description takes. A symbol has a code if its count is not 0.
 *
 * At least two counts are not 0, and their sum is at most HUFFMAN_COUNT_MAX.
 */
void huffman_code_build(const uint32_t counts[HUFFMAN_SYMBOLS], struct huffman_code *ret);

/*
 * Write a code's description for the decoder (RFC 8878, 4.2.1): the weights of all symbols but the
 * last, as numbers of four bits or coded with FSE, whichever is shorter.
 *
 * Returns: its size; 0 when the code has no description. Only one code is so: all 256 symbols with
 *          8 bits each, which is of no use.
 */
size_t huffman_code_describe(const struct huffman_code *code,
                             uint8_t ret[HUFFMAN_DESCRIPTION_SIZE_MAX]);

#endif
