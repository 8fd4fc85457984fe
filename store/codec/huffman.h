/*
 * Huffman coding of byte planes: an encoder of zstd frames (RFC 8878) that hold literals and no
 * matches. Any zstd decodes them. Private to this folder, its tests and its bench.
 *
 * Planes of floats hardly ever repeat a string, so all that zstd does for them is its Huffman
 * coding; done alone it takes a fraction of the time (docs/decisions/codec-huffman.md). The bytes
 * are the same on every machine.
 */
#ifndef TFS_CODEC_HUFFMAN_H
#define TFS_CODEC_HUFFMAN_H

#include "store/codec/huffman_ops.h"

#define HUFFMAN_BLOCK_SIZE_MAX (128u * 1024u)        /* of any zstd block: RFC 8878, 3.1.1.2 */
#define HUFFMAN_SIZE_MAX       (16u * 1024u * 1024u) /* of what is encoded at once */

/* No frame is longer than this: one of raw blocks. */
static inline size_t huffman_bound(size_t size)
{
    return 9 + 3 * (size / HUFFMAN_BLOCK_SIZE_MAX + 1) + size;
}

/*
 * Encode src as one frame, with content size and without checksum.
 *
 * A block that would not shrink by a 64th is stored raw in the frame, and one of equal bytes as
 * one byte.
 *
 * Limits:  size up to HUFFMAN_SIZE_MAX. Any bytes.
 * Returns: the frame's size, or 0 when it would not fit into capacity; then dst is undefined. No
 *          byte is written beyond capacity.
 * Threads: any. Takes 16 KiB of stack.
 */
size_t huffman_encode(const struct huffman_ops *ops, const void *src, size_t size, void *dst,
                      size_t capacity);

#endif
