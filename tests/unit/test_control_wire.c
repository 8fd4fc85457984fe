/*
 * Goal: lines over a socket keep their limits in size and time, whatever bytes they are made of and
 * in whatever pieces they come.
 * Method: pairs of sockets.
 */
#include "control/wire.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

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

/* ---- bytes of any kind ---- */

static void zero_bytes_and_binary_ones_are_part_of_a_line(void **state)
{
    static const char bytes[] = "a\0b\r\xff\x80\x01\n\0\n";
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 100, 10000);
    assert_int_equal(send(pair.other, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL), sizeof(bytes) - 1);
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), 1);
    assert_int_equal(size, 7);
    assert_memory_equal(line, "a\0b\r\xff\x80\x01", 8); /* its newline is a zero now */
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), 1);
    assert_int_equal(size, 1); /* of a zero: not an empty line */
    pair_close(&pair);
}

enum { RANDOM_LINES = 300, RANDOM_LINE_MAX = 9000 };

struct random_text {
    char *bytes;
    size_t size;
    int fd;
};

static uint32_t dice(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_text_make(struct random_text *text)
{
    uint32_t seed = 1;

    text->bytes = malloc((size_t)RANDOM_LINES * (RANDOM_LINE_MAX + 1));
    assert_non_null(text->bytes);
    for (int i = 0; i < RANDOM_LINES; i++) {
        uint32_t size = 1 + dice(&seed) % (i % 10 ? 40 : RANDOM_LINE_MAX);

        for (uint32_t k = 0; k < size; k++) {
            char byte = (char)dice(&seed);

            text->bytes[text->size++] = byte == '\n' ? 'n' : byte;
        }
        text->bytes[text->size++] = '\n';
    }
}

static void *send_in_pieces(void *context)
{
    const struct random_text *text = context;
    uint32_t seed = 2;

    for (size_t sent = 0; sent < text->size;) {
        size_t piece = tfs_min_u64(1 + dice(&seed) % 5000, text->size - sent);
        ssize_t count = send(text->fd, text->bytes + sent, piece, MSG_NOSIGNAL);

        if (count < 0)
            break; /* the receiver notices */
        sent += (size_t)count;
    }
    (void)shutdown(text->fd, SHUT_WR);
    return NULL;
}

static void random_bytes_in_random_pieces_come_as_their_lines(void **state)
{
    struct random_text text = {.size = 0};
    struct pair pair;
    pthread_t thread;
    size_t at = 0;
    size_t size;
    char *line;

    (void)state;
    random_text_make(&text);
    pair_open(&pair, RANDOM_LINE_MAX, 60000);
    text.fd = pair.other;
    assert_int_equal(pthread_create(&thread, NULL, send_in_pieces, &text), 0);
    while (control_wire_receive(&pair.wire, &line, &size) == 1) {
        assert_true(at + size < text.size);
        assert_memory_equal(line, text.bytes + at, size);
        assert_int_equal(text.bytes[at + size], '\n');
        at += size + 1;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(at, text.size);
    pair_close(&pair);
    free(text.bytes);
}

/* ---- ends ---- */

static void the_end_of_the_stream_is_no_error_between_lines(void **state)
{
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 100, 10000);
    pair_say(&pair, "all\n\n\n");
    (void)shutdown(pair.other, SHUT_WR);
    assert_next_line(&pair, "all");
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), 0);
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), 0);
    pair_close(&pair);
}

static void what_came_before_the_time_was_up_is_not_lost(void **state)
{
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 100, 1);
    pair_say(&pair, "one, ");
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), -ETIMEDOUT);
    pair_say(&pair, "two\n");
    assert_next_line(&pair, "one, two");
    pair_close(&pair);
}

static void nothing_can_be_sent_to_who_is_gone(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, 100, 10000);
    (void)close(pair.other);
    pair.other = -1;
    assert_int_equal(control_wire_send_text(&pair.wire, "x", 1), -EPIPE);
    assert_int_equal(control_wire_send(&pair.wire, "item", cJSON_CreateTrue()), -EPIPE);
    pair_close(&pair);
}

static void an_object_is_one_line_and_nothing_is_no_object(void **state)
{
    struct pair pair;
    char text[64] = "";

    (void)state;
    pair_open(&pair, 100, 10000);
    assert_int_equal(control_wire_send(&pair.wire, "item", cJSON_CreateString("a\nb")), 0);
    assert_int_equal(control_wire_send(&pair.wire, "item", NULL), -ENOMEM);
    assert_int_equal(recv(pair.other, text, sizeof(text) - 1, 0), 16);
    assert_string_equal(text, "{\"item\":\"a\\nb\"}\n");
    pair_close(&pair);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_is_told_to_who_waits_without_limit(void **state)
{
    /* Again and again, so that one comes while it waits. */
    const struct itimerval often = {.it_interval = {.tv_usec = 2000},
                                    .it_value = {.tv_usec = 2000}};
    const struct itimerval never = {.it_value = {.tv_usec = 0}};
    const struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction before;
    struct pair pair;
    char *line;
    size_t size;

    (void)state;
    pair_open(&pair, 100, -1);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_int_equal(control_wire_receive(&pair.wire, &line, &size), -EINTR);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one_however_they_were_sent),
        cmocka_unit_test(a_line_over_the_limit_is_refused),
        cmocka_unit_test(a_line_that_does_not_end_is_not_waited_for_longer_than_the_limit),
        cmocka_unit_test(who_does_not_read_is_not_waited_for_longer_than_the_limit),
        cmocka_unit_test(a_socket_is_closed_when_nobody_can_read_any_more),
        cmocka_unit_test(zero_bytes_and_binary_ones_are_part_of_a_line),
        cmocka_unit_test(random_bytes_in_random_pieces_come_as_their_lines),
        cmocka_unit_test(the_end_of_the_stream_is_no_error_between_lines),
        cmocka_unit_test(what_came_before_the_time_was_up_is_not_lost),
        cmocka_unit_test(nothing_can_be_sent_to_who_is_gone),
        cmocka_unit_test(an_object_is_one_line_and_nothing_is_no_object),
        cmocka_unit_test(a_signal_is_told_to_who_waits_without_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
