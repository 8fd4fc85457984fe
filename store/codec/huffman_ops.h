/*
 * The two loops over every byte of Huffman coding: counting and packing. Each is written for plain
 * C and for instruction sets; all give the same results. Private to this folder, its tests and its
 * bench.
 */
#ifndef TFS_CODEC_HUFFMAN_OPS_H
#define TFS_CODEC_HUFFMAN_OPS_H

#include "store/codec/huffman_code.h"

enum { HUFFMAN_STREAMS_MAX = 4 };

/* One bitstream of a block: the bytes that it codes, and its place in the output. */
struct huffman_stream {
    const uint8_t *src;
    size_t count;
    uint8_t *dst;
    size_t size; /* exact, in bytes, with the end mark */
};

/* How often each byte is among HUFFMAN_SAMPLE_SIZE of the block. */
enum { HUFFMAN_SAMPLE_SIZE = 1024 };
struct huffman_sample {
    uint32_t counts[HUFFMAN_SYMBOLS];
};

/*
 * Set counts[k][s] to how often byte s is in stream k. Reads src and count of the streams only.
 *
 * The counts are exact. The sample, which may be NULL, says only which bytes to expect.
 */
typedef void huffman_count_function(const struct huffman_stream streams[], unsigned stream_count,
                                    const struct huffman_sample *sample,
                                    uint32_t counts[][HUFFMAN_SYMBOLS]);

/*
 * Write the streams: the codes of src from its last byte to its first, each from its low end, a 1
 * bit, and zeros up to a whole byte (RFC 8878, 4.2.2). Exactly `size` bytes of each dst are
 * written.
 *
 * Every byte of src has a code. Of several streams, all but the last have the same count, and the
 * last fewer by at most HUFFMAN_STREAMS_MAX - 1.
 */
typedef void huffman_pack_function(const struct huffman_code *code,
                                   const struct huffman_stream streams[], unsigned stream_count);

struct huffman_ops {
    const char *name;
    huffman_count_function *count;
    huffman_pack_function *pack;
};

extern const struct huffman_ops huffman_ops_plain;
#if defined(__x86_64__)
extern const struct huffman_ops huffman_ops_avx512;
huffman_count_function huffman_count_avx512;
#endif

/* All that this machine can run, fastest first; the last is plain C. Returns: how many. */
enum { HUFFMAN_IMPLEMENTATIONS_MAX = 2 };
size_t huffman_implementations(const struct huffman_ops *ret[HUFFMAN_IMPLEMENTATIONS_MAX]);

/* The fastest of them. Threads: any; resolved once. */
const struct huffman_ops *huffman_best(void);

#endif
