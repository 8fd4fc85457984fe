#include "tools/validate/sibling.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const char *sibling_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool sibling_ends_with(const char *path, const char *ending)
{
    size_t size = strlen(path);
    size_t end_size = strlen(ending);

    return size >= end_size && strcasecmp(path + size - end_size, ending) == 0;
}

static bool leads_elsewhere(const char *name)
{
    if (*name == '/' || *name == '\0')
        return true;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return true;
    }
    return false;
}

static int path_beside(const char *path, const char *name, char ret[PATH_MAX])
{
    const int folder_size = (int)(sibling_base(path) - path);

    if (leads_elsewhere(name))
        return -EINVAL;
    return snprintf(ret, PATH_MAX, "%.*s%s", folder_size, path, name) < PATH_MAX ? 0
                                                                                 : -ENAMETOOLONG;
}

int sibling_open(const char *path, const char *name, uint64_t *ret_size)
{
    char beside[PATH_MAX];
    struct stat status;
    int err = path_beside(path, name, beside);
    int fd;

    if (err < 0)
        return err;
    fd = open(beside, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* or a FIFO would wait */
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        (void)close(fd); /* read only, nothing to lose */
        return -EINVAL;
    }
    *ret_size = (uint64_t)status.st_size;
    return fd;
}

bool sibling_exists(const char *path, const char *name)
{
    char beside[PATH_MAX];

    return path_beside(path, name, beside) == 0 && access(beside, F_OK) == 0;
}
