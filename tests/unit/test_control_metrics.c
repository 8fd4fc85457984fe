/*
 * Goal: metrics are what Prometheus reads, all of them are there, and an address is what it looks
 * like.
 * Method: the text is read by the rules of the exposition format, version 0.0.4, line by line; the
 * HTTP server is asked over a socket.
 */
#include "control/commands.h"
#include "control/json.h"
#include "control/metrics.h"
#include "control/metrics_server.h"
#include "tests/unit/control_fixture.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- metrics ---- */

static void a_histogram_is_added_up_for_prometheus(void **state)
{
    const struct control_host host = {.version = "1\"2", .mountpoint = "/a\\b\n"};
    cJSON *stats =
        cJSON_Parse("{\"read_bytes\": 12, \"cache\": {\"hits\": 3}, \"requests\": {\"READ\": "
                    "{\"count\": 9, \"total_ns\": 1500000000, \"buckets_us\": [1, 2, "
                    "0, 4]}}}");
    char *text;

    (void)state;
    assert_non_null(stats);
    assert_int_equal(control_metrics_of(stats, &host, &text), 0);
    assert_non_null(strstr(text, "{version=\"1\\\"2\",mountpoint=\"/a\\\\b\\n\"} 1\n"));
    assert_non_null(strstr(text, "\ntensorfs_read_bytes_total 12\n"));
    assert_non_null(strstr(text, "\ntensorfs_cache_hits_total 3\n"));
    assert_null(strstr(text, "tensorfs_cache_misses_total"));
    assert_non_null(strstr(text, "_bucket{operation=\"READ\",le=\"1e-06\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{operation=\"READ\",le=\"8e-06\"} 7\n"));
    assert_non_null(strstr(text, "_bucket{operation=\"READ\",le=\"+Inf\"} 7\n"));
    assert_non_null(strstr(text, "_sum{operation=\"READ\"} 1.500000000\n"));
    free(text);
    cJSON_Delete(stats);
}

static void a_port_alone_is_one_of_this_machine(void **state)
{
    static const char *const loopback[] = {"9100", ":9100", "127.0.0.1:9100"};
    static const char *const wrong[] = {
        "",     ":",     "x",      "65536", "localhost:1", "1.2.3:1",     "127.0.0.1",
        "[::1", "[::1]", "::1:80", "-1",    "80 ",         "999.1.1.1:1", "[1.2.3.4]:1"};
    struct control_metrics_address address;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(loopback); i++) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address.address;

        assert_int_equal(control_metrics_parse(loopback[i], &address), 0);
        assert_int_equal(v4->sin_family, AF_INET);
        assert_int_equal(ntohs(v4->sin_port), 9100);
        assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    }
    assert_int_equal(control_metrics_parse("[::1]:80", &address), 0);
    assert_int_equal(address.address.ss_family, AF_INET6);
    assert_int_equal(control_metrics_parse("0.0.0.0:80", &address), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(wrong); i++)
        assert_int_equal(control_metrics_parse(wrong[i], &address), -EINVAL);
}

/* ---- the exposition format ---- */

enum { METRICS_COUNT = 42, /* counters and gauges */ FAMILIES_MAX = 100 };

struct exposition {
    char names[FAMILIES_MAX][64]; /* of the families, in their order */
    unsigned family_count;
    char type[16];  /* of the last family */
    char label[64]; /* of the histogram whose buckets are being read; "" none */
    double bucket;  /* its last one */
    double limit;
    unsigned sample_count;
};

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!isalpha((unsigned char)text[i]) && text[i] != '_' &&
            (i == 0 || !isdigit((unsigned char)text[i])))
            return false;
    }
    return size > 0;
}

/* "# HELP name text" or "# TYPE name type". */
static void read_comment(struct exposition *exposition, const char *line, bool is_help)
{
    const char *name = line + strlen("# HELP ");
    size_t size = strcspn(name, " ");

    assert_true(is_name(name, size));
    assert_true(strlen(name) > size + 1);
    if (!is_help) {
        assert_int_equal(size, strlen(exposition->names[exposition->family_count - 1]));
        assert_memory_equal(name, exposition->names[exposition->family_count - 1], size);
        (void)snprintf(exposition->type, sizeof(exposition->type), "%s", name + size + 1);
        assert_true(strcmp(exposition->type, "counter") == 0 ||
                    strcmp(exposition->type, "gauge") == 0 ||
                    strcmp(exposition->type, "histogram") == 0);
        return;
    }
    assert_in_range(exposition->family_count, 0, FAMILIES_MAX - 1);
    for (unsigned i = 0; i < exposition->family_count; i++) /* all of a family stand together */
        assert_true(strlen(exposition->names[i]) != size ||
                    memcmp(exposition->names[i], name, size) != 0);
    (void)snprintf(exposition->names[exposition->family_count++], 64, "%.*s", (int)size, name);
    exposition->type[0] = '\0';
    exposition->label[0] = '\0';
}

