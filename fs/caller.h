/*
 * What the kernel does not tell of the process that asks.
 */
#ifndef TFS_FS_CALLER_H
#define TFS_FS_CALLER_H

#include "store/base/defs.h"

#include <sys/types.h>

/*
 * Whether the process runs a 32-bit program. False where that cannot be told: it is gone, in
 * another pid namespace (0), or may not be looked at.
 */
bool caller_is_32bit(pid_t pid);

/* For tests: the same from the first bytes of its auxiliary vector. */
bool caller_vector_is_32bit(const uint8_t *vector, size_t size);

#endif
