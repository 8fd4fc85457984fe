/*
 *   accepting thread:   poll -> accept -> who is it? -> a free place -> thread
 *   connection thread:  line -> parse -> command -> items, progress, result -> next line
 *
 * A connection's place belongs to the accepting thread while it is FREE or DONE, and to its own
 * thread while it is BUSY. The descriptor is closed by whoever takes the place back, after the
 * thread was joined, so that the stop can shut down every socket without a lock.
 */
#include "control/server.h"

#include "control/json.h"
#include "control/wire.h"
#include "store/base/error.h"
#include "store/base/log.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum connection_state { CONNECTION_FREE, CONNECTION_BUSY, CONNECTION_DONE };

struct connection {
    struct control_server *server; /* immutable */
    struct control_wire wire;      /* its thread's while BUSY, but for the descriptor's number */
    pthread_t thread;              /* the accepting thread's */
    _Atomic int state; /* enum connection_state; DONE with release: the owner sees all it did */
};

struct control_server {
    struct control_server_options options; /* immutable */
    struct control_address address;        /* immutable */
    struct control_address second;         /* immutable; for who cannot see the store; "": none */
    int listen_fd;                         /* immutable */
    int second_fd;                         /* immutable; -1: none */
    int stop_fd;                           /* immutable; readable when it is to end */
    pthread_t thread;                      /* immutable after the start */
    _Atomic bool is_stopping;              /* relaxed: a hint, stop_fd and shutdown(2) wake */
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

/* ---- one request ---- */

static int emit(void *context, const char *kind, struct cJSON *value)
{
    struct connection *connection = context;
    int err = control_wire_send(&connection->wire, kind, value);

    return err && err != -ENOMEM ? -ECANCELED : err; /* whoever asked does not take the answer */
}

static bool is_cancelled(void *context)
{
    struct connection *connection = context;

    return atomic_load_explicit(&connection->server->is_stopping, memory_order_relaxed) ||
           control_wire_is_closed(&connection->wire);
}

/* {"error": {"errno": 2, "name": "ENOENT", "message": "..."}} */
static int send_error(struct control_wire *wire, int error, const char *text)
{
    cJSON *value = cJSON_CreateObject();
    const char *name = strerrorname_np(-error);

    control_add_number(value, "errno", (uint64_t)-error);
    (void)cJSON_AddStringToObject(value, "name", name ? name : "?");
    (void)cJSON_AddStringToObject(value, "message", text[0] ? text : tfs_error_text(error));
    return control_wire_send(wire, "error", value);
}

static int run_command(struct control_call *call, const char *name)
{
    const struct control_command *command = control_command_find(name);

    if (!call->result)
        return -ENOMEM;
    if (!command)
        return control_fail(call, -EOPNOTSUPP, "there is no command '%s'", name);
    return command->run(call);
}

static int run(struct connection *connection, const cJSON *request, const char *name)
{
    const struct control_server_options *options = &connection->server->options;
    const struct control_sink sink = {emit, is_cancelled, connection};
    struct control_call call = {
        .volume = options->volume,
        .store = options->host->store,
        .host = options->host,
        .request = request,
        .sink = &sink,
        .result = cJSON_CreateObject(),
    };
    int err = run_command(&call, name);

    if (!err)
        return control_wire_send(&connection->wire, "result", call.result);
    cJSON_Delete(call.result);
    return send_error(&connection->wire, err, call.message.text);
}

/* Returns 0 when the connection can go on. A line that is no request ends it, after the answer:
 * what follows may be anything. */
static int serve_line(struct connection *connection, const char *line, size_t size)
{
    const char *name;
    cJSON *request;
    int err = control_request_parse(line, size, &request, &name);

    if (err) {
        /* It ends in any case. */
        (void)send_error(&connection->wire, err, control_request_error_text(err));
        return err;
    }
    err = run(connection, request, name);
    cJSON_Delete(request);
    return err;
}

static void *connection_main(void *context)
{
    struct connection *connection = context;
    char *line;
    size_t size;
    int err;

    do {
        err = control_wire_receive(&connection->wire, &line, &size);
        if (err == -EINTR)
            continue;
        if (err == -EMSGSIZE || err == -ETIMEDOUT) /* it ends in any case */
            (void)send_error(&connection->wire, err, control_request_error_text(err));
        if (err <= 0)
            break;
        err = serve_line(connection, line, size);
    } while (err == 0 || err == -EINTR);
    (void)shutdown(connection->wire.fd, SHUT_RDWR); /* the other end need not wait for the close */
    atomic_store_explicit(&connection->state, CONNECTION_DONE, memory_order_release);
    return NULL;
}

/* ---- connections ---- */

static void take_back(struct connection *connection)
{
    (void)pthread_join(connection->thread, NULL);
    control_wire_release(&connection->wire);
    atomic_store_explicit(&connection->state, CONNECTION_FREE, memory_order_relaxed);
}

/* A free place, or NULL. */
static struct connection *find_place(struct control_server *server)
{
    struct connection *found = NULL;

    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *connection = &server->connections[i];

        if (atomic_load_explicit(&connection->state, memory_order_acquire) == CONNECTION_DONE)
            take_back(connection);
        if (atomic_load_explicit(&connection->state, memory_order_relaxed) == CONNECTION_FREE)
            found = connection;
    }
    return found;
}

