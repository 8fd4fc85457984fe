#include "tools/common/output.h"

#include "tools/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void output_begin(void)
{
    /* open() takes the lowest number that is free. Closed for writing, so that printing fails. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", O_RDONLY); /* without it we are where we were */
    }
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
