/*
 * The top of the operations: the agreement with the kernel, the way of a request to its function,
 * and the tables that libfuse wants. Nothing but the start of the mount calls what is here.
 */
#include "fs/ll_dispatch.h"

#include "control/attribute.h"
#include "fs/ioctl.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_reply.h"
#include "store/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- the agreement ---- */

static void want(struct fuse_conn_info *connection, unsigned capability)
{
    connection->want |= capability & connection->capable;
}

/*
 * What is not wanted, and why: WRITEBACK_CACHE doubles the copies and takes times and sizes out of
 * our hands; SPLICE_* gained nothing when it was measured; AUTO_INVAL_DATA drops pages when a time
 * changes, and times change by our hand only; EXPLICIT_INVAL_DATA keeps pages when the kernel takes
 * another size from us than it has, which is not to happen; POSIX_LOCKS and FLOCK_LOCKS: the
 * kernel's own locks are right for one host; NO_OPEN*: a handle has state.
 */
static void on_init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->want = 0;
    want(connection, FUSE_CAP_ASYNC_READ);
    want(connection, FUSE_CAP_ASYNC_DIO);
    want(connection, FUSE_CAP_ATOMIC_O_TRUNC);
    want(connection, FUSE_CAP_PARALLEL_DIROPS);
    want(connection, FUSE_CAP_CACHE_SYMLINKS);
    want(connection, FUSE_CAP_READDIRPLUS);
    want(connection, FUSE_CAP_READDIRPLUS_AUTO);
    want(connection, FUSE_CAP_EXPORT_SUPPORT);
    if ((connection->capable & FUSE_CAP_POSIX_ACL) && (connection->capable & FUSE_CAP_DONT_MASK)) {
        /* Together: the umask counts only where the parent has no default ACL, which we know. */
        want(connection, FUSE_CAP_POSIX_ACL);
        want(connection, FUSE_CAP_DONT_MASK);
    }
    connection->max_write = LL_IO_SIZE_MAX;
    connection->max_read = LL_IO_SIZE_MAX; /* has to be what mount(2) was told */
    connection->max_background = 128;
    connection->congestion_threshold = 96;
    connection->time_gran = 1;
}

/* ---- the way of a request ---- */

/* Changes that may have to write data back, or whose cost is in proportion to a file's size. */
static bool setattr_is_data(const struct fuse_in_header *header, size_t size)
{
    const struct fuse_setattr_in *in = (const struct fuse_setattr_in *)(const void *)(header + 1);

    return size >= sizeof(*header) + sizeof(*in) && (in->valid & FATTR_SIZE);
}

static bool open_is_data(const struct fuse_in_header *header, size_t size)
{
    const struct fuse_open_in *in = (const struct fuse_open_in *)(const void *)(header + 1);

    return size >= sizeof(*header) + sizeof(*in) && (in->flags & O_TRUNC);
}

static bool flush_is_data(const struct ll *ll, const struct fuse_in_header *header, size_t size)
{
    const struct fuse_flush_in *in = (const struct fuse_flush_in *)(const void *)(header + 1);

    if (size < sizeof(*header) + sizeof(*in))
        return false;
    return ll_file_is_to_commit(ll, (const struct ll_file *)(uintptr_t)in->fh);
}

/* The answer commits the file. Other attributes are in the index. */
static bool getxattr_is_data(const struct fuse_in_header *header, size_t size)
{
    static const char info[] = CONTROL_ATTRIBUTE_INFO;
    const char *name = (const char *)(header + 1) + sizeof(struct fuse_getxattr_in);

    return size >= sizeof(*header) + sizeof(struct fuse_getxattr_in) + sizeof(info) &&
           memcmp(name, info, sizeof(info)) == 0;
}

/* The last close discards what was written to a file without a name, or could not be written. */
static bool release_is_data(const struct fuse_in_header *header, size_t size)
{
    const struct fuse_release_in *in = (const struct fuse_release_in *)(const void *)(header + 1);

    if (size < sizeof(*header) + sizeof(*in))
        return false;
    return !tfs_file_close_is_ready(((const struct ll_file *)(uintptr_t)in->fh)->file);
}