/* The end of {name="value",...}, in which only three characters are escaped. */
static const char *end_of_labels(const char *at)
{
    do {
        size_t size = strcspn(++at, "=");

        assert_true(is_name(at, size));
        at += size + 1;
        assert_int_equal(*at, '"');
        for (at++; *at != '"'; at++) {
            assert_true(*at != '\0');
            if (*at == '\\') {
                at++;
                assert_non_null(strchr("\\\"n", *at));
            }
        }
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

/* Buckets of one label come in order, hold at least what those before them do, and end with +Inf,
 * which is the count. */
static void read_bucket(struct exposition *exposition, const char *labels, double value)
{
    const char *limit = strstr(labels, ",le=\"");
    char label[64];

    assert_non_null(limit);
    (void)snprintf(label, sizeof(label), "%.*s", (int)(limit - labels), labels);
    if (strcmp(label, exposition->label) != 0) {
        (void)snprintf(exposition->label, sizeof(exposition->label), "%s", label);
        exposition->bucket = 0;
        exposition->limit = 0;
    }
    assert_true(value >= exposition->bucket);
    exposition->bucket = value;
    assert_true(strtod(limit + 5, NULL) > exposition->limit); /* "+Inf" too */
    exposition->limit = strtod(limit + 5, NULL);
}

static void read_sample(struct exposition *exposition, const char *line)
{
    const char *family = exposition->names[exposition->family_count - 1];
    size_t size = strcspn(line, "{ ");
    const char *suffix = line + strlen(family);
    const char *rest = line[size] == '{' ? end_of_labels(line + size) : line + size;
    char *end;
    double value;

    assert_true(is_name(line, size));
    assert_memory_equal(line, family, strlen(family));
    assert_true(exposition->type[0] != '\0');
    assert_int_equal(*rest, ' ');
    value = strtod(rest + 1, &end);
    assert_true(end > rest + 1 && *end == '\0' && value >= 0);
    exposition->sample_count++;
    if (strcmp(exposition->type, "histogram") != 0) {
        assert_int_equal(size, strlen(family));
        assert_int_equal(strcmp(exposition->type, "counter") == 0,
                         strcmp(line + size - strlen("_total"), line + size) != 0 &&
                             memcmp(line + size - 6, "_total", 6) == 0);
    } else if (strncmp(suffix, "_bucket{", 8) == 0) {
        read_bucket(exposition, line + size, value);
    } else if (strncmp(suffix, "_count{", 7) == 0) {
        assert_true(value == exposition->bucket);
        assert_true(exposition->limit > 1e300); /* +Inf was there */
    } else {
        assert_int_equal(strncmp(suffix, "_sum{", 5), 0);
    }
}

/* Given: text. */
static void read_exposition(char *text, struct exposition *ret)
{
    char *rest = text;

    *ret = (struct exposition){.family_count = 0};
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0)
            read_comment(ret, line, true);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_comment(ret, line, false);
        else
            read_sample(ret, line);
    }
    assert_true(!rest || *rest == '\0'); /* no empty line within */
    free(text);
}

static void add_stats(void *context, struct cJSON *stats)
{
    const struct tfs_histogram_sum sum = {
        .count = 5, .total_ns = 123456789, .buckets = {[0] = 1, [7] = 3, [25] = 1}};
    cJSON *requests = cJSON_AddObjectToObject(stats, "requests");
    cJSON *queue = cJSON_AddObjectToObject(stats, "queue");

    (void)context;
    control_add_histogram(requests, "READ", &sum);
    control_add_histogram(requests, "WRITE", &sum);
    control_add_number(queue, "threads", 16);
    control_add_number(queue, "data_slots", 14);
    control_add_number(queue, "data_busy", 3);
    control_add_number(queue, "waiting", 0);
    control_add_number(cJSON_GetObjectItemCaseSensitive(stats, "memory"), "requests", 1 << 20);
}

static void the_text_keeps_every_rule_of_the_format(void **state)
{
    struct control_fixture *fixture = *state;
    struct exposition exposition;
    char *text;

    fixture->host.mountpoint = "/mnt/a \"quoted\" \\ name\nof two lines";
    fixture->host.add_stats = add_stats;
    assert_int_equal(control_metrics_text(fixture->volume, &fixture->host, &text), 0);
    read_exposition(text, &exposition);
    /* info, all of the table, and two families of histograms: none that the counters lack */
    assert_int_equal(exposition.family_count, METRICS_COUNT + 3);
    /* one each, and two requests and three works with 26 buckets, a sum and a count */
    assert_int_equal(exposition.sample_count, 1 + METRICS_COUNT + 5 * 28);
}

