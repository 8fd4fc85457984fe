/*
 * CRC32C: the published vectors of RFC 3720 B.4, and every implementation of this machine against a
 * definition that goes bit by bit, at sizes and alignments around the widths they work in.
 */
#include "store/base/crc32c.h"
#include "store/base/crc32c_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DATA_SIZE = 70000, ALIGNMENTS = 9 };

static uint8_t data[DATA_SIZE + ALIGNMENTS];

static int fill_data(void **state)
{
    uint32_t random = 12345;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        random = random * 1664525u + 1013904223u;
        data[i] = (uint8_t)(random >> 24);
    }
    return 0;
}

static uint32_t update_by_definition(uint32_t crc, const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return crc;
}

static void crc32c_gives_the_published_values(void **state)
{
    uint8_t block[32];

    (void)state;
    assert_int_equal(tfs_crc32c(0, "", 0), 0);
    assert_int_equal(tfs_crc32c(0, "123456789", 9), 0xE3069283u);
    memset(block, 0, sizeof(block));
    assert_int_equal(tfs_crc32c(0, block, sizeof(block)), 0x8A9136AAu);
    memset(block, 0xFF, sizeof(block));
    assert_int_equal(tfs_crc32c(0, block, sizeof(block)), 0x62A8AB43u);
    for (int i = 0; i < 32; i++)
        block[i] = (uint8_t)i;
    assert_int_equal(tfs_crc32c(0, block, sizeof(block)), 0x46DD794Eu);
    for (int i = 0; i < 32; i++)
        block[i] = (uint8_t)(31 - i);
    assert_int_equal(tfs_crc32c(0, block, sizeof(block)), 0x113FDB5Cu);
}

static void every_implementation_agrees_with_the_definition(void **state)
{
    static const size_t sizes[] = {0,   1,   7,   8,   9,    63,   64,   255,  256,  511,   512,
                                   513, 575, 576, 577, 1000, 6143, 6144, 6145, 8192, 65536, 69999};
    struct crc32c_implementation implementations[CRC32C_IMPLEMENTATIONS_MAX];
    size_t count = crc32c_implementations(implementations);

    (void)state;
    (void)tfs_crc32c(0, "", 0); /* fills the tables */
    for (size_t i = 0; i < count; i++) {
        printf("crc32c: %s\n", implementations[i].name);
        for (size_t s = 0; s < TFS_ARRAY_COUNT(sizes); s++) {
            const uint8_t *at = data + s % ALIGNMENTS;
            uint32_t expected = update_by_definition(0xDEADBEEFu, at, sizes[s]);

            assert_int_equal(implementations[i].update(0xDEADBEEFu, at, sizes[s]), expected);
        }
    }
    assert_string_equal(implementations[count - 1].name, "portable");
}

static void a_checksum_continues_where_another_ended(void **state)
{
    uint32_t whole = tfs_crc32c(0, data, DATA_SIZE);

    (void)state;
    for (size_t split = 0; split < 3000; split += 7)
        assert_int_equal(tfs_crc32c(tfs_crc32c(0, data, split), data + split, DATA_SIZE - split),
                         whole);
}

static void combine_joins_two_pieces_at_any_place(void **state)
{
    uint32_t whole = tfs_crc32c(0, data, DATA_SIZE);

    (void)state;
    for (size_t split = 0; split <= DATA_SIZE; split += 1000) {
        uint32_t a = tfs_crc32c(0, data, split);
        uint32_t b = tfs_crc32c(0, data + split, DATA_SIZE - split);

        assert_int_equal(tfs_crc32c_combine(a, b, DATA_SIZE - split), whole);
    }
}

static void combine_is_associative_over_lengths_beyond_memory(void **state)
{
    uint64_t huge = 3ull << 40;
    uint32_t left, right;

    (void)state;
    left = tfs_crc32c_combine(tfs_crc32c_combine(1, 2, huge), 3, huge + 5);
    right = tfs_crc32c_combine(1, tfs_crc32c_combine(2, 3, huge + 5), 2 * huge + 5);
    assert_int_equal(left, right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_published_values),
        cmocka_unit_test(every_implementation_agrees_with_the_definition),
        cmocka_unit_test(a_checksum_continues_where_another_ended),
        cmocka_unit_test(combine_joins_two_pieces_at_any_place),
        cmocka_unit_test(combine_is_associative_over_lengths_beyond_memory),
    };

    return cmocka_run_group_tests_name("crc32c", tests, fill_data, NULL);
}
