#include "fs/protocol.h"

#include "store/base/log.h"

#include <errno.h>
#include <string.h>

static const uint64_t flags_wanted =
    FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | PROTOCOL_DIRECT_IO_ALLOW_MMAP;

/* FUSE_INIT_RESERVED is defined as 1 << 31, which is negative; flags are taken as 32 bits. */
static uint64_t flags_join(uint32_t low, uint32_t high)
{
    return (low & FUSE_INIT_EXT) ? (uint64_t)low | (uint64_t)high << 32 : low;
}

void protocol_see_request(struct protocol *protocol, const void *message, size_t size)
{
    struct fuse_in_header header;
    struct fuse_init_in init;
    size_t body_size;

    if (size < sizeof(header))
        return;
    memcpy(&header, message, sizeof(header));
    if (header.opcode != FUSE_INIT)
        return;
    memset(&init, 0, sizeof(init)); /* kernels before 5.17 send a shorter one */
    body_size = tfs_min_u64(size - sizeof(header), sizeof(init));
    memcpy(&init, (const char *)message + sizeof(header), body_size);
    protocol->init_unique = header.unique;
    protocol->kernel_minor = init.major == FUSE_KERNEL_VERSION ? init.minor : 0;
    protocol->offered = flags_join(init.flags, init.flags2);
}

static ssize_t send_reply(int fd, const struct iovec *iov, int count)
{
    ssize_t written = writev(fd, iov, count);
    int err = errno;

    /* ENOENT: the caller gave up; ENODEV, ECONNABORTED: the mount is gone. EINVAL would be our bug.
     */
    if (written < 0 && err == EINVAL)
        tfs_error("the kernel refuses a reply of %d parts", count);
    errno = err;
    return written;
}

static void patch(struct protocol *protocol, struct fuse_init_out *out)
{
    uint64_t extra = flags_wanted & protocol->offered;
    uint64_t agreed;

    if (!(protocol->offered & FUSE_INIT_EXT))
        extra &= UINT32_MAX;
    agreed = flags_join(out->flags, out->flags2) | extra;
    if (agreed >> 32)
        agreed |= FUSE_INIT_EXT;
    out->flags = (uint32_t)agreed;
    out->flags2 = (uint32_t)(agreed >> 32);
    protocol->agreed = agreed;
}

ssize_t protocol_writev(struct protocol *protocol, int fd, const struct iovec *iov, int count)
{
    struct fuse_out_header header;
    struct fuse_init_out out;
    struct iovec patched[2] = {{&header, sizeof(header)}, {&out, sizeof(out)}};
    ssize_t written;

    if (protocol->is_agreed)
        return send_reply(fd, iov, count);

    memcpy(&header, iov[0].iov_base, sizeof(header));
    if (protocol->init_unique == 0 || header.unique != protocol->init_unique)
        return send_reply(fd, iov, count);
    if (header.error != 0) {
        protocol->init_error = header.error;
        return send_reply(fd, iov, count);
    }
    /* A short answer is for kernels before 4.2 (minor < 23), a refused major version likewise. */
    if (count != 2 || iov[1].iov_len != sizeof(out)) {
        protocol->init_error = -EPROTO;
        return send_reply(fd, iov, count);
    }
    memcpy(&out, iov[1].iov_base, sizeof(out));
    patch(protocol, &out);
    written = send_reply(fd, patched, 2);
    if (written < 0)
        protocol->init_error = -errno;
    else
        protocol->is_agreed = true;
    return written;
}
