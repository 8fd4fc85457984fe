/*
 * The counters of a mount as people read them.
 */
#ifndef TFS_CTL_STATS_H
#define TFS_CTL_STATS_H

#include "store/base/defs.h"

struct cJSON;

enum { STATS_LINES_PER_HEADING = 20 };

/* All since the mount. */
void stats_print(const struct cJSON *stats);

/* What happened between two samples, one line; and what its columns are. */
void stats_print_heading(void);
void stats_print_difference(const struct cJSON *before, const struct cJSON *now);

/*
 * The time below which a share of what a histogram counted lies, in nanoseconds: the limit of the
 * bucket that holds it. `before` is taken off; NULL: nothing. 0 when nothing was counted.
 */
double stats_quantile_ns(const struct cJSON *before, const struct cJSON *now, double share);

#endif
