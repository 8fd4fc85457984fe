/*
 * One pass over many files: workers that read, copy and check batches of them at once.
 */
#ifndef TFS_VALIDATE_RUN_H
#define TFS_VALIDATE_RUN_H

#include "tools/validate/file.h"

/* What a pass took. Shares are of the wall time; what overlaps counts once. */
struct validate_cost {
    uint64_t byte_count;
    double wall_s;
    double cpu_s;       /* of the process, system time included */
    double copy_share;  /* the device was copying */
    double check_share; /* the device was checking */
};

/*
 * Check all files as the options say.
 *
 * Each worker owns two slots: while the device has one, the other is being filled. Slots are made
 * before the clock starts.
 *
 * A signal (tools/common/interrupt.h) ends it early, without an error; the files that are complete
 * by then have is_complete.
 *
 * Errors: -ENOMEM, -EIO (the device failed), -EAGAIN (threads). Problems of files are none.
 */
TFS_MUST_CHECK int validate_run(struct gpu *gpu, const struct validate_options *options,
                                struct validate_file **files, size_t file_count,
                                struct validate_cost *ret);

#endif
