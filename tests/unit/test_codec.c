/*
 * Codec specifications: every text that is documented is read and written back, everything near it
 * refused.
 */
#include "store/codec/codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_parses(const char *text, enum codec_id codec, int level, const char *formatted)
{
    char back[CODEC_SPEC_TEXT_SIZE];
    struct codec_spec spec;

    assert_int_equal(codec_spec_parse(text, &spec), 0);
    assert_int_equal(spec.codec, codec);
    assert_int_equal(spec.level, level);
    assert_true(codec_spec_is_valid(&spec));
    codec_spec_format(&spec, back, sizeof(back));
    assert_string_equal(back, formatted);
}

static void every_documented_specification_is_read_and_written_back(void **state)
{
    (void)state;
    assert_parses("auto", CODEC_AUTO, 0, "auto");
    assert_parses("none", CODEC_NONE, 0, "none");
    assert_parses("gzip", CODEC_GZIP, 6, "gzip:6");
    assert_parses("zstd", CODEC_ZSTD, 3, "zstd:3");
    for (int level = 1; level <= 19; level++) {
        char text[2 * CODEC_SPEC_TEXT_SIZE];

        (void)snprintf(text, sizeof(text), "zstd:%d", level);
        assert_parses(text, CODEC_ZSTD, level, text);
        (void)snprintf(text, sizeof(text), "gzip:%d", level);
        if (level <= 9)
            assert_parses(text, CODEC_GZIP, level, text);
    }
}

static void anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
    static const char *const wrong[] = {
        "",         "AUTO",    "auto:1",  "none:0",  "gzip:",    "gzip:0",  "gzip:10", "gzip:-1",
        "zstd:0",   "zstd:20", "zstd:1x", "zstd:01", "zstd: 1",  "zstd:+1", "zstd1",   "lz4",
        "zstd:1:2", "autos",   "aut",     ":1",      "zstd:100", "gzip 1",  "none ",   "zstd:\n"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(wrong); i++) {
        struct codec_spec spec = {.codec = CODEC_GZIP, .level = 5};

        assert_int_equal(codec_spec_parse(wrong[i], &spec), -EINVAL);
        assert_int_equal(spec.codec, CODEC_GZIP);
        assert_int_equal(spec.level, 5);
    }
}

static void levels_outside_of_a_codecs_limits_are_not_valid(void **state)
{
    static const struct codec_spec wrong[] = {
        {CODEC_NONE, 1},  {CODEC_AUTO, 3},  {CODEC_GZIP, 0},     {CODEC_GZIP, 10},
        {CODEC_ZSTD, 20}, {CODEC_ZSTD, -1}, {CODEC_ID_COUNT, 0}, {(enum codec_id)255, 0},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(wrong); i++)
        assert_false(codec_spec_is_valid(&wrong[i]));
}

static void every_number_of_an_enum_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < CODEC_KIND_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(codec_kind_name(a), codec_kind_name(b));
    for (int a = 0; a < CODEC_METHOD_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(codec_method_name(a), codec_method_name(b));
    assert_string_equal(codec_kind_name(CODEC_KIND_COUNT), "unknown");
    assert_string_equal(codec_method_name(CODEC_METHOD_COUNT), "unknown");
    assert_string_equal(codec_id_name((enum codec_id)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_specification_is_read_and_written_back),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
        cmocka_unit_test(levels_outside_of_a_codecs_limits_are_not_valid),
        cmocka_unit_test(every_number_of_an_enum_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
