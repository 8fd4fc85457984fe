/*
 * How a target is found:
 *
 *   a directory with a FORMAT file of ours  -> a store; if somebody answers at its socket, a mount
 *   a path whose user.tensorfs.control says where its mount listens -> that mount
 *
 * The first comes first, for a store that lies on a mount of another.
 */
#include "tools/ctl/target.h"

#include "control/address.h"
#include "control/attribute.h"
#include "control/client.h"
#include "store/base/error.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 2000 }; /* for a mount that is on its way out */

struct ctl_target {
    char store[PATH_MAX];          /* its directory; empty for a mount found by a path on it */
    struct control_client *client; /* NULL: not mounted */
    struct tfs_volume *volume;     /* NULL: not opened yet */
    bool volume_is_writable;
};

struct ctl_call_context {
    const struct ctl_question *question;
    bool has_bar;
    uint64_t shown; /* by the bar */
};

/* ---- which ---- */

static bool is_store(const char *path)
{
    static const char magic[] = "tensorfs ";
    char name[PATH_MAX];
    char found[sizeof(magic) - 1];
    bool is_ours;
    int fd;

    if (snprintf(name, sizeof(name), "%s/FORMAT", path) >= (int)sizeof(name))
        return false;
    fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == EACCES; /* nobody else hides a file of that name from us */
    is_ours = read(fd, found, sizeof(found)) == (ssize_t)sizeof(found) &&
              memcmp(found, magic, sizeof(found)) == 0;
    (void)close(fd); /* read-only, nothing to lose */
    return is_ours;
}

/* The socket of a store: nobody there is no error, then it is not mounted. */
static int connect_store(struct ctl_target *target)
{
    char address[PATH_MAX + sizeof(CONTROL_SOCKET_NAME)];
    int err;

    (void)snprintf(address, sizeof(address), "%s/%s", target->store, CONTROL_SOCKET_NAME);
    err = control_client_open(address, &target->client);
    if (err == 0 || err == -ENOENT || err == -ECONNREFUSED)
        return 0;
    return console_fail(err, "the socket of the store '%s'", target->store);
}

/* What is said of a path that cannot be asked. */
static int path_fail(int error, const char *path)
{
    if (error == -ENOTCONN)
        return console_fail(error,
                            "'%s': the process of its mount is gone; unmount it with 'fusermount3 "
                            "-uz' and mount it again",
                            path);
    return console_fail(error, "'%s'", path);
}

/*
 * A path that has the attributes of its mount: what `path` leads to, through links. Links that lead
 * nowhere, devices and sockets have none that users may read: then the directory that it is in.
 */
static int find_asked(const char *path, char ret[PATH_MAX])
{
    char found[PATH_MAX];
    struct stat status;
    const char *folder = found;

    if (!realpath(path, found)) {
        int err = -errno;

        if (err != -ENOENT || lstat(path, &status) < 0)
            return path_fail(err, path);
        (void)snprintf(found, sizeof(found), "%s", path);
        folder = dirname(found);
    } else if (stat(found, &status) < 0) {
        return path_fail(-errno, path);
    } else if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
        folder = dirname(found);
    }
    memmove(ret, folder, strlen(folder) + 1);
    return 0;
}

static int find_address(const char *asked, const char *attribute, char address[PATH_MAX])
{
    ssize_t size = getxattr(asked, attribute, address, PATH_MAX - 1);

    if (size < 0)
        return -errno;
    address[size] = '\0';
    return 0;
}

/* The store's directory may be out of sight, in a container for one; then there is another way. */
static int connect_mount(struct ctl_target *target, const char *path)
{
    char asked[PATH_MAX];
    char address[PATH_MAX];
    char second[PATH_MAX];
    int err = find_asked(path, asked);

    if (err)
        return err;
    err = find_address(asked, CONTROL_ATTRIBUTE_ADDRESS, address);
    if (err == -ENODATA || err == -EOPNOTSUPP || err == -EPERM)
        return console_reject("'%s' is neither a store nor on a mount of tensorfs", path);
    if (err)
        return console_fail(err, "'%s'", path);
    err = control_client_open(address, &target->client);
    if (err && find_address(asked, CONTROL_ATTRIBUTE_SECOND_ADDRESS, second) == 0 &&
        control_client_open(second, &target->client) == 0)
        return 0;
    return err ? console_fail(err, "the mount of '%s' at '%s'", path, address) : 0;
}

int ctl_target_open(const char *path, struct ctl_target **ret)
{
    struct ctl_target *target = calloc(1, sizeof(*target));
    int err;

    if (!target)
        return console_fail(-ENOMEM, "'%s'", path);
    if (!is_store(path))
        err = connect_mount(target, path);
    else if (!realpath(path, target->store))
        err = console_fail(-errno, "'%s'", path);
    else
        err = connect_store(target);
    if (err) {
        ctl_target_close(target);
        return err;
    }
    *ret = target;
    return 0;
}

int ctl_target_open_path(const char *store, const char *path, struct cJSON *request,
                         struct ctl_target **ret)
{
    struct stat status;
    const cJSON *member;

