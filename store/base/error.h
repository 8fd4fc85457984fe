/*
 * Errors are negative errno values. Their meanings inside the store:
 *
 *   -EUCLEAN    the store contradicts itself or its format (corruption that is not a checksum's)
 *   -EBADMSG    a checksum does not match
 *   -EIO        the layer below failed
 *   -ENOSPC     no room, on the disk or in a limit of ours
 *   -EOVERFLOW  arithmetic on sizes would overflow
 *   -EINVAL     the caller's argument
 *
 * Other values keep their POSIX meaning (-ENOENT, -EEXIST, ...). An error is named where it is born
 * (tfs_fail) and returned unchanged from there on.
 */
#ifndef TFS_BASE_ERROR_H
#define TFS_BASE_ERROR_H

#include "store/base/defs.h"

/*
 * Log where and why an error was born, at level debug, and return it.
 *
 *     return tfs_fail(-EUCLEAN, "frame of %u bytes, limit %u", size, limit);
 *
 * Threads: any. Takes no lock of ours.
 */
#define tfs_fail(error, ...)                                                                       \
    __extension__({                                                                                \
        const int error_ = (error); /* so that compilers and analyzers see what is returned */     \
        tfs_fail_at(error_, __FILE__, __LINE__, __VA_ARGS__);                                      \
        error_;                                                                                    \
    })

void tfs_fail_at(int error, const char *file, int line, const char *format, ...) TFS_PRINTF(4, 5);

/* The text of a negative errno, thread-safe; the string is static or thread-local. */
const char *tfs_error_text(int error);

#endif
