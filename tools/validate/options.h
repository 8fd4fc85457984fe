/*
 * The command line of validate.
 */
#ifndef TFS_VALIDATE_OPTIONS_H
#define TFS_VALIDATE_OPTIONS_H

#include "gpu/gpu.h"

#define VALIDATE_JOBS_MAX     1024u
#define VALIDATE_JOBS_DEFAULT 32u

/* Of a comparison. */
#define VALIDATE_ROUNDS_MAX     99u
#define VALIDATE_ROUNDS_DEFAULT 5u

struct manifest;

struct validate_options {
    char **paths; /* files and directories; argv's */
    size_t path_count;
    const char *against;        /* a directory or a manifest, or NULL */
    const char *write_manifest; /* a file, or NULL */
    unsigned job_count;
    enum gpu_choice device;
    bool json;
    bool no_nan;
    bool verbose;
    bool compare_sequential;
    unsigned round_count; /* of the comparison */

    /* What `against` turned out to be. */
    const char *copy_directory;
    struct manifest *manifest;

    /* How one pass is run; set by the comparison. */
    bool one_by_one;  /* one worker, and nothing overlaps */
    bool copy_only;   /* read and copy to the device, check nothing */
    bool drop_caches; /* of the files, before they are read */
};

/*
 * Parse the command line.
 *
 * Returns: 0; 1 when help was asked for and printed.
 * Errors:  -EINVAL, printed on standard error.
 */
TFS_MUST_CHECK int validate_options_parse(int argc, char **argv, struct validate_options *ret);

#endif
