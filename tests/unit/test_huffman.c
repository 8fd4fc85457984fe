/*
 * Huffman coding: whatever the bytes, each implementation makes the same frame, any zstd decodes it
 * to those bytes, it is no larger than libzstd's, and nothing is written beyond the capacity.
 *
 * Memory is allocated to the byte, so that AddressSanitizer sees the first one too many. The random
 * cases print their seed; TFS_TEST_SEED gives it back.
 */
#include "store/codec/huffman.h"

#include "store/base/crc32c.h"
#include "tests/unit/frame_data.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define ZSTD_STATIC_LINKING_ONLY /* for the name ZSTD_c_literalCompressionMode */
#include <zstd.h>

#include <cmocka.h>

enum {
    GUARD = 0xA5,
    GUARD_SIZE = 64,
    RANDOM_CASES = 4000,
    CASE_SIZE_MAX = 3 * (int)HUFFMAN_BLOCK_SIZE_MAX / 2,
    STREAM_STEP = 997, /* bytes given to and taken from the streaming decoder at a time */
};

static const struct huffman_ops *implementations[HUFFMAN_IMPLEMENTATIONS_MAX];
static size_t implementation_count;
static ZSTD_DCtx *dctx;
static ZSTD_CCtx *cctx;

static int set_up(void **state)
{
    (void)state;
    implementation_count = huffman_implementations(implementations);
    for (size_t i = 0; i < implementation_count; i++)
        printf("huffman: %s\n", implementations[i]->name);
    dctx = ZSTD_createDCtx();
    cctx = ZSTD_createCCtx();
    if (!dctx || !cctx)
        return -1;
    (void)ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, -(1 << 17)); /* no matches */
    (void)ZSTD_CCtx_setParameter(cctx, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ZSTD_freeDCtx(dctx);
    ZSTD_freeCCtx(cctx);
    return 0;
}

/* At least one byte, so that it is never NULL. */
static uint8_t *memory(size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);

    assert_non_null(bytes);
    return bytes;
}

/* In small steps, with a window no larger than the frame has to have. */
static void check_streaming(const uint8_t *frame, size_t frame_size, const uint8_t *src,
                            size_t size)
{
    uint8_t *decoded = memory(size);
    ZSTD_inBuffer in = {.src = frame};
    ZSTD_outBuffer out = {.dst = decoded};
    int window_log = 10;
    size_t left = 1;

    while ((size_t)1 << window_log < size)
        window_log++;
    assert_int_equal(ZSTD_DCtx_reset(dctx, ZSTD_reset_session_and_parameters), 0);
    assert_int_equal(ZSTD_DCtx_setParameter(dctx, ZSTD_d_windowLogMax, window_log), 0);
    while (left != 0) {
        in.size = tfs_min_u64(frame_size, in.pos + STREAM_STEP);
        out.size = tfs_min_u64(size, out.pos + STREAM_STEP);
        left = ZSTD_decompressStream(dctx, &out, &in);
        assert_false(ZSTD_isError(left));
        assert_true(left == 0 || in.pos < frame_size || out.pos < size);
    }
    assert_int_equal(in.pos, frame_size);
    assert_int_equal(out.pos, size);
    assert_memory_equal(decoded, src, size);
    free(decoded);
}

/* Encode with all implementations and decode. Returns: the frame's size. */
static size_t check_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *src = memory(size);
    uint8_t *decoded = memory(size);
    uint8_t *first = memory(huffman_bound(size));
    size_t first_size;

    memcpy(src, bytes, size);
    first_size = huffman_encode(implementations[0], src, size, first, huffman_bound(size));
    assert_in_range(first_size, 1, huffman_bound(size));
    assert_int_equal(ZSTD_findFrameCompressedSize(first, first_size), first_size);
    assert_int_equal(ZSTD_getFrameContentSize(first, first_size), size);
    assert_int_equal(ZSTD_decompressDCtx(dctx, decoded, size, first, first_size), size);
    assert_memory_equal(decoded, src, size);
    check_streaming(first, first_size, src, size);

    for (size_t i = 1; i < implementation_count; i++) {
        uint8_t *other = memory(first_size); /* the least that suffices */

        assert_int_equal(huffman_encode(implementations[i], src, size, other, first_size),
                         first_size);
        assert_memory_equal(other, first, first_size);
        free(other);
    }
    free(src);
    free(decoded);
    free(first);
    return first_size;
}

