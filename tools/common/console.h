/*
 * What the tool says besides its results: errors, notes and the progress bar, all on standard
 * error, so that results can be piped. On a terminal the bar is redrawn five times a second, with
 * rate and time left; elsewhere each stage is one plain line; with --quiet there are only errors.
 *
 * There is one bar at a time.
 */
#ifndef TFS_TOOLS_CONSOLE_H
#define TFS_TOOLS_CONSOLE_H

#include "store/base/defs.h"

#include <errno.h>

enum console_unit { CONSOLE_BYTES, CONSOLE_OPERATIONS };

/* Threads: call it before others start. */
void console_init(bool quiet);

/*
 * Say what went wrong ("<program>: <message>: <text of error>") and give `error`. For the
 * place where an error is born; -EINTR says nothing, because the command's end says it once.
 * -EINVAL of a system call is given as -EIO, because -EINVAL is what the user typed
 * (console_reject). A macro, so that static analysis sees the value.
 */
#define console_fail(error, ...)                                                                   \
    __extension__({                                                                                \
        int console_error_ = (error);                                                              \
        console_complain(console_error_, __VA_ARGS__);                                             \
        console_error_ == -EINVAL ? -EIO : console_error_;                                         \
    })

/* The same for what the user typed, without an errno's text. Gives -EINVAL. */
#define console_reject(...) (console_complain(0, __VA_ARGS__), -EINVAL)

/* error 0: without its text. */
void console_complain(int error, const char *format, ...) TFS_PRINTF(2, 3);

/* A line for people. Not shown with --quiet. */
void console_note(const char *format, ...) TFS_PRINTF(1, 2);

/* Start a bar over `total` units. On a terminal this starts a thread that draws. */
void console_begin(enum console_unit unit, uint64_t total);

/* Name the stage that starts now: the text of the bar, or a line where there is no bar. */
void console_stage(const char *format, ...) TFS_PRINTF(1, 2);

/* Threads: any; one relaxed atomic addition. */
void console_advance(uint64_t count);

/* Take the bar away. Does nothing when there is none. */
void console_end(void);

#endif
