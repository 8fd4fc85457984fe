#include "fs/host.h"

#include "control/json.h"
#include "fs/mountinfo.h"
#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/log.h"

#include <cjson/cJSON.h>
#include <time.h>

static void add_option(void *context, const char *name, const char *value)
{
    (void)cJSON_AddStringToObject(context, name, value);
}

/* What a remount changes is told as it is, not as the mount was made. */
static void set_option(cJSON *options, const char *name, bool is_set)
{
    cJSON_DeleteItemFromObjectCaseSensitive(options, name);
    if (is_set)
        add_option(options, name, "true");
}

/* Where this process does not see its own mount, because it is in another mount namespace or not in
 * the tree any more, the options that it was made with are all that is known. */
static void set_flags(const struct host *host, cJSON *options)
{
    struct mountinfo mount;

    if (!mountinfo_find(host->options->mountpoint, &mount) || mount.device != host->device)
        return;
    set_option(options, "ro", host->options->volume.read_only || mountinfo_has(&mount, "ro"));
    set_option(options, "suid", !mountinfo_has(&mount, "nosuid"));
    set_option(options, "dev", !mountinfo_has(&mount, "nodev"));
    set_option(options, "noexec", mountinfo_has(&mount, "noexec"));
    set_option(options, "nosymfollow", mountinfo_has(&mount, "nosymfollow"));
}

static void add_options(void *context, struct cJSON *options)
{
    const struct host *host = context;

    options_visit(host->options, add_option, options);
    set_option(options, "noatime", tfs_volume_is_noatime(host->volume));
    set_flags(host, options);
}

static void add_requests(const struct loop *loop, cJSON *stats)
{
    cJSON *requests = counters_to_json(loop_counters(loop));

    if (requests)
        (void)cJSON_AddItemToObject(stats, "requests", requests);
}

static void add_queue(const struct loop_status *status, cJSON *stats)
{
    cJSON *queue = cJSON_AddObjectToObject(stats, "queue");

    control_add_number(queue, "threads", status->thread_count);
    control_add_number(queue, "data_slots", status->slot_count);
    control_add_number(queue, "data_busy", status->slots_busy);
    control_add_number(queue, "waiting", status->waiting);
    control_add_number(queue, "waiting_highest", status->waiting_highest);
}

static void add_stats(void *context, struct cJSON *stats)
{
    const struct host *host = context;
    struct loop_status status;

    loop_get_status(host->loop, &status);
    add_queue(&status, stats);
    control_add_number(cJSON_GetObjectItemCaseSensitive(stats, "memory"), "requests",
                       status.buffer_bytes);
    add_requests(host->loop, stats);
}

static int start_metrics(struct host *host, struct tfs_message *message)
{
    const char *address = host->options->metrics;
    int err;

    if (!address[0])
        return 0;
    err = control_metrics_start(address, host->volume, &host->control, &host->metrics);
    if (err) {
        (void)snprintf(message->text, sizeof(message->text), "cannot serve metrics at '%s': %s",
                       address, tfs_error_text(err));
        return err;
    }
    tfs_info("metrics of '%s' are served at '%s', port %u", host->options->mountpoint, address,
             control_metrics_port(host->metrics));
    return 0;
}

static void set_addresses(struct ll *ll, const struct control_server *server)
{
    ll->control_address = control_server_address(server);
    ll->control_second_address = control_server_second_address(server);
}

int host_start(struct host *host, const struct host_parts *parts, struct tfs_message *message)
{
    const struct options *options = parts->options;
    struct control_server_options server;
    int err;

    host->options = options;
    host->loop = parts->loop;
    host->volume = parts->ll->volume;
    host->device = parts->ll->device;
    host->control = (struct control_host){
        .version = TFS_VERSION,
        .mountpoint = options->mountpoint,
        .store = options->store,
        .start_ns = tfs_clock_ns(),
        .start_time = (int64_t)time(NULL),
        .add_options = add_options,
        .add_stats = add_stats,
        .context = host,
    };
    server = (struct control_server_options){
        .volume = host->volume,
        .host = &host->control,
        .abstract = options->volume.read_only,
    };
    err = control_server_start(&server, &host->server);
    if (err)
        tfs_warn("no control socket for '%s': %s", options->mountpoint, tfs_error_text(err));
    else
        set_addresses(parts->ll, host->server);
    return start_metrics(host, message);
}

void host_stop(struct host *host)
{
    control_metrics_stop(host->metrics);
    host->metrics = NULL;
    control_server_stop(host->server);
    host->server = NULL;
}