/* Not the question whether a file is a terminal, which Python asks at every open(). */
static bool ioctl_is_data(const struct fuse_in_header *header, size_t size)
{
    const struct fuse_ioctl_in *in = (const struct fuse_ioctl_in *)(const void *)(header + 1);

    return size >= sizeof(*header) + sizeof(*in) && in->cmd == TFS_IOC_BLOCK_CRCS;
}

bool ll_is_data(void *context, const struct fuse_in_header *header, size_t size)
{
    switch (header->opcode) {
    case FUSE_READ:
        return !ll_try_read(header, size);
    case FUSE_FLUSH:
        return flush_is_data(context, header, size);
    case FUSE_SETATTR:
        return setattr_is_data(header, size);
    case FUSE_OPEN:
        return open_is_data(header, size);
    case FUSE_GETXATTR:
        return getxattr_is_data(header, size);
    case FUSE_RELEASE:
        return release_is_data(header, size);
    case FUSE_WRITE:
    case FUSE_LSEEK: /* waits for a resize, and reads a row for each chunk */
    case FUSE_FSYNC:
    case FUSE_FSYNCDIR:
    case FUSE_FALLOCATE:
    case FUSE_COPY_FILE_RANGE:
    case FUSE_RENAME: /* these three commit the file's data first */
    case FUSE_RENAME2:
    case FUSE_LINK:
    case FUSE_SYNCFS:
        return true;
    case FUSE_IOCTL:
        return ioctl_is_data(header, size);
    default:
        return false;
    }
}

/* What libfuse reads of a body without a look at its length: a structure, and texts behind it. The
 * rest is ours to check: ll_raw.c. */
struct body {
    size_t size;
    unsigned text_count;
};

static const struct body bodies[] = {
    [FUSE_INIT] = {offsetof(struct fuse_init_in, flags2), 0}, /* all of it before 7.36 */
    [FUSE_LOOKUP] = {0, 1},
    [FUSE_FORGET] = {sizeof(struct fuse_forget_in), 0},
    [FUSE_BATCH_FORGET] = {sizeof(struct fuse_batch_forget_in), 0},
    [FUSE_GETATTR] = {sizeof(struct fuse_getattr_in), 0},
    [FUSE_SETATTR] = {sizeof(struct fuse_setattr_in), 0},
    [FUSE_SYMLINK] = {0, 2},
    [FUSE_MKNOD] = {sizeof(struct fuse_mknod_in), 1},
    [FUSE_MKDIR] = {sizeof(struct fuse_mkdir_in), 1},
    [FUSE_UNLINK] = {0, 1},
    [FUSE_RMDIR] = {0, 1},
    [FUSE_RENAME] = {sizeof(struct fuse_rename_in), 2},
    [FUSE_RENAME2] = {sizeof(struct fuse_rename2_in), 2},
    [FUSE_LINK] = {sizeof(struct fuse_link_in), 1},
    [FUSE_OPEN] = {sizeof(struct fuse_open_in), 0},
    [FUSE_CREATE] = {sizeof(struct fuse_create_in), 1},
    [FUSE_READ] = {sizeof(struct fuse_read_in), 0},
    [FUSE_WRITE] = {sizeof(struct fuse_write_in), 0},
    [FUSE_FLUSH] = {sizeof(struct fuse_flush_in), 0},
    [FUSE_RELEASE] = {sizeof(struct fuse_release_in), 0},
    [FUSE_FSYNC] = {sizeof(struct fuse_fsync_in), 0},
    [FUSE_FALLOCATE] = {sizeof(struct fuse_fallocate_in), 0},
    [FUSE_LSEEK] = {sizeof(struct fuse_lseek_in), 0},
    [FUSE_OPENDIR] = {sizeof(struct fuse_open_in), 0},
    [FUSE_READDIR] = {sizeof(struct fuse_read_in), 0},
    [FUSE_READDIRPLUS] = {sizeof(struct fuse_read_in), 0},
    [FUSE_RELEASEDIR] = {sizeof(struct fuse_release_in), 0},
    [FUSE_FSYNCDIR] = {sizeof(struct fuse_fsync_in), 0},
    [FUSE_GETXATTR] = {sizeof(struct fuse_getxattr_in), 1},
    [FUSE_LISTXATTR] = {sizeof(struct fuse_getxattr_in), 0},
    [FUSE_REMOVEXATTR] = {0, 1},
};

