/*
 * GET /metrics over HTTP, by libmicrohttpd, on an address that the option names. Nothing else is
 * answered. There is no login: whoever reaches the address reads the counters, and no names of
 * files are among them.
 */
#ifndef TFS_CONTROL_METRICS_SERVER_H
#define TFS_CONTROL_METRICS_SERVER_H

#include "control/call.h"

#include <sys/socket.h>

struct control_metrics_address {
    struct sockaddr_storage address;
    socklen_t size;
};

/*
 * "9100" and ":9100" are port 9100 of 127.0.0.1; "192.0.2.1:9100" and "[::1]:9100" say which
 * address. Names are not looked up. Port 0 is any that is free.
 *
 * Errors: -EINVAL.
 */
TFS_MUST_CHECK int control_metrics_parse(const char *text, struct control_metrics_address *ret);

/* Built with libmicrohttpd? */
bool control_metrics_is_built_in(void);

struct control_metrics_server;

/*
 * Begin to serve. `volume` and `host` are borrowed until the stop.
 *
 * Errors: -EOPNOTSUPP (not built in), -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOMEM, -EIO.
 */
TFS_MUST_CHECK int control_metrics_start(const char *text, struct tfs_volume *volume,
                                         const struct control_host *host,
                                         struct control_metrics_server **ret);

/* The port that it got. */
unsigned control_metrics_port(const struct control_metrics_server *server);

/* Waits for requests that are being answered. Accepts NULL. */
void control_metrics_stop(struct control_metrics_server *server);

#endif
