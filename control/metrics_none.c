/* In place of metrics_server.c where libmicrohttpd was not found. */
#include "control/metrics_server.h"

#include <errno.h>

bool control_metrics_is_built_in(void)
{
    return false;
}

int control_metrics_start(const char *text, struct tfs_volume *volume,
                          const struct control_host *host, struct control_metrics_server **ret)
{
    (void)text;
    (void)volume;
    (void)host;
    (void)ret;
    return -EOPNOTSUPP;
}

unsigned control_metrics_port(const struct control_metrics_server *server)
{
    (void)server;
    return 0;
}

void control_metrics_stop(struct control_metrics_server *server)
{
    (void)server;
}
