/*
 * The command line: tensorfs [OPTIONS] [STORE] MOUNTPOINT.
 *
 * One table (options_table.c) says every option's name, kind, limits and help text; it serves
 * --name=value, -o name=value,..., --help and the checks. '-' and '_' in names are the same.
 */
#ifndef TFS_FS_OPTIONS_H
#define TFS_FS_OPTIONS_H

#include "store/base/log.h"
#include "store/store.h"

#include <limits.h>
#include <stdio.h>

enum { OPTIONS_COUNT_MAX = 64 }; /* of the table */

enum { OPTIONS_LABEL_SIZE_MAX = 1000 };

/* Labels of SELinux, for the kernel; empty: not given. */
struct options_labels {
    char context[OPTIONS_LABEL_SIZE_MAX + 1];
    char fscontext[OPTIONS_LABEL_SIZE_MAX + 1];
    char defcontext[OPTIONS_LABEL_SIZE_MAX + 1];
    char rootcontext[OPTIONS_LABEL_SIZE_MAX + 1];
};

struct options {
    struct tfs_volume_options volume; /* .path is set by mountpoint_resolve_store() */
    char store[PATH_MAX];             /* as given, later absolute; empty: not given */
    bool store_is_default;            /* none was given; set by mountpoint_resolve_store() */
    char mountpoint[PATH_MAX];        /* as given; absolute after mountpoint_check() */
    char fsname[PATH_MAX];            /* the source in /proc/mounts; empty: the store */
    struct options_labels labels;
    uint64_t read_ahead_size; /* bytes; 0: what the kernel takes */
    char metrics[64];         /* where metrics are served; empty: nowhere */
    unsigned request_threads; /* 0: twice the cores, at least 16 */
    unsigned lock_wait_s;     /* how long to wait for the store's lock */
    enum tfs_log_level log_level;
    bool allow_other;
    bool allow_suid; /* set-user-ID bits and capabilities of the mount's files count */
    bool allow_dev;  /* device nodes work */
    bool noexec;
    bool nosymfollow;
    bool sync;    /* every change is durable before its reply */
    bool dirsync; /* changes of names are */
    bool foreground;
    bool debug;           /* foreground, log level debug, and libfuse's trace of requests */
    bool remount;         /* change the mount that is there */
    bool remount_has_all; /* the kernel's own options are among those given: all are */
    bool given[OPTIONS_COUNT_MAX]; /* which were named, by their place in the table */
    bool show_help;
    bool show_version;
};

/* Every default. */
void options_init(struct options *options);

/*
 * Parse and check; touches nothing but memory. With --help or --version the rest is not checked.
 *
 * Errors: -EINVAL; *message then has the one line for the user, without "tensorfs: ".
 */
TFS_MUST_CHECK int options_parse(int argc, char *const argv[], struct options *ret,
                                 struct tfs_message *message);

/* Calls `visit` for each option that has a value or is set, with its text. For what the options
 * show of themselves. */
void options_visit(const struct options *options,
                   void (*visit)(void *context, const char *name, const char *value),
                   void *context);

/* Whether the option was named; and whether one without a value (nosuid, suid) holds, be it by
 * default. */
bool options_is_given(const struct options *options, const char *name);
bool options_holds(const struct options *options, const char *name);

/*
 * Take an option as options_visit() has told it, for `options` all zero. Errors: -EINVAL: there is
 * none of that name or value.
 */
TFS_MUST_CHECK int options_take(struct options *options, const char *name, const char *value);

/* Every option that was given is as `now` has it, but for those in `changeable` (to NULL). Errors:
 * -EINVAL, with a line that names the first that is not. */
TFS_MUST_CHECK int options_check_same(const struct options *options, const struct options *now,
                                      const char *const *changeable, struct tfs_message *message);

/* What --help prints. */
void options_print_help(FILE *stream);

#endif
