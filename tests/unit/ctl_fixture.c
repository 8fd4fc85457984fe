#include "tests/unit/ctl_fixture.h"

#include "control/json.h"
#include "control/server.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 12, MEMBERS_MAX = 32 };

struct said ctl_output;
struct said ctl_errors;

static struct control_host host;
static struct control_server *server;

int ctl_set_up_store(void **state)
{
    struct fixture *fixture;
    int err = fixture_set_up(state);

    if (err)
        return err;
    fixture = *state;
    (void)fixture_make(fixture, TFS_ROOT_INODE, "folder", S_IFDIR);
    fixture_make_file(fixture, "file", 3 * TFS_MIB, 1);
    fixture_close(fixture);
    return 0;
}

static void add_options(void *context, struct cJSON *options)
{
    (void)context;
    (void)cJSON_AddStringToObject(options, "memory", "64M");
    (void)cJSON_AddStringToObject(options, "ro", "true");
}

static void add_stats(void *context, struct cJSON *stats)
{
    const struct tfs_histogram_sum sum = {.count = 2, .total_ns = 3000, .buckets = {[1] = 2}};
    cJSON *queue = cJSON_AddObjectToObject(stats, "queue");

    (void)context;
    control_add_number(queue, "threads", 4);
    control_add_histogram(cJSON_AddObjectToObject(stats, "requests"), "READ", &sum);
}

int ctl_set_up_mount(void **state)
{
    int err = ctl_set_up_store(state);
    struct fixture *fixture = *state;

    if (err)
        return err;
    fixture_open(fixture);
    host = (struct control_host){.version = "1.2.3",
                                 .mountpoint = "/nowhere",
                                 .store = fixture->path,
                                 .add_options = add_options,
                                 .add_stats = add_stats};
    return control_server_start(
        &(struct control_server_options){.volume = fixture->volume, .host = &host}, &server);
}

int ctl_tear_down(void **state)
{
    control_server_stop(TAKE_PTR(server));
    return fixture_tear_down(state);
}

static int run(ctl_command_function *command, va_list words)
{
    const struct ctl_context context = {.json = false};
    char *copies[WORDS_MAX + 1] = {NULL};
    char *argv[WORDS_MAX + 1]; /* getopt() may change its order */
    int count = 0;
    int status;

    for (const char *word = va_arg(words, const char *); word; word = va_arg(words, const char *)) {
        assert_in_range(count, 0, WORDS_MAX - 1);
        copies[count] = strdup(word);
        assert_non_null(copies[count++]);
    }
    memcpy(argv, copies, sizeof(argv));
    said_begin(&ctl_output, STDOUT_FILENO);
    said_begin(&ctl_errors, STDERR_FILENO);
    status = command(&context, count, argv);
    said_end(&ctl_errors);
    said_end(&ctl_output);
    for (int i = 0; i < count; i++)
        free(copies[i]);
    return status;
}

int ctl_run(ctl_command_function *command, ...)
{
    va_list words;
    int status;

    va_start(words, command);
    status = run(command, words);
    va_end(words);
    return status;
}

struct cJSON *ctl_run_json(ctl_command_function *command, ...)
{
    const char *end = NULL;
    va_list words;
    cJSON *answer;
    int status;

    va_start(words, command);
    status = run(command, words);
    va_end(words);
    if (status != CTL_OK)
        fail_msg("status %d: %s", status, ctl_errors.text);
    answer = cJSON_ParseWithOpts(ctl_output.text, &end, false);
    if (!cJSON_IsObject(answer) || strcmp(end, "\n") != 0 || strchr(ctl_output.text, '\n') != end)
        fail_msg("no JSON object on one line: %s", ctl_output.text);
    return answer;
}

void assert_ctl_output_has(const char *wanted)
{
    said_assert(&ctl_output, wanted);
}

void assert_ctl_errors_have(const char *wanted)
{
    said_assert(&ctl_errors, wanted);
}

void assert_ctl_errors_are(const char *wanted)
{
    assert_string_equal(ctl_errors.text, wanted);
}

static bool has_type(const cJSON *value, char type)
{
    switch (type) {
    case 's':
        return cJSON_IsString(value);
    case 'n':
        return cJSON_IsNumber(value) && value->valuedouble >= 0;
    case 'b':
        return cJSON_IsBool(value);
    case 'o':
        return cJSON_IsObject(value);
    case 'a':
        return cJSON_IsArray(value);
    case 'z':
        return cJSON_IsNull(value) || cJSON_IsNumber(value);
    default:
        return false;
    }
}

void assert_members(const struct cJSON *object, const char *members)
{
    char copy[600];
    char *rest = NULL;
    int count = 0;

    assert_true(cJSON_IsObject(object));
    assert_in_range(strlen(members), 1, sizeof(copy) - 1);
    (void)snprintf(copy, sizeof(copy), "%s", members);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *type = strchr(word, ':');
        const cJSON *value;

        assert_non_null(type);
        *type++ = '\0';
        value = cJSON_GetObjectItemCaseSensitive(object, word);
        if (!value && type[1] == '?')
            continue;
        if (!has_type(value, type[0]))
            fail_msg("'%s' is missing or no %c", word, type[0]);
        count++;
    }
    assert_int_equal(cJSON_GetArraySize(object), count); /* none that is not in the list */
}
