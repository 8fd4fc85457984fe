/*
 * Lines of JSON over a stream socket, for both ends. Nothing here waits without a limit.
 */
#ifndef TFS_CONTROL_WIRE_H
#define TFS_CONTROL_WIRE_H

#include "store/base/defs.h"

struct cJSON;

enum {
    CONTROL_ANSWER_SIZE_MAX = 4 * 1024 * 1024, /* bytes of a line that a mount sends */
};

struct control_wire {
    int fd;
    char *buffer; /* what was received, and not yet taken as lines */
    size_t size;
    size_t capacity;
    size_t taken;    /* of it, by the line returned last */
    size_t line_max; /* bytes */
    int timeout_ms;  /* for a whole line to come, or for some bytes to be sent; -1: none */
};

/* Given: fd. Nothing is allocated yet. */
void control_wire_init(struct control_wire *wire, int fd, size_t line_max, int timeout_ms);
/* Closes fd. */
void control_wire_release(struct control_wire *wire);

/*
 * The next line, terminated by a zero instead of its newline. Empty lines are passed over.
 *
 * Ownership: *ret_line is borrowed until the next call.
 * Returns:   1, or 0 at the end of the stream.
 * Errors:    -EMSGSIZE (a longer line), -ETIMEDOUT, -EINTR (a signal), -EPIPE (the stream ended
 *            within a line), -ENOMEM, and those of recv(2).
 */
TFS_MUST_CHECK int control_wire_receive(struct control_wire *wire, char **ret_line,
                                        size_t *ret_size);

/* Send an object as a line. NULL is -ENOMEM. Errors: -ETIMEDOUT, -EPIPE, ... */
TFS_MUST_CHECK int control_wire_send_object(struct control_wire *wire, const struct cJSON *object);

/* Send {kind: value} as a line. Given: value; NULL is -ENOMEM. Errors: as above. */
TFS_MUST_CHECK int control_wire_send(struct control_wire *wire, const char *kind,
                                     struct cJSON *value);

/* Send a text as it is. Errors: as above. */
TFS_MUST_CHECK int control_wire_send_text(struct control_wire *wire, const char *text, size_t size);

/* The other end has closed its socket: nobody reads any more. */
bool control_wire_is_closed(const struct control_wire *wire);

#endif