/* Signals are for the main thread. */
static int start_thread(pthread_t *thread, void *(*main)(void *), void *context)
{
    sigset_t blocked;
    sigset_t before;
    int err;

    (void)sigfillset(&blocked);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    err = -pthread_create(thread, NULL, main, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

/* Given: fd. */
static void refuse(int fd, int error, const char *text)
{
    struct control_wire wire;

    control_wire_init(&wire, fd, CONTROL_REQUEST_SIZE_MAX, 0);
    (void)send_error(&wire, error, text); /* who does not read it learns it from the end */
    control_wire_release(&wire);
}

static bool is_allowed(int fd)
{
    uid_t peer;

    return control_address_peer(fd, &peer) == 0 && (peer == 0 || peer == geteuid());
}

static void welcome(struct control_server *server, int fd)
{
    struct connection *connection;
    int err;

    if (!is_allowed(fd)) {
        refuse(fd, -EACCES, "this mount answers to its owner and root only");
        return;
    }
    connection = find_place(server);
    if (!connection) {
        refuse(fd, -EBUSY, "too many connections to this mount");
        return;
    }
    control_wire_init(&connection->wire, fd, CONTROL_REQUEST_SIZE_MAX, server->options.timeout_ms);
    atomic_store_explicit(&connection->state, CONNECTION_BUSY, memory_order_relaxed);
    err = start_thread(&connection->thread, connection_main, connection);
    if (!err)
        return;
    atomic_store_explicit(&connection->state, CONNECTION_FREE, memory_order_relaxed);
    connection->wire.fd = -1;
    refuse(fd, err, "");
}

static void *accept_main(void *context)
{
    struct control_server *server = context;
    struct pollfd fds[3] = {
        {.fd = server->stop_fd, .events = POLLIN},
        {.fd = server->listen_fd, .events = POLLIN},
        {.fd = server->second_fd, .events = POLLIN}, /* -1 is left out by poll(2) */
    };

    for (;;) {
        int fd;

        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[0].revents)
            return NULL;
        fd = accept4(fds[fds[1].revents ? 1 : 2].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            welcome(server, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            (void)poll(&fds[0], 1,
                       100); /* no descriptor is free: the caller waits, we do not spin */
    }
}

/* ---- life ---- */

static int listen_abstract(struct control_server *server, struct control_address *ret)
{
    const uint8_t *uuid = tfs_volume_uuid(server->options.volume);
    char name[80];
    int length = snprintf(name, sizeof(name), "tensorfs/");

    for (int i = 0; i < 16; i++)
        length += snprintf(name + length, sizeof(name) - (size_t)length, "%02x", uuid[i]);
    (void)snprintf(name + length, sizeof(name) - (size_t)length, "/%d", (int)getpid());
    return control_address_listen_abstract(name, ret);
}

/*
 * In the store, and at an abstract address for those that see the mount and not the store. Another
 * file of that name, a store that cannot be written to, or has no sockets: then there only.
 */
static int listen_somewhere(struct control_server *server)
{
    int fd = -EROFS;

    if (!server->options.abstract)
        fd = control_address_listen(server->options.host->store, &server->address);
    if (fd >= 0) {
        server->second_fd = listen_abstract(server, &server->second);
        if (server->second_fd < 0)
            server->second.text[0] = '\0';
        return fd;
    }
    if (!server->options.abstract)
        tfs_warn("no socket in the store '%s': %s", server->options.host->store,
                 tfs_error_text(fd));
    return listen_abstract(server, &server->address);
}

static void server_free(struct control_server *server)
{
    if (server->listen_fd >= 0) {
        control_address_remove(&server->address);
        (void)close(server->listen_fd);
    }
    if (server->second_fd >= 0)
        (void)close(server->second_fd);
    if (server->stop_fd >= 0)
        (void)close(server->stop_fd);
    free(server);
}

int control_server_start(const struct control_server_options *options, struct control_server **ret)
{
    struct control_server *server = calloc(1, sizeof(*server));
    int err = 0;

    if (!server)
        return -ENOMEM;
    server->options = *options;
    if (server->options.timeout_ms == 0)
        server->options.timeout_ms = CONTROL_TIMEOUT_MS;
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        server->connections[i] = (struct connection){.server = server, .wire = {.fd = -1}};
    server->listen_fd = -1;
    server->second_fd = -1;
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->stop_fd < 0)
        err = tfs_fail(-errno, "eventfd of the control socket");
    if (!err)
        server->listen_fd = listen_somewhere(server);
    if (!err && server->listen_fd < 0)
        err = server->listen_fd;
    if (!err)
        err = start_thread(&server->thread, accept_main, server);
    if (err) {
        server_free(server);
        return err;
    }
    *ret = server;
    return 0;
}

const char *control_server_address(const struct control_server *server)
{
    return server->address.text;
}

const char *control_server_second_address(const struct control_server *server)
{
    return server->second.text[0] ? server->second.text : NULL;
}

void control_server_stop(struct control_server *server)
{
    const uint64_t one = 1;

    if (!server)
        return;
    atomic_store_explicit(&server->is_stopping, true, memory_order_relaxed);
    (void)!write(server->stop_fd, &one, sizeof(one)); /* full only when it is readable already */
    (void)pthread_join(server->thread, NULL);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *connection = &server->connections[i];

        if (atomic_load_explicit(&connection->state, memory_order_acquire) == CONNECTION_FREE)
            continue;
        (void)shutdown(connection->wire.fd, SHUT_RDWR); /* wakes it from whatever it waits for */
        take_back(connection);
    }
    server_free(server);
}