static bool has_texts(const char *text, size_t size, unsigned count)
{
    for (; count > 0; count--) {
        const char *end = memchr(text, '\0', size);

        if (!end)
            return false;
        size -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    return true;
}

static bool is_long_enough(const struct fuse_in_header *header, size_t size)
{
    const struct fuse_write_in *write = (const struct fuse_write_in *)(const void *)(header + 1);
    const struct fuse_batch_forget_in *batch =
        (const struct fuse_batch_forget_in *)(const void *)(header + 1);
    const struct body *body;
    size_t behind;

    if (header->opcode >= TFS_ARRAY_COUNT(bodies))
        return true;
    body = &bodies[header->opcode];
    if (size - sizeof(*header) < body->size)
        return false;
    behind = size - sizeof(*header) - body->size;
    if (header->opcode == FUSE_WRITE)
        return write->size <= behind;
    if (header->opcode == FUSE_BATCH_FORGET)
        return batch->count <= behind / sizeof(struct fuse_forget_one);
    return has_texts((const char *)(header + 1) + body->size, behind, body->text_count);
}

static bool wants_reply(uint32_t opcode)
{
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET;
}

void ll_process(void *context, struct fuse_in_header *header, size_t size)
{
    struct ll *ll = context;
    const struct fuse_buf buffer = {.size = size, .mem = header};

    if (!is_long_enough(header, size)) {
        tfs_error("request %u of %zu bytes is too short", header->opcode, size);
        if (wants_reply(header->opcode))
            (void)ll_reply_raw(ll, header->unique, -EINVAL, NULL, 0); /* nothing was given */
        return;
    }
    if (!ll->protocol.is_agreed)
        protocol_see_request(&ll->protocol, header, size);
    ll_request_begin(header);
    if (!ll_raw(ll, header, size))
        fuse_session_process_buf(ll->session, &buffer);
    ll_request_end();
    ll_drop_tried_read();
}

/* ---- tables ---- */

const struct fuse_lowlevel_ops *ll_operations(void)
{
    static const struct fuse_lowlevel_ops operations = {
        .init = on_init,
        .lookup = ll_lookup,
        .forget = ll_forget,
        .forget_multi = ll_forget_multi,
        .getattr = ll_getattr,
        .setattr = ll_setattr,
        .statfs = ll_statfs,
        .mknod = ll_mknod,
        .mkdir = ll_mkdir,
        .symlink = ll_symlink,
        .readlink = ll_readlink,
        .unlink = ll_unlink,
        .rmdir = ll_rmdir,
        .rename = ll_rename,
        .link = ll_link,
        .opendir = ll_opendir,
        .releasedir = ll_releasedir,
        .readdir = ll_readdir,
        .readdirplus = ll_readdirplus,
        .fsyncdir = ll_fsyncdir,
        .open = ll_open,
        .create = ll_create,
        .release = ll_release_file,
        .read = ll_read,
        .write = ll_write,
        .flush = ll_flush,
        .fsync = ll_fsync,
        .fallocate = ll_fallocate,
        .lseek = ll_lseek,
        .getxattr = ll_getxattr,
        .listxattr = ll_listxattr,
        .removexattr = ll_removexattr,
    };

    return &operations;
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *context)
{
    return protocol_writev(&((struct ll *)context)->protocol, fd, iov, count);
}

static ssize_t io_read(int fd, void *buffer, size_t size, void *context)
{
    (void)context;
    return read(fd, buffer, size); /* libfuse asks for it; our loop reads by itself */
}

const struct fuse_custom_io *ll_custom_io(void)
{
    static const struct fuse_custom_io io = {.writev = io_writev, .read = io_read};

    return &io;
}
