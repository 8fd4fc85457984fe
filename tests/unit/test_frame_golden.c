/*
 * Golden frames: files in tests/golden that every version must decode to the same bytes. They are
 * one of each codec and method; a frame once stored there stays as it is.
 *
 * With TFS_GOLDEN_WRITE set, missing files are written instead: that is how a new one is made.
 */
#include "store/base/crc32c.h"
#include "store/codec/frame.h"
#include "tests/unit/frame_data.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GOLDEN_SIZE_MAX = 1 << 16, PIECES_MAX = 4, PATH_SIZE = 4096 };

/* What a golden frame was made from, a plain one if its name begins so; pieces end with a size of
 * 0. */
static const struct golden {
    const char *name;
    struct codec_spec spec;
    uint32_t block_size;
    struct {
        enum data_kind kind;
        uint32_t size;
    } pieces[PIECES_MAX];
    uint32_t raw_crc; /* of all raw bytes */
} goldens[] = {
    {"none", {CODEC_NONE, 0}, 4096, {{DATA_BF16, 5000}}, 0x0BAA112D},
    {"gzip", {CODEC_GZIP, 6}, 4096, {{DATA_TEXT, 12000}}, 0xFF91969A},
    {"zstd", {CODEC_ZSTD, 3}, 4096, {{DATA_TEXT, 12000}}, 0xFF91969A},
    {"auto_bf16", {CODEC_AUTO, 0}, 8192, {{DATA_BF16, 12002}}, 0xFF223D48},
    {"auto_fp16", {CODEC_AUTO, 0}, 8192, {{DATA_FP16, 8192}}, 0x671131F0},
    {"auto_fp32_odd", {CODEC_AUTO, 0}, 8192, {{DATA_TEXT, 1027}, {DATA_FP32, 9001}}, 0x1BDC27E8},
    {"auto_int64", {CODEC_AUTO, 0}, 16384, {{DATA_INT64, 16384}}, 0x3B32A1B3},
    {"auto_constant", {CODEC_AUTO, 0}, 1024, {{DATA_ZERO, 1024}, {DATA_WORD, 2048}}, 0xE4920D12},
    {"auto_mixed",
     {CODEC_AUTO, 0},
     32768,
     {{DATA_TEXT, 4001}, {DATA_BF16, 8002}, {DATA_RANDOM, 3003}, {DATA_ADAM_V, 9004}},
     0x7D63F4C8},
    {"auto_small_blocks", {CODEC_AUTO, 0}, 256, {{DATA_BF16, 3000}}, 0x7BBBB7B3},
    /* With our own Huffman coder; libzstd's made those above. */
    {"auto_huffman",
     {CODEC_AUTO, 0},
     4096,
     {{DATA_BF16, 4096}, {DATA_FP32, 4001}, {DATA_ADAM_V, 2003}},
     0xF45EF409},
    {"plain", {CODEC_NONE, 0}, 4096, {{DATA_BF16, 5000}}, 0x0BAA112D},
    {"plain_auto", {CODEC_AUTO, 0}, 8192, {{DATA_RANDOM, 8192}}, 0xAAC140AF},
};

struct golden_file {
    uint8_t bytes[GOLDEN_SIZE_MAX];
    size_t size;
};

static struct codec_ctx *ctx;

static void golden_path(const struct golden *golden, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/frame_%s.bin", TFS_GOLDEN_DIRECTORY, golden->name);
}

static void golden_write(const struct golden *golden)
{
    struct data_random random = {.state = 77};
    struct data_frame frame;
    char path[PATH_SIZE];
    uint32_t size = 0;
    FILE *file;

    for (int i = 0; i < PIECES_MAX; i++)
        size += golden->pieces[i].size;
    data_frame_init(&frame, size, golden->block_size);
    size = 0;
    for (int i = 0; i < PIECES_MAX; i++) {
        data_fill(&random, golden->pieces[i].kind, frame.raw + size, golden->pieces[i].size);
        size += golden->pieces[i].size;
    }
    if (strncmp(golden->name, "plain", strlen("plain")) == 0)
        frame.encoded_size = data_frame_encode_plain(&frame, ctx, &golden->spec);
    else
        frame.encoded_size =
            frame_encode(ctx, &golden->spec, &frame.source, frame.encoded, frame.capacity);
    assert_true(frame.encoded_size > 0);
    golden_path(golden, path);
    file = fopen(path, "wbx");
    if (file) {
        assert_int_equal(fwrite(frame.encoded, 1, (size_t)frame.encoded_size, file),
                         frame.encoded_size);
        assert_int_equal(fclose(file), 0);
        printf("%s: raw crc 0x%08X\n", golden->name, tfs_crc32c(0, frame.raw, size));
    }
    data_frame_release(&frame);
}

