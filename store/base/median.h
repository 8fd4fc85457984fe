/*
 * The median of measurements.
 */
#ifndef TFS_BASE_MEDIAN_H
#define TFS_BASE_MEDIAN_H

#include <stddef.h>

/*
 * Sort `values`, of which there is one at least, ascending in place and return their median: the
 * one in the middle, or the mean of the two there.
 */
double tfs_median(double *values, size_t count);

#endif
