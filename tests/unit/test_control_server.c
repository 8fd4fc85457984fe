/*
 * Goal: lines over a socket keep their limits in size and time; a server answers several at once,
 * ends while they are connected, and cancels for who hangs up.
 * Method: pairs of sockets, and a server over a store in memory with a socket in a folder of its
 * own.
 */
#include "control/call.h"
#include "control/client.h"
#include "control/server.h"
#include "control/wire.h"
#include "store/base/histogram.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- lines ---- */

struct pair {
    struct control_wire wire; /* what is tested */
    int other;
};

static void pair_open(struct pair *pair, size_t line_max, int timeout_ms)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    control_wire_init(&pair->wire, fds[0], line_max, timeout_ms);
    pair->other = fds[1];
}

static void pair_say(const struct pair *pair, const char *text)
{
    assert_int_equal(send(pair->other, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void pair_close(struct pair *pair)
{
    control_wire_release(&pair->wire);
    if (pair->other >= 0)
        (void)close(pair->other);
}

static void assert_next_line(struct pair *pair, const char *wanted)
{
    char *line;
    size_t size;

    assert_int_equal(control_wire_receive(&pair->wire, &line, &size), 1);
    assert_string_equal(line, wanted);
    assert_int_equal(size, strlen(wanted));
}

static void lines_come_one_by_one_however_they_were_sent(void **state)
{
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 8, 10000);
    pair_say(&pair, "\n\none\ntwo\n12345678\nth");
    assert_next_line(&pair, "one");
    assert_next_line(&pair, "two");
    assert_next_line(&pair, "12345678");
    pair_say(&pair, "ree\nrest");
    assert_next_line(&pair, "three");
    (void)shutdown(pair.other, SHUT_WR);
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), -EPIPE);
    pair_close(&pair);
}

static void a_line_over_the_limit_is_refused(void **state)
{
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 8, 10000);
    pair_say(&pair, "123456789\n");
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), -EMSGSIZE);
    pair_close(&pair);
}

static void a_line_that_does_not_end_is_not_waited_for_longer_than_the_limit(void **state)
{
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 100, 30);
    pair_say(&pair, "begun");
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), -ETIMEDOUT);
    pair_close(&pair);
}

static void who_does_not_read_is_not_waited_for_longer_than_the_limit(void **state)
{
    static const char much[4096];
    struct pair pair;
    int err = 0;

    (void)state;
    pair_open(&pair, 100, 30);
    for (int i = 0; i < 10000 && !err; i++)
        err = control_wire_send_text(&pair.wire, much, sizeof(much));
    assert_int_equal(err, -ETIMEDOUT);
    pair_close(&pair);
}

static void a_socket_is_closed_when_nobody_can_read_any_more(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, 100, 30);
    assert_false(control_wire_is_closed(&pair.wire));
    (void)shutdown(pair.other, SHUT_WR); /* it has said all, and still listens */
    assert_false(control_wire_is_closed(&pair.wire));
    (void)close(pair.other);
    pair.other = -1;
    assert_true(control_wire_is_closed(&pair.wire));
    pair_close(&pair);
}

/* ---- a call ---- */

struct listener {
    bool is_gone;
    unsigned count;
};

static int count_line(void *context, const char *kind, struct cJSON *value)
{
    struct listener *listener = context;

    (void)kind;
    listener->count++;
    cJSON_Delete(value);
    return 0;
}

static bool is_gone(void *context)
{
    const struct listener *listener = context;

    return listener->is_gone;
}

static void progress_is_not_sent_more_often_than_anybody_looks(void **state)
{
    struct listener listener = {.count = 0};
    const struct control_sink sink = {count_line, is_gone, &listener};
    struct control_call call = {.sink = &sink};
    struct control_progress progress = {.stage = "test", .total = 1000};

    (void)state;
    for (; progress.done < 999; progress.done++)
        assert_int_equal(control_emit_progress(&call, &progress), 0);
    assert_true(listener.count < 999); /* it took less than three minutes */
    listener.count = 0;
    progress.done = 1000; /* the end is always told */
    assert_int_equal(control_emit_progress(&call, &progress), 0);
    assert_int_equal(listener.count, 1);
}

static void progress_ends_the_command_whose_asker_is_gone(void **state)
{
    struct listener listener = {.is_gone = true};
    const struct control_sink sink = {count_line, is_gone, &listener};
    struct control_call call = {.sink = &sink};

    (void)state;
    assert_int_equal(control_emit_progress(&call, &(struct control_progress){.stage = "test"}),
                     -ECANCELED);
    assert_int_equal(listener.count, 0);
}

/* ---- a server ---- */

struct fixture {
    char folder[64];
    struct tfs_volume *volume;
    struct control_host host;
    struct control_server *server;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
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
    assert_int_equal(
        control_server_start(&(struct control_server_options){.volume = fixture->volume,
                                                              .host = &fixture->host,
                                                              .timeout_ms = 60000},
                             &fixture->server),
        0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    control_server_stop(fixture->server);
    assert_int_equal(tfs_volume_close(fixture->volume), 0);
    assert_int_equal(rmdir(fixture->folder), 0); /* the socket is gone */
    free(fixture);
    return 0;
}

static int call(struct control_client *client, const char *request_text, cJSON **ret_result,
                struct tfs_message *message)
{
    struct listener listener = {.count = 0};
    const struct control_sink sink = {count_line, is_gone, &listener};
    cJSON *request = cJSON_Parse(request_text);
    int err = control_client_call(client, request, &sink, ret_result, message);

