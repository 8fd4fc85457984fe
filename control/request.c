/*
 * cJSON limits neither the size nor, tightly, the depth of what it parses, and it takes a zero byte
 * for the end; so a line is looked through once before cJSON sees it.
 */
#include "control/request.h"

#include "store/base/error.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define NUMBER_MAX (1ull << 53) /* above, a JSON number is not exact */

/* The deepest nesting of brackets outside strings; they need not match, that is cJSON's business.
 * Returns -1 for bytes that no JSON text has. */
static int depth_of(const char *line, size_t size)
{
    int depth = 0;
    int deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < size; i++) {
        if (line[i] == '\0')
            return -1;
        if (in_string && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            in_string = !in_string;
        else if (!in_string && (line[i] == '{' || line[i] == '['))
            depth++;
        else if (!in_string && (line[i] == '}' || line[i] == ']'))
            depth--;
        if (depth > deepest)
            deepest = depth;
    }
    return deepest;
}

/* The request's command, or NULL. */
static const char *command_of(const cJSON *request)
{
    const char *command =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, "command"));
    size_t size = command ? strlen(command) : 0;

    if (size == 0 || size > CONTROL_COMMAND_SIZE_MAX)
        return NULL;
    return strspn(command, "abcdefghijklmnopqrstuvwxyz0123456789-") == size ? command : NULL;
}

int control_request_parse(const char *line, size_t size, struct cJSON **ret,
                          const char **ret_command)
{
    const char *end = NULL;
    cJSON *request;
    int depth;
    int err = 0;

    if (size > CONTROL_REQUEST_SIZE_MAX)
        return tfs_fail(-EMSGSIZE, "request of %zu bytes", size);
    depth = depth_of(line, size);
    if (depth < 0)
        return tfs_fail(-EBADMSG, "request with a zero byte");
    if (depth > CONTROL_DEPTH_MAX)
        return tfs_fail(-ELOOP, "request of depth %d", depth);
    request = cJSON_ParseWithLengthOpts(line, size, &end, false);
    while (request && end < line + size && strchr(" \t\r", *end))
        end++;
    if (!cJSON_IsObject(request) || end != line + size)
        err = tfs_fail(-EBADMSG, "request is no JSON object");
    else if (!command_of(request))
        err = tfs_fail(-EINVAL, "request without a command");
    if (err) {
        cJSON_Delete(request);
        return err;
    }
    *ret = request;
    *ret_command = command_of(request);
    return 0;
}

const char *control_request_error_text(int error)
{
    switch (error) {
    case -EMSGSIZE:
        return "the request is too long";
    case -ELOOP:
        return "the request is nested too deep";
    case -EBADMSG:
        return "the request is no JSON object on a line";
    case -EINVAL:
        return "the request has no member 'command' that could be one";
    default:
        return "";
    }
}

int control_request_number(const struct cJSON *request, const char *name, uint64_t minimum,
                           uint64_t maximum, uint64_t *ret)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(request, name);
    double value = cJSON_IsNumber(member) ? member->valuedouble : -1;

    if (!member)
        return 0;
    /* NaN fails the first comparison. */
    if (!(value >= 0) || value > (double)NUMBER_MAX || value != floor(value))
        return tfs_fail(-EINVAL, "'%s' is no whole number", name);
    if ((uint64_t)value < minimum || (uint64_t)value > maximum)
        return tfs_fail(-EINVAL, "'%s' is %llu", name, (unsigned long long)value);
    *ret = (uint64_t)value;
    return 0;
}

int control_request_flag(const struct cJSON *request, const char *name, bool *ret)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(request, name);

    if (!member)
        return 0;
    if (!cJSON_IsBool(member))
        return tfs_fail(-EINVAL, "'%s' is neither true nor false", name);
    *ret = cJSON_IsTrue(member);
    return 0;
}

int control_request_text(const struct cJSON *request, const char *name, size_t size_max,
                         const char **ret)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(request, name);

    if (!member)
        return 0;
    if (!cJSON_IsString(member))
        return tfs_fail(-EINVAL, "'%s' is no text", name);
    if (strlen(member->valuestring) > size_max)
        return tfs_fail(-EINVAL, "'%s' is longer than %zu bytes", name, size_max);
    *ret = member->valuestring;
    return 0;
}