/* Bytes first .. first + symbol_count - 1; of several drawn, the least: so low ones are common. */
static void fill_skewed(struct data_random *random, unsigned first, unsigned symbol_count,
                        unsigned draws, uint8_t *dst, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint32_t least = symbol_count - 1;

        for (unsigned draw = 0; draw < draws; draw++)
            least = (uint32_t)tfs_min_u64(least, data_random_below(random, symbol_count));
        dst[i] = (uint8_t)(first + least);
    }
}

static void frames_of_every_size_decode(void **state)
{
    static const size_t sizes[] = {511,    512,    513,    1022,   1023,   1024,  1025,   4095,
                                   4097,   16383,  16384,  16385,  65791,  65792, 131071, 131072,
                                   131073, 131328, 196608, 262143, 262144, 262145};
    struct data_random random = {.state = 3};
    uint8_t *bytes = memory(262145);

    (void)state;
    fill_skewed(&random, 90, 40, 3, bytes, 262145);
    for (size_t size = 0; size <= 300; size++)
        (void)check_bytes(bytes, size);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++)
        assert_true(check_bytes(bytes, sizes[i]) < sizes[i]);
    free(bytes);
}

static void a_plane_of_one_byte_takes_four_bytes_a_block(void **state)
{
    uint8_t *bytes = memory(262144);

    (void)state;
    memset(bytes, 0x7F, 262144);
    assert_int_equal(check_bytes(bytes, 1), 6 + 4);
    assert_int_equal(check_bytes(bytes, 5), 6 + 4);
    assert_int_equal(check_bytes(bytes, 131072), 9 + 4);
    assert_int_equal(check_bytes(bytes, 262144), 9 + 2 * 4);
    free(bytes);
}

static void two_bytes_take_a_bit_each(void **state)
{
    static const uint8_t pairs[][2] = {{0, 1},     {0, 255},   {254, 255},
                                       {127, 128}, {128, 129}, {3, 200}};
    struct data_random random = {.state = 5};
    uint8_t *bytes = memory(131072);

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(pairs); i++) {
        for (size_t at = 0; at < 131072; at++)
            bytes[at] = pairs[i][data_random_below(&random, 2)];
        assert_in_range(check_bytes(bytes, 131072), 16384, 16384 + 64);
        (void)check_bytes(bytes, 300);
        (void)check_bytes(bytes, 40);
    }
    free(bytes);
}

static void all_256_bytes_decode_even_or_uneven(void **state)
{
    struct data_random random = {.state = 7};
    uint8_t *bytes = memory(131072);

    (void)state;
    for (size_t at = 0; at < 131072; at++)
        bytes[at] = (uint8_t)at;
    assert_int_equal(check_bytes(bytes, 131072), 9 + 3 + 131072);
    for (unsigned draws = 2; draws < 6; draws++) {
        fill_skewed(&random, 0, 256, draws, bytes, 131072);
        for (unsigned symbol = 0; symbol < 256; symbol++)
            bytes[(size_t)symbol * 500] = (uint8_t)symbol;
        assert_true(check_bytes(bytes, 131072) < 131072);
        (void)check_bytes(bytes, 20000);
    }
    free(bytes);
}

/* Counts of which each is the sum of the two before make the deepest tree there is. */
static void fibonacci_counts_decode(void **state)
{
    uint8_t *bytes = memory(131072);

    (void)state;
    for (unsigned first = 0; first < 256; first += 230) {
        size_t size = 0;
        size_t last = 1, count = 1;

        for (unsigned symbol = 0; size + count <= 131072; symbol++) {
            memset(bytes + size, (int)(first + symbol), count);
            size += count;
            count += last;
            last = count - last;
        }
        assert_true(check_bytes(bytes, size) < size / 2);
    }
    free(bytes);
}

