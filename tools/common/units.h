/*
 * Quantities as people write and read them. Sizes are binary (K = 1024); rates are decimal (1 GB/s
 * = 1e9 bytes a second), as disks and LIMITS of others are given.
 */
#ifndef TFS_TOOLS_UNITS_H
#define TFS_TOOLS_UNITS_H

#include "store/base/defs.h"

/* Returned by value, so that a call can stand among the arguments of printf. */
struct units_text {
    char text[32];
};

/* "512.0 MiB", "256 B" */
struct units_text units_bytes(uint64_t bytes);
/* "1.23 GB/s" */
struct units_text units_rate(double bytes_per_second);
/* "1.23 s", "45.6 ms", "7.8 us", "2 min 05 s" */
struct units_text units_seconds(double seconds);

/*
 * Parse a size with the units of store/base/size.h and perhaps a fraction: "512M", "1.5G", "4096".
 *
 * Errors: -EINVAL (no such number), -ERANGE (more than 2^63 bytes).
 */
TFS_MUST_CHECK int units_parse_size(const char *text, uint64_t *ret);

/* Parse a whole decimal number. Errors: -EINVAL, -ERANGE (more than 64 bits). */
TFS_MUST_CHECK int units_parse_count(const char *text, uint64_t *ret);

#endif
