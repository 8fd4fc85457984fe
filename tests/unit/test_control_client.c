/*
 * Goal: whatever a mount answers, and whenever it dies, the asking end returns with the right error
 * and loses no memory.
 * Method: a thread that listens at an abstract address, takes one request, answers with given bytes
 * and hangs up.
 */
#include "control/address.h"
#include "control/client.h"
#include "control/wire.h"
#include "tests/unit/control_fixture.h"

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

struct impostor {
    struct control_address address;
    int listen_fd;
    pthread_t thread;
    const char *answer;
    size_t size;
    bool is_endless; /* says it again until nobody listens */
};

/* Takes one line, answers, hangs up. */
static void *impostor_main(void *context)
{
    const struct impostor *impostor = context;
    int fd = accept(impostor->listen_fd, NULL, NULL);
    char byte = '\0';

    while (byte != '\n' && recv(fd, &byte, 1, 0) == 1)
        continue;
    do {
        for (size_t sent = 0; sent < impostor->size;) {
            ssize_t count = send(fd, impostor->answer + sent, impostor->size - sent, MSG_NOSIGNAL);

            if (count < 0) {
                (void)close(fd);
                return NULL;
            }
            sent += (size_t)count;
        }
    } while (impostor->is_endless);
    (void)close(fd);
    return NULL;
}

static void impostor_start(struct impostor *impostor)
{
    static unsigned number;
    char name[64];

    (void)snprintf(name, sizeof(name), "tensorfs-impostor/%d/%u", (int)getpid(), number++);
    impostor->listen_fd = control_address_listen_abstract(name, &impostor->address);
    assert_true(impostor->listen_fd >= 0);
    assert_int_equal(pthread_create(&impostor->thread, NULL, impostor_main, impostor), 0);
}

/* Ask it; what was said in the sink is in *listener. */
static int ask(struct impostor *impostor, struct listener *listener, cJSON **ret_result,
               struct tfs_message *message)
{
    const struct control_sink sink = {listener_emit, listener_is_gone, listener};
    cJSON *request = cJSON_Parse("{\"command\":\"status\"}");
    struct control_client *client;
    int err;

    impostor_start(impostor);
    assert_int_equal(control_client_open(impostor->address.text, &client), 0);
    err = control_client_call(client, request, &sink, ret_result, message);
    control_client_close(client);
    cJSON_Delete(request);
    assert_int_equal(pthread_join(impostor->thread, NULL), 0);
    (void)close(impostor->listen_fd);
    return err;
}

static void assert_answer_gives(const char *answer, int error, const char *sentence)
{
    struct impostor impostor = {.answer = answer, .size = strlen(answer)};
    struct listener listener = {.count = 0};
    struct tfs_message message = {.text = ""};
    cJSON *result = NULL;
    int err = ask(&impostor, &listener, &result, &message);

    if (err != error)
        fail_msg("'%s': %d, not %d", answer, err, error);
    assert_string_equal(message.text, sentence);
    assert_null(result);
}

static void a_mount_that_dies_is_an_end_and_no_answer(void **state)
{
    (void)state;
    assert_answer_gives("", -EPIPE, "");
    assert_answer_gives("\n\n", -EPIPE, "");
    assert_answer_gives("{\"result\":{}}", -EPIPE, ""); /* its line did not end */
    assert_answer_gives("{\"progress\":{}}\n{\"res", -EPIPE, "");
    assert_answer_gives("{\"item\":1}\n", -EPIPE, "");
}

static void nonsense_is_told_from_an_answer(void **state)
{
    static const char *const answers[] = {
        "nonsense\n",
        "{}\n",
        "[1]\n",
        "7\n",
        "\"result\"\n",
        "{\"result\"\n",
        "\xff\xfe\n",
        "{\"error\":{}}\n",
        "{\"error\":\"no\"}\n",
        "{\"error\":{\"errno\":0}}\n",
        "{\"error\":{\"errno\":-1}}\n",
        "{\"error\":{\"errno\":4096}}\n",
        "{\"error\":{\"errno\":\"2\"}}\n",
        "{\"error\":{\"errno\":1e300}}\n",
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(answers); i++)
        assert_answer_gives(answers[i], -EPROTO, "");
}

