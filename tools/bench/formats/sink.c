/*
 * Writes are as large as the caller's pieces: splitting them would measure another program than
 * the library.
 */
#include "tools/bench/formats/sink.h"

#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sink_open(struct sink *sink, const char *path, size_t capacity)
{
    *sink = (struct sink){.fd = -1, .capacity = capacity};
    (void)snprintf(sink->path, sizeof(sink->path), "%s", path);
    if (capacity > 0) {
        sink->buffer = malloc(capacity);
        if (!sink->buffer)
            return console_fail(-ENOMEM, "writing '%s'", path);
    }
    sink->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return sink->fd < 0 ? console_fail(-errno, "creating '%s'", path) : 0;
}

void sink_release(struct sink *sink)
{
    if (sink->fd >= 0)
        (void)close(sink->fd); /* the error that led here was said already */
    sink->fd = -1;
    free(sink->buffer);
    sink->buffer = NULL;
}

static int sink_write_through(struct sink *sink, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        ssize_t written;

        if (interrupt_is_pending())
            return -EINTR;
        written = write(sink->fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return console_fail(-errno, "writing '%s'", sink->path);
        console_advance((uint64_t)written);
        data += written;
        size -= (uint64_t)written;
    }
    return 0;
}

static int sink_flush(struct sink *sink)
{
    size_t used = sink->used;

    sink->used = 0;
    return sink_write_through(sink, sink->buffer, used);
}

int sink_write(struct sink *sink, const void *data, uint64_t size)
{
    int err;

    sink->offset += size;
    if (sink->used + size > sink->capacity && sink->used > 0) {
        err = sink_flush(sink);
        if (err < 0)
            return err;
    }
    if (size >= sink->capacity)
        return sink_write_through(sink, data, size);
    (void)memcpy(sink->buffer + sink->used, data, size);
    sink->used += size;
    return 0;
}

int sink_finish(struct sink *sink, bool durable)
{
    int err = sink_flush(sink);
    int fd = sink->fd;

    assert(fd >= 0);
    if (err == 0 && durable && fsync(fd) < 0)
        err = console_fail(-errno, "fsync of '%s'", sink->path);
    sink->fd = -1;
    if (close(fd) < 0 && err == 0)
        err = console_fail(-errno, "closing '%s'", sink->path);
    sink_release(sink);
    return err;
}

int sink_sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    char *slash;
    int fd;
    int err = 0;

    (void)snprintf(directory, sizeof(directory), "%s", path);
    slash = strrchr(directory, '/');
    if (slash)
        *slash = '\0';
    fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return console_fail(-errno, "'%s'", directory);
    if (fsync(fd) < 0)
        err = console_fail(-errno, "fsync of directory '%s'", directory);
    (void)close(fd); /* nothing written through it */
    return err;
}
