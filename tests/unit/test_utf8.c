/*
 * Goal: characters of UTF-8 are told from bytes that are none. Method: the border of each rule,
 * from both sides.
 */
#include "store/base/defs.h"
#include "store/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void characters_are_told_from_other_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"", 0},
        {"a", 1},
        {"\x7f", 1},
        {"\x80", 0},
        {"\xc3\xa4", 2},
        {"\xc3", 0},
        {"\xc3q", 0},
        {"\xc0\x80", 0},         /* too long a form */
        {"\xe2\x82\xac", 3},     /* the sign of the euro */
        {"\xe2\x82", 0},         /* cut off */
        {"\xe0\x9f\xbf", 0},     /* too long a form */
        {"\xed\x9f\xbf", 3},     /* the last before the surrogates */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xf0\x9f\x98\x80", 4}, /* a face */
        {"\xf4\x8f\xbf\xbf", 4}, /* the last of all */
        {"\xf4\x90\x80\x80", 0}, /* one more */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        if (tfs_utf8_size(cases[i].text) != cases[i].size)
            fail_msg("case %zu: %zu", i, tfs_utf8_size(cases[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_told_from_other_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
