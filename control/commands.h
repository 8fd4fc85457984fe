/*
 * The commands, for the table in commands.c. What each takes and answers is in docs/CONTROL.md;
 * how a command is called, in call.h.
 */
#ifndef TFS_CONTROL_COMMANDS_H
#define TFS_CONTROL_COMMANDS_H

#include "control/call.h"

int control_run_status(struct control_call *call);

#endif
