/*
 * Where a mount listens: a socket file in its store, "/srv/store/control"; or, where the store
 * cannot have one, an abstract address of the kernel's, written "@tensorfs/...".
 */
#ifndef TFS_CONTROL_ADDRESS_H
#define TFS_CONTROL_ADDRESS_H

#include "store/base/defs.h"

#include <limits.h>
#include <sys/types.h>

#define CONTROL_SOCKET_NAME "control"

struct control_address {
    char text[PATH_MAX];
};

/*
 * Listen on the socket file of the store. One that a crash left behind is replaced: who calls this
 * holds the store's lock. Only the owner may connect, by its mode.
 *
 * Returns: a descriptor. Errors: -EEXIST (something else has that name), -EROFS, -EACCES, -EPERM or
 *          -EOPNOTSUPP (a filesystem without sockets), ...
 */
TFS_MUST_CHECK int control_address_listen(const char *store, struct control_address *ret);

/* Listen on an abstract address made of `name`. Anybody may connect: ask who it is. */
TFS_MUST_CHECK int control_address_listen_abstract(const char *name, struct control_address *ret);

/* Remove the socket file, if it is one. */
void control_address_remove(const struct control_address *address);

/* Returns: a descriptor. Errors: -ENOENT, -ECONNREFUSED (nobody listens), -EACCES, ... */
TFS_MUST_CHECK int control_address_connect(const char *address);

/* Who is at the other end. Errors: those of getsockopt(2). */
TFS_MUST_CHECK int control_address_peer(int fd, uid_t *ret);

#endif
