/*
 * Huffman coding of any bytes: each implementation makes the same frame, which zstd decodes to
 * those bytes, and writes nothing beyond the capacity.
 *
 * The first two bytes say how often the others are repeated and how much capacity is missing.
 */
#include "store/codec/huffman.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { REPEATS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *memory(size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);

    assert(bytes);
    return bytes;
}

static void try_bytes(const uint8_t *src, size_t size, size_t missing)
{
    const struct huffman_ops *implementations[HUFFMAN_IMPLEMENTATIONS_MAX];
    size_t count = huffman_implementations(implementations);
    uint8_t *first = memory(huffman_bound(size));
    uint8_t *decoded = memory(size);
    size_t first_size = huffman_encode(implementations[0], src, size, first, huffman_bound(size));

    assert(first_size > 0);
    assert(ZSTD_decompress(decoded, size, first, first_size) == size);
    assert(memcmp(decoded, src, size) == 0);
    for (size_t i = 0; i < count; i++) {
        size_t capacity = first_size - (missing < first_size ? missing : first_size);
        uint8_t *other = memory(first_size);
        uint8_t *less = memory(capacity);

        assert(huffman_encode(implementations[i], src, size, other, first_size) == first_size);
        assert(memcmp(other, first, first_size) == 0);
        assert(huffman_encode(implementations[i], src, size, less, capacity) ==
               (missing == 0 ? first_size : 0));
        free(other);
        free(less);
    }
    free(first);
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t repeats, missing;
    uint8_t *src;

    if (size < 2)
        return 0;
    repeats = 1 + data[0] % REPEATS_MAX;
    missing = data[1];
    data += 2;
    size -= 2;
    src = memory(size * repeats);
    for (size_t i = 0; i < repeats; i++)
        memcpy(src + i * size, data, size);
    try_bytes(src, size * repeats, missing);
    free(src);
    return 0;
}