static void a_mount_that_served_nothing_has_metrics_too(void **state)
{
    struct control_fixture *fixture = *state;
    struct exposition exposition;
    char *text;

    assert_int_equal(control_metrics_text(fixture->volume, &fixture->host, &text), 0);
    assert_null(strstr(text, "request_duration"));
    read_exposition(text, &exposition);
    assert_true(exposition.family_count > 20);
}

static void buckets_that_are_more_than_the_count_stay_in_order(void **state)
{
    /* Each number is read at its own moment: the count can be older. */
    cJSON *stats = cJSON_Parse("{\"times\": {\"load\": {\"count\": 1, \"total_ns\": 1, "
                               "\"buckets_us\": [2, 3]}}}");
    const struct control_host host = {.version = "", .mountpoint = ""};
    struct exposition exposition;
    char *text;

    (void)state;
    assert_int_equal(control_metrics_of(stats, &host, &text), 0);
    read_exposition(text, &exposition);
    assert_int_equal(exposition.bucket, 5);
    cJSON_Delete(stats);
}

/* ---- HTTP ---- */

static void get(unsigned port, const char *request, char answer[32768])
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t length = 0;
    ssize_t count;

    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)),
                     0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    (void)shutdown(fd, SHUT_WR);
    while ((count = recv(fd, answer + length, 32767 - length, 0)) > 0)
        length += (size_t)count;
    answer[length] = '\0';
    (void)close(fd);
}

static void metrics_are_served_and_nothing_else(void **state)
{
    static const struct {
        const char *request;
        const char *first_line;
    } cases[] = {
        {"GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 404 Not Found\r\n"},
        {"GET /metrics/../etc/passwd HTTP/1.0\r\n\r\n", "HTTP/1.0 404 Not Found\r\n"},
        {"POST /metrics HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
         "HTTP/1.0 405 Method Not Allowed\r\n"},
        {"DELETE /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 405 Method Not Allowed\r\n"},
    };
    struct control_fixture *fixture = *state;
    struct control_metrics_server *server = NULL;
    static char answer[32768];

    if (!control_metrics_is_built_in())
        skip();
    assert_int_equal(control_metrics_start("0", fixture->volume, &fixture->host, &server), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        get(control_metrics_port(server), cases[i].request, answer);
        if (!strstr(answer, strchr(cases[i].first_line, ' ')))
            fail_msg("%s: %s", cases[i].request, answer);
    }
    get(control_metrics_port(server), cases[0].request, answer);
    assert_non_null(strstr(answer, "Content-Type: " CONTROL_METRICS_TYPE "\r\n"));
    assert_non_null(strstr(answer, "\ntensorfs_live_bytes 0\n"));
    control_metrics_stop(server);
    control_metrics_stop(NULL);
}

static void an_address_that_is_taken_is_an_error(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_metrics_server *server = NULL;
    struct control_metrics_server *second = NULL;
    char address[32];

    if (!control_metrics_is_built_in())
        skip();
    assert_int_equal(control_metrics_start("0", fixture->volume, &fixture->host, &server), 0);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", control_metrics_port(server));
    assert_int_equal(control_metrics_start(address, fixture->volume, &fixture->host, &second),
                     -EADDRINUSE);
    assert_int_equal(
        control_metrics_start("203.0.113.1:0", fixture->volume, &fixture->host, &second),
        -EADDRNOTAVAIL); /* of documentation: nobody has it */
    assert_int_equal(control_metrics_start("x", fixture->volume, &fixture->host, &second), -EINVAL);
    assert_null(second);
    control_metrics_stop(server);
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

#define VOLUME_TEST(name) cmocka_unit_test_setup_teardown(name, control_set_up, control_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_histogram_is_added_up_for_prometheus),
        cmocka_unit_test(a_port_alone_is_one_of_this_machine),
        VOLUME_TEST(the_text_keeps_every_rule_of_the_format),
        VOLUME_TEST(a_mount_that_served_nothing_has_metrics_too),
        cmocka_unit_test(buckets_that_are_more_than_the_count_stay_in_order),
        VOLUME_TEST(metrics_are_served_and_nothing_else),
        VOLUME_TEST(an_address_that_is_taken_is_an_error),
        cmocka_unit_test(a_histogram_counts_by_doubling_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
