/* tensorfsctl gc: reclaim and compact now. */
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/target.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const struct options_command command = {
    .name = "gc",
    .summary = "Give back the space of what was removed, now",
    .usage = "TARGET",
    .details =
        "TARGET is a store, or any path on its mount. Commits what is being written, gives back\n"
        "dead space, and moves what is in use out of segments that are mostly dead.\n",
    .takes_operands = true,
};

static void print_result(const cJSON *result)
{
    double before = answer_number(result, "bytes_before");
    double after = answer_number(result, "bytes_after");

    (void)printf("segments: %s, before %s (%s given back)\n", units_bytes((uint64_t)after).text,
                 units_bytes((uint64_t)before).text,
                 units_bytes(before > after ? (uint64_t)(before - after) : 0).text);
    if (answer_number(result, "moved_frames") > 0)
        (void)printf("moved: %.0f frames, %s\n", answer_number(result, "moved_frames"),
                     units_bytes((uint64_t)answer_number(result, "moved_bytes")).text);
    if (answer_number(result, "kept_rows") > 0)
        (void)printf("not moved: %.0f chunks that were in use or are damaged\n",
                     answer_number(result, "kept_rows"));
}

int ctl_gc(const struct ctl_context *context, int argc, char **argv)
{
    struct ctl_settings settings = {.store = NULL};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    tfs_cleanup(ctl_target_close_p) struct ctl_target *target = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *request = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *result = NULL;
    const char *path;
    int err = ctl_parse(context, &line, argc, argv, &path);

    if (err != OPTIONS_RUN)
        return ctl_exit_of_parse(err);
    request = ctl_request_new(command.name);
    err = ctl_target_open(path, &target);
    if (!err)
        err = ctl_target_call(target, &(struct ctl_question){.request = request}, &result);
    if (!err && !settings.json)
        print_result(result);
    return ctl_finish(&settings, result, err);
}
