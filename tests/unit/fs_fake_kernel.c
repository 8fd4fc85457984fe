#include "tests/unit/fs_fake_kernel.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void init(struct kernel *kernel, uint32_t minor, uint64_t withheld)
{
    uint64_t flags = (~0ull & ~withheld) & ~(1ull << 31);
    const struct fuse_init_in in = {
        .major = 7,
        .minor = minor,
        .max_readahead = 131072,
        .flags = (uint32_t)flags,
        .flags2 = (uint32_t)(flags >> 32),
    };

    assert_int_equal(kernel_call(kernel, FUSE_INIT, 0, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_true(kernel->ll.protocol.is_agreed);
}

void kernel_open(struct kernel *kernel, uint32_t minor, uint64_t withheld)
{
    static char name[] = "test";
    static char flag[] = "-o";
    static char list[] = "max_read=1048576";
    char *arguments[] = {name, flag, list, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, arguments);
    struct tfs_volume_options options;
    struct tfs_message message;
    int size = 4 * KERNEL_REPLY_SIZE_MAX;
    int fds[2];

    memset(kernel, 0, sizeof(*kernel));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* smaller may do */
    tfs_volume_options_init(&options);
    assert_int_equal(tfs_volume_open(&options, &message, &kernel->volume), 0);
    assert_int_equal(ll_init(&kernel->ll, kernel->volume), 0);
    kernel->fd = fds[0];
    kernel->ll.fd = fds[1];
    kernel->ll.session =
        fuse_session_new(&args, ll_operations(), sizeof(struct fuse_lowlevel_ops), &kernel->ll);
    assert_non_null(kernel->ll.session);
    assert_int_equal(fuse_session_custom_io(kernel->ll.session, ll_custom_io(), fds[1]), 0);
    fuse_opt_free_args(&args);
    init(kernel, minor, withheld);
}

void kernel_open_new(struct kernel *kernel)
{
    kernel_open(kernel, KERNEL_MINOR_NEW, 0);
}

void kernel_open_old(struct kernel *kernel)
{
    kernel_open(kernel, KERNEL_MINOR_OLD,
                ~(uint64_t)UINT32_MAX | FUSE_INIT_EXT | FUSE_SETXATTR_EXT |
                    FUSE_HANDLE_KILLPRIV_V2);
}

void kernel_close(struct kernel *kernel)
{
    ll_stop(&kernel->ll);
    ll_close_handles(&kernel->ll);
    ll_release(&kernel->ll);
    fuse_session_destroy(kernel->ll.session); /* closes its end of the socket */
    assert_int_equal(tfs_volume_close(kernel->volume), 0);
    (void)close(kernel->fd);
}

void kernel_send(struct kernel *kernel, uint32_t opcode, uint64_t nodeid,
                 const struct kernel_part *parts)
{
    size_t size = sizeof(struct fuse_in_header);
    struct fuse_in_header *header;
    char *message;

    for (const struct kernel_part *part = parts; part->size > 0; part++)
        size += part->size;
    message = malloc(size); /* exactly as long as it is, so that ASan sees reads behind it */
    assert_non_null(message);
    header = (struct fuse_in_header *)(void *)message;
    *header = (struct fuse_in_header){
        .len = (uint32_t)size,
        .opcode = opcode,
        .unique = ++kernel->unique,
        .nodeid = nodeid,
        .uid = kernel->uid,
        .gid = kernel->uid,
    };
    size = sizeof(*header);
    for (const struct kernel_part *part = parts; part->size > 0; part++) {
        memcpy(message + size, part->data, part->size);
        size += part->size;
    }
    (void)ll_is_data(&kernel->ll, header, size); /* as the loop asks, which tries a READ */
    ll_process(&kernel->ll, header, size);
    free(message);
}

bool kernel_receive(struct kernel *kernel, int timeout_ms)
{
    struct pollfd ready = {.fd = kernel->fd, .events = POLLIN};
    ssize_t size;

    if (poll(&ready, 1, timeout_ms) != 1)
        return false;
    size = read(kernel->fd, &kernel->reply, sizeof(kernel->reply));
    assert_true(size >= (ssize_t)sizeof(kernel->reply.header));
    assert_int_equal(kernel->reply.header.len, size);
    kernel->reply_size = (size_t)size - sizeof(kernel->reply.header);
    return true;
}

int kernel_call(struct kernel *kernel, uint32_t opcode, uint64_t nodeid,
                const struct kernel_part *parts)
{
    kernel_send(kernel, opcode, nodeid, parts);
    assert_true(kernel_receive(kernel, 10000));
    assert_int_equal(kernel->reply.header.unique, kernel->unique);
    assert_false(kernel_receive(kernel, 0)); /* exactly one reply */
    return kernel->reply.header.error;
}

uint64_t kernel_create(struct kernel *kernel, uint64_t parent, const char *name, uint32_t flags,
                       struct fuse_open_out *ret_open)
{
    const struct fuse_create_in in = {.flags = flags, .mode = S_IFREG | 0644, .umask = 0022};
    struct fuse_entry_out entry;

    assert_int_equal(kernel_call(kernel, FUSE_CREATE, parent,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT(name))),
                     0);
    assert_int_equal(kernel->reply_size, sizeof(entry) + sizeof(*ret_open));
    memcpy(&entry, kernel->reply.body, sizeof(entry));
    memcpy(ret_open, kernel->reply.body + sizeof(entry), sizeof(*ret_open));
    return entry.nodeid;
}

uint64_t kernel_mkdir(struct kernel *kernel, uint64_t parent, const char *name)
{
    const struct fuse_mkdir_in in = {.mode = 0755};
    struct fuse_entry_out entry;

    assert_int_equal(
        kernel_call(kernel, FUSE_MKDIR, parent, KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT(name))),
        0);
    memcpy(&entry, kernel->reply.body, sizeof(entry));
    return entry.nodeid;
}

struct fuse_open_out kernel_open_file(struct kernel *kernel, uint64_t inode, uint32_t flags)
{
    const struct fuse_open_in in = {.flags = flags};
    struct fuse_open_out out;

    assert_int_equal(kernel_call(kernel, FUSE_OPEN, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    memcpy(&out, kernel->reply.body, sizeof(out));
    return out;
}

void kernel_release(struct kernel *kernel, uint64_t inode, uint64_t fh)
{
    const struct fuse_release_in in = {.fh = fh};

    assert_int_equal(kernel_call(kernel, FUSE_RELEASE, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
}

int kernel_write(struct kernel *kernel, uint64_t inode, uint64_t fh, uint64_t offset,
                 const char *text)
{
    const struct fuse_write_in in = {.fh = fh, .offset = offset, .size = (uint32_t)strlen(text)};

    return kernel_call(kernel, FUSE_WRITE, inode,
                       KERNEL_PARTS(KERNEL_STRUCT(in), {text, strlen(text)}));
}

struct fuse_attr_out kernel_getattr(struct kernel *kernel, uint64_t inode)
{
    const struct fuse_getattr_in in = {.fh = 0};
    struct fuse_attr_out out;

    assert_int_equal(kernel_call(kernel, FUSE_GETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    memcpy(&out, kernel->reply.body, sizeof(out));
    return out;
}
