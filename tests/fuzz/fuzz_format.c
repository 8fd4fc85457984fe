/*
 * FORMAT files of any text: refused, or of our version, without flags that nobody knows, and the
 * same when the fields are written again.
 */
#include "store/tables/format.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct format_line *parsed)
{
    struct format_line again;
    char line[128];
    int at = snprintf(line, sizeof(line), "tensorfs %u ", parsed->version);

    for (int i = 0; i < 16; i++)
        at += snprintf(line + at, sizeof(line) - (size_t)at, "%02x", parsed->uuid[i]);
    (void)snprintf(line + at, sizeof(line) - (size_t)at, " %x %x\n", parsed->incompatible,
                   parsed->compatible); /* fits: all fields have a largest size */
    if (format_parse(line, &again) != 0)
        abort();
    assert(memcmp(parsed, &again, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format_line parsed = {0};
    char *line = malloc(size + 1);
    int err;

    assert(line);
    memcpy(line, data, size);
    line[size] = '\0';
    err = format_parse(line, &parsed);
    assert(err == 0 || err == -EMEDIUMTYPE || err == -EPROTONOSUPPORT);
    if (err == 0) {
        assert(parsed.version == TFS_FORMAT_VERSION && parsed.incompatible == 0);
        check_again(&parsed);
    }
    free(line);
    return 0;
}
