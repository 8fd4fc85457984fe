/*
 * The asking end of a mount's socket.
 */
#ifndef TFS_CONTROL_CLIENT_H
#define TFS_CONTROL_CLIENT_H

#include "control/call.h"

struct control_client;

/*
 * Connect to an address as control_address_connect() takes it; the other end has to be root or us,
 * unless we are root.
 *
 * Errors: as there, -EPERM (somebody else listens), -ENOMEM.
 */
TFS_MUST_CHECK int control_client_open(const char *address, struct control_client **ret);

/* Accepts NULL. What still runs at the other end is cancelled. */
void control_client_close(struct control_client *client);

/*
 * Ask, pass items and progress to the sink, wait for the result however long it takes.
 *
 * Ownership: *ret_result is freed with cJSON_Delete().
 * Errors:    what the command answered; *message then has its sentence, if there is one.
 *            -ECANCELED: the sink says so. -EPROTO, -EPIPE: the mount answers nonsense, or has
 * gone.
 */
TFS_MUST_CHECK int control_client_call(struct control_client *client, const struct cJSON *request,
                                       const struct control_sink *sink, struct cJSON **ret_result,
                                       struct tfs_message *message);

#endif