static void an_error_comes_with_its_sentence_if_it_has_one(void **state)
{
    (void)state;
    assert_answer_gives("{\"error\":{\"errno\":2,\"message\":\"it is gone\"}}\n", -ENOENT,
                        "it is gone");
    assert_answer_gives("{\"error\":{\"errno\":2}}\n", -ENOENT, "");
    assert_answer_gives("{\"error\":{\"errno\":4095,\"message\":7}}\n", -4095, "");
    assert_answer_gives("{\"item\":1}\n{\"error\":{\"errno\":5}}\n{\"result\":{}}\n", -EIO, "");
}

static void a_sentence_is_cut_where_it_is_too_long(void **state)
{
    char answer[4096];
    char words[3000];
    struct impostor impostor = {.answer = answer};
    struct listener listener = {.count = 0};
    struct tfs_message message = {.text = ""};
    cJSON *result;

    (void)state;
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    impostor.size = (size_t)snprintf(answer, sizeof(answer),
                                     "{\"error\":{\"errno\":1,\"message\":\"%s\"}}\n", words);
    assert_int_equal(ask(&impostor, &listener, &result, &message), -EPERM);
    assert_int_equal(strlen(message.text), sizeof(message.text) - 1);
}

static void kinds_of_lines_that_are_not_known_are_passed_over(void **state)
{
    static const char answer[] = "{\"hint\":{\"later\":true}}\n{\"item\":1}\n{\"progress\":{}}\n"
                                 "{\"Result\":1}\n{\"result\":{\"a\":7}}\n{\"error\":{}}\n";
    struct impostor impostor = {.answer = answer, .size = strlen(answer)};
    struct listener listener = {.count = 0};
    struct tfs_message message;
    cJSON *result;

    (void)state;
    assert_int_equal(ask(&impostor, &listener, &result, &message), 0);
    assert_int_equal(listener.count, 2); /* the item and the progress */
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(result, "a")->valuedouble, 7);
    cJSON_Delete(result);
}

static void a_line_over_the_limit_is_refused(void **state)
{
    struct impostor impostor = {.size = CONTROL_ANSWER_SIZE_MAX + 2};
    struct listener listener = {.count = 0};
    struct tfs_message message;
    char *answer = malloc(impostor.size);
    cJSON *result;

    (void)state;
    assert_non_null(answer);
    memset(answer, ' ', impostor.size);
    impostor.answer = answer;
    assert_int_equal(ask(&impostor, &listener, &result, &message), -EMSGSIZE);
    free(answer);
}

static void who_has_enough_ends_a_call_that_would_not_end(void **state)
{
    static const char answer[] = "{\"progress\":{\"stage\":\"for ever\"}}\n";
    struct impostor impostor = {.answer = answer, .size = strlen(answer), .is_endless = true};
    struct listener listener = {.gone_after = 3};
    struct tfs_message message;
    cJSON *result;

    (void)state;
    assert_int_equal(ask(&impostor, &listener, &result, &message), -ECANCELED);
    assert_int_equal(listener.count, 3);
}

static void where_nobody_listens_there_is_no_client(void **state)
{
    struct control_client *client = NULL;

    (void)state;
    assert_int_equal(control_client_open("/absent/control", &client), -ENOENT);
    assert_int_equal(control_client_open("@tensorfs-nobody", &client), -ECONNREFUSED);
    assert_null(client);
    control_client_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mount_that_dies_is_an_end_and_no_answer),
        cmocka_unit_test(nonsense_is_told_from_an_answer),
        cmocka_unit_test(an_error_comes_with_its_sentence_if_it_has_one),
        cmocka_unit_test(a_sentence_is_cut_where_it_is_too_long),
        cmocka_unit_test(kinds_of_lines_that_are_not_known_are_passed_over),
        cmocka_unit_test(a_line_over_the_limit_is_refused),
        cmocka_unit_test(who_has_enough_ends_a_call_that_would_not_end),
        cmocka_unit_test(where_nobody_listens_there_is_no_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