static void golden_read(const struct golden *golden, struct golden_file *ret)
{
    char path[PATH_SIZE];
    FILE *file;

    golden_path(golden, path);
    file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    ret->size = fread(ret->bytes, 1, sizeof(ret->bytes), file);
    assert_true(ret->size > 0 && ret->size < sizeof(ret->bytes));
    (void)fclose(file); /* read only */
}

static int set_up(void **state)
{
    (void)state;
    if (codec_ctx_new(&ctx) < 0)
        return -1;
    for (size_t i = 0; getenv("TFS_GOLDEN_WRITE") && i < TFS_ARRAY_COUNT(goldens); i++)
        golden_write(&goldens[i]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    codec_ctx_free(ctx);
    return 0;
}

/* Open the frame and decode all blocks. Returns: the first error, or 0 and the checksum of the raw
 * bytes. */
static int decode_all(const struct golden_file *file, uint32_t *ret_crc)
{
    static uint8_t raw[FRAME_BLOCK_SIZE_MAX];
    struct frame_view view;
    struct frame_block block;
    uint32_t crc = 0;
    int err;

    err = frame_open(file->bytes, file->size, &view);
    if (err < 0)
        return err;
    if (view.stored_size != file->size)
        return -EUCLEAN;
    for (uint32_t i = 0; i < view.block_count; i++) {
        err = frame_block_locate(&view, i, &block);
        if (err < 0)
            return err;
        err = frame_block_decode(ctx, &block, file->bytes + block.offset, raw);
        if (err < 0)
            return err;
        crc = tfs_crc32c(crc, raw, block.raw_size);
    }
    *ret_crc = crc;
    return 0;
}

static void every_golden_frame_decodes_to_the_bytes_that_it_was_made_from(void **state)
{
    static struct golden_file file;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(goldens); i++) {
        uint32_t crc = 0;

        golden_read(&goldens[i], &file);
        if (decode_all(&file, &crc) < 0 || crc != goldens[i].raw_crc)
            fail_msg("%s: checksum 0x%08X", goldens[i].name, crc);
    }
}

/* Whether the byte is one of the zeros behind a plain frame's table, which mean nothing. */
static bool is_padding(const struct golden_file *file, size_t at)
{
    struct frame_view view;

    assert_int_equal(frame_open(file->bytes, file->size, &view), 0);
    return at >= frame_header_size(view.block_count) && at < view.payload_offset;
}

static void every_single_flipped_bit_of_a_golden_frame_is_detected_or_means_nothing(void **state)
{
    static struct golden_file file;
    uint32_t flips = 0;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(goldens); i++) {
        golden_read(&goldens[i], &file);
        for (size_t bit = 0; bit < file.size * 8; bit++, flips++) {
            bool means_nothing = is_padding(&file, bit / 8);
            uint32_t crc;
            int err;

            file.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            err = decode_all(&file, &crc);
            if (means_nothing ? err || crc != goldens[i].raw_crc
                              : err != -EUCLEAN && err != -EBADMSG)
                fail_msg("%s: bit %zu: %d", goldens[i].name, bit, err);
            file.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    printf("%u flipped bits\n", flips);
}

static void a_golden_frame_cut_anywhere_is_refused(void **state)
{
    static struct golden_file file;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(goldens); i++) {
        golden_read(&goldens[i], &file);
        for (size_t size = file.size - 1; size > 0; size -= 1 + size / 64) {
            uint32_t crc;

            file.size = size;
            assert_int_equal(decode_all(&file, &crc), -EUCLEAN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_frame_decodes_to_the_bytes_that_it_was_made_from),
        cmocka_unit_test(every_single_flipped_bit_of_a_golden_frame_is_detected_or_means_nothing),
        cmocka_unit_test(a_golden_frame_cut_anywhere_is_refused),
    };

    return cmocka_run_group_tests_name("frame_golden", tests, set_up, tear_down);
}
