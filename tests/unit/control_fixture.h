/*
 * What the tests of control share: a volume in memory, commands run on it without a socket, and a
 * server in a folder of its own.
 */
#ifndef TFS_TESTS_CONTROL_FIXTURE_H
#define TFS_TESTS_CONTROL_FIXTURE_H

#include "control/call.h"
#include "control/server.h"

struct cJSON;

struct control_fixture {
    char folder[64];
    struct tfs_volume *volume;
    struct control_host host; /* mounted on "/nowhere" */
    struct control_server *server;
};

/* Setups and the teardown of cmocka; *state is a struct control_fixture. */
int control_set_up(void **state); /* no server */
int control_set_up_server(void **state);
int control_tear_down(void **state);

/* Start one whose clients may be silent for so long. */
void control_serve(struct control_fixture *fixture, int timeout_ms);

/* Takes what a command sends; as the context of a sink. */
struct listener {
    bool is_gone;        /* whoever asked */
    unsigned gone_after; /* lines; 0: never */
    unsigned count;      /* of all lines */
    struct cJSON *items; /* an array; NULL: they are dropped */
};
int listener_emit(void *context, const char *kind, struct cJSON *value);
bool listener_is_gone(void *context);

/* Run a command as a server does, without one. *ret_result is there when it is 0; cJSON_Delete().
 * `request` is a JSON text. */
int control_do(struct control_fixture *fixture, const char *request, struct listener *listener,
               struct cJSON **ret_result, struct tfs_message *message);

/* The same where the result, or how it fails, is all that matters. */
struct cJSON *control_result(struct control_fixture *fixture, const char *request);
void assert_control_fails(struct control_fixture *fixture, const char *request, int error,
                          const char *sentence);

/* Ask over a socket, with a connection of its own. */
int control_ask(const char *address, const char *request, struct cJSON **ret_result,
                struct tfs_message *message);

/* A new inode in the volume. */
uint64_t control_make(struct control_fixture *fixture, uint64_t parent, const char *name,
                      uint32_t mode);

#endif
