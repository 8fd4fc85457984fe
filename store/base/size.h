/*
 * Sizes as people write them: a number, then K, M, G or T for powers of 1024, in either case, then
 * B or iB, which say nothing: "4096", "64k", "2MiB".
 */
#ifndef TFS_BASE_SIZE_H
#define TFS_BASE_SIZE_H

#include "store/base/defs.h"

/* The bytes that one unit is of what stands behind a number: 1 of "", 1024 of "K". 0: no unit. */
uint64_t tfs_size_unit(const char *text);

/*
 * Parse a whole number with a unit; no sign, no blanks.
 *
 * Errors: -EINVAL, -EOVERFLOW.
 */
TFS_MUST_CHECK int tfs_parse_size(const char *text, uint64_t *ret);

#endif
