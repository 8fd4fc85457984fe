#include "store/base/median.h"

#include <assert.h>
#include <stdlib.h>

static int double_compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

double tfs_median(double *values, size_t count)
{
    assert(count > 0);
    qsort(values, count, sizeof(*values), double_compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
