/*
 * The other end of a mount without a kernel: a socket that keeps messages apart stands for
 * /dev/fuse. Requests are built here byte for byte and go through ll_process(), replies are read
 * back. The store is bench/nullfs' memory store. For tests of one thread.
 */
#ifndef TFS_TESTS_FS_FAKE_KERNEL_H
#define TFS_TESTS_FS_FAKE_KERNEL_H

#include "fs/ll_dispatch.h"
#include "fs/ll_handle.h"

enum { KERNEL_REPLY_SIZE_MAX = 160 * 1024, KERNEL_MINOR_NEW = 45, KERNEL_MINOR_OLD = 36 };

struct kernel {
    struct ll ll;
    struct tfs_volume *volume;
    int fd;          /* the kernel's end */
    uint64_t unique; /* of the last request */
    uint32_t uid;    /* of the next requests */
    struct {
        struct fuse_out_header header;
        char body[KERNEL_REPLY_SIZE_MAX];
    } reply;
    size_t reply_size; /* of the body */
};

/* A kernel of protocol 7.`minor` that offers every flag but those in `withheld`; INIT is done. */
void kernel_open(struct kernel *kernel, uint32_t minor, uint64_t withheld);
void kernel_open_new(struct kernel *kernel); /* all that we know of */
void kernel_open_old(struct kernel *kernel); /* as Linux 5.15: no flags2, no younger flags */
void kernel_close(struct kernel *kernel);

struct kernel_part {
    const void *data;
    size_t size;
};

/* Send a request of some parts (the last has size 0) and read its reply. Returns the reply's error.
 */
int kernel_call(struct kernel *kernel, uint32_t opcode, uint64_t nodeid,
                const struct kernel_part *parts);

/* Send without waiting for a reply: FORGET, or where a notification comes first. */
void kernel_send(struct kernel *kernel, uint32_t opcode, uint64_t nodeid,
                 const struct kernel_part *parts);

/* Read the next message from the mount into kernel->reply. False when there is none now. */
bool kernel_receive(struct kernel *kernel, int timeout_ms);

/* Frequent requests. The entry's or file's number comes back; errors fail the test. */
uint64_t kernel_create(struct kernel *kernel, uint64_t parent, const char *name, uint32_t flags,
                       struct fuse_open_out *ret_open);
uint64_t kernel_mkdir(struct kernel *kernel, uint64_t parent, const char *name);
struct fuse_open_out kernel_open_file(struct kernel *kernel, uint64_t inode, uint32_t flags);
void kernel_release(struct kernel *kernel, uint64_t inode, uint64_t fh);
int kernel_write(struct kernel *kernel, uint64_t inode, uint64_t fh, uint64_t offset,
                 const char *text);
struct fuse_attr_out kernel_getattr(struct kernel *kernel, uint64_t inode);

#define KERNEL_PARTS(...)                                                                          \
    (const struct kernel_part[])                                                                   \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
#define KERNEL_TEXT(text)                                                                          \
    {                                                                                              \
        (text), strlen(text) + 1                                                                   \
    }
#define KERNEL_STRUCT(value)                                                                       \
    {                                                                                              \
        &(value), sizeof(value)                                                                    \
    }

#endif
