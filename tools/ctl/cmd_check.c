/*
 * tensorfsctl check: is a store that nobody has mounted consistent, and can it be made so? Unlike
 * the other commands it opens no volume, and its exit status is that of fsck(8).
 */
#include "control/attribute.h"
#include "store/check/check.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/output.h"
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/target.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As fsck(8): they add up. */
enum {
    STATUS_CLEAN = 0,
    STATUS_CORRECTED = 1,
    STATUS_LEFT = 4,
    STATUS_FAILED = 8,
    STATUS_USAGE = 16,
    STATUS_CANCELLED = 32,
};

struct check_settings {
    struct ctl_settings common;
    bool repair;
};

static const struct options_row rows[] = {
    {"repair", 0, OPTIONS_FLAG, offsetof(struct check_settings, repair), NULL, NULL, 0, 0,
     "correct what can be corrected"},
};

static const struct options_command command = {
    .name = "check",
    .summary = "Check a store that is not mounted, and repair it",
    .usage = "[--repair] STORE",
    .details =
        "Checks names, links, counts and sizes against each other and the header of every frame\n"
        "that is in use. It reads no contents: 'scrub' verifies those. --repair makes nothing\n"
        "unreadable that can be read; what it cannot save it lists by path and range and leaves\n"
        "as it is. One that is interrupted has to be run again before the store is mounted for\n"
        "writing.\n\n"
        "Exit status: 0 clean, 1 errors corrected, 4 errors left, 8 it could not be done, 16 "
        "usage,\n32 cancelled; they add up.\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
};

struct check_run {
    cJSON *problems; /* with --json; else they are printed */
    bool out_of_memory;
    const char *step; /* of the bar; NULL: there is none */
    uint64_t shown;
};

static void add_problem(struct check_run *run, const struct tfs_check_problem *problem)
{
    cJSON *item = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(item, "kind", tfs_check_kind_name(problem->kind));
    (void)cJSON_AddStringToObject(item, "outcome", tfs_check_outcome_name(problem->outcome));
    if (problem->path)
        (void)cJSON_AddStringToObject(item, "path", problem->path);
    if (problem->inode)
        (void)cJSON_AddNumberToObject(item, "inode", (double)problem->inode);
    if (problem->size) {
        (void)cJSON_AddNumberToObject(item, "offset", (double)problem->offset);
        (void)cJSON_AddNumberToObject(item, "size", (double)problem->size);
    }
    (void)cJSON_AddStringToObject(item, "text", problem->text);
    if (!cJSON_AddItemToArray(run->problems, item)) {
        cJSON_Delete(item);
        run->out_of_memory = true;
    }
}

static void report(void *context, const struct tfs_check_problem *problem)
{
    struct check_run *run = context;

    if (run->problems) {
        add_problem(run, problem);
        return;
    }
    (void)printf("%s: ", tfs_check_outcome_name(problem->outcome));
    if (problem->path) {
        answer_print_safe(problem->path);
        (void)printf(": ");
    }
    if (problem->size)
        (void)printf("bytes %llu-%llu: ", (unsigned long long)problem->offset,
                     (unsigned long long)(problem->offset + problem->size - 1));
    answer_print_safe(problem->text);
    (void)printf("\n");
}

static void end_bar(struct check_run *run)
{
    if (run->step)
        console_end();
    run->step = NULL;
    run->shown = 0;
}

static bool show_progress(void *context, const struct tfs_check_progress *progress)
{
    struct check_run *run = context;

    if (run->step && strcmp(run->step, progress->step) != 0)
        end_bar(run);
    if (!run->step && progress->total > 0) {
        console_begin(CONSOLE_OPERATIONS, progress->total);
        console_stage("%s", progress->step);
        run->step = progress->step;
    }
    if (run->step && progress->done > run->shown) {
        console_advance(progress->done - run->shown);
        run->shown = progress->done;
    }
    return !interrupt_is_pending();
}

static const struct {
    const char *name;
    size_t offset;
} counts[] = {
    {"files", offsetof(struct tfs_check_result, files)},
    {"directories", offsetof(struct tfs_check_result, directories)},
    {"others", offsetof(struct tfs_check_result, others)},
    {"names", offsetof(struct tfs_check_result, names)},
    {"rows", offsetof(struct tfs_check_result, rows)},
    {"frames", offsetof(struct tfs_check_result, frames)},
    {"segments", offsetof(struct tfs_check_result, segments)},
    {"live_bytes", offsetof(struct tfs_check_result, live_bytes)},
    {"notes", offsetof(struct tfs_check_result, notes)},
    {"corrected", offsetof(struct tfs_check_result, fixed)},
    {"left", offsetof(struct tfs_check_result, left)},
    {"unreadable", offsetof(struct tfs_check_result, unreadable)},
    {"unreadable_bytes", offsetof(struct tfs_check_result, unreadable_bytes)},
};

