#include "control/client.h"

#include "control/address.h"
#include "control/wire.h"
#include "store/base/error.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct control_client {
    struct control_wire wire;
};

static bool is_trusted(int fd)
{
    uid_t peer;

    if (control_address_peer(fd, &peer) < 0)
        return false;
    return geteuid() == 0 || peer == 0 || peer == geteuid();
}

int control_client_open(const char *address, struct control_client **ret)
{
    int fd = control_address_connect(address);
    struct control_client *client;

    if (fd < 0)
        return fd;
    if (!is_trusted(fd)) {
        (void)close(fd);
        return tfs_fail(-EPERM, "a stranger listens at '%s'", address);
    }
    client = calloc(1, sizeof(*client));
    if (!client) {
        (void)close(fd);
        return -ENOMEM;
    }
    control_wire_init(&client->wire, fd, CONTROL_ANSWER_SIZE_MAX, -1);
    *ret = client;
    return 0;
}

void control_client_close(struct control_client *client)
{
    if (!client)
        return;
    control_wire_release(&client->wire);
    free(client);
}

/* {"error": {"errno": 2, "message": "..."}} */
static int take_error(const cJSON *error, struct tfs_message *message)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(error, "errno");
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));

    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 1 && number->valuedouble < 4096))
        return -EPROTO;
    if (text)
        (void)snprintf(message->text, sizeof(message->text), "%s", text);
    return -(int)number->valuedouble;
}

/* One line of the answer; of a kind that is not known it is passed over: the mount may be newer.
 * Returns: 1 when *ret_result is there, 0 to go on. */
static int take_line(const char *line, size_t size, const struct control_sink *sink,
                     struct cJSON **ret_result, struct tfs_message *message)
{
    cJSON *root = cJSON_ParseWithLength(line, size);
    cJSON *member = root ? root->child : NULL;
    const char *kind = member ? member->string : NULL;
    int err = 0;

    if (!kind) {
        err = -EPROTO;
    } else if (strcmp(kind, "error") == 0) {
        err = take_error(member, message);
    } else if (strcmp(kind, "result") == 0) {
        *ret_result = cJSON_DetachItemViaPointer(root, member);
        err = 1;
    } else if (strcmp(kind, "item") == 0 || strcmp(kind, "progress") == 0) {
        err = sink->emit(sink->context, *kind == 'i' ? "item" : "progress",
                         cJSON_DetachItemViaPointer(root, member));
    }
    cJSON_Delete(root);
    return err;
}

int control_client_call(struct control_client *client, const struct cJSON *request,
                        const struct control_sink *sink, struct cJSON **ret_result,
                        struct tfs_message *message)
{
    int err = control_wire_send_object(&client->wire, request);

    if (err == -EPIPE) /* refused already: the reason was sent before the end */
        err = 0;
    while (err == 0) {
        char *line;
        size_t size;

        err = control_wire_receive(&client->wire, &line, &size);
        if (err == -EINTR || sink->is_cancelled(sink->context))
            err = sink->is_cancelled(sink->context) ? -ECANCELED : 0;
        else if (err == 0)
            err = -EPIPE;
        else if (err > 0)
            err = take_line(line, size, sink, ret_result, message);
    }
    return err > 0 ? 0 : err;
}
