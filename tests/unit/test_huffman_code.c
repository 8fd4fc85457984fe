/*
 * Huffman codes: complete, prefix-free, within the limit, and as short as can be. The shortest
 * lengths within a limit come from package-merge (L. Larmore, D. Hirschberg, "A fast algorithm for
 * optimal length-limited Huffman codes", 1990), written here in its plainest form.
 *
 * The random cases print their seed; TFS_TEST_SEED gives it back.
 */
#include "store/codec/huffman_code.h"

#include "bench/codec/data.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES = 3000, ITEMS_MAX = 2 * HUFFMAN_SYMBOLS };

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The least sum of count * length with no length above `limit`: the cheapest 2n - 2 items of the
 * last list, each list being the leaves and the pairs of the list before. */
static uint64_t least_cost(const uint32_t counts[HUFFMAN_SYMBOLS], unsigned limit)
{
    uint64_t leaves[HUFFMAN_SYMBOLS], list[ITEMS_MAX];
    size_t leaf_count = 0;
    size_t list_count = 0;
    uint64_t cost = 0;

    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
        if (counts[symbol] > 0)
            leaves[leaf_count++] = counts[symbol];
    for (unsigned level = 0; level < limit; level++) {
        size_t pair_count = list_count / 2;

        for (size_t i = 0; i < pair_count; i++)
            list[i] = list[2 * i] + list[2 * i + 1];
        memcpy(list + pair_count, leaves, leaf_count * sizeof(leaves[0]));
        list_count = pair_count + leaf_count;
        qsort(list, list_count, sizeof(list[0]), compare_u64);
    }
    for (size_t i = 0; i < 2 * leaf_count - 2; i++)
        cost += list[i];
    return cost;
}

static uint64_t cost_of(const struct huffman_code *code, const uint32_t counts[HUFFMAN_SYMBOLS])
{
    uint64_t cost = 0;

    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
        cost += (uint64_t)counts[symbol] * code->lengths[symbol];
    return cost;
}

/* Complete, prefix-free, and of the symbols that occur. */
static void check_code(const struct huffman_code *code, const uint32_t counts[HUFFMAN_SYMBOLS])
{
    static bool taken[1 << HUFFMAN_LENGTH_MAX];
    unsigned at = 0;
    unsigned longest = 0;
    unsigned spaces = 0;

    memset(taken, 0, sizeof(taken));
    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++) {
        unsigned length = code->lengths[symbol];
        unsigned share = 1u << (HUFFMAN_LENGTH_MAX - length);

        assert_int_equal(length > 0, counts[symbol] > 0);
        if (length == 0)
            continue;
        assert_in_range(length, 1, HUFFMAN_LENGTH_MAX);
        assert_int_equal(code->symbols[at++], symbol);
        longest = length > longest ? length : longest;
        /* What begins with this code begins with no other. */
        for (unsigned i = 0; i < share; i++) {
            assert_false(taken[code->codes[symbol] * share + i]);
            taken[code->codes[symbol] * share + i] = true;
        }
        spaces += share;
    }
    assert_int_equal(at, code->symbol_count);
    assert_int_equal(longest, code->length_max);
    assert_int_equal(spaces, 1u << HUFFMAN_LENGTH_MAX); /* Kraft's sum is 1 */
}

/* Counts of a random number of symbols that fall off at a random rate; together at most 2^17. */
static void random_counts(struct data_random *random, uint32_t counts[HUFFMAN_SYMBOLS])
{
    unsigned symbol_count = 2 + data_random_below(random, HUFFMAN_SYMBOLS - 1);
    unsigned slope = data_random_below(random, 6);
    uint32_t most = (1u << 17) / symbol_count;

    memset(counts, 0, HUFFMAN_SYMBOLS * sizeof(counts[0]));
    for (unsigned i = 0; i < symbol_count; i++) {
        unsigned symbol = data_random_below(random, HUFFMAN_SYMBOLS);

        while (counts[symbol] != 0)
            symbol = (symbol + 1) % HUFFMAN_SYMBOLS;
        counts[symbol] =
            1 + (data_random_below(random, most) >> data_random_below(random, 1 + 3 * slope));
    }
}

