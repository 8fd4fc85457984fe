/*
 * tensorfsctl verify: files on a mount, tensor by tensor, against the checksums that the store has.
 * The work is tools/validate's, on the CPU.
 */
#include "control/attribute.h"
#include "tools/common/console.h"
#include "tools/common/output.h"
#include "tools/ctl/ctl.h"
#include "tools/validate/validate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

struct verify_settings {
    struct ctl_settings common;
    bool no_nan;
    bool verbose;
};

#define FIELD(name) offsetof(struct verify_settings, name)

static const struct options_row rows[] = {
    {"no-nan", 0, OPTIONS_FLAG, FIELD(no_nan), NULL, NULL, 0, 0,
     "a tensor with a NaN or infinity is an error"},
    {"verbose", 'v', OPTIONS_FLAG, FIELD(verbose), NULL, NULL, 0, 0, "a line for each tensor"},
};

static const struct options_command command = {
    .name = "verify",
    .summary = "Read a file or tree, tensor by tensor, and compare with the store's checksums",
    .usage = "[OPTIONS] PATH",
    .details = "PATH is a file or directory on a mount. Of a store that is not mounted, 'scrub "
               "--deep' verifies\nall.\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
};

/* Elsewhere there are no checksums to compare with, and nothing would be verified. */
static int check_place(const struct verify_settings *settings, const char *path)
{
    if (settings->common.store)
        return console_reject("verify reads through a mount: name a path on it, without --store");
    if (getxattr(path, CONTROL_ATTRIBUTE_ADDRESS, NULL, 0) > 0)
        return 0;
    if (errno == ENODATA || errno == EOPNOTSUPP || errno == EPERM)
        return console_reject("'%s' is not on a mount of tensorfs", path);
    return console_fail(-errno, "'%s'", path);
}

/* getopt() may move its words about, so they are copies. */
static int run(const struct verify_settings *settings, const char *path)
{
    char name[] = "verify";
    char device[] = "--device=cpu";
    char json[] = "--json";
    char no_nan[] = "--no-nan";
    char verbose[] = "--verbose";
    char end[] = "--";
    char *words[8] = {name, device};
    char *copy = strdup(path);
    int count = 2;
    int status;

    if (!copy) {
        console_complain(-ENOMEM, "'%s'", path);
        return CTL_FAILED;
    }
    if (settings->common.json)
        words[count++] = json;
    if (settings->no_nan)
        words[count++] = no_nan;
    if (settings->verbose)
        words[count++] = verbose;
    words[count++] = end;
    words[count++] = copy;
    status = validate_main(count, words); /* 0 and 1 mean what ours do */
    free(copy);
    if (status <= CTL_FAILED || status > 128)
        return status;                                  /* the latter when a signal ended it */
    return output_end(CTL_OK, CTL_FAILED) | CTL_FAILED; /* its 2: it could not be done */
}

int ctl_verify(const struct ctl_context *context, int argc, char **argv)
{
    struct verify_settings settings = {.no_nan = false};
    const struct ctl_line line = {
        .command = &command, .settings = &settings, .operand_count = 1, .takes_store = true};
    const char *path;
    int err = ctl_parse(context, &line, argc, argv, &path);

    if (err != OPTIONS_RUN)
        return ctl_exit_of_parse(err);
    return check_place(&settings, path) < 0 ? CTL_FAILED : run(&settings, path);
}
