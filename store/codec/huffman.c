/*
 * Frames and blocks around Huffman-coded literals.
 *
 * A block's bytes are cut into four streams (one in small blocks). Counting is done by stream, so
 * that the exact size of each is known from the counts before a bit is packed: whether the block is
 * worth it and fits is decided then, and the streams are packed straight to their places.
 */
#include "store/codec/huffman.h"

#include "store/base/bytes.h"

#include <assert.h>
#include <string.h>

#define FRAME_MAGIC 0xFD2FB528u

enum {
    /* Frame header, 3.1.1.1: the whole frame is one segment, so no window is described. */
    FRAME_SINGLE_SEGMENT = 1 << 5,
    FRAME_SIZE_FLAG_SHIFT = 6,
    FRAME_SIZE_2_BIAS = 256, /* of a content size in two bytes */

    /* Block header, 3.1.1.2. */
    BLOCK_HEADER_SIZE = 3,
    BLOCK_LAST = 1,
    BLOCK_TYPE_SHIFT = 1,
    BLOCK_SIZE_SHIFT = 3,
    BLOCK_RAW = 0,
    BLOCK_RLE = 1,
    BLOCK_COMPRESSED = 2,

    /* Literals section, 3.1.1.3.1. */
    LITERALS_COMPRESSED = 2,
    LITERALS_FORMAT_SHIFT = 2,
    LITERALS_SIZE_SHIFT = 4,
    JUMP_ENTRY_SIZE = 2,
    SEQUENCES_NONE_SIZE = 1, /* a number of sequences, 0 */

    /* Fewer bytes than this are one stream: three more take 8 bytes, and give speed alone. */
    STREAMS_SIZE_MIN = 256,
    /* A block must shrink by one part in so many, or decoding it is not worth the time. */
    WORTH_FRACTION = 64,

    /* Blocks from this size on are sampled first, in pieces evenly spread. */
    SAMPLE_SIZE_MIN = 16 * 1024,
    SAMPLE_PIECES = 32,
    SAMPLE_TABLES = 4,
    SAMPLE_PIECE = HUFFMAN_SAMPLE_SIZE / SAMPLE_PIECES,
    /* Of the equal pairs of even noise: what a sample of it exceeds once in 5,000 times. Where
       coding is worth it there are at least 109: 2^(8 / WORTH_FRACTION) times those of noise. */
    NOISE_PERCENT = 108,
};

/* A block on its way to the output. */
struct block {
    const uint8_t *src;
    size_t size; /* 1..HUFFMAN_BLOCK_SIZE_MAX */
    bool is_last;
};

/* What a block becomes when it is Huffman-coded. */
struct literals {
    uint32_t counts[HUFFMAN_STREAMS_MAX][HUFFMAN_SYMBOLS];
    struct huffman_code code;
    uint8_t description[HUFFMAN_DESCRIPTION_SIZE_MAX];
    size_t description_size;
    struct huffman_stream streams[HUFFMAN_STREAMS_MAX];
    unsigned stream_count;
    unsigned format; /* Size_Format: 0 one stream, 1..3 four, with sizes of 10, 14 and 18 bits */
    size_t size;     /* description, jump table and streams */
};

static size_t frame_header_put(uint8_t header[9], size_t size)
{
    tfs_put_le32(header, FRAME_MAGIC);
    if (size < FRAME_SIZE_2_BIAS) {
        header[4] = FRAME_SINGLE_SEGMENT;
        header[5] = (uint8_t)size;
        return 6;
    }
    if (size - FRAME_SIZE_2_BIAS <= UINT16_MAX) {
        header[4] = FRAME_SINGLE_SEGMENT | 1 << FRAME_SIZE_FLAG_SHIFT;
        tfs_put_le16(header + 5, (uint16_t)(size - FRAME_SIZE_2_BIAS));
        return 7;
    }
    header[4] = FRAME_SINGLE_SEGMENT | 2 << FRAME_SIZE_FLAG_SHIFT;
    tfs_put_le32(header + 5, (uint32_t)size);
    return 9;
}

static void block_header_put(const struct block *block, unsigned type, size_t size, uint8_t *dst)
{
    uint32_t word = (uint32_t)size << BLOCK_SIZE_SHIFT | type << BLOCK_TYPE_SHIFT |
                    (block->is_last ? BLOCK_LAST : 0);

    dst[0] = (uint8_t)word;
    dst[1] = (uint8_t)(word >> 8);
    dst[2] = (uint8_t)(word >> 16);
}

