/*
 * Time. Durations and deadlines are monotonic nanoseconds; file times are struct timespec on the
 * real clock.
 */
#ifndef TFS_BASE_CLOCK_H
#define TFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define TFS_NS_PER_S  1000000000ull
#define TFS_NS_PER_MS 1000000ull
#define TFS_NS_PER_US 1000ull

static inline uint64_t tfs_clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * TFS_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* For file times. */
static inline struct timespec tfs_clock_real(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    return now;
}

#endif
