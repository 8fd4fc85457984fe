/*
 * The FORMAT line: what is written is read, and what is something else is refused with the error
 * that tells a foreign file from a newer store.
 */
#include "store/tables/format.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

enum { MUTATIONS = 100000 };

static void a_line_gives_version_uuid_and_flags(void **state)
{
    static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct format_line line;

    assert_int_equal(format_parse("tensorfs 1 " UUID " 0 deadbeef\n", &line), 0);
    assert_int_equal(line.version, 1);
    assert_memory_equal(line.uuid, uuid, sizeof(uuid));
    assert_int_equal(line.incompatible, 0);
    assert_int_equal(line.compatible, 0xdeadbeef);
    assert_int_equal(format_parse("tensorfs 1 " UUID " 1 0\n", &line), 0);
    assert_int_equal(line.incompatible, FORMAT_FEATURE_ALLOCATION);
}

static void another_version_is_told_from_a_foreign_file(void **state)
{
    static const char *const newer[] = {
        "tensorfs 2\n",
        "tensorfs 2 " UUID " 0 0\n",
        "tensorfs 0 " UUID " 0 0\n",
        "tensorfs 99 whatever comes with it\n",
        "tensorfs 1 " UUID " 10 0\n", /* a flag that must be understood */
        "tensorfs 1 " UUID " 80000000 0\n",
    };

    for (size_t i = 0; i < TFS_ARRAY_COUNT(newer); i++) {
        struct format_line line = {0};

        if (format_parse(newer[i], &line) != -EPROTONOSUPPORT)
            fail_msg("not refused as unknown: %s", newer[i]);
    }
}

static void what_is_no_format_line_is_refused(void **state)
{
    static const char *const foreign[] = {
        "",
        "\n",
        "tensorfs",
        "tensorfs \n",
        "tensorfs one " UUID " 0 0\n",
        "Tensorfs 1 " UUID " 0 0\n",
        "tensorfs1 " UUID " 0 0\n",
        "tensorfs  1 " UUID " 0 0\n",
        "tensorfs -1 " UUID " 0 0\n",
        "tensorfs +1 " UUID " 0 0\n",
        "tensorfs 4294967297 " UUID " 0 0\n", /* 2^32 + 1 */
        "tensorfs 1\n",
        "tensorfs 1 " UUID "\n",
        "tensorfs 1 " UUID " 0\n",
        "tensorfs 1 " UUID " 0 0 more\n",
        "tensorfs 1 " UUID "0 0 0\n",
        "tensorfs 1 0011223344556677 0 0\n",
        "tensorfs 1 0x112233-4455-6677-8899-aabbccddeeff 0 0\n",
        "tensorfs 1 +0112233-4455-6677-8899-aabbccddeeff 0 0\n",
        "tensorfs 1 g0112233-4455-6677-8899-aabbccddeeff 0 0\n",
        "tensorfs 1 " UUID " -1 0\n",
        "tensorfs 1 " UUID " 0x0 0\n",
        "tensorfs 1 " UUID " 100000000 0\n",
        "tensorfs 1 " UUID " 0 0",
        "tensorfs 1 " UUID " 0 0\n\n",
    };

    for (size_t i = 0; i < TFS_ARRAY_COUNT(foreign); i++) {
        struct format_line line = {0};

        if (format_parse(foreign[i], &line) != -EMEDIUMTYPE)
            fail_msg("not refused: %s", foreign[i]);
    }
}

static void mutated_lines_are_refused_or_read_as_they_stand(void **state)
{
    static const char good[] = "tensorfs 1 " UUID " 0 0\n";
    unsigned int seed = (unsigned int)time(NULL);
    unsigned accepted = 0;

    print_message("seed %u\n", seed);
    for (int i = 0; i < MUTATIONS; i++) {
        char text[sizeof(good)];
        struct format_line line = {0};
        int err;

        memcpy(text, good, sizeof(text));
        for (int count = 1 + rand_r(&seed) % 3; count > 0; count--)
            text[(size_t)rand_r(&seed) % (sizeof(text) - 1)] = (char)(rand_r(&seed) % 256);
        err = format_parse(text, &line);
        if (err) {
            assert_true(err == -EMEDIUMTYPE || err == -EPROTONOSUPPORT);
            continue;
        }
        assert_int_equal(line.version, TFS_FORMAT_VERSION);
        assert_int_equal(line.incompatible & ~(uint32_t)FORMAT_FEATURES, 0);
        accepted++;
    }
    assert_in_range(accepted, 1, MUTATIONS - 1); /* other digits of the UUID are as good */
}

static void a_message_is_cut_where_it_is_too_long(void **state)
{
    struct tfs_message message;
    char text[2 * sizeof(message.text)];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(format_message(&message, -EBUSY, "%s", text), -EBUSY);
    assert_int_equal(strlen(message.text), sizeof(message.text) - 1);
    assert_int_equal(format_message(NULL, -EBUSY, "%s", text), -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_gives_version_uuid_and_flags),
        cmocka_unit_test(another_version_is_told_from_a_foreign_file),
        cmocka_unit_test(what_is_no_format_line_is_refused),
        cmocka_unit_test(mutated_lines_are_refused_or_read_as_they_stand),
        cmocka_unit_test(a_message_is_cut_where_it_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
