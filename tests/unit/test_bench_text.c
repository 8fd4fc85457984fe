/*
 * Goal: what people type and read: quantities, tables.
 * Method: fixed inputs against fixed texts.
 */
#include "tools/common/table.h"
#include "tools/common/units.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void sizes_take_binary_suffixes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},           {"4096", 4096},           {"64K", 65536}, {"512M", 512ull << 20},
        {"2G", 2ull << 30}, {"1T", 1ull << 40},       {"1.5k", 1536}, {"16KiB", 16384},
        {"7B", 7},          {"8388608T", 1ull << 63},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        uint64_t bytes = 1;

        assert_int_equal(units_parse_size(cases[i].text, &bytes), 0);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void sizes_that_are_none_are_refused(void **state)
{
    static const char *const texts[] = {"",   "M",    "-1",  "+1",  "12X", "1MM",
                                        " 1", "0x10", "1 K", "inf", "nan", "1KiBB"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        uint64_t bytes = 17;

        assert_int_equal(units_parse_size(texts[i], &bytes), -EINVAL);
        assert_int_equal(bytes, 17);
    }
}

static void size_past_the_limit_is_a_range_error(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_int_equal(units_parse_size("8388609T", &bytes), -ERANGE);
    assert_int_equal(units_parse_size("1e300", &bytes), -ERANGE);
}

static void counts_are_whole_numbers(void **state)
{
    uint64_t count;

    (void)state;
    assert_int_equal(units_parse_count("18446744073709551615", &count), 0);
    assert_true(count == UINT64_MAX);
    assert_int_equal(units_parse_count("18446744073709551616", &count), -ERANGE);
    assert_int_equal(units_parse_count("1.5", &count), -EINVAL);
    assert_int_equal(units_parse_count("-1", &count), -EINVAL);
    assert_int_equal(units_parse_count("", &count), -EINVAL);
}

static void quantities_carry_fitting_units(void **state)
{
    (void)state;
    assert_string_equal(units_bytes(0).text, "0 B");
    assert_string_equal(units_bytes(1023).text, "1023 B");
    assert_string_equal(units_bytes(1536).text, "1.5 KiB");
    assert_string_equal(units_bytes(512 * TFS_MIB).text, "512.0 MiB");
    assert_string_equal(units_rate(1.234e9).text, "1.23 GB/s");
    assert_string_equal(units_rate(12.3e6).text, "12.3 MB/s");
    assert_string_equal(units_seconds(125).text, "2 min 05 s");
    assert_string_equal(units_seconds(1.5).text, "1.50 s");
    assert_string_equal(units_seconds(0.0456).text, "45.6 ms");
    assert_string_equal(units_seconds(7.8e-6).text, "7.8 us");
}

/* The table's text, to be freed. */
static char *table_text(struct table *table)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(table_print(table, out), 0);
    assert_int_equal(fclose(out), 0);
    table_release(table);
    return text;
}

static void columns_are_aligned(void **state)
{
    struct table table;
    char *text;

    (void)state;
    table_init(&table, "name\tms\t<where");
    table_row(&table, "%s\t%.1f\t%s", "save", 12.5, "here");
    table_row(&table, "%s\t%d\t%s", "a longer name", 3, "x");
    text = table_text(&table);
    assert_string_equal(text, "name             ms  where\n"
                              "--------------------------\n"
                              "save           12.5  here \n"
                              "a longer name     3  x    \n");
    free(text);
}

static void characters_of_several_bytes_count_once(void **state)
{
    struct table table;
    char *text;

    (void)state;
    table_init(&table, "x\ty");
    table_row(&table, "\xc3\xa4\xc3\xb6\t1");
    table_row(&table, "ab\t2");
    text = table_text(&table);
    assert_non_null(strstr(text, "\xc3\xa4\xc3\xb6  1\n"));
    assert_non_null(strstr(text, "ab  2\n"));
    free(text);
}

static void no_line_is_wider_than_a_hundred_columns(void **state)
{
    char name[160];
    struct table table;
    char *text;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    table_init(&table, "name\tseconds");
    table_row(&table, "%s\t%d", name, 42);
    text = table_text(&table);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= TABLE_WIDTH_MAX);
    free(text);
}

static void too_many_columns_are_refused(void **state)
{
    struct table table;

    (void)state;
    table_init(&table, "1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13");
    assert_int_equal(table_print(&table, stdout), -EINVAL);
    table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_binary_suffixes),
        cmocka_unit_test(sizes_that_are_none_are_refused),
        cmocka_unit_test(size_past_the_limit_is_a_range_error),
        cmocka_unit_test(counts_are_whole_numbers),
        cmocka_unit_test(quantities_carry_fitting_units),
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(characters_of_several_bytes_count_once),
        cmocka_unit_test(no_line_is_wider_than_a_hundred_columns),
        cmocka_unit_test(too_many_columns_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
