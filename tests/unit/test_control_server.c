/*
 * Goal: a server answers several at once, keeps its limits, and ends while they are connected.
 * Method: a server over a store in memory with a socket in a folder of its own.
 */
#include "tests/unit/control_fixture.h"

#include "control/client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void a_server_answers_with_results_and_errors(void **state)
{
    const struct control_fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    struct tfs_message message = {.text = ""};
    cJSON *result;

    assert_int_equal(control_ask(address, "{\"command\": \"status\"}", &result, &message), 0);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "mountpoint")), "/nowhere");
    cJSON_Delete(result);
    assert_int_equal(control_ask(address, "{\"command\": \"none\"}", &result, &message),
                     -EOPNOTSUPP);
    assert_string_equal(message.text, "there is no command 'none'");
}

/* Returns NULL when all was well: cmocka's asserts are the main thread's. */
static void *ask_often(void *context)
{
    struct control_fixture *fixture = context;

    for (int i = 0; i < 50; i++) {
        struct tfs_message message;
        cJSON *result;
        int err = control_ask(control_server_address(fixture->server), "{\"command\": \"stats\"}",
                              &result, &message);

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
    const struct control_fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    struct tfs_message message = {.text = ""};
    int fds[CONTROL_CONNECTIONS_MAX];
    struct listener listener = {.count = 0};
    const struct control_sink sink = {listener_emit, listener_is_gone, &listener};
    cJSON *request = cJSON_Parse("{\"command\": \"stats\"}");
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
    assert_int_equal(control_client_call(client, request, &sink, &result, &message), -EBUSY);
    assert_string_equal(message.text, "too many connections to this mount");
    control_client_close(client);
    cJSON_Delete(request);
    (void)close(later);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        (void)close(fds[i]);
}

static void a_link_in_place_of_the_socket_is_not_followed(void **state)
{
    const struct control_fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    char link[300];

    (void)snprintf(link, sizeof(link), "%s/link", fixture->folder);
    assert_int_equal(symlink(address, link), 0);
    assert_int_equal(control_address_connect(link), -ECONNREFUSED);
    assert_int_equal(unlink(link), 0);
}

static void a_server_ends_while_somebody_is_connected(void **state)
{
    struct control_fixture *fixture = *state;
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

/* ---- limits ---- */

/* All that is answered to this text, up to the end of the connection. */
static void exchange(const char *address, const char *text, size_t size, char answer[4096])
{
    int fd = control_address_connect(address);
    size_t length = 0;
    ssize_t count;

    assert_true(fd >= 0);
    /* The server may hang up before it has read all. */
    for (size_t sent = 0;
         sent < size && (count = send(fd, text + sent, size - sent, MSG_NOSIGNAL)) > 0;)
        sent += (size_t)count;
    while ((count = recv(fd, answer + length, 4095 - length, 0)) > 0)
        length += (size_t)count;
    answer[length] = '\0';
    (void)close(fd);
}

static void assert_answers(const struct control_fixture *fixture, const char *text, size_t size,
                           const char *wanted)
{
    char answer[4096];

    exchange(control_server_address(fixture->server), text, size, answer);
    if (!strstr(answer, wanted))
        fail_msg("no %s in: %s", wanted, answer);
}

static void assert_begins(const char *text, const char *wanted)
{
    if (strncmp(text, wanted, strlen(wanted)) != 0)
        fail_msg("not %s: %s", wanted, text);
}

static void a_line_that_is_no_request_is_answered_and_ends_the_connection(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"nonsense\n", "\"name\":\"EBADMSG\""},
        {"\xff\xfe\n", "\"name\":\"EBADMSG\""},
        {"[]\n", "\"name\":\"EBADMSG\""},
        {"{}\n", "\"name\":\"EINVAL\""},
        {"{\"command\":\"STATUS\"}\n", "\"name\":\"EINVAL\""},
        {"[[[[[[[[[[\n", "\"name\":\"ELOOP\""},
    };
    const struct control_fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++)
        assert_answers(fixture, cases[i].text, strlen(cases[i].text), cases[i].error);
}

static void a_request_over_the_limit_is_answered_before_it_has_come_whole(void **state)
{
    static char text[2 * CONTROL_REQUEST_SIZE_MAX];

    memset(text, ' ', sizeof(text));
    assert_answers(*state, text, sizeof(text), "the request is too long");
}