static void bytes_above_128_decode_with_few_and_many_below(void **state)
{
    struct data_random random = {.state = 11};
    uint8_t *bytes = memory(20000);

    (void)state;
    for (unsigned last = 126; last < 256; last++) {
        fill_skewed(&random, last - 20, 21, 3, bytes, 20000);
        (void)check_bytes(bytes, 20000);
        fill_skewed(&random, 0, last + 1, 4, bytes, 20000);
        bytes[0] = (uint8_t)last;
        (void)check_bytes(bytes, 3000);
        /* Two bytes far apart: 254 weights of 0, for which only FSE has room. */
        memset(bytes, 0, 20000);
        memset(bytes + 7000, (int)last, 5000);
        (void)check_bytes(bytes, 20000);
    }
    free(bytes);
}

static uint64_t seed_get(void)
{
    const char *given = getenv("TFS_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20240817;

    print_message("TFS_TEST_SEED=%" PRIu64 "\n", seed);
    return seed ? seed : 1;
}

static void random_alphabets_skews_and_sizes_decode(void **state)
{
    struct data_random random = {.state = seed_get()};
    uint8_t *bytes = memory(CASE_SIZE_MAX);

    (void)state;
    for (int i = 0; i < RANDOM_CASES; i++) {
        uint32_t limit = i % 64 == 0 ? CASE_SIZE_MAX : i % 8 == 0 ? 20000 : 1200;
        size_t size = data_random_below(&random, limit + 1);
        size_t done = 0;

        /* Of several kinds in turn, as planes are that rows of different scale go through. */
        while (done < size) {
            size_t count = 1 + data_random_below(&random, (uint32_t)(size - done));
            unsigned symbol_count = 1 + data_random_below(&random, 256);

            fill_skewed(&random, data_random_below(&random, 257 - symbol_count), symbol_count,
                        1 + data_random_below(&random, 8), bytes + done, count);
            done += count;
        }
        (void)check_bytes(bytes, size);
    }
    free(bytes);
}

static void check_capacity(const struct huffman_ops *ops, const uint8_t *src, size_t size,
                           size_t needed, size_t capacity)
{
    uint8_t *dst = memory(capacity + GUARD_SIZE);
    size_t expected = capacity < needed ? 0 : needed;

    memset(dst + capacity, GUARD, GUARD_SIZE);
    assert_int_equal(huffman_encode(ops, src, size, dst, capacity), expected);
    for (size_t i = 0; i < GUARD_SIZE; i++)
        assert_int_equal(dst[capacity + i], GUARD);
    free(dst);
}

static void nothing_is_written_beyond_any_capacity(void **state)
{
    static const struct {
        size_t size;
        unsigned symbol_count, draws;
    } cases[] = {{40, 4, 2}, {200, 9, 3}, {700, 30, 4}, {700, 256, 1}, {3000, 100, 3}, {900, 1, 1}};
    struct data_random random = {.state = 13};
    uint8_t *bytes = memory(3000);

    (void)state;
    for (size_t i = 0; i < implementation_count; i++) {
        for (size_t c = 0; c < TFS_ARRAY_COUNT(cases); c++) {
            size_t needed;

            fill_skewed(&random, 100 - cases[c].symbol_count % 100, cases[c].symbol_count,
                        cases[c].draws, bytes, cases[c].size);
            needed = check_bytes(bytes, cases[c].size);
            for (size_t capacity = 0; capacity < needed + 12; capacity++)
                check_capacity(implementations[i], bytes, cases[c].size, needed, capacity);
        }
    }
    free(bytes);
}

static void a_second_block_that_does_not_fit_is_told(void **state)
{
    struct data_random random = {.state = 17};
    uint8_t *bytes = memory(200000);

    (void)state;
    fill_skewed(&random, 100, 30, 3, bytes, 140000);
    data_fill(&random, DATA_RANDOM, bytes + 140000, 60000);
    for (size_t i = 0; i < implementation_count; i++) {
        size_t needed = check_bytes(bytes, 200000);

        for (size_t less = 0; less < 70000; less += 1 + less)
            check_capacity(implementations[i], bytes, 200000, needed, needed - less);
    }
    free(bytes);
}

static void noise_is_stored_with_twelve_bytes_more(void **state)
{
    static const size_t sizes[] = {4096, 16384, 65536, 131072};
    struct data_random random = {.state = 19};
    uint8_t *bytes = memory(131072);

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
        data_fill(&random, DATA_RANDOM, bytes, sizes[i]);
        assert_in_range(check_bytes(bytes, sizes[i]), sizes[i] + 10, sizes[i] + 12);
    }
    free(bytes);
}