static int print_json(struct check_run *run, const char *path, int status,
                      const struct tfs_check_result *result)
{
    tfs_cleanup(ctl_json_free_p) cJSON *answer = cJSON_CreateObject();

    if (!answer || run->out_of_memory)
        return console_fail(-ENOMEM, "printing the answer");
    (void)cJSON_AddStringToObject(answer, "store", path);
    (void)cJSON_AddNumberToObject(answer, "status", status);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(counts); i++) {
        uint64_t count;

        memcpy(&count, (const char *)result + counts[i].offset, sizeof(count));
        (void)cJSON_AddNumberToObject(answer, counts[i].name, (double)count);
    }
    (void)cJSON_AddBoolToObject(answer, "contents_read", false); /* 'scrub' does that */
    (void)cJSON_AddItemToObject(answer, "problems", TAKE_PTR(run->problems));
    return ctl_print_json(answer);
}

static void print_text(const char *path, const struct tfs_check_result *result)
{
    answer_print_safe(path);
    (void)printf(": %llu files, %llu directories, %llu frames, %s in segments\n",
                 (unsigned long long)result->files, (unsigned long long)result->directories,
                 (unsigned long long)result->frames, units_bytes(result->live_bytes).text);
    if (result->fixed)
        (void)printf("%llu errors corrected\n", (unsigned long long)result->fixed);
    if (result->left)
        (void)printf("%llu errors left\n", (unsigned long long)result->left);
    if (result->unreadable)
        (void)printf("%llu ranges and records (%s) cannot be read\n",
                     (unsigned long long)result->unreadable,
                     units_bytes(result->unreadable_bytes).text);
    if (result->fixed + result->left + result->unreadable == 0)
        (void)printf("clean; contents were not read: 'tensorfsctl scrub' verifies them\n");
    else
        (void)printf("contents were not read: 'tensorfsctl scrub' verifies them\n");
}

static int status_of(int err, const struct tfs_check_result *result)
{
    int status = result->fixed ? STATUS_CORRECTED : STATUS_CLEAN;

    if (result->left || result->unreadable)
        status |= STATUS_LEFT;
    if (err == -ECANCELED)
        status |= STATUS_CANCELLED;
    else if (err)
        status |= STATUS_FAILED;
    return status;
}

/* A path on a mount is none of a store's. */
static int check_place(const char *path)
{
    char format[PATH_MAX];

    (void)snprintf(format, sizeof(format), "%s/FORMAT", path);
    if (access(format, F_OK) < 0 && getxattr(path, CONTROL_ATTRIBUTE_ADDRESS, NULL, 0) > 0)
        return console_reject("'%s' is on a mount: unmount it, and check its store", path);
    return 0;
}

static int check(const struct check_settings *settings, const char *path)
{
    struct check_run run = {.problems = settings->common.json ? cJSON_CreateArray() : NULL};
    struct tfs_check_options options = {.path = path,
                                        .repair = settings->repair,
                                        .report = report,
                                        .progress = show_progress,
                                        .context = &run};
    struct tfs_check_result result;
    struct tfs_message message = {.text = ""};
    int err = tfs_check(&options, &message, &result);
    int status = status_of(err, &result);

    end_bar(&run);
    if (err && err != -ECANCELED)
        console_complain(message.text[0] ? 0 : err, "%s", message.text[0] ? message.text : path);
    if (settings->common.json) {
        err = print_json(&run, path, status, &result);
        if (err)
            status |= STATUS_FAILED;
    } else if (!err) {
        print_text(path, &result);
    }
    cJSON_Delete(run.problems);
    return status | output_end(0, STATUS_FAILED); /* 1, as elsewhere, would say "corrected" */
}

int ctl_check(const struct ctl_context *context, int argc, char **argv)
{
    struct check_settings settings = {.repair = false};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    const char *path;
    int err = ctl_parse(context, &line, argc, argv, &path);

    if (err != OPTIONS_RUN)
        return err == OPTIONS_DONE ? STATUS_CLEAN : STATUS_USAGE;
    if (check_place(path) < 0)
        return STATUS_FAILED;
    return check(&settings, path);
}
