/*
 * What was agreed with the kernel when the mount began, and the part of the agreement that libfuse
 * 3.14 cannot express.
 *
 * libfuse answers the kernel's INIT request itself. Three things that we need are younger than its
 * version or left out of it, so its answer is changed on the way to the kernel, once, in a hook of
 * fuse_session_custom_io():
 *
 *   FUSE_HANDLE_KILLPRIV_V2   we drop setuid bits ourselves. Without it the kernel asks for
 *                             security.capability before every write: a round trip each time.
 *   FUSE_DIRECT_IO_ALLOW_MMAP a file opened for direct I/O can be mapped shared (np.memmap on a new
 *                             file). Bit 36, in flags2; needs FUSE_INIT_EXT.
 *   FUSE_SETXATTR_EXT         setting an ACL says whether setgid is to go.
 *
 * Each only when the kernel offered it in its request. Where the kernel is older we do without.
 */
#ifndef TFS_FS_PROTOCOL_H
#define TFS_FS_PROTOCOL_H

#include "store/base/defs.h"

#include <linux/fuse.h>
#include <sys/uio.h>

/* Younger than the header of Debian 12 (protocol 7.38); numbers from Linux 6.6. */
#define PROTOCOL_DIRECT_IO_ALLOW_MMAP (1ull << 36)
enum { PROTOCOL_OPCODE_STATX = 52 };

/* The same, from Linux 6.18: the numbers of `count` inodes follow, and what of them nobody uses is
 * forgotten. */
enum { PROTOCOL_NOTIFY_PRUNE = 9, PROTOCOL_MINOR_PRUNE = 45 };
struct protocol_notify_prune {
    uint32_t count;
    uint32_t padding;
    uint64_t spare;
};

struct protocol {
    uint64_t init_unique;  /* of the INIT request; 0: not seen yet */
    uint32_t kernel_minor; /* of the kernel's 7.x */
    uint64_t offered;      /* the kernel's flags, flags2 in the upper half */
    uint64_t agreed;       /* likewise, ours */
    bool is_agreed;        /* the answer was sent; nothing here changes any more */
    int init_error;        /* negative errno that libfuse answered INIT with */
};

/* Look at a request that is on its way to libfuse; notes INIT. */
void protocol_see_request(struct protocol *protocol, const void *message, size_t size);

/*
 * writev(2) for replies to the kernel that patches the answer to INIT.
 *
 * Returns: as writev(2).
 * Threads: one until is_agreed, any from then on.
 */
ssize_t protocol_writev(struct protocol *protocol, int fd, const struct iovec *iov, int count);

static inline bool protocol_has(const struct protocol *protocol, uint64_t flag)
{
    return (protocol->agreed & flag) != 0;
}

#endif
