/*
 * A few bits about inodes that decide what the kernel has to be told. They are hints: the table has
 * a fixed number of cells, inode numbers share them modulo its size, and a cell may say "yes" for
 * another inode's sake. A wrong "yes" costs a request, a wrong "no" does not happen.
 *
 *   writers   open handles that have been written to. While there is one, the inode's blocks change
 *             behind the kernel's back (write-back compresses them), so attributes go out with no
 *             time to live.
 *   mappers   open handles for reading and writing. While there is one, or a mapping of it, the
 *             kernel may have pages that were stored to and not yet written back: how many blocks
 *             the file has is not known, and attributes have no time to live either.
 *   special   the inode has setuid or setgid; a write may drop them behind the kernel's back.
 *
 * Threads: any. The bits are atomics with relaxed order: the request that sets a hint has been
 * answered before the kernel sends the one for which it matters. A writer's leaving is released and
 * acquired, see inode_hints_stamp().
 */
#ifndef TFS_FS_INODE_HINTS_H
#define TFS_FS_INODE_HINTS_H

#include "store/base/defs.h"

#include <stdatomic.h>

enum { INODE_HINTS_CELL_COUNT = 1 << 16 };

enum inode_hint { INODE_HINT_SPECIAL = 1 << 0 };

struct inode_hints {
    atomic_uint writers[INODE_HINTS_CELL_COUNT];
    atomic_uint mappers[INODE_HINTS_CELL_COUNT];
    atomic_uchar bits[INODE_HINTS_CELL_COUNT];
    atomic_ullong writers_left; /* how many have gone, ever */
};

static inline unsigned inode_hints_cell(uint64_t inode)
{
    return (unsigned)(inode % INODE_HINTS_CELL_COUNT);
}

static inline void inode_hints_writer_add(struct inode_hints *hints, uint64_t inode)
{
    atomic_fetch_add_explicit(&hints->writers[inode_hints_cell(inode)], 1, memory_order_relaxed);
}

static inline void inode_hints_writer_remove(struct inode_hints *hints, uint64_t inode)
{
    atomic_fetch_add_explicit(&hints->writers_left, 1, memory_order_relaxed);
    /* Release: who no longer sees the writer sees that one has left. */
    atomic_fetch_sub_explicit(&hints->writers[inode_hints_cell(inode)], 1, memory_order_release);
}

static inline bool inode_hints_has_writer(const struct inode_hints *hints, uint64_t inode)
{
    return atomic_load_explicit(&hints->writers[inode_hints_cell(inode)], memory_order_relaxed) > 0;
}

/*
 * To learn whether attributes were fetched while nobody wrote: take a stamp, fetch, then ask. The
 * inode need not be known before.
 */
static inline uint64_t inode_hints_stamp(const struct inode_hints *hints)
{
    return atomic_load_explicit(&hints->writers_left, memory_order_acquire);
}

static inline bool inode_hints_is_quiet(const struct inode_hints *hints, uint64_t inode,
                                        uint64_t stamp)
{
    const atomic_uint *writers = &hints->writers[inode_hints_cell(inode)];

    return atomic_load_explicit(writers, memory_order_acquire) == 0 &&
           atomic_load_explicit(&hints->writers_left, memory_order_relaxed) == stamp;
}

static inline void inode_hints_mapper_add(struct inode_hints *hints, uint64_t inode)
{
    atomic_fetch_add_explicit(&hints->mappers[inode_hints_cell(inode)], 1, memory_order_relaxed);
}

static inline void inode_hints_mapper_remove(struct inode_hints *hints, uint64_t inode)
{
    atomic_fetch_sub_explicit(&hints->mappers[inode_hints_cell(inode)], 1, memory_order_relaxed);
}

static inline bool inode_hints_has_mapper(const struct inode_hints *hints, uint64_t inode)
{
    return atomic_load_explicit(&hints->mappers[inode_hints_cell(inode)], memory_order_relaxed) > 0;
}

static inline bool inode_hints_has(const struct inode_hints *hints, uint64_t inode,
                                   enum inode_hint hint)
{
    unsigned bits =
        atomic_load_explicit(&hints->bits[inode_hints_cell(inode)], memory_order_relaxed);

    return (bits & hint) != 0;
}

static inline void inode_hints_set(struct inode_hints *hints, uint64_t inode, enum inode_hint hint)
{
    if (!inode_hints_has(hints, inode, hint)) /* no store into a line that others read */
        atomic_fetch_or_explicit(&hints->bits[inode_hints_cell(inode)], (unsigned char)hint,
                                 memory_order_relaxed);
}

#endif
