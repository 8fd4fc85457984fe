/*
 * libmicrohttpd has one thread of its own, which answers everybody in turn; connections, their
 * memory and their time are limited, so that whoever holds one open keeps nobody out for long.
 */
#include "control/metrics_server.h"

#include "control/metrics.h"
#include "store/base/error.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 16,
    CONNECTION_MEMORY = 32 * 1024, /* for the request's lines */
    CONNECTION_SECONDS = 5,
};

struct control_metrics_server {
    struct MHD_Daemon *daemon;
    struct tfs_volume *volume;
    const struct control_host *host;
    int fd;
};

bool control_metrics_is_built_in(void)
{
    return true;
}

/* `text` is malloc'ed and given, or static. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, char *text,
                              enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, mode);
    enum MHD_Result result;

    if (!response) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(text);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  status == MHD_HTTP_OK ? CONTROL_METRICS_TYPE : "text/plain");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd says what it is called with */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    static char no_such_page[] = "There is /metrics and nothing else.\n";
    static char no_such_method[] = "Only GET.\n";
    static char no_memory[] = "Out of memory.\n";
    static int is_seen;
    const struct control_metrics_server *server = context;
    char *text;

    (void)version;
    (void)data;
    if (*data_size > 0) { /* a body, which nobody reads */
        *data_size = 0;
        return MHD_YES;
    }
    if (!*state) { /* the lines are here, a body may follow */
        *state = &is_seen;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, no_such_method,
                      MHD_RESPMEM_PERSISTENT);
    if (strcmp(url, "/metrics") != 0)
        return answer(connection, MHD_HTTP_NOT_FOUND, no_such_page, MHD_RESPMEM_PERSISTENT);
    if (control_metrics_text(server->volume, server->host, &text) < 0)
        return answer(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, no_memory,
                      MHD_RESPMEM_PERSISTENT);
    return answer(connection, MHD_HTTP_OK, text, MHD_RESPMEM_MUST_FREE);
}

/* Our own socket, so that what is wrong with the address has an errno. */
static int listen_at(const struct control_metrics_address *address)
{
    const int one = 1;
    int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* a mount after a mount */
    if (bind(fd, (const struct sockaddr *)&address->address, address->size) == 0 &&
        listen(fd, CONNECTIONS_MAX) == 0)
        return fd;
    err = -errno;
    (void)close(fd);
    return err;
}

/* Its thread must not get the signals that are for the main one. */
static struct MHD_Daemon *start_daemon(struct control_metrics_server *server)
{
    struct MHD_Daemon *daemon;
    sigset_t blocked;
    sigset_t before;

    (void)sigfillset(&blocked);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL, on_request,
        server, MHD_OPTION_LISTEN_SOCKET, server->fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

int control_metrics_start(const char *text, struct tfs_volume *volume,
                          const struct control_host *host, struct control_metrics_server **ret)
{
    struct control_metrics_server *server;
    struct control_metrics_address address;
    int err = control_metrics_parse(text, &address);
    int fd = err ? err : listen_at(&address);

    if (fd < 0)
        return fd;
    server = calloc(1, sizeof(*server));
    if (server) {
        *server = (struct control_metrics_server){.volume = volume, .host = host, .fd = fd};
        server->daemon = start_daemon(server);
    }
    if (!server || !server->daemon) {
        free(server);
        (void)close(fd);
        return tfs_fail(-ENOMEM, "metrics at '%s'", text);
    }
    *ret = server;
    return 0;
}

unsigned control_metrics_port(const struct control_metrics_server *server)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address = {.in6 = {.sin6_port = 0}};
    socklen_t size = sizeof(address);

    if (getsockname(server->fd, &address.any, &size) < 0)
        return 0;
    return ntohs(address.in.sin_port); /* at the same place in both */
}

void control_metrics_stop(struct control_metrics_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon); /* closes the socket */
    free(server);
}