static void requests_follow_each_other_on_a_connection(void **state)
{
    const struct control_fixture *fixture = *state;
    static const char text[] = "{\"command\":\"status\"}\n\n{\"command\":\"none\"}\n"
                               "{\"command\":\"sync\"}\n";
    char answer[4096];
    const char *line = answer;
    int fd = control_address_connect(control_server_address(fixture->server));
    size_t length = 0;
    ssize_t count;

    assert_true(fd >= 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    (void)shutdown(fd, SHUT_WR); /* it has said all, and is answered all the same */
    while ((count = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
        length += (size_t)count;
    answer[length] = '\0';
    (void)close(fd);
    assert_begins(line, "{\"result\":{\"store\":");
    line = strchr(line, '\n') + 1;
    assert_begins(line, "{\"error\":{\"errno\":95,\"name\":\"EOPNOTSUPP\"");
    line = strchr(line, '\n') + 1;
    assert_begins(line, "{\"result\":{\"took_ns\":");
}

static void who_is_silent_is_told_that_his_time_is_up(void **state)
{
    struct control_fixture *fixture = *state;
    char answer[4096];

    control_serve(fixture, 20);
    exchange(control_server_address(fixture->server), "", 0, answer);
    assert_non_null(strstr(answer, "\"name\":\"ETIMEDOUT\""));
    exchange(control_server_address(fixture->server), "{\"comm", 7, answer);
    assert_non_null(strstr(answer, "\"name\":\"ETIMEDOUT\""));
}

static void a_place_is_free_again_when_a_silent_one_was_shown_out(void **state)
{
    struct control_fixture *fixture = *state;
    const char *address;
    struct tfs_message message = {.text = ""};
    int fds[CONTROL_CONNECTIONS_MAX];
    cJSON *result;
    char byte;

    control_serve(fixture, 20);
    address = control_server_address(fixture->server);
    take_all_places(address, fds);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        while (recv(fds[i], &byte, 1, 0) == 1)
            continue;
    }
    assert_int_equal(control_ask(address, "{\"command\": \"sync\"}", &result, &message), 0);
    cJSON_Delete(result);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        (void)close(fds[i]);
}

static void one_more_than_the_places_is_refused_and_the_others_are_served(void **state)
{
    const struct control_fixture *fixture = *state;
    const char *address = control_server_address(fixture->server);
    static const char rest[] = "\"command\":\"sync\"}\n";
    int fds[CONTROL_CONNECTIONS_MAX];
    char answer[4096];

    take_all_places(address, fds);
    exchange(address, "", 0, answer);
    assert_non_null(strstr(answer, "\"name\":\"EBUSY\""));
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        assert_int_equal(send(fds[i], rest, strlen(rest), MSG_NOSIGNAL), strlen(rest));
        assert_true(recv(fds[i], answer, sizeof(answer), 0) > 0);
        assert_begins(answer, "{\"result\":");
        (void)close(fds[i]);
    }
}

static void a_server_listens_at_two_places_and_at_one_without_a_store(void **state)
{
    struct control_fixture *fixture = *state;
    const struct control_server_options options = {
        .volume = fixture->volume, .host = &fixture->host, .abstract = true};
    struct tfs_message message;
    cJSON *result;

    control_serve(fixture, 60000);
    assert_int_equal(control_server_address(fixture->server)[0], '/');
    assert_int_equal(control_server_second_address(fixture->server)[0], '@');
    assert_int_equal(control_ask(control_server_second_address(fixture->server),
                                 "{\"command\": \"sync\"}", &result, &message),
                     0);
    cJSON_Delete(result);
    control_server_stop(TAKE_PTR(fixture->server));
    assert_int_equal(control_server_start(&options, &fixture->server), 0);
    assert_int_equal(control_server_address(fixture->server)[0], '@');
    assert_null(control_server_second_address(fixture->server));
}

#define SERVER_TEST(name)                                                                          \
    cmocka_unit_test_setup_teardown(name, control_set_up_server, control_tear_down)
#define VOLUME_TEST(name) cmocka_unit_test_setup_teardown(name, control_set_up, control_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_server_answers_with_results_and_errors),
        SERVER_TEST(several_ask_at_the_same_time),
        SERVER_TEST(who_is_refused_before_asking_is_told_why),
        SERVER_TEST(a_link_in_place_of_the_socket_is_not_followed),
        SERVER_TEST(a_server_ends_while_somebody_is_connected),
        SERVER_TEST(a_line_that_is_no_request_is_answered_and_ends_the_connection),
        SERVER_TEST(a_request_over_the_limit_is_answered_before_it_has_come_whole),
        SERVER_TEST(requests_follow_each_other_on_a_connection),
        VOLUME_TEST(who_is_silent_is_told_that_his_time_is_up),
        VOLUME_TEST(a_place_is_free_again_when_a_silent_one_was_shown_out),
        SERVER_TEST(one_more_than_the_places_is_refused_and_the_others_are_served),
        VOLUME_TEST(a_server_listens_at_two_places_and_at_one_without_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
