/* tensorfsctl info: what became of a file's bytes, and where they lie. */
#include "control/attribute.h"
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"

#include <cjson/cJSON.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

struct info_settings {
    struct ctl_settings common;
    bool frames;
};

static const struct options_row rows[] = {
    {"frames", 'f', OPTIONS_FLAG, offsetof(struct info_settings, frames), NULL, NULL, 0, 0,
     "list where the frames are, too"},
};

static const struct options_command command = {
    .name = "info",
    .summary = "Tell what became of a file's bytes",
    .usage = "[--frames] PATH",
    .details = "PATH is on a mount, or within --store=STORE, mounted or not. A frame is an encoded "
               "chunk;\nsegment 0 means that it lies in the index.\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
};

/* {"bf16": {"raw": n, "stored": n}, ...} */
static void print_parts(const char *title, const cJSON *parts)
{
    const cJSON *part;

    cJSON_ArrayForEach(part, parts)
    {
        double raw = answer_number(part, "raw");
        double stored = answer_number(part, "stored");

        (void)printf("%-11s %-14s %12s -> %12s  %5.1f %%\n", title, part->string,
                     units_bytes((uint64_t)raw).text, units_bytes((uint64_t)stored).text,
                     raw > 0 ? stored / raw * 100 : 0);
        title = "";
    }
}

static void print_ratio(const cJSON *info)
{
    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(info, "ratio")))
        (void)printf("ratio       %.3f\n", answer_number(info, "ratio"));
    else
        (void)printf("ratio       -\n"); /* nothing is stored */
}

/* Small records are stored together, large ones in parts: a chunk, which is what is counted, may
 * have another size than the records that the user asked for. */
static void print_chunks(const cJSON *info)
{
    (void)printf("record size %s\n", units_bytes((uint64_t)answer_number(info, "chunk_size")).text);
    (void)printf("chunks      %.0f of up to %s\n", answer_number(info, "chunks"),
                 units_bytes((uint64_t)answer_number(info, "stored_chunk_size")).text);
}

static void print_info(const cJSON *info)
{
    (void)printf("logical     %s\n",
                 units_bytes((uint64_t)answer_number(info, "logical_bytes")).text);
    (void)printf("stored      %s\n",
                 units_bytes((uint64_t)answer_number(info, "stored_bytes")).text);
    print_ratio(info);
    print_chunks(info);
    (void)printf("blocks      %.0f of %s, in %.0f frames\n", answer_number(info, "blocks"),
                 units_bytes((uint64_t)answer_number(info, "block_size")).text,
                 answer_number(info, "frames"));
    print_parts("kinds", cJSON_GetObjectItemCaseSensitive(info, "kinds"));
    print_parts("methods", cJSON_GetObjectItemCaseSensitive(info, "methods"));
    print_parts("codecs", cJSON_GetObjectItemCaseSensitive(info, "codecs"));
}

static int print_frame(void *context, struct cJSON *frame)
{
    (void)context;
    (void)printf("frame       bytes %.0f+%.0f  chunk %.0f  segment %.0f at %.0f  %.0f -> %.0f\n",
                 answer_number(frame, "offset"), answer_number(frame, "size"),
                 answer_number(frame, "chunk"), answer_number(frame, "segment"),
                 answer_number(frame, "segment_offset"), answer_number(frame, "raw"),
                 answer_number(frame, "stored"));
    cJSON_Delete(frame);
    return 0;
}

/*
 * The file's attribute says all but where the frames are, to everybody who may read the file; the
 * mount's socket answers its owner only. NULL: it has none, and the mount is to say why.
 */
static cJSON *read_attribute(const char *path)
{
    static char text[CONTROL_ATTRIBUTE_INFO_SIZE_MAX];
    struct statfs filesystem;
    struct stat status;
    ssize_t size;
    cJSON *info;

    /* Where anybody can set such an attribute it means nothing. */
    if (statfs(path, &filesystem) < 0 || filesystem.f_type != FUSE_SUPER_MAGIC ||
        stat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return NULL;
    size = getxattr(path, CONTROL_ATTRIBUTE_INFO, text, sizeof(text));
    info = size > 0 ? cJSON_ParseWithLength(text, (size_t)size) : NULL;
    if (info)
        (void)cJSON_AddNumberToObject(info, "inode", (double)status.st_ino);
    return info;
}

int ctl_info(const struct ctl_context *context, int argc, char **argv)
{
    struct info_settings settings = {.frames = false};
    const struct ctl_line line = {
        .command = &command, .settings = &settings, .operand_count = 1, .takes_store = true};
    tfs_cleanup(ctl_json_free_p) cJSON *info = NULL;
    const char *path;
    cJSON *request;
    int outcome = ctl_parse(context, &line, argc, argv, &path);

    if (outcome != OPTIONS_RUN)
        return ctl_exit_of_parse(outcome);
    if (!settings.common.store && !settings.frames)
        info = read_attribute(path);
    if (info) {
        if (!settings.common.json)
            print_info(info);
        return ctl_finish(&settings.common, info, 0);
    }
    request = ctl_request_new("info");
    if (settings.frames)
        (void)cJSON_AddTrueToObject(request, "frames");
    return ctl_ask(&(struct ctl_ask){.settings = &settings.common,
                                     .path = path,
                                     .about_path = true,
                                     .request = request,
                                     .items = settings.frames ? "places" : NULL,
                                     .item = print_frame,
                                     .print = print_info});
}
