#include "tools/common/output.h"

#include "store/base/standard_files.h"
#include "tools/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

void output_begin(void)
{
    int err = tfs_fill_standard_files(O_RDONLY); /* not for writing, so that printing fails */

    (void)err; /* without them we are where we were */
}

int output_end(int status, int failed)
{
    bool lost = ferror(stdout) != 0; /* a failure that an earlier flush has met */
    int error = fflush(stdout) == 0 ? 0 : -errno;

    if (status != 0 || (!lost && error == 0))
        return status;
    /* Whoever closes a pipe has read what was wanted, and shells say nothing of it either. */
    if (error != -EPIPE)
        console_complain(error, "standard output: not all could be written");
    return failed;
}

int output_json(char *text)
{
    char *clean = text ? output_utf8(text) : NULL;
    int err = 0;

    free(text);
    if (!clean)
        return console_fail(-ENOMEM, "printing the results");
    if (puts(clean) < 0 || fflush(stdout) != 0)
        err = console_fail(-errno, "standard output");
    free(clean);
    return err;
}
