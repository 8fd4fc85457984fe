#include "store/base/standard_files.h"

#include "store/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int tfs_fill_standard_files(int flags)
{
    /* The lowest free number is taken, that is this one. No O_CLOEXEC, as for any standard file. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) < 0)
            return tfs_fail(-errno, "/dev/null in place of descriptor %d", fd);
    }
    return 0;
}