static size_t block_put_raw(const struct block *block, uint8_t *dst, size_t room)
{
    if (room < BLOCK_HEADER_SIZE + block->size)
        return 0;
    block_header_put(block, BLOCK_RAW, block->size, dst);
    memcpy(dst + BLOCK_HEADER_SIZE, block->src, block->size);
    return BLOCK_HEADER_SIZE + block->size;
}

static size_t block_put_rle(const struct block *block, uint8_t *dst, size_t room)
{
    if (room < BLOCK_HEADER_SIZE + 1)
        return 0;
    block_header_put(block, BLOCK_RLE, block->size, dst);
    dst[BLOCK_HEADER_SIZE] = block->src[0];
    return BLOCK_HEADER_SIZE + 1;
}

/* Bytes of the literals section's header; both sizes have 10, 14 or 18 bits in it. */
static size_t literals_header_size(const struct literals *literals)
{
    return literals->format <= 1 ? 3 : literals->format + 2;
}

static size_t literals_header_put(const struct literals *literals, size_t regenerated, uint8_t *dst)
{
    size_t header_size = literals_header_size(literals);
    unsigned bits = (unsigned)(8 * header_size - LITERALS_SIZE_SHIFT) / 2;
    uint64_t word = LITERALS_COMPRESSED | (uint64_t)literals->format << LITERALS_FORMAT_SHIFT |
                    (uint64_t)regenerated << LITERALS_SIZE_SHIFT |
                    (uint64_t)literals->size << (LITERALS_SIZE_SHIFT + bits);

    for (size_t i = 0; i < header_size; i++)
        dst[i] = (uint8_t)(word >> (8 * i));
    return header_size;
}

static unsigned literals_format(size_t size)
{
    if (size < STREAMS_SIZE_MIN)
        return 0;
    if (size < 1u << 10)
        return 1;
    return size < 1u << 14 ? 2 : 3;
}

/* Cut the block into streams: all but the last are equally long (3.1.1.3.1.6). */
static void literals_cut(const struct block *block, struct literals *literals)
{
    size_t each = (block->size + HUFFMAN_STREAMS_MAX - 1) / HUFFMAN_STREAMS_MAX;
    size_t at = 0;

    literals->format = literals_format(block->size);
    literals->stream_count = literals->format == 0 ? 1 : HUFFMAN_STREAMS_MAX;
    for (unsigned k = 0; k < literals->stream_count; k++) {
        bool is_last = k + 1 == literals->stream_count;

        literals->streams[k].src = block->src + at;
        literals->streams[k].count = is_last ? block->size - at : each;
        at += each;
    }
}

/* The exact sizes of the streams and of all, from counts and code. */
static void literals_measure(struct literals *literals)
{
    const struct huffman_code *code = &literals->code;

    literals->size =
        literals->description_size + (size_t)(literals->stream_count - 1) * JUMP_ENTRY_SIZE;
    for (unsigned k = 0; k < literals->stream_count; k++) {
        uint32_t bits = 1; /* the end mark */

        for (unsigned i = 0; i < code->symbol_count; i++)
            bits += literals->counts[k][code->symbols[i]] * code->lengths[code->symbols[i]];
        literals->streams[k].size = (bits + 7) / 8;
        literals->size += literals->streams[k].size;
    }
}

static size_t literals_put(const struct huffman_ops *ops, struct literals *literals,
                           const struct block *block, uint8_t *dst)
{
    uint8_t *at = dst + BLOCK_HEADER_SIZE;

    at += literals_header_put(literals, block->size, at);
    memcpy(at, literals->description, literals->description_size);
    at += literals->description_size;
    for (unsigned k = 0; k + 1 < literals->stream_count; k++) {
        tfs_put_le16(at, (uint16_t)literals->streams[k].size);
        at += JUMP_ENTRY_SIZE;
    }
    for (unsigned k = 0; k < literals->stream_count; k++) {
        literals->streams[k].dst = at;
        at += literals->streams[k].size;
    }
    ops->pack(&literals->code, literals->streams, literals->stream_count);
    *at++ = 0; /* no sequences */
    block_header_put(block, BLOCK_COMPRESSED, (size_t)(at - dst) - BLOCK_HEADER_SIZE, dst);
    return (size_t)(at - dst);
}

