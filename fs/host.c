#include "fs/host.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/log.h"

#include <cjson/cJSON.h>
#include <time.h>

static void add_option(void *context, const char *name, const char *value)
{
    (void)cJSON_AddStringToObject(context, name, value);
}

static void add_options(void *context, struct cJSON *options)
{
    const struct host *host = context;

    options_visit(host->options, add_option, options);
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

    loop_get_status(host->ll->loop, &status);
    add_queue(&status, stats);
    (void)cJSON_AddNumberToObject(cJSON_GetObjectItemCaseSensitive(stats, "memory"), "requests",
                                  (double)status.buffer_bytes);
    add_requests(host->ll->loop, stats);
}

void host_start(struct host *host, struct ll *ll, const struct options *options)
{
    struct control_server_options server;
    int err;

    host->options = options;
    host->ll = ll;
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
        .volume = ll->volume,
        .host = &host->control,
        .abstract = options->volume.read_only,
    };
    err = control_server_start(&server, &host->server);
    if (err)
        tfs_warn("no control socket for '%s': %s", options->mountpoint, tfs_error_text(err));
    else
        ll->control_address = control_server_address(host->server);
}

void host_stop(struct host *host)
{
    control_server_stop(host->server);
    host->server = NULL;
}
