/*
 * What the mount lets be seen of itself: the control socket, and what it tells there that only the
 * mount knows.
 */
#ifndef TFS_FS_HOST_H
#define TFS_FS_HOST_H

#include "control/metrics_server.h"
#include "control/server.h"
#include "fs/ll.h"
#include "fs/options.h"

struct host {
    struct control_host control;            /* immutable after host_start() */
    struct control_server *server;          /* NULL: there is no socket */
    struct control_metrics_server *metrics; /* NULL: not asked for */
    const struct options *options;          /* immutable */
    struct loop *loop;                      /* immutable */
    struct tfs_volume *volume;              /* immutable */
    dev_t device;                           /* of the mount; immutable */
};

/*
 * Begin to answer; sets ll->control_address. Before the loop starts, which shall not serve requests
 * before the address is there. A mount without a socket is a mount all the same: that is a line in
 * the log. One whose metrics cannot be served is not what was asked for.
 *
 * Ownership: all is borrowed until host_stop().
 * Errors:    those of control_metrics_start(), with a message; host_stop() cleans up.
 */
struct host_parts {
    struct ll *ll;
    struct loop *loop;
    const struct options *options;
};
TFS_MUST_CHECK int host_start(struct host *host, const struct host_parts *parts,
                              struct tfs_message *message);

/* Cancels what runs and waits for it. Before the loop is freed and the volume closed. Accepts one
 * that was never started, all zero. */
void host_stop(struct host *host);

#endif
