/*
 * Requests of the control protocol: one line of JSON each. What comes over the socket is hostile
 * until it has passed control_request_parse(). The protocol is docs/CONTROL.md.
 */
#ifndef TFS_CONTROL_REQUEST_H
#define TFS_CONTROL_REQUEST_H

#include "store/base/defs.h"

struct cJSON;

enum {
    CONTROL_REQUEST_SIZE_MAX = 64 * 1024, /* bytes of a line, without its newline */
    CONTROL_DEPTH_MAX = 8,                /* objects and arrays inside each other */
    CONTROL_COMMAND_SIZE_MAX = 32,        /* bytes of a command's name */
};

/*
 * Parse one request: a JSON object with a member "command", a word of a-z, 0-9 and '-'.
 *
 * Ownership: *ret is freed with cJSON_Delete(); *ret_command points into it.
 * Errors:    -EMSGSIZE (too long), -ELOOP (nested too deep), -EBADMSG (no JSON object), -EINVAL (no
 *            usable "command"), -ENOMEM.
 */
TFS_MUST_CHECK int control_request_parse(const char *line, size_t size, struct cJSON **ret,
                                         const char **ret_command);

/* What is wrong with it, for an error of control_request_parse(); "" for others. Static. */
const char *control_request_error_text(int error);

/*
 * Members of a request. An absent one leaves *ret as it is, the default.
 *
 * Errors: -EINVAL: another type, or not within the limits.
 */
TFS_MUST_CHECK int control_request_number(const struct cJSON *request, const char *name,
                                          uint64_t minimum, uint64_t maximum, uint64_t *ret);
TFS_MUST_CHECK int control_request_flag(const struct cJSON *request, const char *name, bool *ret);
/* Ownership: *ret points into the request. A text is never longer than size_max bytes. */
TFS_MUST_CHECK int control_request_text(const struct cJSON *request, const char *name,
                                        size_t size_max, const char **ret);

#endif
