/*
 * Both walks number the values in document order: the tree by recursion, the text by skipping
 * keys.
 */
#include "tools/bench/json/json_place.h"

#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

int json_place_parse(const char *file, const char *text, struct cJSON **ret)
{
    const char *end;
    struct cJSON *root = cJSON_ParseWithOpts(text, &end, true);

    if (!root)
        return console_reject("%s:%u: not JSON at '%.20s'", file, line_of(text, end), end);
    *ret = root;
    return 0;
}

/*
 * Count the values before `node` in document order, and collect its path on the way back. Returns
 * true when found. As deep as cJSON's own parser, which stops at CJSON_NESTING_LIMIT.
 */
static bool tree_find(const struct cJSON *at, const struct cJSON *node, size_t *count,
                      struct json_place *place)
{
    size_t index = 0;

    if (at == node)
        return true;
    for (const struct cJSON *child = at->child; child; child = child->next, index++) {
        char rest[sizeof(place->path)];
        const char *dot;

        (*count)++;
        if (!tree_find(child, node, count, place))
            continue;
        (void)memcpy(rest, place->path, sizeof(rest));
        dot = rest[0] != '\0' && rest[0] != '[' ? "." : "";
        if (cJSON_IsArray(at))
            (void)snprintf(place->path, sizeof(place->path), "[%zu]%s%.100s", index, dot, rest);
        else
            (void)snprintf(place->path, sizeof(place->path), "%.100s%s%.56s", child->string, dot,
                           rest);
        return true;
    }
    return false;
}

static const char *string_end(const char *at)
{
    for (at++; *at != '"' && *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
    }
    return *at == '"' ? at + 1 : at;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* The start of value number `index`, or of its key when it has one. The text is known to be valid
 * JSON. */
static const char *text_find(const char *text, size_t index)
{
    const char *key = NULL;
    const char *at = skip_blanks(text);

    while (*at != '\0') {
        const char *end = at + 1;

        if (*at == '"') {
            end = string_end(at);
            if (*skip_blanks(end) == ':') {
                key = at;
                at = skip_blanks(end) + 1;
                at = skip_blanks(at);
                continue;
            }
        } else if (strchr("}],", *at)) {
            at = skip_blanks(end);
            continue;
        } else if (!strchr("{[", *at)) {
            end = at + strcspn(at, ",]} \t\r\n"); /* a number or a word */
        }
        if (index-- == 0)
            return key ? key : at;
        key = NULL;
        at = skip_blanks(end);
    }
    return text;
}

void json_place_find(const struct json_document *document, const struct cJSON *node,
                     struct json_place *ret)
{
    size_t index = 0;

    *ret = (struct json_place){.line = 1};
    if (tree_find(document->root, node, &index, ret))
        ret->line = line_of(document->text, text_find(document->text, index));
}

int json_place_reject(const struct json_document *document, const struct cJSON *node,
                      const char *format, ...)
{
    struct json_place place;
    char problem[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof(problem), format, arguments); /* a longer one is cut */
    va_end(arguments);
    json_place_find(document, node, &place);
    return console_reject("%s:%u: %s%s%s", document->file, place.line, place.path,
                          place.path[0] != '\0' ? ": " : "", problem);
}

/* An element by index, or by its member "name". */
static const struct cJSON *element_find(const struct cJSON *array, const char *key, size_t size)
{
    const struct cJSON *element;
    bool digits = size > 0;

    for (size_t i = 0; i < size; i++)
        digits = digits && isdigit((unsigned char)key[i]);
    if (digits)
        return cJSON_GetArrayItem(array, (int)strtol(key, NULL, 10));
    cJSON_ArrayForEach(element, array)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(element, "name"));

        if (name && strlen(name) == size && strncmp(name, key, size) == 0)
            return element;
    }
    return NULL;
}

const struct cJSON *json_place_resolve(const struct cJSON *root, const char *path)
{
    while (root && *path != '\0') {
        char key[128];
        size_t size;

        if (*path == '[') {
            size = strcspn(++path, "]");
            root = element_find(root, path, size);
            path += size + (path[size] == ']');
            continue;
        }
        path += *path == '.';
        size = strcspn(path, ".[");
        if (size == 0 || size >= sizeof(key))
            return NULL;
        (void)memcpy(key, path, size);
        key[size] = '\0';
        root = cJSON_GetObjectItemCaseSensitive(root, key);
        path += size;
    }
    return root;
}
