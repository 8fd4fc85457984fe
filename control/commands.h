/*
 * The commands, for the table in commands.c. What each takes and answers is in docs/CONTROL.md;
 * how a command is called, in call.h.
 */
#ifndef TFS_CONTROL_COMMANDS_H
#define TFS_CONTROL_COMMANDS_H

#include "control/call.h"

int control_run_status(struct control_call *call);
int control_run_stats(struct control_call *call);
int control_run_metrics(struct control_call *call);
int control_run_info(struct control_call *call);
int control_run_du(struct control_call *call);
int control_run_sync(struct control_call *call);
int control_run_loglevel(struct control_call *call);
int control_run_noatime(struct control_call *call);
int control_run_layout(struct control_call *call);
int control_run_log(struct control_call *call);
int control_run_scrub(struct control_call *call);
int control_run_gc(struct control_call *call);

/* All counters of the volume and the mount as one object. cJSON_Delete(); NULL: no memory. */
struct cJSON *control_stats(struct tfs_volume *volume, const struct control_host *host);

#endif
