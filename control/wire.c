#include "control/wire.h"

#include "store/base/clock.h"
#include "store/base/error.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE_FIRST = 4096 };

void control_wire_init(struct control_wire *wire, int fd, size_t line_max, int timeout_ms)
{
    *wire = (struct control_wire){.fd = fd, .line_max = line_max, .timeout_ms = timeout_ms};
}

void control_wire_release(struct control_wire *wire)
{
    if (wire->fd >= 0)
        (void)close(wire->fd); /* what was sent has been handed over */
    free(wire->buffer);
    *wire = (struct control_wire){.fd = -1};
}

/* Room for more bytes; the buffer never holds more than one line of the limit and its newline. */
static int make_room(struct control_wire *wire)
{
    size_t capacity = wire->capacity ? 2 * wire->capacity : BUFFER_SIZE_FIRST;
    char *buffer;

    if (wire->size < wire->capacity)
        return 0;
    if (wire->capacity == wire->line_max + 1)
        return tfs_fail(-EMSGSIZE, "line of more than %zu bytes", wire->line_max);
    capacity = (size_t)tfs_min_u64(capacity, wire->line_max + 1);
    buffer = realloc(wire->buffer, capacity);
    if (!buffer)
        return -ENOMEM;
    wire->buffer = buffer;
    wire->capacity = capacity;
    return 0;
}

/* Wait until the socket is ready. Errors: -ETIMEDOUT, -EINTR. */
static int wait_ready(const struct control_wire *wire, short events, uint64_t start_ns)
{
    struct pollfd ready = {.fd = wire->fd, .events = events};
    int timeout_ms = wire->timeout_ms;
    int count;

    if (timeout_ms >= 0) {
        uint64_t gone_ms = (tfs_clock_ns() - start_ns) / TFS_NS_PER_MS;

        timeout_ms = gone_ms < (uint64_t)timeout_ms ? timeout_ms - (int)gone_ms : 0;
    }
    count = poll(&ready, 1, timeout_ms);
    if (count < 0)
        return -errno;
    return count == 0 ? -ETIMEDOUT : 0;
}

/* Returns: bytes, 0 at the end. */
static ssize_t receive_some(struct control_wire *wire, uint64_t start_ns)
{
    ssize_t size = make_room(wire);

    if (size == 0)
        size = wait_ready(wire, POLLIN, start_ns);
    if (size < 0)
        return size;
    size = recv(wire->fd, wire->buffer + wire->size, wire->capacity - wire->size, 0);
    if (size < 0)
        return -errno;
    wire->size += (size_t)size;
    return size;
}

static void drop_taken(struct control_wire *wire)
{
    wire->size -= wire->taken;
    if (wire->size > 0)
        memmove(wire->buffer, wire->buffer + wire->taken, wire->size);
    wire->taken = 0;
}

int control_wire_receive(struct control_wire *wire, char **ret_line, size_t *ret_size)
{
    uint64_t start_ns = tfs_clock_ns();
    size_t seen = 0; /* bytes without a newline */

    drop_taken(wire);
    for (;;) {
        char *newline =
            wire->size > seen ? memchr(wire->buffer + seen, '\n', wire->size - seen) : NULL;
        ssize_t size;

        if (newline && newline > wire->buffer) {
            *newline = '\0';
            *ret_line = wire->buffer;
            *ret_size = (size_t)(newline - wire->buffer);
            wire->taken = *ret_size + 1;
            return 1;
        }
        if (newline) { /* an empty line */
            wire->taken = 1;
            drop_taken(wire);
            continue;
        }
        seen = wire->size;
        size = receive_some(wire, start_ns);
        if (size < 0)
            return (int)size;
        if (size == 0)
            return wire->size == 0 ? 0 : -EPIPE;
    }
}

int control_wire_send_text(struct control_wire *wire, const char *text, size_t size)
{
    uint64_t start_ns = tfs_clock_ns();
    size_t sent = 0;

    while (sent < size) {
        ssize_t count = send(wire->fd, text + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        int err = 0;

        if (count >= 0) {
            sent += (size_t)count;
            start_ns = tfs_clock_ns();
        } else if (errno == EAGAIN) {
            err = wait_ready(wire, POLLOUT, start_ns);
        } else {
            err = -errno;
        }
        if (err && err != -EINTR)
            return err;
    }
    return 0;
}

int control_wire_send_object(struct control_wire *wire, const struct cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object); /* NULL of NULL */
    size_t size;
    int err;

    if (!text)
        return -ENOMEM;
    size = strlen(text);
    text[size] = '\n'; /* in place of the zero, which is not sent */
    err = control_wire_send_text(wire, text, size + 1);
    free(text);
    return err;
}

int control_wire_send(struct control_wire *wire, const char *kind, struct cJSON *value)
{
    cJSON *line = cJSON_CreateObject();
    int err;

    if (!line || !value || !cJSON_AddItemToObject(line, kind, value)) {
        cJSON_Delete(line);
        cJSON_Delete(value);
        return -ENOMEM;
    }
    err = control_wire_send_object(wire, line);
    cJSON_Delete(line);
    return err;
}

bool control_wire_is_closed(const struct control_wire *wire)
{
    /* Not POLLRDHUP: who has said all may close that direction and wait for the answer. */
    struct pollfd state = {.fd = wire->fd, .events = 0};

    return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR | POLLNVAL));
}
