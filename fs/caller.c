#include "fs/caller.h"

#include "store/base/bytes.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Pairs of type and value, of 8 bytes each for a 64-bit program, of 4 for another: types are small
 * numbers, and the first one's value, an address or a set of flags, is never 0. So the second half
 * of the first 8 bytes tells.
 */
bool caller_vector_is_32bit(const uint8_t *vector, size_t size)
{
    return size >= 8 && sizeof(void *) == 8 && tfs_get_le32(vector) != 0 &&
           tfs_get_le32(vector + 4) != 0;
}

/* Not by /proc/PID/exe: it may lie on our own mount, and opening it would wait for ourselves. */
bool caller_is_32bit(pid_t pid)
{
    uint8_t vector[8];
    char path[32];
    ssize_t size;
    int fd;

    if (pid <= 0)
        return false;
    (void)snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size = read(fd, vector, sizeof(vector));
    (void)close(fd); /* read-only, nothing to lose */
    return size > 0 && caller_vector_is_32bit(vector, (size_t)size);
}
