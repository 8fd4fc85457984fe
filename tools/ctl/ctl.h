/*
 * What the commands of tensorfsctl share: their table, their settings, and the way each of them
 * ends.
 *
 * A command is one file, cmd_NAME.c, with one function, ctl_NAME(), in the table of main.c. It
 * parses its own command line (argv[0] is its name), opens what it is about (target.h), asks, and
 * prints: for people, or with --json the answer as it is.
 */
#ifndef TFS_CTL_H
#define TFS_CTL_H

#include "tools/common/options.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1, /* it could not be done, or found something wrong */
    CTL_USAGE = 2,  /* the command line makes no sense */
};

struct cJSON;

/* First member of every command's settings, so that the offsets of the common options fit all. */
struct ctl_settings {
    const char *store; /* --store: PATH is one within this store; or NULL */
    bool json;
    bool quiet;
    bool help; /* never set: options_parse acts on it */
};

/* What stands before the command's name. */
struct ctl_context {
    bool json;
    bool quiet;
};

/*
 * Parse a command's line into its settings, which hold its defaults, and start the console. The
 * command gets exactly `operand_count` operands, or up to as many when `optional` of them may be
 * missing; the missing ones are NULL.
 *
 * Returns: OPTIONS_RUN or OPTIONS_DONE. Errors: -EINVAL, said.
 */
struct ctl_line {
    const struct options_command *command;
    void *settings; /* begins with a struct ctl_settings */
    unsigned operand_count;
    unsigned optional;
    bool takes_store; /* --store means something: the operand can be a path within one */
};
TFS_MUST_CHECK int ctl_parse(const struct ctl_context *context, const struct ctl_line *line,
                             int argc, char **argv, const char **operands);

/* The exit status for what ctl_parse() returned when it was not OPTIONS_RUN. */
int ctl_exit_of_parse(int outcome);

/* The exit status of a command: that of `error`; with --json the result is printed before. */
int ctl_finish(const struct ctl_settings *settings, const struct cJSON *result, int error);

/* Print JSON on standard output, on one line. Errors: -ENOMEM, -EIO, said. */
TFS_MUST_CHECK int ctl_print_json(const struct cJSON *value);

/* The commands. Each returns its exit status. */
int ctl_status(const struct ctl_context *context, int argc, char **argv);
int ctl_stats(const struct ctl_context *context, int argc, char **argv);
int ctl_info(const struct ctl_context *context, int argc, char **argv);
int ctl_du(const struct ctl_context *context, int argc, char **argv);
int ctl_sync(const struct ctl_context *context, int argc, char **argv);
int ctl_loglevel(const struct ctl_context *context, int argc, char **argv);
int ctl_metrics(const struct ctl_context *context, int argc, char **argv);
int ctl_check(const struct ctl_context *context, int argc, char **argv);
int ctl_gc(const struct ctl_context *context, int argc, char **argv);
int ctl_scrub(const struct ctl_context *context, int argc, char **argv);
int ctl_verify(const struct ctl_context *context, int argc, char **argv);
int ctl_debug_bundle(const struct ctl_context *context, int argc, char **argv);

#endif
