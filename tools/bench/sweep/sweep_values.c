/*
 * A check returns what is wrong and writes what the mount takes, so that a table of keys is all
 * that a new option needs.
 */
#include "tools/bench/sweep/sweep_values.h"

#include "tools/common/units.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_MIN 256ull
#define CHUNK_BYTES_MAX (64 * TFS_MIB)

enum { ELEMENT_BYTES = 4 /* elements are float32 */, COUNT_MAX = 1024 /* of requests, threads */ };

/* A whole number, or -1. */
static double whole_number(const struct cJSON *value)
{
    double number = cJSON_GetNumberValue(value);

    return cJSON_IsNumber(value) && number >= 0 && number <= 0x1p53 && floor(number) == number
               ? number
               : -1;
}

static const char *chunk_write(uint64_t bytes, char *ret_text, size_t size)
{
    if (bytes < CHUNK_BYTES_MIN || bytes > CHUNK_BYTES_MAX || !tfs_is_power_of_two(bytes))
        return "it must be a power of two, in bytes between 256 and 64M";
    (void)snprintf(ret_text, size, "%llu", (unsigned long long)bytes);
    return NULL;
}

/* A size as a number of bytes or as a text like "1M". */
static bool size_value(const struct cJSON *value, uint64_t *ret)
{
    double number = whole_number(value);

    if (number >= 0) {
        *ret = (uint64_t)number;
        return true;
    }
    return cJSON_IsString(value) && units_parse_size(value->valuestring, ret) == 0;
}

static const char *check_chunk_size(const struct cJSON *value, char *ret_text, size_t size)
{
    uint64_t bytes = 0;

    if (!size_value(value, &bytes))
        return "it must be a size, as bytes or like \"1M\"";
    return chunk_write(bytes, ret_text, size);
}

static const char *check_chunk_elements(const struct cJSON *value, char *ret_text, size_t size)
{
    double number = whole_number(value);

    if (number < 0)
        return "it must be a whole number of float32 elements";
    return chunk_write((uint64_t)number * ELEMENT_BYTES, ret_text, size);
}

static const char *check_count(const struct cJSON *value, char *ret_text, size_t size)
{
    double number = whole_number(value);

    if (number < 1 || number > COUNT_MAX)
        return "it must be a whole number between 1 and 1024";
    (void)snprintf(ret_text, size, "%.0f", number);
    return NULL;
}

static const char *check_size(const struct cJSON *value, char *ret_text, size_t size)
{
    uint64_t bytes = 0;

    if (!size_value(value, &bytes) || bytes == 0)
        return "it must be a size, as bytes or like \"1M\"";
    (void)snprintf(ret_text, size, "%llu", (unsigned long long)bytes);
    return NULL;
}

static const char *check_seconds(const struct cJSON *value, char *ret_text, size_t size)
{
    if (!cJSON_IsNumber(value) || value->valuedouble < 0)
        return "it must be a number of seconds";
    (void)snprintf(ret_text, size, "%g", value->valuedouble);
    return NULL;
}

static const char *check_compression(const struct cJSON *value, char *ret_text, size_t size)
{
    static const struct {
        const char *name;
        unsigned long level_max; /* 0: takes no level */
    } codecs[] = {{"auto", 0}, {"none", 0}, {"gzip", 9}, {"zstd", 19}};
    static const char problem[] = "it must be auto, none, gzip, gzip:1-9, zstd or zstd:1-19";
    const char *text = cJSON_GetStringValue(value);
    size_t name_size = text ? strcspn(text, ":") : 0;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(codecs) && text; i++) {
        uint64_t level = 0;

        if (strlen(codecs[i].name) != name_size || strncmp(text, codecs[i].name, name_size) != 0)
            continue;
        if (text[name_size] == ':' && (units_parse_count(text + name_size + 1, &level) < 0 ||
                                       level < 1 || level > codecs[i].level_max))
            return problem;
        (void)snprintf(ret_text, size, "%s", text);
        return NULL;
    }
    return problem;
}

const char *sweep_value_any(const struct cJSON *value, char *ret_text, size_t size)
{
    double number = whole_number(value);

    *ret_text = '\0';
    if (cJSON_IsTrue(value))
        return NULL;
    if (number >= 0)
        (void)snprintf(ret_text, size, "%.0f", number);
    else if (cJSON_IsString(value) && !strpbrk(value->valuestring, ",\\") &&
             strlen(value->valuestring) < size)
        (void)snprintf(ret_text, size, "%s", value->valuestring);
    else
        return "it must be a text without commas, a whole number or true";
    return NULL;
}

static const struct sweep_option options[] = {
    {"chunk_size", "chunk_size", check_chunk_size},
    {"chunk_size_elements", "chunk_size", check_chunk_elements},
    {"concurrency_limit", "concurrency", check_count},
    {"concurrency", "concurrency", check_count},
    {"compression", "compression", check_compression},
    {"threads", "threads", check_count},
    {"memory", "memory", check_size},
    {"cache", "cache", sweep_value_any},
    {"commit_interval", "commit_interval", check_seconds},
};

const struct sweep_option *sweep_option_find(const char *key)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(options); i++) {
        if (strcmp(options[i].key, key) == 0)
            return &options[i];
    }
    return NULL;
}

const char *sweep_option_keys(void)
{
    return "chunk_size, chunk_size_elements, concurrency_limit, compression, threads, memory, "
           "cache, "
           "commit_interval; others in mount_options";
}
