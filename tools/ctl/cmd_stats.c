/*
 * tensorfsctl stats: what a mount has counted since it began; with --watch what it does, a line for
 * each interval, as dstat prints it.
 */
#include "store/base/clock.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/stats.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

struct stats_settings {
    struct ctl_settings common;
    bool watch;
    uint64_t interval_s;
    uint64_t count;
};

static const struct options_row rows[] = {
    {"watch", 'w', OPTIONS_FLAG, offsetof(struct stats_settings, watch), NULL, NULL, 0, 0,
     "print a line for each interval until Ctrl-C"},
    {"interval", 'i', OPTIONS_COUNT, offsetof(struct stats_settings, interval_s), "SECONDS", NULL,
     1, 86400, "of --watch (default 1)"},
    {"count", 'n', OPTIONS_COUNT, offsetof(struct stats_settings, count), "N", NULL, 1, 1u << 30,
     "lines of --watch (default: no end)"},
};

static const struct options_command command = {
    .name = "stats",
    .summary = "Tell what a mount has counted, or watch what it does",
    .usage = "[--watch [--interval=SECONDS] [--count=N]] TARGET",
    .details =
        "Columns of --watch, for each second of the interval: bytes read and written by programs,\n"
        "requests and their mean and 99th percentile of time, bytes stored, hits of the chunk "
        "cache,\n"
        "requests for durability and syncs of the disk made for them; and, as they are at its "
        "end,\n"
        "requests that wait, chunks in flight, dirty data and memory in use. With --json each "
        "line\n"
        "is all counters, as they are at that moment.\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
};

/* Sleeps until then; -ECANCELED after Ctrl-C. */
static int wait_until(uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now_ns = tfs_clock_ns();
        struct timespec pause;

        if (interrupt_is_pending())
            return -ECANCELED;
        if (now_ns >= deadline_ns)
            return 0;
        pause = (struct timespec){.tv_sec = (time_t)((deadline_ns - now_ns) / TFS_NS_PER_S),
                                  .tv_nsec = (long)((deadline_ns - now_ns) % TFS_NS_PER_S)};
        (void)nanosleep(&pause, NULL); /* a signal ends it early, and is looked for above */
    }
}

/* Each line asks with a connection of its own: a mount does not keep one for who says nothing. */
static int sample(const char *path, cJSON **ret)
{
    tfs_cleanup(ctl_target_close_p) struct ctl_target *target = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *request = ctl_request_new("stats");
    int err = request ? ctl_target_open(path, &target) : -ENOMEM;

    return err ? err : ctl_target_call(target, &(struct ctl_question){.request = request}, ret);
}

static int print_line(const struct stats_settings *settings, const cJSON *before, const cJSON *now,
                      uint64_t index)
{
    int err = 0;

    if (settings->common.json)
        return ctl_print_json(now);
    if (index % STATS_LINES_PER_HEADING == 0)
        stats_print_heading();
    stats_print_difference(before, now);
    if (fflush(stdout) != 0) /* a reader that went away is no failure to tell of */
        err = errno == EPIPE ? -EPIPE : console_fail(-errno, "standard output");
    return err;
}

static int watch(const struct stats_settings *settings, const char *path)
{
    tfs_cleanup(ctl_json_free_p) cJSON *before = NULL;
    uint64_t deadline_ns = tfs_clock_ns();
    int err = sample(path, &before);

    for (uint64_t i = 0; !err && i < settings->count; i++) {
        cJSON *now = NULL;

        deadline_ns += settings->interval_s * TFS_NS_PER_S;
        err = wait_until(deadline_ns);
        if (!err)
            err = sample(path, &now);
        if (!err)
            err = print_line(settings, before, now, i);
        if (now) {
            cJSON_Delete(before);
            before = now;
        }
    }
    return err == -ECANCELED ? 0 : err; /* Ctrl-C is how it ends */
}

int ctl_stats(const struct ctl_context *context, int argc, char **argv)
{
    struct stats_settings settings = {.interval_s = 1, .count = UINT64_MAX};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    const char *path;
    int outcome = ctl_parse(context, &line, argc, argv, &path);

    if (outcome != OPTIONS_RUN)
        return ctl_exit_of_parse(outcome);
    if (settings.watch)
        return watch(&settings, path) ? CTL_FAILED : CTL_OK;
    return ctl_ask(&(struct ctl_ask){.settings = &settings.common,
                                     .path = path,
                                     .request = ctl_request_new("stats"),
                                     .print = stats_print});
}
