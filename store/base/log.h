/*
 * Logging: one process-wide sink and threshold.
 *
 *   error  a person must act      warn   we went on
 *   info   start, stop, mount     debug  the rest
 *
 * A message says what failed, which object and the values; lower case, no full stop, names in
 * single quotes.
 */
#ifndef TFS_BASE_LOG_H
#define TFS_BASE_LOG_H

#include "store/base/defs.h"

enum tfs_log_level { TFS_LOG_ERROR, TFS_LOG_WARN, TFS_LOG_INFO, TFS_LOG_DEBUG };

/* Receives one message without a newline. Called from any thread, with no lock of the log held. */
typedef void tfs_log_sink(enum tfs_log_level level, const char *message);

/*
 * Set where messages go; NULL restores the default, which is standard error.
 *
 * Threads: call it before others start, or accept that a message in flight uses the old sink.
 */
void tfs_log_set_sink(tfs_log_sink *sink);

/* A second sink that gets every message beside the first, for who keeps the newest lines; NULL:
 * none. Threads: as above. */
void tfs_log_set_tap(tfs_log_sink *tap);

/* Messages above this level are dropped. Default: TFS_LOG_INFO. Threads: any. */
void tfs_log_set_level(enum tfs_log_level level);
enum tfs_log_level tfs_log_get_level(void);

const char *tfs_log_level_name(enum tfs_log_level level);

/* Returns: 0, or -EINVAL when `name` is not error, warn, info or debug. */
TFS_MUST_CHECK int tfs_log_level_parse(const char *name, enum tfs_log_level *ret);

void tfs_log(enum tfs_log_level level, const char *format, ...) TFS_PRINTF(2, 3);

#define tfs_error(...) tfs_log(TFS_LOG_ERROR, __VA_ARGS__)
#define tfs_warn(...)  tfs_log(TFS_LOG_WARN, __VA_ARGS__)
#define tfs_info(...)  tfs_log(TFS_LOG_INFO, __VA_ARGS__)
#define tfs_debug(...) tfs_log(TFS_LOG_DEBUG, __VA_ARGS__)

#endif