    if (store) {
        member = cJSON_AddStringToObject(request, "path", path);
    } else {
        /* What it leads to, or, where that is nothing, the link. */
        if (stat(path, &status) < 0 && (errno != ENOENT || lstat(path, &status) < 0))
            return path_fail(-errno, path);
        member = cJSON_AddNumberToObject(request, "inode", (double)status.st_ino);
    }
    if (!member)
        return console_fail(-ENOMEM, "'%s'", path);
    if (!store && S_ISDIR(status.st_mode) && is_store(path))
        return console_reject("'%s' is a store; name a path in it with --store", path);
    return ctl_target_open(store ? store : path, ret);
}

void ctl_target_close(struct ctl_target *target)
{
    int err;

    if (!target)
        return;
    control_client_close(target->client);
    err = tfs_volume_close(target->volume);
    if (err)
        console_complain(err, "closing the store '%s'", target->store);
    free(target);
}

void ctl_target_close_p(struct ctl_target **target)
{
    ctl_target_close(*target);
}

bool ctl_target_is_mounted(const struct ctl_target *target)
{
    return target->client != NULL;
}

/* ---- asking ---- */

struct cJSON *ctl_request_new(const char *command)
{
    cJSON *request = cJSON_CreateObject();

    if (cJSON_AddStringToObject(request, "command", command))
        return request;
    cJSON_Delete(request);
    return NULL;
}

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(member) && member->valuedouble > 0 ? member->valuedouble : 0;
}

static void show_progress(struct ctl_call_context *call, const cJSON *progress)
{
    const char *stage = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(progress, "stage"));
    const char *unit = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(progress, "unit"));
    uint64_t total = (uint64_t)number_of(progress, "total");
    uint64_t done = (uint64_t)number_of(progress, "done");

    if (!stage || total == 0)
        return; /* there is no bar for what has no end */
    if (!call->has_bar)
        console_begin(unit && strcmp(unit, "bytes") == 0 ? CONSOLE_BYTES : CONSOLE_OPERATIONS,
                      total);
    if (!call->has_bar)
        console_stage("%s", stage);
    call->has_bar = true;
    if (done > call->shown)
        console_advance(done - call->shown);
    call->shown = tfs_max_u64(call->shown, done);
}

static int take_line(void *context, const char *kind, struct cJSON *value)
{
    struct ctl_call_context *call = context;

    if (strcmp(kind, "item") == 0 && call->question->on_item)
        return call->question->on_item(call->question->context, value);
    if (strcmp(kind, "progress") == 0)
        show_progress(call, value);
    cJSON_Delete(value);
    return 0;
}

static bool is_interrupted(void *context)
{
    (void)context;
    return interrupt_is_pending();
}

/* The volume stays open for the next call, unless that has to write and it cannot. */
static int open_volume(struct ctl_target *target, bool writable, struct tfs_message *message)
{
    struct tfs_volume_options options;
    int err;

    if (target->volume && (target->volume_is_writable || !writable))
        return 0;
    err = tfs_volume_close(target->volume);
    target->volume = NULL;
    if (err)
        return err;
    tfs_volume_options_init(&options);
    options.path = target->store;
    options.create = false;
    options.read_only = !writable;
    options.lock_wait_ms = LOCK_WAIT_MS;
    err = tfs_volume_open(&options, message, &target->volume);
    if (!err)
        target->volume_is_writable = writable;
    return err;
}

static int call_volume(struct ctl_target *target, struct control_call *call)
{
    const char *name =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call->request, "command"));
    const struct control_command *command = name ? control_command_find(name) : NULL;
    int err;

    if (!command)
        return control_fail(call, -EOPNOTSUPP, "there is no such command");
    if (command->needs_mount)
        return control_fail(call, -ENOTCONN, "the store '%s' is not mounted", target->store);
    err = open_volume(target, command->changes, &call->message);
    if (err)
        return err;
    call->volume = target->volume;
    return command->run(call);
}

static void say(int error, const struct tfs_message *message)
{
    if (error == -ECANCELED)
        return; /* who pressed Ctrl-C knows */
    if (message->text[0])
        console_complain(0, "%s", message->text);
    else if (error == -EUCLEAN)
        console_complain(0, "the store is damaged; 'tensorfsctl check' tells more");
    else
        console_complain(error, "it could not be done");
}

int ctl_target_call(struct ctl_target *target, const struct ctl_question *question,
                    struct cJSON **ret_result)
{
    struct ctl_call_context context = {.question = question};
    const struct control_sink sink = {take_line, is_interrupted, &context};
    struct control_call call = {
        .store = target->store, .request = question->request, .sink = &sink};
    cJSON *result = NULL;
    int err = -ENOMEM;

    if (target->client) {
        err = control_client_call(target->client, question->request, &sink, &result, &call.message);
    } else {
        call.result = cJSON_CreateObject();
        if (call.result)
            err = call_volume(target, &call);
        result = call.result; /* a command may have put another in its place */
    }
    if (context.has_bar)
        console_end();
    if (err) {
        say(err, &call.message);
        cJSON_Delete(result);
        return err;
    }
    *ret_result = result;
    return 0;
}

void ctl_json_free_p(struct cJSON **json)
{
    cJSON_Delete(*json);
}
