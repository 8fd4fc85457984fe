/*
 * Ctrl-C and its relatives. The handler only sets a flag; every loop of the tool asks for it and
 * returns -EINTR, so that mounts and files are cleaned up by the same code as at a normal end.
 */
#ifndef TFS_TOOLS_INTERRUPT_H
#define TFS_TOOLS_INTERRUPT_H

#include "store/base/defs.h"

/* Catch SIGINT, SIGTERM and SIGHUP, ignore SIGPIPE. Threads: call it before others start. */
void interrupt_install(void);

bool interrupt_is_pending(void);

/* The signal that came first, 0 when none did. */
int interrupt_signal(void);

#endif
