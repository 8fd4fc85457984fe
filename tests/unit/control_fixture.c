#include "tests/unit/control_fixture.h"

#include "control/client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int control_set_up(void **state)
{
    struct control_fixture *fixture = calloc(1, sizeof(*fixture));
    struct tfs_volume_options options;
    struct tfs_message message;

    assert_non_null(fixture);
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/tfs-control-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    tfs_volume_options_init(&options);
    options.path = fixture->folder;
    assert_int_equal(tfs_volume_open(&options, &message, &fixture->volume), 0);
    fixture->host = (struct control_host){
        .version = "test", .mountpoint = "/nowhere", .store = fixture->folder};
    *state = fixture;
    return 0;
}

void control_serve(struct control_fixture *fixture, int timeout_ms)
{
    const struct control_server_options options = {
        .volume = fixture->volume, .host = &fixture->host, .timeout_ms = timeout_ms};

    assert_int_equal(control_server_start(&options, &fixture->server), 0);
}

int control_set_up_server(void **state)
{
    int err = control_set_up(state);

    if (!err)
        control_serve(*state, 60000);
    return err;
}

int control_tear_down(void **state)
{
    struct control_fixture *fixture = *state;

    control_server_stop(fixture->server);
    assert_int_equal(tfs_volume_close(fixture->volume), 0);
    assert_int_equal(rmdir(fixture->folder), 0); /* the socket is gone */
    free(fixture);
    return 0;
}

int listener_emit(void *context, const char *kind, struct cJSON *value)
{
    struct listener *listener = context;

    listener->count++;
    if (listener->gone_after > 0 && listener->count >= listener->gone_after)
        listener->is_gone = true;
    if (listener->items && strcmp(kind, "item") == 0)
        return cJSON_AddItemToArray(listener->items, value) ? 0 : -ENOMEM;
    cJSON_Delete(value);
    return 0;
}

bool listener_is_gone(void *context)
{
    const struct listener *listener = context;

    return listener->is_gone;
}

int control_do(struct control_fixture *fixture, const char *request, struct listener *listener,
               struct cJSON **ret_result, struct tfs_message *message)
{
    const struct control_sink sink = {listener_emit, listener_is_gone, listener};
    const struct control_command *command;
    struct control_call call = {.volume = fixture->volume,
                                .store = fixture->folder,
                                .host = &fixture->host,
                                .sink = &sink,
                                .result = cJSON_CreateObject()};
    const char *name;
    cJSON *parsed;
    int err;

    assert_int_equal(control_request_parse(request, strlen(request), &parsed, &name), 0);
    command = control_command_find(name);
    assert_non_null(command);
    call.request = parsed;
    err = command->run(&call);
    cJSON_Delete(parsed);
    *message = call.message;
    if (err)
        cJSON_Delete(call.result);
    else
        *ret_result = call.result;
    return err;
}

struct cJSON *control_result(struct control_fixture *fixture, const char *request)
{
    struct listener listener = {.count = 0};
    struct tfs_message message;
    cJSON *result = NULL;
    int err = control_do(fixture, request, &listener, &result, &message);

    if (err)
        fail_msg("%s: %d, %s", request, err, message.text);
    return result;
}

void assert_control_fails(struct control_fixture *fixture, const char *request, int error,
                          const char *sentence)
{
    struct listener listener = {.count = 0};
    struct tfs_message message;
    cJSON *result;

    assert_int_equal(control_do(fixture, request, &listener, &result, &message), error);
    assert_string_equal(message.text, sentence);
}

int control_ask(const char *address, const char *request, struct cJSON **ret_result,
                struct tfs_message *message)
{
    struct listener listener = {.count = 0};
    const struct control_sink sink = {listener_emit, listener_is_gone, &listener};
    struct control_client *client;
    int err = control_client_open(address, &client);
    cJSON *parsed;

    if (err)
        return err;
    parsed = cJSON_Parse(request);
    err = control_client_call(client, parsed, &sink, ret_result, message);
    cJSON_Delete(parsed);
    control_client_close(client);
    return err;
}

uint64_t control_make(struct control_fixture *fixture, uint64_t parent, const char *name,
                      uint32_t mode)
{
    const struct tfs_make make = {.mode = mode | 0700, .target = S_ISLNK(mode) ? "file" : NULL};
    struct tfs_attr attr;

    assert_int_equal(tfs_make(fixture->volume, parent, name, &make, &attr), 0);
    return attr.inode;
}
