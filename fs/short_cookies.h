/*
 * Cookies of 31 bits for one open directory, of a caller that has no room for those of 63.
 *
 * A 32-bit program without large-file support is refused the whole entry by its C library when a
 * cookie has more bits than its off_t (EOVERFLOW). Cookies are places in the order of hashes, so
 * their upper bits name a place as well, as long as no entry that was given before lies between it
 * and the exact one. Where one does (two hashes with the same upper bits, and the end of the
 * directory) the exact cookie is kept in a table, whose index is given. So an entry comes exactly
 * once here, too; the numbers mean nothing to another handle.
 *
 *     0, 1, 2              the start, behind ".", behind ".."
 *     3 .. PLAIN_MAX       the upper bits of a cookie
 *     PLAIN_MAX + 1 ..     a place in the table
 */
#ifndef TFS_FS_SHORT_COOKIES_H
#define TFS_FS_SHORT_COOKIES_H

#include "store/base/defs.h"

/* All zero: empty. Threads: one at a time, as the kernel reads a handle. */
struct short_cookies {
    uint64_t *exact;
    size_t count;
    size_t capacity;
};

void short_cookies_release(struct short_cookies *cookies);

/*
 * The short form of `cookie`, which goes behind the entry at `place`: both as in struct
 * tfs_directory_entry.
 *
 * Errors: -ENOMEM; -EOVERFLOW: the table has a million places and is full.
 */
TFS_MUST_CHECK int short_cookies_give(struct short_cookies *cookies, uint64_t place,
                                      uint64_t cookie, uint32_t *ret);

/* The cookie to go on at. One that was never given is the end of the directory. */
uint64_t short_cookies_take(const struct short_cookies *cookies, uint64_t given);

#endif
