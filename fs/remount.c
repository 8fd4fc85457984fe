#include "fs/remount.h"

#include "control/attribute.h"
#include "control/client.h"
#include "store/base/error.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

/* Of MS_ and ST_, in the header of Linux and not in that of Debian 12. */
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 8192
#endif

TFS_PRINTF(3, 4)
static int refuse(struct tfs_message *message, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message->text, sizeof(message->text), format, arguments); /* cut if too long */
    va_end(arguments);
    return error;
}

/* ---- the flags ---- */

static const struct flag {
    const char *sets;
    const char *clears;
    unsigned long status;     /* of statvfs(3) */
    unsigned long mount;      /* of mount(2) */
    bool is_clear_by_default; /* mount(8) does not say so */
} flags[] = {
    {"ro", "rw", ST_RDONLY, MS_RDONLY, false},
    {"nosuid", "suid", ST_NOSUID, MS_NOSUID, true},
    {"nodev", "dev", ST_NODEV, MS_NODEV, true},
    {"noexec", "exec", ST_NOEXEC, MS_NOEXEC, true},
    {"noatime", "atime", ST_NOATIME, MS_NOATIME, true},
    {"nosymfollow", "symfollow", ST_NOSYMFOLLOW, MS_NOSYMFOLLOW, true},
    {"sync", "async", ST_SYNCHRONOUS, MS_SYNCHRONOUS, false},
};

/* Of what was given the later counts, and the field has it. */
static bool is_wanted(const struct options *options, const struct flag *flag, unsigned long now,
                      unsigned long *kept)
{
    bool is_set_now = (now & flag->status) != 0;

    if (options_is_given(options, flag->sets) || options_is_given(options, flag->clears))
        return options_holds(options, flag->sets);
    if (flag->is_clear_by_default && options->remount_has_all)
        return false;
    if (is_set_now && flag->is_clear_by_default)
        *kept |= flag->status;
    return is_set_now;
}

unsigned long remount_flags(const struct options *options, unsigned long now,
                            unsigned long *ret_kept)
{
    unsigned long wanted = MS_REMOUNT;

    *ret_kept = 0;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(flags); i++) {
        if (is_wanted(options, &flags[i], now, ret_kept))
            wanted |= flags[i].mount;
    }
    if (!(wanted & MS_NOATIME))
        wanted |= MS_RELATIME;
    return wanted;
}

static void say_kept(const char *mountpoint, unsigned long kept)
{
    char names[96] = "";

    for (size_t i = 0; i < TFS_ARRAY_COUNT(flags); i++) {
        size_t used = strlen(names);

        if (kept & flags[i].status)
            (void)snprintf(names + used, sizeof(names) - used, " %s", flags[i].sets);
    }
    if (kept)
        (void)fprintf(stderr,
                      "tensorfs: '%s' stays%s: fstab and mount(8) do not say otherwise, which they "
                      "cannot; unmount it to change that\n",
                      mountpoint, names);
}

/* ---- asking the mount ---- */

static int drop_line(void *context, const char *kind, struct cJSON *value)
{
    (void)context;
    (void)kind;
    cJSON_Delete(value);
    return 0;
}

static bool is_never_cancelled(void *context)
{
    (void)context;
    return false;
}

/* *ret is the result, cJSON_Delete(). Given: request. */
static int ask(const char *mountpoint, struct cJSON *request, struct cJSON **ret,
               struct tfs_message *message)
{
    static const struct control_sink sink = {drop_line, is_never_cancelled, NULL};
    char address[PATH_MAX];
    struct control_client *client = NULL;
    ssize_t size = getxattr(mountpoint, CONTROL_ATTRIBUTE_ADDRESS, address, sizeof(address) - 1);
    int err = size < 0 ? -errno : 0;

    address[size < 0 ? 0 : size] = '\0';
    if (!err)
        err = control_client_open(address, &client);
    if (!err)
        err = request ? control_client_call(client, request, &sink, ret, message) : -ENOMEM;
    control_client_close(client);
    cJSON_Delete(request);
    if (err && !message->text[0])
        return refuse(message, err, "the mount on '%s' cannot be asked: %s", mountpoint,
                      tfs_error_text(err));
    return err;
}

static struct cJSON *new_request(const char *command)
{
    cJSON *request = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(request, "command", command);
    return request;
}

/* Options that can be changed, or that only say how a mount is to be made. */
static const char *const changeable[] = {"ro",
                                         "rw",
                                         "suid",
                                         "nosuid",
                                         "dev",
                                         "nodev",
                                         "exec",
                                         "noexec",
                                         "symfollow",
                                         "nosymfollow",
                                         "atime",
                                         "noatime",
                                         "remount",
                                         "create",
                                         "nocreate",
                                         "lock_wait",
                                         "foreground",
                                         "debug",
                                         "default_permissions",
                                         "nonempty",
                                         NULL};

/* Every other one that was given is what the mount has. */
static int check_unchanged(const struct options *options, struct tfs_message *message)
{
    static struct options now; /* large */
    cJSON *status = NULL;
    const cJSON *option;
    int err = ask(options->mountpoint, new_request("status"), &status, message);

    if (err)
        return err;
    memset(&now, 0, sizeof(now));
    cJSON_ArrayForEach(option, cJSON_GetObjectItemCaseSensitive(status, "options"))
    {
        const char *value = cJSON_GetStringValue(option);

        /* One that a later tensorfs has is none that was given to this one. */
        if (value)
            (void)!options_take(&now, option->string, value);
    }
    cJSON_Delete(status);
    return options_check_same(options, &now, changeable, message);
}

static int set_atime(const struct options *options, bool noatime, struct tfs_message *message)
{
    cJSON *request = new_request("noatime");
    cJSON *result = NULL;
    int err;

    (void)cJSON_AddBoolToObject(request, "set", noatime);
    err = ask(options->mountpoint, request, &result, message);
    cJSON_Delete(result);
    return err;
}

int remount_change(const struct options *options, struct tfs_message *message)
{
    const char *mountpoint = options->mountpoint;
    struct statvfs status;
    unsigned long wanted;
    unsigned long kept;
    int err = check_unchanged(options, message);

    if (err)
        return err;
    if (statvfs(mountpoint, &status) < 0)
        return refuse(message, -errno, "'%s': %s", mountpoint, strerror(errno));
    wanted = remount_flags(options, status.f_flag, &kept);
    if (mount(NULL, mountpoint, NULL, wanted, NULL) < 0)
        return refuse(message, -errno, "cannot remount '%s': %s", mountpoint, strerror(errno));
    say_kept(mountpoint, kept);
    return set_atime(options, (wanted & MS_NOATIME) != 0, message);
}
