/*
 * Goal: a listing by short cookies gives each entry exactly once, however it is cut into pieces and
 * however many hashes have the same upper bits; and 32-bit programs are told from others.
 * Method: a directory of sorted hashes as in store/names/ns_readdir.c, read as the kernel does it;
 * and the auxiliary vectors of programs.
 */
#include "fs/caller.h"
#include "fs/short_cookies.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { COUNT = 2000 };

static uint64_t hashes[COUNT]; /* sorted */
static bool is_there[COUNT];
static unsigned seen[COUNT];
static uint64_t state_of_random = 42;

static uint64_t next_random(void)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Upper bits of which there are so many; some at both ends. */
static void fill(uint64_t uppers)
{
    for (int i = 0; i < COUNT; i++) {
        uint64_t upper = next_random() % uppers;

        if (i % 16 == 0)
            upper = INT32_MAX - upper % 4;
        hashes[i] = upper << 32 | (next_random() & 0xfffffff0) | (unsigned)i % 16;
        hashes[i] = tfs_max_u64(16, hashes[i]);
        is_there[i] = true;
    }
    qsort(hashes, COUNT, sizeof(hashes[0]), compare);
    memset(seen, 0, sizeof(seen));
}

static size_t first_from(uint64_t cookie)
{
    size_t i = 0;

    while (i < COUNT && (!is_there[i] || hashes[i] < cookie))
        i++;
    return i;
}

/* Reads up to `count` entries from *cookie on, and moves it. Returns: how many there were. */
static unsigned read_some(struct short_cookies *cookies, uint32_t *cookie, unsigned count)
{
    uint64_t from = short_cookies_take(cookies, *cookie);
    unsigned done = 0;

    for (size_t i = first_from(from); i < COUNT && done < count; done++) {
        size_t next = first_from(hashes[i] + 1);

        seen[i]++;
        assert_int_equal(short_cookies_give(cookies, hashes[i],
                                            next < COUNT ? hashes[next] : hashes[i] + 1, cookie),
                         0);
        assert_true(*cookie > 2 && *cookie <= INT32_MAX);
        i = next;
    }
    return done;
}

static void each_entry_comes_once_in_pieces_of_any_size(void **state)
{
    static const uint64_t uppers[] = {1, 3, 100, 100000, INT32_MAX};

    (void)state;
    for (size_t u = 0; u < TFS_ARRAY_COUNT(uppers); u++) {
        for (unsigned piece = 1; piece < 3000; piece = piece * 3 + 1) {
            struct short_cookies cookies = {.exact = NULL};
            uint32_t cookie = 2;

            fill(uppers[u]);
            while (read_some(&cookies, &cookie, piece) > 0)
                ;
            for (int i = 0; i < COUNT; i++)
                assert_int_equal(seen[i], 1);
            short_cookies_release(&cookies);
        }
    }
}

/* As rm -r does it: what was read goes before the next piece is. */
static void what_stays_comes_once_while_what_was_read_goes(void **state)
{
    struct short_cookies cookies = {.exact = NULL};
    uint32_t cookie = 2;

    (void)state;
    fill(3);
    while (read_some(&cookies, &cookie, 7) > 0) {
        for (int i = 0; i < COUNT; i++)
            is_there[i] = is_there[i] && (!seen[i] || i % 3 == 0);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    short_cookies_release(&cookies);
}

/* telldir(3) and seekdir(3): every cookie that was given leads on where it was given. */
static void every_cookie_leads_back(void **state)
{
    static uint32_t given[COUNT + 1];
    struct short_cookies cookies = {.exact = NULL};
    size_t count = 0;

    (void)state;
    fill(50);
    given[0] = 2;
    do
        given[count + 1] = given[count];
    while (read_some(&cookies, &given[count + 1], 1) > 0 && ++count < COUNT);
    assert_int_equal(count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t cookie = given[i];

        memset(seen, 0, sizeof(seen));
        assert_int_equal(read_some(&cookies, &cookie, 1), 1);
        assert_int_equal(seen[i], 1);
        assert_int_equal(cookie, given[i + 1]); /* and the table does not grow for it */
    }
    short_cookies_release(&cookies);
}

static void dots_and_what_was_never_given(void **state)
{
    struct short_cookies cookies = {.exact = NULL};
    uint32_t cookie = 9;

    (void)state;
    for (uint64_t dot = 0; dot <= 2; dot++) {
        assert_int_equal(short_cookies_give(&cookies, 0, dot, &cookie), 0);
        assert_int_equal(cookie, dot);
        assert_int_equal(short_cookies_take(&cookies, dot), dot);
    }
    assert_int_equal(short_cookies_take(&cookies, INT32_MAX), INT64_MAX);
    assert_int_equal(short_cookies_take(&cookies, UINT64_MAX), INT64_MAX);
    assert_int_equal(short_cookies_take(&cookies, 3), 2);
}

static void a_full_table_is_an_error(void **state)
{
    struct short_cookies cookies = {.exact = NULL};
    uint32_t cookie = 9;

    (void)state;
    assert_int_equal(short_cookies_give(&cookies, 16, 17, &cookie), 0);
    cookies.count = 1 << 20; /* none of them is looked at: they are all zero */
    cookies.exact = realloc(cookies.exact, sizeof(uint64_t) << 20);
    assert_non_null(cookies.exact);
    memset(cookies.exact, 0, sizeof(uint64_t) << 20);
    cookie = 9;
    assert_int_equal(short_cookies_give(&cookies, 17, 18, &cookie), -EOVERFLOW);
    assert_int_equal(cookie, 9);
    short_cookies_release(&cookies);
}

static void programs_are_told_by_their_vector(void **state)
{
    static const uint32_t of_64[] = {33, 0, 0x12345000, 0x7ffc};
    static const uint32_t of_32[] = {32, 0xf7fc1570, 33, 0xf7fc1000};
    static const uint32_t without_vdso[] = {16, 0xbfebfbff, 6, 4096};

    (void)state;
    assert_false(caller_vector_is_32bit((const uint8_t *)of_64, sizeof(of_64)));
    assert_true(caller_vector_is_32bit((const uint8_t *)of_32, sizeof(of_32)));
    assert_true(caller_vector_is_32bit((const uint8_t *)without_vdso, sizeof(without_vdso)));
    assert_false(caller_vector_is_32bit((const uint8_t *)of_32, 7));
    assert_false(caller_is_32bit(getpid()));
    assert_false(caller_is_32bit(0));
    assert_false(caller_is_32bit(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_entry_comes_once_in_pieces_of_any_size),
        cmocka_unit_test(what_stays_comes_once_while_what_was_read_goes),
        cmocka_unit_test(every_cookie_leads_back),
        cmocka_unit_test(dots_and_what_was_never_given),
        cmocka_unit_test(a_full_table_is_an_error),
        cmocka_unit_test(programs_are_told_by_their_vector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
