/*
 * Goal: what people write as a size means one number of bytes, in whichever program they write it.
 * Method: texts beside their values, at the limits of 64 bits, too.
 */
#include "store/base/size.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void sizes_take_units_in_either_case(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{"0", 0},
                {"512", 512},
                {"7B", 7},
                {"1k", 1024},
                {"4K", 4096},
                {"4KiB", 4096},
                {"2MB", 2 * TFS_MIB},
                {"3g", 3 * TFS_GIB},
                {"1tib", 1024 * TFS_GIB},
                {"18446744073709551615", UINT64_MAX},
                {"17179869183G", 17179869183ull << 30}};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(good); i++) {
        uint64_t size = 77;

        assert_int_equal(tfs_parse_size(good[i].text, &size), 0);
        assert_true(size == good[i].size);
    }
}

static void sizes_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"",    "K",   "1P",  "1KK", "1.5M", " 1",  "1 ",
                                      "1 K", "0x1", "1Ki", "-1",  "+1",   "1BB", "1+"};
    uint64_t size = 77;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++)
        assert_int_equal(tfs_parse_size(bad[i], &size), -EINVAL);
    assert_int_equal(size, 77);
}

static void sizes_past_64_bits_overflow(void **state)
{
    static const char *const large[] = {"18446744073709551616", "99999999999999999999K",
                                        "17179869184G", "16777216T"};
    uint64_t size = 77;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(large); i++)
        assert_int_equal(tfs_parse_size(large[i], &size), -EOVERFLOW);
    assert_int_equal(size, 77);
}

static void a_number_that_is_too_large_for_no_unit_is_still_no_size(void **state)
{
    uint64_t size;

    (void)state;
    assert_int_equal(tfs_parse_size("99999999999999999999X", &size), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_units_in_either_case),
        cmocka_unit_test(sizes_that_are_none_are_refused),
        cmocka_unit_test(sizes_past_64_bits_overflow),
        cmocka_unit_test(a_number_that_is_too_large_for_no_unit_is_still_no_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