/* All planes of one kind. Returns: our bytes; sets *ret_theirs to libzstd's. */
static size_t compare_planes(enum data_kind kind, size_t plane_size, size_t *ret_theirs)
{
    unsigned width = data_element_size(kind);
    size_t total = 131072;
    struct data_random random = {.state = 23};
    uint8_t *raw = memory(total * width);
    uint8_t *plane = memory(total);
    uint8_t *frame = memory(ZSTD_COMPRESSBOUND(plane_size));
    size_t ours = 0;

    *ret_theirs = 0;
    data_fill(&random, kind, raw, total * width);
    for (unsigned k = 0; k < width; k++) {
        for (size_t i = 0; i < total; i++)
            plane[i] = raw[i * width + k];
        for (size_t at = 0; at < total; at += plane_size) {
            ours += check_bytes(plane + at, plane_size);
            *ret_theirs +=
                ZSTD_compress2(cctx, frame, ZSTD_COMPRESSBOUND(plane_size), plane + at, plane_size);
        }
    }
    free(raw);
    free(plane);
    free(frame);
    return ours;
}

static void planes_of_no_kind_become_larger_than_libzstd_makes_them(void **state)
{
    static const size_t plane_sizes[] = {2048, 16384, 131072};

    (void)state;
    for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
        for (size_t i = 0; i < TFS_ARRAY_COUNT(plane_sizes); i++) {
            size_t theirs;
            size_t ours = compare_planes((enum data_kind)kind, plane_sizes[i], &theirs);

            if (ours > theirs + theirs / 2000)
                fail_msg("%s in planes of %zu: %zu bytes, libzstd %zu",
                         data_kind_name((enum data_kind)kind), plane_sizes[i], ours, theirs);
        }
    }
}

static void all_implementations_count_alike_whatever_the_sample_says(void **state)
{
    struct data_random random = {.state = 29};
    uint8_t *bytes = memory(40000);
    struct huffman_sample samples[2] = {{.counts = {0}}, {.counts = {0}}};
    static uint32_t counts[HUFFMAN_STREAMS_MAX][HUFFMAN_SYMBOLS];
    static uint32_t expected[HUFFMAN_STREAMS_MAX][HUFFMAN_SYMBOLS];

    (void)state;
    fill_skewed(&random, 0, 30, 4, bytes, 40000);
    for (unsigned symbol = 0; symbol < 12; symbol++) {
        samples[0].counts[symbol] = HUFFMAN_SAMPLE_SIZE / 12;       /* much like the bytes */
        samples[1].counts[symbol + 200] = HUFFMAN_SAMPLE_SIZE / 12; /* quite wrong */
    }
    for (unsigned stream_count = 1; stream_count <= HUFFMAN_STREAMS_MAX; stream_count += 3) {
        size_t each = 40000 / stream_count - 1;
        struct huffman_stream streams[HUFFMAN_STREAMS_MAX];

        memset(expected, 0, sizeof(expected));
        for (unsigned k = 0; k < stream_count; k++) {
            streams[k] = (struct huffman_stream){.src = bytes + k * each, .count = each - k};
            for (size_t i = 0; i < each - k; i++)
                expected[k][streams[k].src[i]]++;
        }
        for (size_t i = 0; i < implementation_count; i++) {
            for (int sample = -1; sample < 2; sample++) {
                memset(counts, GUARD, sizeof(counts));
                implementations[i]->count(streams, stream_count,
                                          sample < 0 ? NULL : &samples[sample], counts);
                assert_memory_equal(counts, expected, stream_count * sizeof(counts[0]));
            }
        }
    }
    free(bytes);
}

