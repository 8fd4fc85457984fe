/*
 * tensorfsctl debug-bundle: a tar of what helps to understand a problem. It holds no content of
 * files, and no names of files unless --names asks for them; the store's own path and that of its
 * mount are told.
 */
#include "tools/common/console.h"
#include "tools/common/output.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/tar.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "tensorfs-debug/"

struct bundle_settings {
    struct ctl_settings common;
    const char *out;
    bool names;
};

struct bundle {
    struct ctl_target *target;
    FILE *out;
    bool names;
};

static const struct options_row rows[] = {
    {"out", 'o', OPTIONS_PATH, offsetof(struct bundle_settings, out), "FILE", NULL, 0, 0,
     "write it there (default: tensorfs-debug-TIME.tar here; - is standard output)"},
    {"names", 0, OPTIONS_FLAG, offsetof(struct bundle_settings, names), NULL, NULL, 0, 0,
     "leave names of files in the log's lines"},
};

static const struct options_command command = {
    .name = "debug-bundle",
    .summary = "Collect what helps to understand a problem in a tar file",
    .usage = "[--out=FILE] [--names] TARGET",
    .details = "It holds status, counters, segments, the index's own statistics, versions and the "
               "newest\nlines of the log; no content of files, and without --names no names of "
               "files.\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
};

/* Given: text; NULL is -ENOMEM. */
static int add_text(const struct bundle *bundle, const char *name, char *text)
{
    char *clean = text ? output_utf8(text) : NULL; /* paths may hold any bytes, JSON may not */
    int err = clean ? tar_add(bundle->out, name, clean, strlen(clean)) : -ENOMEM;

    free(clean);
    free(text);
    return err ? console_fail(err, "writing '%s'", name) : 0;
}

static int print_log_line(void *context, struct cJSON *line)
{
    time_t seconds = (time_t)answer_number(line, "time");
    struct tm parts;
    char when[32] = "";

    if (gmtime_r(&seconds, &parts))
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
    (void)fprintf(context, "%s %s %s\n", when, answer_text(line, "level"),
                  answer_text(line, "text"));
    cJSON_Delete(line);
    return 0;
}

/* One question, its result as a file. */
static int add_answer(const struct bundle *bundle, const char *question, const char *name)
{
    tfs_cleanup(ctl_json_free_p) cJSON *request = ctl_request_new(question);
    tfs_cleanup(ctl_json_free_p) cJSON *result = NULL;
    int err = request ? ctl_target_call(bundle->target, &(struct ctl_question){.request = request},
                                        &result)
                      : -ENOMEM;

    return err ? err : add_text(bundle, name, cJSON_Print(result));
}

static int add_log(const struct bundle *bundle)
{
    tfs_cleanup(ctl_json_free_p) cJSON *request = ctl_request_new("log");
    tfs_cleanup(ctl_json_free_p) cJSON *result = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    const struct ctl_question question = {
        .request = request, .on_item = print_log_line, .context = stream};
    int err = request && stream ? 0 : -ENOMEM;

    if (!err && bundle->names)
        (void)cJSON_AddTrueToObject(request, "names");
    if (!err)
        err = ctl_target_call(bundle->target, &question, &result);
    if (stream && fclose(stream) != 0 && !err)
        err = -ENOMEM;
    if (!err)
        return add_text(bundle, FOLDER "log.txt", text);
    free(text);
    return err;
}

static int add_versions(const struct bundle *bundle)
{
    struct utsname system;
    char *text = NULL;

    if (uname(&system) < 0)
        return console_fail(-errno, "uname");
    if (asprintf(&text, "tensorfsctl %s\n%s %s %s\ncores %ld, pages %ld of %ld bytes\n",
                 TFS_VERSION, system.sysname, system.release, system.machine,
                 sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_PHYS_PAGES), sysconf(_SC_PAGESIZE)) < 0)
        text = NULL;
    return add_text(bundle, FOLDER "versions.txt", text);
}

static int fill(const struct bundle *bundle)
{
    bool is_mounted = ctl_target_is_mounted(bundle->target);
    int err = add_versions(bundle);

    if (!err)
        err = add_answer(bundle, "status", FOLDER "status.json");
    if (!err)
        err = add_answer(bundle, "layout", FOLDER "layout.json");
    if (!err && is_mounted)
        err = add_answer(bundle, "stats", FOLDER "stats.json");
    if (!err && is_mounted)
        err = add_log(bundle);
    if (!err && tar_end(bundle->out) < 0)
        err = console_fail(-EIO, "writing the archive");
    return err;
}

/* A new file that only its owner reads. */
static int open_out(const char *name, FILE **ret)
{
    int fd;

    if (strcmp(name, "-") == 0) {
        *ret = stdout;
        return 0;
    }
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *ret = fd < 0 ? NULL : fdopen(fd, "w");
    return *ret ? 0 : console_fail(-errno, "'%s'", name);
}

static int write_bundle(struct bundle *bundle, const char *name)
{
    int err = open_out(name, &bundle->out);

    if (err)
        return err;
    err = fill(bundle);
    if (bundle->out != stdout && fclose(bundle->out) != 0 && !err)
        err = console_fail(-errno, "'%s'", name);
    if (err && bundle->out != stdout)
        (void)unlink(name); /* half a bundle misleads */
    return err;
}

int ctl_debug_bundle(const struct ctl_context *context, int argc, char **argv)
{
    struct bundle_settings settings = {.out = NULL};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    tfs_cleanup(ctl_target_close_p) struct ctl_target *target = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *result = cJSON_CreateObject();
    char name[64];
    const char *path;
    int err = ctl_parse(context, &line, argc, argv, &path);

    if (err != OPTIONS_RUN)
        return ctl_exit_of_parse(err);
    (void)snprintf(name, sizeof(name), "tensorfs-debug-%lld.tar", (long long)time(NULL));
    if (!settings.out)
        settings.out = name;
    if (settings.common.json && strcmp(settings.out, "-") == 0)
        return ctl_exit_of_parse(console_reject("--json and --out=- both want standard output"));
    (void)cJSON_AddStringToObject(result, "file", settings.out);
    err = ctl_target_open(path, &target);
    if (!err)
        err =
            write_bundle(&(struct bundle){.target = target, .names = settings.names}, settings.out);
    if (!err && !settings.common.json && strcmp(settings.out, "-") != 0)
        (void)printf("%s\n", settings.out);
    return ctl_finish(&settings.common, result, err);
}
