/*
 * Files are small: each is read and printed whole.
 */
#include "tools/bench/json/json_file.h"

#include "store/base/error.h"
#include "tools/bench/json/json_place.h"
#include "tools/common/console.h"
#include "tools/common/output.h"
#include "tools/common/units.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* The rest of a stream, in a text that grows with it. Errors: as json_file_read_text. */
static int text_read(FILE *file, const char *path, char **ret)
{
    size_t capacity = 4096;
    size_t used = 0;
    char *text = NULL;
    int err = 0;

    while (err == 0) {
        char *larger = realloc(text, capacity);

        if (!larger) {
            err = console_fail(-ENOMEM, "reading '%s'", path);
            break;
        }
        text = larger;
        used += fread(text + used, 1, capacity - 1 - used, file);
        if (ferror(file))
            err = console_fail(-errno, "reading '%s'", path);
        else if (used > FILE_BYTES_MAX)
            err = console_reject("'%s' is larger than %s", path, units_bytes(FILE_BYTES_MAX).text);
        else if (used < capacity - 1)
            break;
        capacity *= 2;
    }
    if (err == 0 && memchr(text, '\0', used))
        err = console_reject("'%s' is no text: it holds a byte 0", path);
    if (err < 0) {
        free(text);
        return err;
    }
    text[used] = '\0';
    *ret = text;
    return 0;
}

int json_file_read_text(const char *path, char **ret)
{
    FILE *file = fopen(path, "re");
    struct stat status;
    int err;

    if (!file)
        return console_reject("'%s': %s", path, tfs_error_text(-errno));
    if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode))
        err = console_reject("'%s' is a directory", path);
    else
        err = text_read(file, path, ret);
    (void)fclose(file); /* read-only, nothing to lose */
    return err;
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
