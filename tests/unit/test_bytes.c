/*
 * Goal: integers on disk have the promised byte order at any address, and keys sort by value.
 * Method: bytes written out by hand, every alignment, and memcmp as RocksDB compares.
 */
#include "store/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void little_endian_integers_have_their_low_byte_first(void **state)
{
    static const uint8_t expected[] = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01};
    uint8_t bytes[8];

    (void)state;
    tfs_put_le64(bytes, 0x0102030405060708ull);
    assert_memory_equal(bytes, expected, 8);
    tfs_put_le32(bytes, 0x05060708u);
    assert_memory_equal(bytes, expected, 4);
    tfs_put_le16(bytes, 0x0708u);
    assert_memory_equal(bytes, expected, 2);
}

static void big_endian_integers_have_their_high_byte_first(void **state)
{
    static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
    uint8_t bytes[8];

    (void)state;
    tfs_put_be64(bytes, 0x0102030405060708ull);
    assert_memory_equal(bytes, expected, 8);
    tfs_put_be32(bytes, 0x01020304u);
    assert_memory_equal(bytes, expected, 4);
}

static void integers_come_back_from_every_alignment(void **state)
{
    uint8_t bytes[32] = {0};

    (void)state;
    for (size_t offset = 0; offset < 16; offset++) {
        tfs_put_le16(bytes + offset, 0xfedcu);
        assert_int_equal(tfs_get_le16(bytes + offset), 0xfedcu);
        tfs_put_le32(bytes + offset, 0xfedcba98u);
        assert_int_equal(tfs_get_le32(bytes + offset), 0xfedcba98u);
        tfs_put_le64(bytes + offset, UINT64_MAX - 1);
        assert_true(tfs_get_le64(bytes + offset) == UINT64_MAX - 1);
        tfs_put_be32(bytes + offset, 0xfedcba98u);
        assert_int_equal(tfs_get_be32(bytes + offset), 0xfedcba98u);
        tfs_put_be64(bytes + offset, UINT64_MAX - 1);
        assert_true(tfs_get_be64(bytes + offset) == UINT64_MAX - 1);
    }
}

static void big_endian_keys_sort_by_value(void **state)
{
    static const uint64_t ascending[] = {0, 1, 255, 256, 65535, 65536, 1ull << 32, UINT64_MAX};

    (void)state;
    for (size_t i = 1; i < sizeof(ascending) / sizeof(ascending[0]); i++) {
        uint8_t smaller[8];
        uint8_t larger[8];

        tfs_put_be64(smaller, ascending[i - 1]);
        tfs_put_be64(larger, ascending[i]);
        assert_true(memcmp(smaller, larger, sizeof(larger)) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian_integers_have_their_low_byte_first),
        cmocka_unit_test(big_endian_integers_have_their_high_byte_first),
        cmocka_unit_test(integers_come_back_from_every_alignment),
        cmocka_unit_test(big_endian_keys_sort_by_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
