/*
 * Each object of the file is read by a table of its keys; a key that is in no table is an error,
 * and every error names the line.
 */
#include "tools/bench/sweep/sweep_config.h"

#include "tools/bench/formats/format.h"
#include "tools/bench/json/json_file.h"
#include "tools/bench/json/json_place.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/sweep/sweep_values.h"
#include "tools/bench/system/workers.h"
#include "tools/common/console.h"
#include "tools/common/units.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct json_document document;
    const cJSON *scan; /* kept until the tests are read, whatever the order of the file */
    struct sweep_config *config;
};

/* "default.json:12: test_configurations[2].compression: it must be ..." Gives -EINVAL. */
#define reader_reject(reader, ...) json_place_reject(&(reader)->document, __VA_ARGS__)

typedef int key_function(struct reader *reader, const cJSON *value);

struct key {
    const char *name;
    key_function *read; /* NULL: for people, like "description" */
};

static int object_read(struct reader *reader, const cJSON *object, const struct key *keys,
                       size_t count)
{
    const cJSON *member;

    if (!cJSON_IsObject(object))
        return reader_reject(reader, object, "it must be an object");
    cJSON_ArrayForEach(member, object)
    {
        size_t i = 0;
        int err;

        if (json_member(object, member->string) != member)
            return reader_reject(reader, member, "this key is there twice");
        while (i < count && strcmp(keys[i].name, member->string) != 0)
            i++;
        if (i == count)
            return reader_reject(reader, member, "unknown key");
        err = keys[i].read ? keys[i].read(reader, member) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static int count_read(const struct reader *reader, const cJSON *value, unsigned max, unsigned *ret)
{
    double number = cJSON_GetNumberValue(value);

    if (!cJSON_IsNumber(value) || !(number >= 1 && number <= max) || floor(number) != number)
        return reader_reject(reader, value, "it must be a whole number between 1 and %u", max);
    *ret = (unsigned)number;
    return 0;
}

static int text_read(const struct reader *reader, const cJSON *value, char *ret, size_t size)
{
    const char *text = cJSON_GetStringValue(value);

    if (!text || *text == '\0' || strlen(text) >= size)
        return reader_reject(reader, value, "it must be a text of 1 to %zu characters", size - 1);
    (void)memcpy(ret, text, strlen(text) + 1);
    return 0;
}

static int read_parameters(struct reader *reader, const cJSON *value)
{
    double number = cJSON_GetNumberValue(value);

    if (!cJSON_IsNumber(value) || !(number >= 1 && number <= 1e13) || floor(number) != number)
        return reader_reject(reader, value, "it must be a whole number between 1 and 1e13");
    reader->config->model.parameters = (uint64_t)number;
    return 0;
}

static int read_model_size(struct reader *reader, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);

    if (!text || units_parse_size(text, &reader->config->model_bytes) < 0 ||
        reader->config->model_bytes < 64 * TFS_KIB)
        return reader_reject(reader, value, "it must be a size of at least 64K, like \"512M\"");
    return 0;
}

static int read_model_path(struct reader *reader, const cJSON *value)
{
    return text_read(reader, value, reader->config->model_path, sizeof(reader->config->model_path));
}

static int read_mix(struct reader *reader, const cJSON *value)
{
    const cJSON *member;

    if (cJSON_IsString(value)) {
        if (model_parse_mix(value->valuestring, &reader->config->model) < 0)
            return reader_reject(reader, value, "it must be bf16, fp16, fp32, train or an object");
        return 0;
    }
    if (!cJSON_IsObject(value) || !value->child)
        return reader_reject(reader, value, "it must be bf16, fp16, fp32, train or an object");
    (void)memset(reader->config->model.copies, 0, sizeof(reader->config->model.copies));
    cJSON_ArrayForEach(member, value)
    {
        enum tensor_kind kind;
        double copies = cJSON_GetNumberValue(member);

        if (tensor_kind_parse(member->string, &kind) < 0)
            return reader_reject(reader, member, "no such kind (bf16, fp16, fp32, adam_m, adam_v)");
        if (!cJSON_IsNumber(member) || !(copies > 0 && copies <= 16))
            return reader_reject(reader, member, "it must be above 0 and at most 16");
        reader->config->model.copies[kind] = copies;
    }
    return 0;
}

static int read_model(struct reader *reader, const cJSON *value)
{
    static const struct key keys[] = {
        {"description", NULL}, {"parameters", read_parameters}, {"size", read_model_size},
        {"mix", read_mix},     {"path", read_model_path},
    };
    const cJSON *path = json_member(value, "path");

    if (path && cJSON_GetArraySize(value) > 1 + (json_member(value, "description") != NULL))
        return reader_reject(reader, path, "real files have no parameters, size or mix");
    return object_read(reader, value, keys, TFS_ARRAY_COUNT(keys));
}

static int read_runs(struct reader *reader, const cJSON *value)
{
    return count_read(reader, value, SWEEP_RUNS_MAX, &reader->config->runs);
}

static int read_ranks(struct reader *reader, const cJSON *value)
{
    return count_read(reader, value, WORKERS_MAX, &reader->config->ranks);
}

static int read_format(struct reader *reader, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);

    for (unsigned i = 0; text && format_by_index(i); i++) {
        if (strcmp(format_by_index(i)->name, text) == 0) {
            reader->config->format = i;
            return 0;
        }
    }
    return reader_reject(reader, value, "it must be one of: %s", FORMAT_CHOICES);
}