/* Whether all bytes are the same. */
static bool block_is_constant(const struct block *block)
{
    return memcmp(block->src, block->src + 1, block->size - 1) == 0;
}

/*
 * Whether bytes look like noise: there are hardly more pairs of equal ones than noise has. That
 * bounds what coding can save: the share of equal pairs is 2 to minus the collision entropy, and
 * Shannon's is never less. (What a small block seems to save by chance, its description takes.)
 */
static bool counts_are_noise(const uint32_t counts[HUFFMAN_SYMBOLS], uint64_t total)
{
    uint64_t equal = 0;

    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
        equal += (uint64_t)counts[symbol] * counts[symbol];
    equal -= total; /* of each byte with itself */
    return equal * HUFFMAN_SYMBOLS * 100 <= total * (total - 1) * NOISE_PERCENT;
}

/*
 * Look at pieces of a large block. They are taken for the whole, which is wrong at times: then the
 * block is stored larger than need be. Tables take turns, so that a counter seldom has to wait for
 * its last value to be stored.
 */
static void block_sample(const struct block *block, struct huffman_sample *ret)
{
    uint16_t counts[SAMPLE_TABLES][HUFFMAN_SYMBOLS] = {{0}};
    size_t step = (block->size - SAMPLE_PIECE) / (SAMPLE_PIECES - 1);

    for (unsigned piece = 0; piece < SAMPLE_PIECES; piece++)
        for (unsigned i = 0; i < SAMPLE_PIECE; i++)
            counts[i % SAMPLE_TABLES][block->src[piece * step + i]]++;
    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++) {
        ret->counts[symbol] = 0;
        for (unsigned i = 0; i < SAMPLE_TABLES; i++)
            ret->counts[symbol] += counts[i][symbol];
    }
}

static void counts_add(const struct literals *literals, uint32_t totals[HUFFMAN_SYMBOLS])
{
    memcpy(totals, literals->counts[0], sizeof(literals->counts[0]));
    for (unsigned k = 1; k < literals->stream_count; k++)
        for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
            totals[symbol] += literals->counts[k][symbol];
}

/* Returns: bytes written, or 0 without room. */
static size_t block_put(const struct huffman_ops *ops, const struct block *block, uint8_t *dst,
                        size_t room)
{
    struct huffman_sample sample;
    struct literals literals;
    uint32_t totals[HUFFMAN_SYMBOLS];
    bool has_sample = block->size >= SAMPLE_SIZE_MIN;
    size_t size;

    if (block_is_constant(block))
        return block_put_rle(block, dst, room);
    if (has_sample) {
        block_sample(block, &sample);
        if (counts_are_noise(sample.counts, HUFFMAN_SAMPLE_SIZE))
            return block_put_raw(block, dst, room);
    }
    literals_cut(block, &literals);
    ops->count(literals.streams, literals.stream_count, has_sample ? &sample : NULL,
               literals.counts);
    counts_add(&literals, totals);
    if (counts_are_noise(totals, block->size))
        return block_put_raw(block, dst, room);

    huffman_code_build(totals, &literals.code);
    literals.description_size = huffman_code_describe(&literals.code, literals.description);
    literals_measure(&literals);
    size =
        BLOCK_HEADER_SIZE + literals_header_size(&literals) + literals.size + SEQUENCES_NONE_SIZE;
    if (literals.description_size == 0 || size + block->size / WORTH_FRACTION >= block->size)
        return block_put_raw(block, dst, room);
    return size <= room ? literals_put(ops, &literals, block, dst) : 0;
}

size_t huffman_encode(const struct huffman_ops *ops, const void *src, size_t size, void *dst,
                      size_t capacity)
{
    uint8_t header[9];
    struct block block = {.src = src};
    size_t at = frame_header_put(header, size);

    assert(size <= HUFFMAN_SIZE_MAX);
    if (at > capacity)
        return 0;
    memcpy(dst, header, at);
    do {
        size_t put;

        block.size = size < HUFFMAN_BLOCK_SIZE_MAX ? size : HUFFMAN_BLOCK_SIZE_MAX;
        block.is_last = block.size == size;
        put = block.size == 0 ? block_put_raw(&block, (uint8_t *)dst + at, capacity - at)
                              : block_put(ops, &block, (uint8_t *)dst + at, capacity - at);
        if (put == 0)
            return 0;
        at += put;
        block.src += block.size;
        size -= block.size;
    } while (size > 0);
    return at;
}
