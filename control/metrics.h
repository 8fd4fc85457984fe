/*
 * The counters as Prometheus reads them: its text exposition format, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats).
 */
#ifndef TFS_CONTROL_METRICS_H
#define TFS_CONTROL_METRICS_H

#include "control/call.h"

#define CONTROL_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Ownership: *ret is the caller's, free(). Errors: -ENOMEM. */
TFS_MUST_CHECK int control_metrics_text(struct tfs_volume *volume, const struct control_host *host,
                                        char **ret);

/* The same of counters that are there already, as control_stats() gives them; for tests. */
TFS_MUST_CHECK int control_metrics_of(const struct cJSON *stats, const struct control_host *host,
                                      char **ret);

#endif
