/*
 * RocksDB's C interface reports errors as text: "<code>: <subcode or context>: <the system's
 * words>". This is the only place that reads them. test_index_status.c provokes each kind; check
 * the words again with a new RocksDB.
 */
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/rocksdb_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* The first entry whose both texts fit decides. */
static const struct {
    const char *prefix; /* the message starts with it */
    const char *within; /* and has this somewhere; NULL: anything */
    int error;
} rules[] = {
    {"IO error: No space left on device", NULL, -ENOSPC},
    {"IO error: While lock file", NULL, -EBUSY},      /* by another process */
    {"IO error: lock hold by current", NULL, -EBUSY}, /* opened twice in this one */
    {"Corruption", NULL, -EUCLEAN},
    {"Invalid argument", "does not exist (create_if_missing is false)", -ENOENT},
    {"Invalid argument", "Column famil",
     -EUCLEAN}, /* one of ours is missing, or there is one too many */
    {"Invalid argument", "Column Famil", -EUCLEAN},
    {"Invalid argument", NULL, -EINVAL},
    {"Not implemented: Not supported operation in read only mode", NULL, -EROFS},
    {"Operation failed: Memory limit", NULL, -ENOMEM},
    {"Shutdown in progress", NULL, -EIO},
};

/* An IO error ends with the text of its errno. What is not here is -EIO. */
static const int system_errors[] = {EACCES, EPERM, EROFS, ENOSPC, EDQUOT, EMFILE, ENFILE};

static int system_error_parse(const char *message)
{
    size_t message_size = strlen(message);

    for (size_t i = 0; i < TFS_ARRAY_COUNT(system_errors); i++) {
        const char *text = tfs_error_text(-system_errors[i]);
        size_t size = strlen(text);

        if (size > message_size || strcmp(message + message_size - size, text) != 0)
            continue;
        if (system_errors[i] == EPERM)
            return -EACCES;
        return system_errors[i] == EDQUOT ? -ENOSPC : -system_errors[i];
    }
    return -EIO;
}

int rocks_status_parse(const char *message)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rules); i++) {
        if (strncmp(message, rules[i].prefix, strlen(rules[i].prefix)) != 0)
            continue;
        if (!rules[i].within || strstr(message, rules[i].within))
            return rules[i].error;
    }
    return system_error_parse(message);
}

int rocks_status_take(char *message, const char *doing)
{
    int err;

    if (!message)
        return 0;
    err = tfs_fail(rocks_status_parse(message), "index: %s: %s", doing, message);
    rocksdb_free(message);
    return err;
}

int rocks_read_status_take(char *message, const char *doing)
{
    static _Atomic uint32_t last_told; /* relaxed: a line too many does no harm */
    uint32_t told;
    int err;

    if (!message)
        return 0;
    err = rocks_status_parse(message);
    told = tfs_crc32c(0, message, strlen(message));
    if ((err == -EUCLEAN || err == -EIO) &&
        atomic_exchange_explicit(&last_told, told, memory_order_relaxed) != told)
        tfs_error("index: %s: %s", doing, message);
    return rocks_status_take(message, doing);
}

int rocks_open_fail(const struct rocks *rocks, int error, const char *format, ...)
{
    struct index_reason reason;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason.text, sizeof(reason.text), format, arguments);
    va_end(arguments);
    for (char *c = reason.text; *c; c++) {
        if (iscntrl((unsigned char)*c))
            *c = '?'; /* it may be out of a damaged file */
    }
    if (rocks->reason)
        *rocks->reason = reason;
    else if (error != -ENOENT)
        tfs_error("cannot open the index '%s': %s", rocks->path, reason.text);
    return tfs_fail(error, "index '%s': %s", rocks->path, reason.text);
}
