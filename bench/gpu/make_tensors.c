/*
 * Writes safetensors files of random finite bf16 numbers, for benchmarks where nothing else can.
 *
 * usage: make_tensors DIRECTORY COUNT BYTES      COUNT files, one tensor of BYTES (even) each
 */
#include "store/base/defs.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 20 };

static uint64_t random_state = 0x9E3779B97F4A7C15ull;

/* xorshift64 (Marsaglia 2003); one exponent bit cleared in each element keeps it finite. */
static uint64_t random_elements(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state & 0xDFFFDFFFDFFFDFFFull;
}

static bool header_write(FILE *stream, uint64_t size)
{
    char header[256];
    uint8_t length[8] = {0};
    int header_size = snprintf(header, sizeof(header),
                               "{\"weight\":{\"dtype\":\"BF16\",\"shape\":[%" PRIu64
                               "],\"data_offsets\":[0,%" PRIu64 "]}}",
                               size / 2, size);

    length[0] = (uint8_t)header_size; /* shorter than 256 */
    return fwrite(length, 1, sizeof(length), stream) == sizeof(length) &&
           fwrite(header, 1, (size_t)header_size, stream) == (size_t)header_size;
}

static bool data_write(FILE *stream, uint64_t size)
{
    static uint64_t buffer[BUFFER_BYTES / 8];

    while (size > 0) {
        size_t count = (size_t)tfs_min_u64(size, BUFFER_BYTES);

        for (size_t i = 0; i < TFS_ARRAY_COUNT(buffer); i++)
            buffer[i] = random_elements();
        if (fwrite(buffer, 1, count, stream) != count)
            return false;
        size -= count;
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t size = argc == 4 ? strtoull(argv[3], NULL, 10) & ~1ull : 0;

    if (count == 0 || size == 0) {
        (void)fprintf(stderr, "usage: make_tensors DIRECTORY COUNT BYTES\n");
        return 2;
    }
    for (unsigned long i = 0; i < count; i++) {
        char path[PATH_MAX];
        FILE *stream;
        bool written;

        (void)snprintf(path, sizeof(path), "%s/item-%03lu.safetensors", argv[1], i);
        stream = fopen(path, "we");
        written = stream && header_write(stream, size) && data_write(stream, size);
        if (!stream || fclose(stream) != 0 || !written) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