static uint64_t seed_get(void)
{
    const char *given = getenv("TFS_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20240818;

    print_message("TFS_TEST_SEED=%" PRIu64 "\n", seed);
    return seed ? seed : 1;
}

static uint32_t sum_of(const uint32_t counts[HUFFMAN_SYMBOLS])
{
    uint32_t sum = 0;

    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
        sum += counts[symbol];
    return sum;
}

static void random_codes_are_complete_and_nearly_the_best(void **state)
{
    struct data_random random = {.state = seed_get()};
    uint32_t counts[HUFFMAN_SYMBOLS];
    struct huffman_code code;
    uint64_t ours = 0, best = 0;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        uint64_t cost, least;

        random_counts(&random, counts);
        huffman_code_build(counts, &code);
        check_code(&code, counts);
        cost = cost_of(&code, counts);
        least = least_cost(counts, HUFFMAN_LENGTH_MAX);
        assert_true(cost >= least);
        ours += cost;
        best += least;
        /* Fewer bytes have a lower limit. */
        if (sum_of(counts) >= 8192 && (cost - least) * 200 > least)
            fail_msg("case %d: %" PRIu64 " bits, the best are %" PRIu64, i, cost, least);
    }
    assert_true((ours - best) * 2000 <= best);
    print_message("%" PRIu64 " bits, the best are %" PRIu64 "\n", ours, best);
}

static void codes_that_need_no_limit_are_huffmans(void **state)
{
    struct data_random random = {.state = seed_get()};
    uint32_t counts[HUFFMAN_SYMBOLS];
    struct huffman_code code;
    int unlimited = 0;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        uint64_t least;

        random_counts(&random, counts);
        least = least_cost(counts, 30);
        if (sum_of(counts) < 8192 || least != least_cost(counts, HUFFMAN_LENGTH_MAX))
            continue;
        huffman_code_build(counts, &code);
        assert_int_equal(cost_of(&code, counts), least);
        unlimited++;
    }
    assert_true(unlimited > CASES / 10);
}

static void fibonacci_counts_reach_the_limit_and_not_more(void **state)
{
    uint32_t counts[HUFFMAN_SYMBOLS] = {0};
    struct huffman_code code;

    (void)state;
    counts[0] = counts[1] = 1;
    for (unsigned symbol = 2; symbol < 24; symbol++)
        counts[symbol] = counts[symbol - 1] + counts[symbol - 2];
    huffman_code_build(counts, &code);
    check_code(&code, counts);
    assert_int_equal(code.length_max, HUFFMAN_LENGTH_MAX);
    assert_int_equal(cost_of(&code, counts), least_cost(counts, HUFFMAN_LENGTH_MAX));
}

static void one_heavy_symbol_among_255_light_ones_has_one_bit(void **state)
{
    uint32_t counts[HUFFMAN_SYMBOLS];
    struct huffman_code code;

    (void)state;
    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
        counts[symbol] = 1;
    counts[77] = HUFFMAN_COUNT_MAX - 255;
    huffman_code_build(counts, &code);
    check_code(&code, counts);
    assert_int_equal(code.lengths[77], 1);
}

static void the_smallest_counts_make_codes(void **state)
{
    uint32_t counts[HUFFMAN_SYMBOLS] = {0};
    struct huffman_code code;

    (void)state;
    counts[0] = counts[255] = 1;
    huffman_code_build(counts, &code);
    check_code(&code, counts);
    for (unsigned symbol = 1; symbol < 255; symbol++) {
        counts[symbol] = 1;
        huffman_code_build(counts, &code);
        check_code(&code, counts);
    }
    assert_int_equal(code.length_max, 8);
}

static void only_256_codes_of_eight_bits_have_no_description(void **state)
{
    uint8_t description[HUFFMAN_DESCRIPTION_SIZE_MAX];
    uint32_t counts[HUFFMAN_SYMBOLS];
    struct huffman_code code;

    (void)state;
    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++)
        counts[symbol] = 9;
    huffman_code_build(counts, &code);
    assert_int_equal(huffman_code_describe(&code, description), 0);
    counts[3] = 40;
    huffman_code_build(counts, &code);
    assert_in_range(huffman_code_describe(&code, description), 2, HUFFMAN_DESCRIPTION_SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_codes_are_complete_and_nearly_the_best),
        cmocka_unit_test(codes_that_need_no_limit_are_huffmans),
        cmocka_unit_test(fibonacci_counts_reach_the_limit_and_not_more),
        cmocka_unit_test(one_heavy_symbol_among_255_light_ones_has_one_bit),
        cmocka_unit_test(the_smallest_counts_make_codes),
        cmocka_unit_test(only_256_codes_of_eight_bits_have_no_description),
    };

    return cmocka_run_group_tests_name("huffman_code", tests, NULL, NULL);
}