/* A change of the encoder changes this number, and says so; another machine does not. */
static void frames_are_the_same_on_every_machine(void **state)
{
    struct data_random random = {.state = 37};
    uint8_t *bytes = memory(150000);
    uint8_t *frame = memory(huffman_bound(150000));
    uint32_t crc = 0;

    (void)state;
    for (unsigned symbol_count = 2; symbol_count <= 256; symbol_count += 127) {
        for (size_t size = 150; size <= 150000; size *= 10) {
            size_t frame_size;

            fill_skewed(&random, 256 - symbol_count, symbol_count, 3, bytes, size);
            frame_size = huffman_encode(huffman_best(), bytes, size, frame, huffman_bound(size));
            crc = tfs_crc32c(crc, frame, frame_size);
        }
    }
    assert_int_equal(crc, 0xC1F82B56);
    free(bytes);
    free(frame);
}

static void the_zstd_program_decodes_a_frame(void **state)
{
    struct data_random random = {.state = 31};
    char path[] = "/tmp/test_huffman.XXXXXX";
    char command[sizeof(path) + 32];
    uint8_t *bytes = memory(200000);
    uint8_t *frame = memory(huffman_bound(200000));
    uint8_t *decoded = memory(200001);
    size_t size;
    FILE *file;
    int descriptor;

    (void)state;
    if (system("zstd --version >/dev/null 2>&1") != 0)
        skip();
    fill_skewed(&random, 100, 30, 3, bytes, 200000);
    size = huffman_encode(huffman_best(), bytes, 200000, frame, huffman_bound(200000));
    descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, frame, size), size);
    assert_int_equal(close(descriptor), 0);
    (void)snprintf(command, sizeof(command), "zstd -dcq <%s", path);
    file = popen(command, "r");
    assert_non_null(file);
    assert_int_equal(fread(decoded, 1, 200001, file), 200000);
    assert_int_equal(pclose(file), 0);
    assert_int_equal(unlink(path), 0);
    assert_memory_equal(decoded, bytes, 200000);
    free(bytes);
    free(frame);
    free(decoded);
}

static void the_fastest_implementation_is_the_one_in_use(void **state)
{
    (void)state;
    assert_true(implementation_count >= 1);
    assert_ptr_equal(huffman_best(), implementations[0]);
    assert_ptr_equal(implementations[implementation_count - 1], &huffman_ops_plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_every_size_decode),
        cmocka_unit_test(a_plane_of_one_byte_takes_four_bytes_a_block),
        cmocka_unit_test(two_bytes_take_a_bit_each),
        cmocka_unit_test(all_256_bytes_decode_even_or_uneven),
        cmocka_unit_test(fibonacci_counts_decode),
        cmocka_unit_test(bytes_above_128_decode_with_few_and_many_below),
        cmocka_unit_test(random_alphabets_skews_and_sizes_decode),
        cmocka_unit_test(nothing_is_written_beyond_any_capacity),
        cmocka_unit_test(a_second_block_that_does_not_fit_is_told),
        cmocka_unit_test(noise_is_stored_with_twelve_bytes_more),
        cmocka_unit_test(planes_of_no_kind_become_larger_than_libzstd_makes_them),
        cmocka_unit_test(all_implementations_count_alike_whatever_the_sample_says),
        cmocka_unit_test(frames_are_the_same_on_every_machine),
        cmocka_unit_test(the_zstd_program_decodes_a_frame),
        cmocka_unit_test(the_fastest_implementation_is_the_one_in_use),
    };

    return cmocka_run_group_tests_name("huffman", tests, set_up, tear_down);
}
