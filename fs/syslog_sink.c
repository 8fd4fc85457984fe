#include "fs/syslog_sink.h"

#include "store/base/log.h"

#include <syslog.h>

static void sink_syslog(enum tfs_log_level level, const char *message)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

    syslog(priorities[level], "%s", message);
}

void syslog_sink_install(void)
{
    openlog("tensorfs", LOG_PID | LOG_NDELAY, LOG_DAEMON);
    tfs_log_set_sink(sink_syslog);
}
