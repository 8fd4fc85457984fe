/* The log of a mount in the background: syslog(3), facility daemon. */
#ifndef TFS_FS_SYSLOG_SINK_H
#define TFS_FS_SYSLOG_SINK_H

/* From here on messages go to syslog. Threads: before others start. */
void syslog_sink_install(void);

#endif