static int read_load(struct reader *reader, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);

    if (!text || (strcmp(text, "read") != 0 && strcmp(text, "mmap") != 0))
        return reader_reject(reader, value, "it must be \"read\" or \"mmap\"");
    reader->config->load_by_mmap = text[0] == 'm';
    return 0;
}

static int read_baseline(struct reader *reader, const cJSON *value)
{
    return text_read(reader, value, reader->config->baseline, sizeof(reader->config->baseline));
}

static int read_testing(struct reader *reader, const cJSON *value)
{
    static const struct key keys[] = {
        {"description", NULL},       {"num_runs", read_runs}, {"model", read_model},
        {"format", read_format},     {"ranks", read_ranks},   {"load", read_load},
        {"baseline", read_baseline},
    };

    return object_read(reader, value, keys, TFS_ARRAY_COUNT(keys));
}

static struct sweep_test *test_add(struct reader *reader)
{
    struct sweep_config *config = reader->config;

    if (config->test_count == SWEEP_TESTS_MAX)
        return NULL;
    config->tests[config->test_count] = (struct sweep_test){.axis = SWEEP_AXIS_NONE};
    return &config->tests[config->test_count++];
}

/* Whether "name=" or "name" stands in the list already. */
static bool options_have(const char *options, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = options; *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
        if (strncmp(at, name, size) == 0 && strchr("=,", at[size]))
            return true;
    }
    return false;
}

/* value "": an option without one. */
static int options_add(const struct reader *reader, const cJSON *node, struct sweep_test *test,
                       const char *name, const char *value)
{
    size_t used = strlen(test->options);
    size_t left = sizeof(test->options) - used;

    if (options_have(test->options, name))
        return reader_reject(reader, node, "the mount option '%s' is given twice", name);
    if (snprintf(test->options + used, left, "%s%s%s%s", used ? "," : "", name, *value ? "=" : "",
                 value) >= (int)left)
        return reader_reject(reader, node, "more than %zu characters of mount options",
                             sizeof(test->options) - 1);
    return 0;
}

static int test_read_others(const struct reader *reader, const cJSON *object,
                            struct sweep_test *test)
{
    const cJSON *member;

    if (!cJSON_IsObject(object))
        return reader_reject(reader, object, "it must be an object");
    cJSON_ArrayForEach(member, object)
    {
        char text[128];
        const char *problem = sweep_value_any(member, text, sizeof(text));
        int err;

        if (problem)
            return reader_reject(reader, member, "%s", problem);
        err = options_add(reader, member, test, member->string, text);
        if (err < 0)
            return err;
    }
    return 0;
}

static int test_read_member(struct reader *reader, const cJSON *member, struct sweep_test *test)
{
    const struct sweep_option *option;
    const char *problem;
    char text[128];

    if (strcmp(member->string, "description") == 0)
        return 0;
    if (strcmp(member->string, "name") == 0)
        return text_read(reader, member, test->name, sizeof(test->name));
    if (strcmp(member->string, "mount_options") == 0)
        return test_read_others(reader, member, test);
    option = sweep_option_find(member->string);
    if (!option)
        return reader_reject(reader, member, "unknown key; a test has name, description, %s",
                             sweep_option_keys());
    problem = option->check(member, text, sizeof(text));
    if (problem)
        return reader_reject(reader, member, "%s", problem);
    return options_add(reader, member, test, option->option, text);
}

static int test_read(struct reader *reader, const cJSON *object)
{
    struct sweep_test *test = test_add(reader);
    const cJSON *member;
    int err;

    if (!test)
        return reader_reject(reader, object, "more than %d tests", SWEEP_TESTS_MAX);
    if (!cJSON_IsObject(object))
        return reader_reject(reader, object, "a test is an object");
    cJSON_ArrayForEach(member, object)
    {
        err = test_read_member(reader, member, test);
        if (err < 0)
            return err;
    }
    if (test->name[0] == '\0')
        return reader_reject(reader, object, "a test needs a name");
    if (strpbrk(test->name, ".[]\t\""))
        return reader_reject(reader, object, "a name may not hold . [ ] tabs or quotes");
    if (&reader->config->tests[sweep_config_find(reader->config, test->name)] != test)
        return reader_reject(reader, object, "a second test named '%s'", test->name);
    return 0;
}

static int read_tests(struct reader *reader, const cJSON *value)
{
    const cJSON *element;

    if (!cJSON_IsArray(value) || !value->child)
        return reader_reject(reader, value, "it must be a list of tests");
    cJSON_ArrayForEach(element, value)
    {
        int err = test_read(reader, element);

        if (err < 0)
            return err;
    }
    return 0;
}

