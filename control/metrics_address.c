#include "control/metrics_server.h"
#include "store/base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_SIZE_MAX = 64 };

static int parse_port(const char *text, in_port_t *ret)
{
    size_t size = strspn(text, "0123456789");
    unsigned long port;

    if (size == 0 || size > 5 || text[size])
        return -EINVAL;
    port = strtoul(text, NULL, 10);
    if (port > 65535)
        return -EINVAL;
    *ret = htons((uint16_t)port);
    return 0;
}

static int fill(const char *host, bool is_v6, in_port_t port, struct control_metrics_address *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&ret->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&ret->address;

    *ret = (struct control_metrics_address){.size = is_v6 ? sizeof(*v6) : sizeof(*v4)};
    if (is_v6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

int control_metrics_parse(const char *text, struct control_metrics_address *ret)
{
    const char *colon = strrchr(text, ':');
    const char *port_text = colon ? colon + 1 : text;
    size_t size = colon ? (size_t)(colon - text) : 0;
    bool is_v6 = size > 2 && text[0] == '[' && text[size - 1] == ']';
    struct control_metrics_address parsed;
    char host[HOST_SIZE_MAX] = "127.0.0.1";
    in_port_t port;
    int err = parse_port(port_text, &port);

    if (size >= sizeof(host))
        err = -EINVAL;
    if (!err && size > 0) {
        memcpy(host, is_v6 ? text + 1 : text, is_v6 ? size - 2 : size);
        host[is_v6 ? size - 2 : size] = '\0';
    }
    if (!err)
        err = fill(host, is_v6, port, &parsed);
    if (err)
        return tfs_fail(err, "'%s' is no address for metrics", text);
    *ret = parsed;
    return 0;
}
