/*
 * Going into the background so that an error after the fork still reaches the caller.
 *
 * The process forks before it has threads or files. The parent waits on a pipe for one record: that
 * the mount is usable, with the text to print, or the one line that says why not. It prints the one
 * on standard output and exits 0, or the other on standard error and exits 1. With -f there is no
 * fork and the same calls print directly.
 */
#ifndef TFS_FS_DAEMONIZE_H
#define TFS_FS_DAEMONIZE_H

#include "store/base/defs.h"

struct daemonize {
    int pipe;        /* the child's end; -1: foreground, or already reported */
    int exit_status; /* the parent's, valid when daemonize_start() returned 0 */
};

/*
 * Fork, unless `foreground`.
 *
 * Returns: 1 in the process that goes on, 0 in the parent, which is to exit with
 * daemonize->exit_status; the child has reported, and the parent has printed.
 * Errors:  negative errno of pipe(2) or fork(2).
 */
TFS_MUST_CHECK int daemonize_start(bool foreground, struct daemonize *daemonize);

/* The caller that is to be told has not been killed meanwhile. Always so in the foreground. */
bool daemonize_is_waited_for(const struct daemonize *daemonize);

/* "tensorfs: LINE" on standard error, while the caller still waits. */
void daemonize_tell(const char *format, ...) TFS_PRINTF(1, 2);

/* The mount is usable: `text` (lines) goes to the caller's standard output. The background process
 * lets go of the terminal. */
void daemonize_succeed(struct daemonize *daemonize, const char *text);

/* It is not: "tensorfs: `line`" goes to the caller's standard error. */
void daemonize_fail(struct daemonize *daemonize, const char *line);

#endif