    cJSON_Delete(request);
    return err;
}

static int ask(const char *address, const char *request_text, cJSON **ret_result,
               struct tfs_message *message)
{
    struct control_client *client;
    int err = control_client_open(address, &client);

    if (err)
        return err;
    err = call(client, request_text, ret_result, message);
    control_client_close(client);
    return err;
}

static void a_server_answers_with_results_and_errors(void **state)
{
    const struct fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    struct tfs_message message = {.text = ""};
    cJSON *result;

    assert_int_equal(ask(address, "{\"command\": \"status\"}", &result, &message), 0);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "mountpoint")), "/nowhere");
    cJSON_Delete(result);
    assert_int_equal(ask(address, "{\"command\": \"none\"}", &result, &message), -EOPNOTSUPP);
    assert_string_equal(message.text, "there is no command 'none'");
}

/* Returns NULL when all was well: cmocka's asserts are the main thread's. */
static void *ask_often(void *context)
{
    struct fixture *fixture = context;

    for (int i = 0; i < 50; i++) {
        struct tfs_message message;
        cJSON *result;
        int err = ask(control_server_address(fixture->server), "{\"command\": \"stats\"}", &result,
                      &message);

        if (err != 0 && err != -EBUSY)
            return fixture;
        if (!err)
            cJSON_Delete(result);
    }
    return NULL;
}

static void several_ask_at_the_same_time(void **state)
{
    pthread_t threads[4];

    for (size_t i = 0; i < TFS_ARRAY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, *state), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(threads); i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void take_all_places(const char *address, int fds[CONTROL_CONNECTIONS_MAX])
{
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        fds[i] = control_address_connect(address);
        assert_true(fds[i] >= 0);
        assert_int_equal(send(fds[i], "{", 1, MSG_NOSIGNAL), 1);
    }
}

static void who_is_refused_before_asking_is_told_why(void **state)
{
    const struct fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    struct tfs_message message = {.text = ""};
    int fds[CONTROL_CONNECTIONS_MAX];
    struct control_client *client;
    cJSON *result;
    char byte;
    int later;

    take_all_places(address, fds);
    assert_int_equal(control_client_open(address, &client), 0);
    later = control_address_connect(address); /* when it was refused, so was the one before it */
    assert_true(later >= 0);
    while (recv(later, &byte, 1, 0) == 1)
        continue;
    assert_int_equal(call(client, "{\"command\": \"stats\"}", &result, &message), -EBUSY);
    assert_string_equal(message.text, "too many connections to this mount");
    control_client_close(client);
    (void)close(later);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        (void)close(fds[i]);
}

static void a_link_in_place_of_the_socket_is_not_followed(void **state)
{
    const struct fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    char link[300];

    (void)snprintf(link, sizeof(link), "%s/link", fixture->folder);
    assert_int_equal(symlink(address, link), 0);
    assert_int_equal(control_address_connect(link), -ECONNREFUSED);
    assert_int_equal(unlink(link), 0);
}

static void a_server_ends_while_somebody_is_connected(void **state)
{
    struct fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    int fds[CONTROL_CONNECTIONS_MAX];
    char byte;

    take_all_places(address, fds);
    control_server_stop(fixture->server);
    fixture->server = NULL;
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        assert_true(recv(fds[i], &byte, 1, 0) <= 0);
        (void)close(fds[i]);
    }
}

/* ---- histograms ---- */

static void a_histogram_counts_by_doubling_limits(void **state)
{
    struct tfs_histogram histogram = {.count = 0};
    struct tfs_histogram_sum sum = {.count = 1, .total_ns = 1};

    (void)state;
    assert_int_equal(tfs_histogram_bucket(0), 0);
    assert_int_equal(tfs_histogram_bucket(999), 0);
    assert_int_equal(tfs_histogram_bucket(1000), 1);
    assert_int_equal(tfs_histogram_bucket(1024000), 11);
    assert_int_equal(tfs_histogram_bucket(UINT64_MAX), TFS_HISTOGRAM_BUCKETS - 1);
    tfs_histogram_add(&histogram, 500);
    tfs_histogram_add_alone(&histogram, 1500);
    tfs_histogram_sum_up(&histogram, &sum);
    assert_int_equal(sum.count, 3);
    assert_int_equal(sum.total_ns, 2001);
    assert_int_equal(sum.buckets[0], 1);
    assert_int_equal(sum.buckets[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one_however_they_were_sent),
        cmocka_unit_test(a_line_over_the_limit_is_refused),
        cmocka_unit_test(a_line_that_does_not_end_is_not_waited_for_longer_than_the_limit),
        cmocka_unit_test(who_does_not_read_is_not_waited_for_longer_than_the_limit),
        cmocka_unit_test(a_socket_is_closed_when_nobody_can_read_any_more),
        cmocka_unit_test(progress_is_not_sent_more_often_than_anybody_looks),
        cmocka_unit_test(progress_ends_the_command_whose_asker_is_gone),
        cmocka_unit_test_setup_teardown(a_server_answers_with_results_and_errors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(several_ask_at_the_same_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_refused_before_asking_is_told_why, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_link_in_place_of_the_socket_is_not_followed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_server_ends_while_somebody_is_connected, set_up,
                                        tear_down),
        cmocka_unit_test(a_histogram_counts_by_doubling_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
