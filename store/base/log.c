/*
 * The log and the birth of errors. The threshold and the sink are atomics so that a message costs
 * one relaxed load where it is not wanted.
 */
#include "store/base/log.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { LOG_MESSAGE_BYTES_MAX = 2048 };

static void sink_stderr(enum tfs_log_level level, const char *message)
{
    (void)fprintf(stderr, "tensorfs: %s: %s\n", tfs_log_level_name(level), message);
}

/* Relaxed: a message may use the old value for a moment, nothing is published through them. */
static _Atomic(tfs_log_sink *) log_sink = sink_stderr;
static _Atomic(tfs_log_sink *) log_tap;
static atomic_int log_level = TFS_LOG_INFO;

void tfs_log_set_sink(tfs_log_sink *sink)
{
    atomic_store_explicit(&log_sink, sink ? sink : sink_stderr, memory_order_relaxed);
}

void tfs_log_set_tap(tfs_log_sink *tap)
{
    atomic_store_explicit(&log_tap, tap, memory_order_relaxed);
}

void tfs_log_set_level(enum tfs_log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum tfs_log_level tfs_log_get_level(void)
{
    return (enum tfs_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

const char *tfs_log_level_name(enum tfs_log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    return (size_t)level < TFS_ARRAY_COUNT(names) ? names[level] : "unknown";
}

int tfs_log_level_parse(const char *name, enum tfs_log_level *ret)
{
    for (int level = TFS_LOG_ERROR; level <= TFS_LOG_DEBUG; level++) {
        if (strcmp(name, tfs_log_level_name((enum tfs_log_level)level)) == 0) {
            *ret = (enum tfs_log_level)level;
            return 0;
        }
    }
    return -EINVAL;
}

static void TFS_PRINTF(2, 0) log_va(enum tfs_log_level level, const char *format, va_list arguments)
{
    char message[LOG_MESSAGE_BYTES_MAX];
    tfs_log_sink *sink = atomic_load_explicit(&log_sink, memory_order_relaxed);
    tfs_log_sink *tap = atomic_load_explicit(&log_tap, memory_order_relaxed);

    (void)vsnprintf(message, sizeof(message), format, arguments); /* a longer one is cut */
    sink(level, message);
    if (tap)
        tap(level, message);
}

void tfs_log(enum tfs_log_level level, const char *format, ...)
{
    va_list arguments;

    if (level > tfs_log_get_level())
        return;
    va_start(arguments, format);
    log_va(level, format, arguments);
    va_end(arguments);
}

void tfs_fail_at(int error, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    char message[LOG_MESSAGE_BYTES_MAX];

    if (tfs_log_get_level() < TFS_LOG_DEBUG)
        return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments); /* a longer one is cut */
    va_end(arguments);
    tfs_log(TFS_LOG_DEBUG, "%s:%d: %s: %s", file, line, message, tfs_error_text(error));
}

const char *tfs_error_text(int error)
{
    static _Thread_local char text[128];

    return strerror_r(-error, text, sizeof(text)); /* the GNU variant */
}
