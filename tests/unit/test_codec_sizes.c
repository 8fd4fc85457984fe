/*
 * The table of sizes, tests/golden/codec_sizes.txt: what 2 MiB of each kind of data become. A
 * change of the codec has to answer to it: larger by more than 0.1 % fails, and so does smaller by
 * more than 1 %, because then the table no longer tells the truth. (Between the two is what another
 * release of zstd may do.)
 *
 * With TFS_GOLDEN_WRITE set, the table is written anew.
 */
#include "store/codec/frame.h"
#include "tests/unit/frame_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHUNK_SIZE = 1 << 20, CHUNKS = 2 };

static const char table_path[] = TFS_GOLDEN_DIRECTORY "/codec_sizes.txt";
static const char *const spec_texts[] = {"auto", "zstd:3", "gzip:6"};

static struct codec_ctx *ctx;

static uint64_t measure(const struct codec_spec *spec, enum data_kind kind, uint32_t block_size)
{
    struct data_random random = {.state = 99};
    struct data_frame frame;
    uint64_t sum = 0;

    data_frame_init(&frame, CHUNK_SIZE, block_size);
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        data_fill(&random, kind, frame.raw, CHUNK_SIZE);
        frame.encoded_size = frame_encode(ctx, spec, &frame.source, frame.encoded, frame.capacity);
        assert_true(frame.encoded_size > 0);
        sum += (uint64_t)frame.encoded_size;
    }
    data_frame_release(&frame);
    return sum;
}

static void write_line(FILE *table, const char *spec_text, enum data_kind kind, uint32_t block_size)
{
    struct codec_spec spec;
    uint64_t size;

    assert_int_equal(codec_spec_parse(spec_text, &spec), 0);
    size = measure(&spec, kind, block_size);
    assert_true(fprintf(table, "%-10s %-7s %7u %8lu %6.2f\n", data_kind_name(kind), spec_text,
                        block_size, (unsigned long)size,
                        100.0 * (double)size / (CHUNK_SIZE * CHUNKS)) > 0);
}

static void write_table(void)
{
    FILE *table = fopen(table_path, "w");

    assert_non_null(table);
    assert_true(fprintf(table,
                        "# Stored bytes of 2 MiB of each kind (bench/codec/data.h), in frames "
                        "of 1 MiB.\n# data     codec     block   stored percent\n") > 0);
    for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
        for (size_t i = 0; i < TFS_ARRAY_COUNT(spec_texts); i++)
            write_line(table, spec_texts[i], kind, FRAME_BLOCK_SIZE_MAX);
        write_line(table, "auto", kind, FRAME_BLOCK_SIZE_MAX / 4);
        write_line(table, "auto", kind, 4096);
    }
    assert_int_equal(fclose(table), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (codec_ctx_new(&ctx) < 0)
        return -1;
    if (getenv("TFS_GOLDEN_WRITE"))
        write_table();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    codec_ctx_free(ctx);
    return 0;
}

static const char *next_word(char **rest)
{
    const char *word = strtok_r(NULL, " \n", rest);

    assert_non_null(word);
    return word;
}

static void check_line(char *line)
{
    char *rest;
    const char *kind_name = strtok_r(line, " \n", &rest);
    const char *spec_text = next_word(&rest);
    uint32_t block_size = (uint32_t)strtoul(next_word(&rest), NULL, 10);
    uint64_t stored = strtoul(next_word(&rest), NULL, 10);
    enum data_kind kind;
    struct codec_spec spec;
    uint64_t size;

    assert_int_equal(data_kind_parse(kind_name, &kind), 0);
    assert_int_equal(codec_spec_parse(spec_text, &spec), 0);
    size = measure(&spec, kind, block_size);
    if (size * 1000 > stored * 1001)
        fail_msg("%s with %s became larger: %lu, in the table %lu", kind_name, spec_text,
                 (unsigned long)size, (unsigned long)stored);
    if (size * 100 < stored * 99)
        fail_msg("%s with %s became smaller: %lu, in the table %lu", kind_name, spec_text,
                 (unsigned long)size, (unsigned long)stored);
}

static void every_kind_takes_the_bytes_that_the_table_says(void **state)
{
    FILE *table = fopen(table_path, "r");
    unsigned lines = 0;
    char line[128];

    (void)state;
    assert_non_null(table);
    while (fgets(line, sizeof(line), table)) {
        if (line[0] == '#')
            continue;
        check_line(line);
        lines++;
    }
    (void)fclose(table); /* read only */
    assert_int_equal(lines, DATA_KIND_COUNT * (TFS_ARRAY_COUNT(spec_texts) + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_takes_the_bytes_that_the_table_says),
    };

    return cmocka_run_group_tests_name("codec_sizes", tests, set_up, tear_down);
}
