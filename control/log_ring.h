/*
 * The newest lines of the log in memory, for reports of problems: where the log itself goes
 * (syslog, a terminal) may be out of reach by then.
 */
#ifndef TFS_CONTROL_LOG_RING_H
#define TFS_CONTROL_LOG_RING_H

#include "store/base/log.h"

enum { LOG_RING_LINES = 256, LOG_RING_TEXT_SIZE = 240 };

struct log_ring_line {
    int64_t time; /* seconds since 1970 */
    enum tfs_log_level level;
    char text[LOG_RING_TEXT_SIZE]; /* a longer one is cut */
};

/* Keep what is logged from now on, beside where it goes. Once. */
void log_ring_install(void);

/*
 * Calls `visit` for each line, oldest first, on a copy. Without `names`, all from the first single
 * quote of a line to its last is left out: names of files are in quotes, and may hold some.
 *
 * Errors: -ENOMEM, those of `visit`, which end the walk.
 */
TFS_MUST_CHECK int log_ring_visit(bool names,
                                  int (*visit)(void *context, const struct log_ring_line *line),
                                  void *context);

#endif
