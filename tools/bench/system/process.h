/*
 * Other programs: started with their output in a file or a buffer, and waited for.
 */
#ifndef TENSORFS_BENCH_PROCESS_H
#define TENSORFS_BENCH_PROCESS_H

#include "store/base/defs.h"

#include <sys/types.h>

/*
 * Start argv[0], a path. Its output and errors are appended to `log`. It leads a session of its
 * own, so that a Ctrl-C meant for us does not reach it, and gets SIGTERM when we die.
 *
 * Errors: said: of open(2) of the log, like -EACCES; -EAGAIN and -ENOMEM of fork(2). A program that
 * cannot be executed is told by its exit status 127.
 */
TFS_MUST_CHECK int process_start(char *const argv[], const char *log, pid_t *ret);

/*
 * Wait up to timeout_s seconds for its end.
 *
 * Returns: 0 and the wait status; -ETIMEDOUT. -EINTR when `interruptible` and a signal came.
 */
TFS_MUST_CHECK int process_wait(pid_t process, double timeout_s, bool interruptible,
                                int *ret_status);

/*
 * Run argv[0], looked up in PATH, in `directory` (NULL: ours), and keep what it prints on standard
 * output.
 *
 * Ownership: text holds at most size - 1 bytes and is always terminated on success.
 * Returns:   the exit status; 127 when there is no such program.
 * Errors:    not said: -EMFILE, -EAGAIN, -ENOMEM of pipe(2) and fork(2); -EACCES: it is no program.
 */
TFS_MUST_CHECK int process_capture(char *const argv[], const char *directory, char *text,
                                   size_t size);

/*
 * Find an executable: explicit_path when given, else `name` beside this program, else at `relative`
 * from this program's folder, else in PATH.
 *
 * Errors: -ENOENT, -EACCES (what explicit_path names cannot be run), not said.
 */
TFS_MUST_CHECK int process_find(const char *explicit_path, const char *name, const char *relative,
                                char *ret_path, size_t size);

#endif
