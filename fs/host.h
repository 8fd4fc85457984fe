/*
 * What the mount lets be seen of itself: the control socket, and what it tells there that only the
 * mount knows.
 */
#ifndef TFS_FS_HOST_H
#define TFS_FS_HOST_H

#include "control/server.h"
#include "fs/ll.h"
#include "fs/options.h"

struct host {
    struct control_host control;   /* immutable after host_start() */
    struct control_server *server; /* NULL: there is no socket */
    const struct options *options; /* immutable */
    const struct ll *ll;           /* immutable */
};

/*
 * Begin to answer; sets ll->control_address. Before the loop starts, which shall not serve requests
 * before the address is there; ll->loop has to be. A mount without a socket is a mount all the
 * same: that is a line in the log.
 */
void host_start(struct host *host, struct ll *ll, const struct options *options);

/* Cancels what runs and waits for it. Before the loop is freed and the volume closed. Accepts one
 * that was never started, all zero. */
void host_stop(struct host *host);

#endif
