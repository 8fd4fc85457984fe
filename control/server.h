/*
 * The answering end: a mount's socket.
 *
 * One thread waits for connections; each has a thread of its own while it lasts, so that a scrub of
 * hours and a question of microseconds do not wait for each other. None of them is a thread that
 * serves the filesystem, and none holds a lock while it waits for the one who asks.
 *
 * Only root and the user of this process are answered.
 */
#ifndef TFS_CONTROL_SERVER_H
#define TFS_CONTROL_SERVER_H

#include "control/address.h"
#include "control/call.h"

enum {
    CONTROL_CONNECTIONS_MAX = 8, /* at a time; others are told that it is busy */
    CONTROL_TIMEOUT_MS = 10000,  /* for a request to come whole, or for an answer to be taken */
};

struct control_server;

struct control_server_options {
    struct tfs_volume *volume;
    const struct control_host *host; /* borrowed until the end */
    bool abstract;                   /* the store's directory is not to be written to */
    int timeout_ms;                  /* 0: CONTROL_TIMEOUT_MS */
};

/*
 * Listen at the store's socket and at an abstract address, or, with `abstract` or where the store
 * cannot have one, at the latter only. Starts the thread.
 *
 * Errors: -EADDRINUSE, -EAGAIN (threads), -ENOMEM, ...; nothing is left behind then.
 */
TFS_MUST_CHECK int control_server_start(const struct control_server_options *options,
                                        struct control_server **ret);

/* Where it listens: control_address_connect() takes it. Immutable. */
const char *control_server_address(const struct control_server *server);

/* Where it also listens, for who does not see the store's directory; NULL: nowhere. Immutable. */
const char *control_server_second_address(const struct control_server *server);

/*
 * No more connections; what runs is cancelled and waited for; the socket file goes. Accepts NULL.
 * Before the volume closes.
 */
void control_server_stop(struct control_server *server);

#endif
