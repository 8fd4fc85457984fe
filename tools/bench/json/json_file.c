/*
 * Files are small: each is read and printed whole.
 */
#include "tools/bench/json/json_file.h"

#include "tools/bench/json/json_place.h"
#include "tools/common/console.h"
#include "tools/common/output.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64ull << 20)

int json_file_write(const cJSON *root, const char *path)
{
    char *raw = cJSON_Print(root);
    char *text = raw ? output_utf8(raw) : NULL; /* paths may hold any bytes */
    FILE *file;
    int err = 0;

    free(raw);
    if (!text)
        return console_fail(-ENOMEM, "writing '%s'", path);
    file = fopen(path, "we");
    if (!file) {
        err = console_fail(-errno, "creating '%s'", path);
        free(text);
        return err;
    }
    if (fprintf(file, "%s\n", text) < 0)
        err = console_fail(-errno, "writing '%s'", path);
    if (fclose(file) != 0 && err == 0)
        err = console_fail(-errno, "writing '%s'", path);
    free(text);
    return err;
}

int json_file_read_text(const char *path, char **ret)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    int err = 0;

    if (!file)
        return console_reject("'%s': %s", path, strerror(errno));
    errno = 0;
    size = getdelim(&text, &capacity, '\0', file);
    if (size < 0 && errno == 0)
        err = console_reject("'%s' is empty", path);
    else if (size < 0 && errno == EISDIR)
        err = console_reject("'%s' is a directory", path);
    else if (size < 0)
        err = console_fail(-errno, "reading '%s'", path);
    else if ((uint64_t)size > FILE_BYTES_MAX)
        err = console_reject("'%s' is larger than %llu bytes", path, FILE_BYTES_MAX);
    (void)fclose(file); /* read-only, nothing to lose */
    if (err < 0) {
        free(text);
        return err;
    }
    *ret = text;
    return 0;
}

int json_file_read(const char *path, char **ret_text, cJSON **ret)
{
    char *text = NULL;
    cJSON *root;
    int err = json_file_read_text(path, &text);

    if (err < 0)
        return err;
    err = json_place_parse(path, text, &root);
    if (err < 0) {
        free(text);
        return err;
    }
    *ret_text = text;
    *ret = root;
    return 0;
}
