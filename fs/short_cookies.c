#include "fs/short_cookies.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_PLAIN = 3, TABLE_COUNT_MAX = 1 << 20, SHORT_MAX = INT32_MAX };
enum { PLAIN_MAX = SHORT_MAX - TABLE_COUNT_MAX };
enum { COOKIE_DOT_DOT = 2 }; /* cookies up to here are as short as can be */

/* The lowest cookie with these upper bits. */
static uint64_t start_of(uint32_t plain)
{
    return plain == FIRST_PLAIN ? COOKIE_DOT_DOT : (uint64_t)plain << 32;
}

static uint32_t plain_of(uint64_t cookie)
{
    return (uint32_t)tfs_min_u64(tfs_max_u64(cookie >> 32, FIRST_PLAIN), PLAIN_MAX);
}

static int grow(struct short_cookies *cookies)
{
    size_t capacity = tfs_max_u64(16, cookies->capacity * 2);
    uint64_t *exact;

    if (cookies->count == TABLE_COUNT_MAX)
        return tfs_fail(-EOVERFLOW, "directory with %d cookies of one place", TABLE_COUNT_MAX);
    if (cookies->count < cookies->capacity)
        return 0;
    exact = realloc(cookies->exact, capacity * sizeof(*exact));
    if (!exact)
        return -ENOMEM;
    cookies->exact = exact;
    cookies->capacity = capacity;
    return 0;
}

void short_cookies_release(struct short_cookies *cookies)
{
    free(cookies->exact);
    *cookies = (struct short_cookies){.exact = NULL};
}

int short_cookies_give(struct short_cookies *cookies, uint64_t place, uint64_t cookie,
                       uint32_t *ret)
{
    uint32_t plain = plain_of(cookie);
    size_t index = 0;
    int err;

    if (cookie <= COOKIE_DOT_DOT || place < start_of(plain)) {
        *ret = cookie <= COOKIE_DOT_DOT ? (uint32_t)cookie : plain;
        return 0;
    }
    while (index < cookies->count && cookies->exact[index] != cookie)
        index++; /* there are few: pairs among billions of places */
    err = index == cookies->count ? grow(cookies) : 0;
    if (err)
        return err;
    if (index == cookies->count)
        cookies->exact[cookies->count++] = cookie;
    *ret = (uint32_t)(PLAIN_MAX + 1 + index);
    return 0;
}

uint64_t short_cookies_take(const struct short_cookies *cookies, uint64_t given)
{
    if (given < FIRST_PLAIN)
        return given;
    if (given <= PLAIN_MAX)
        return start_of((uint32_t)given);
    if (given - PLAIN_MAX - 1 < cookies->count)
        return cookies->exact[given - PLAIN_MAX - 1];
    return INT64_MAX;
}