/* The value of a scan as it stood in the file, for tables and axes. */
static void value_label(const cJSON *value, char *label, size_t size)
{
    if (cJSON_IsString(value))
        (void)snprintf(label, size, "%.24s", value->valuestring);
    else
        (void)snprintf(label, size, "%.0f", cJSON_GetNumberValue(value));
}

static int scan_read_axis(struct reader *reader, const cJSON *list, enum sweep_axis axis)
{
    const struct sweep_option *option = sweep_option_find(list->string);
    const cJSON *value;

    if (!cJSON_IsArray(list))
        return reader_reject(reader, list, "it must be a list of values");
    cJSON_ArrayForEach(value, list)
    {
        struct sweep_test *test = test_add(reader);
        char text[128];
        const char *problem = option->check(value, text, sizeof(text));
        int err;

        if (problem)
            return reader_reject(reader, value, "%s", problem);
        if (!test)
            return reader_reject(reader, value, "more than %d tests", SWEEP_TESTS_MAX);
        test->axis = axis;
        value_label(value, test->value, sizeof(test->value));
        (void)snprintf(test->name, sizeof(test->name), "%s=%s", option->option, test->value);
        err = options_add(reader, value, test, option->option, text);
        if (err < 0)
            return err;
    }
    return 0;
}

static int read_scan_chunk(struct reader *reader, const cJSON *value)
{
    return scan_read_axis(reader, value, SWEEP_AXIS_CHUNK_SIZE);
}

static int read_scan_concurrency(struct reader *reader, const cJSON *value)
{
    return scan_read_axis(reader, value, SWEEP_AXIS_CONCURRENCY);
}

static int read_scan_compression(struct reader *reader, const cJSON *value)
{
    return scan_read_axis(reader, value, SWEEP_AXIS_COMPRESSION);
}

static int read_scan(struct reader *reader, const cJSON *value)
{
    reader->scan = value;
    return 0;
}

static int scan_read(struct reader *reader)
{
    static const struct key keys[] = {
        {"description", NULL},
        {"chunk_size", read_scan_chunk},
        {"concurrency", read_scan_concurrency},
        {"compression", read_scan_compression},
    };

    return object_read(reader, reader->scan, keys, TFS_ARRAY_COUNT(keys));
}

static int config_read(struct reader *reader)
{
    static const struct key keys[] = {
        {"description", NULL},
        {"testing", read_testing},
        {"test_configurations", read_tests},
        {"parameter_scan", read_scan},
    };
    struct sweep_config *config = reader->config;
    int err = object_read(reader, reader->document.root, keys, TFS_ARRAY_COUNT(keys));

    if (err < 0)
        return err;
    if (config->test_count == 0)
        return reader_reject(reader, reader->document.root, "'test_configurations' is missing");
    if (config->baseline[0] == '\0')
        (void)snprintf(config->baseline, sizeof(config->baseline), "%s", config->tests[0].name);
    if (sweep_config_find(config, config->baseline) < 0)
        return reader_reject(reader, reader->document.root,
                             "testing.baseline: no test is named '%s'", config->baseline);
    if (config->model_path[0] != '\0')
        config->model.path = config->model_path;
    return reader->scan ? scan_read(reader) : 0;
}

void sweep_config_free(struct sweep_config *config)
{
    if (!config)
        return;
    free(config->tests);
    free(config);
}

static void sweep_config_free_p(struct sweep_config **config)
{
    sweep_config_free(*config);
}

int sweep_config_parse(const char *file, const char *text, struct sweep_config **ret)
{
    tfs_cleanup(sweep_config_free_p) struct sweep_config *config = calloc(1, sizeof(*config));
    tfs_cleanup(json_delete_p) cJSON *root = NULL;
    struct reader reader = {.document = {.file = file, .text = text}, .config = config};
    int err;

    if (config)
        config->tests = calloc(SWEEP_TESTS_MAX, sizeof(*config->tests));
    if (!config || !config->tests)
        return console_fail(-ENOMEM, "'%s'", file);
    config->runs = 3;
    config->ranks = 1;
    config->model_bytes = 512 * TFS_MIB;
    config->model.copies[TENSOR_BF16] = 1;
    (void)snprintf(config->name, sizeof(config->name), "%s", file);
    err = json_place_parse(file, text, &root);
    if (err < 0)
        return err;
    reader.document.root = root;
    err = config_read(&reader);
    if (err < 0)
        return err;
    *ret = TAKE_PTR(config);
    return 0;
}

int sweep_config_read(const char *path, struct sweep_config **ret)
{
    char *text = NULL;
    int err;

    if (!path)
        return sweep_config_parse("default.json", sweep_default_config, ret);
    err = json_file_read_text(path, &text);
    if (err < 0)
        return err;
    err = sweep_config_parse(path, text, ret);
    free(text);
    return err;
}

long sweep_config_find(const struct sweep_config *config, const char *name)
{
    for (size_t i = 0; i < config->test_count; i++) {
        if (strcmp(config->tests[i].name, name) == 0)
            return (long)i;
    }
    return -1;
}
