/*
 * sockaddr_un has room for 107 bytes, paths of stores are longer. A path is therefore named through
 * a descriptor of its directory, /proc/self/fd/N/control, which always fits and changes no working
 * directory.
 */
#include "control/address.h"

#include "store/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 8 };

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

/* A descriptor of "/a/b" for "/a/b/control". Errors: those of open, -ENAMETOOLONG. */
static int open_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    int fd;

    if (!slash || size >= sizeof(parent) || strlen(slash + 1) > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(parent, path, size);
    parent[size] = '\0';
    fd = open(size ? parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* "control" of "/a/b/control". */
static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int fill_path(int directory, const char *name, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", directory, name) >=
        (int)sizeof(ret->sun_path))
        return -ENAMETOOLONG;
    return 0;
}

/* The length of an abstract address says where its name ends. */
static int fill_abstract(const char *name, struct sockaddr_un *ret, socklen_t *ret_size)
{
    size_t size = strlen(name);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size + 1 > sizeof(ret->sun_path))
        return -ENAMETOOLONG;
    memcpy(ret->sun_path + 1, name, size);
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    return 0;
}

/* Only a socket is removed: anything else of that name is not ours. */
static int remove_socket(int directory, const char *name)
{
    struct stat status;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    return unlinkat(directory, name, 0) < 0 ? -errno : 0;
}

static int bind_and_listen(int directory)
{
    struct sockaddr_un address;
    int err = fill_path(directory, CONTROL_SOCKET_NAME, &address);
    int fd = err ? err : new_socket();

    if (fd < 0)
        return fd;
    /* bind(2) gives the file the mode that the socket has: there is no moment at which it is open
     * to others. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, BACKLOG) < 0) {
        err = -errno;
        (void)close(fd);
        return err;
    }
    return fd;
}

int control_address_listen(const char *store, struct control_address *ret)
{
    struct control_address address;
    int directory;
    int fd;

    if (snprintf(address.text, sizeof(address.text), "%s/%s", store, CONTROL_SOCKET_NAME) >=
        (int)sizeof(address.text))
        return -ENAMETOOLONG;
    directory = open_parent(address.text);
    if (directory < 0)
        return directory;
    fd = remove_socket(directory, last_name(address.text));
    if (fd == 0)
        fd = bind_and_listen(directory);
    (void)close(directory);
    if (fd < 0)
        return tfs_fail(fd, "socket '%s'", address.text);
    *ret = address;
    return fd;
}

int control_address_listen_abstract(const char *name, struct control_address *ret)
{
    struct sockaddr_un address;
    socklen_t size;
    int err = fill_abstract(name, &address, &size);
    int fd = err ? err : new_socket();

    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0) {
        err = tfs_fail(-errno, "abstract socket '%s'", name);
        (void)close(fd);
        return err;
    }
    (void)snprintf(ret->text, sizeof(ret->text), "@%s", name);
    return fd;
}

void control_address_remove(const struct control_address *address)
{
    int directory;

    if (address->text[0] != '/')
        return;
    directory = open_parent(address->text);
    if (directory < 0)
        return;
    /* The next mount replaces one that is left. */
    (void)remove_socket(directory, last_name(address->text));
    (void)close(directory);
}

static int connect_to(const struct sockaddr_un *address, socklen_t size)
{
    int fd = new_socket();
    int err;

    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)address, size) == 0)
        return fd;
    err = -errno;
    (void)close(fd);
    return err;
}

/* The socket itself: connect(2) would follow a link to somebody else's. */
static int connect_in(int directory, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;

    if (!err && (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode)))
        err = -ECONNREFUSED; /* nobody listens at what is none */
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", fd); /* fits */
    if (!err)
        err = connect_to(&address, sizeof(address));
    if (fd >= 0)
        (void)close(fd); /* it was only a name */
    return err;
}

int control_address_connect(const char *text)
{
    struct sockaddr_un address;
    socklen_t size;
    int directory;
    int err;

    if (text[0] == '@') {
        err = fill_abstract(text + 1, &address, &size);
        return err ? err : connect_to(&address, size);
    }
    directory = open_parent(text);
    if (directory < 0)
        return directory;
    err = connect_in(directory, last_name(text));
    (void)close(directory);
    return err;
}

int control_address_peer(int fd, uid_t *ret)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    *ret = peer.uid;
    return 0;
}
