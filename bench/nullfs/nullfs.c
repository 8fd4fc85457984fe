/*
 * nullfs MOUNTPOINT: the ceiling of what FUSE itself allows, with plain libfuse.
 *
 * Files exist by being created; writes are counted into the size and discarded, reads come from one
 * buffer. Write-only files are direct, others keep their pages, as in tensorfs; with the suffix
 * ".direct" reads are direct too. Runs in the foreground until it is unmounted.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4096, IO_SIZE = 1024 * 1024, NAME_SIZE = 256, TIMEOUT_S = 86400 };

struct null_file {
    char name[NAME_SIZE];
    _Atomic uint64_t size;
};

static struct null_file files[FILES_MAX]; /* inode number - 2 */
static atomic_uint file_count;
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;
static char *buffer;

static struct stat status_of(fuse_ino_t inode)
{
    struct stat status = {.st_ino = inode, .st_nlink = 1, .st_blksize = 4096};

    if (inode == FUSE_ROOT_ID) {
        status.st_mode = S_IFDIR | 0755;
        return status;
    }
    status.st_mode = S_IFREG | 0644;
    status.st_size = (off_t)atomic_load(&files[inode - 2].size);
    status.st_blocks = (status.st_size + 511) / 512;
    return status;
}

static struct fuse_entry_param entry_of(fuse_ino_t inode)
{
    return (struct fuse_entry_param){.ino = inode,
                                     .attr = status_of(inode),
                                     .attr_timeout = TIMEOUT_S,
                                     .entry_timeout = TIMEOUT_S};
}

static fuse_ino_t find(const char *name)
{
    for (unsigned i = 0; i < file_count; i++) {
        if (strcmp(files[i].name, name) == 0)
            return i + 2;
    }
    return 0;
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    fuse_ino_t inode = find(name);
    struct fuse_entry_param entry;

    (void)parent;
    if (inode == 0) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    entry = entry_of(inode);
    fuse_reply_entry(req, &entry);
}

static void null_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct stat status = status_of(inode);

    (void)fi;
    fuse_reply_attr(req, &status, TIMEOUT_S);
}

static void null_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int to_set,
                         struct fuse_file_info *fi)
{
    if (inode != FUSE_ROOT_ID && (to_set & FUSE_SET_ATTR_SIZE))
        atomic_store(&files[inode - 2].size, (uint64_t)attr->st_size);
    null_getattr(req, inode, fi);
}

static struct fuse_open_out open_out(fuse_ino_t inode, int flags)
{
    bool is_direct = (flags & O_ACCMODE) == O_WRONLY || strstr(files[inode - 2].name, ".direct");

    return (struct fuse_open_out){
        .open_flags = is_direct ? FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES
                                : FOPEN_KEEP_CACHE | FOPEN_NOFLUSH,
    };
}

static void null_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct fuse_open_out out = open_out(inode, fi->flags);

    if (fi->flags & O_TRUNC)
        atomic_store(&files[inode - 2].size, 0);
    fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void null_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                        struct fuse_file_info *fi)
{
    fuse_ino_t inode = 0;
    struct fuse_entry_param entry;

    (void)parent;
    (void)mode;
    pthread_mutex_lock(&files_lock);
    if (file_count < FILES_MAX && strlen(name) < NAME_SIZE) {
        memcpy(files[file_count].name, name, strlen(name) + 1);
        inode = file_count + 2;
        file_count++;
    }
    pthread_mutex_unlock(&files_lock);
    if (inode == 0) {
        fuse_reply_err(req, ENOSPC);
        return;
    }
    entry = entry_of(inode);
    fi->direct_io = (fi->flags & O_ACCMODE) == O_WRONLY;
    fi->keep_cache = !fi->direct_io;
    fi->noflush = 1;
    fuse_reply_create(req, &entry, fi);
}

static void null_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size,
                       off_t offset, struct fuse_file_info *fi)
{
    _Atomic uint64_t *file_size = &files[inode - 2].size;
    uint64_t end = (uint64_t)offset + size;
    uint64_t before = atomic_load(file_size);

    (void)data;
    (void)fi;
    while (before < end && !atomic_compare_exchange_weak(file_size, &before, end))
        ;
    fuse_reply_write(req, size);
}

static void null_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                      struct fuse_file_info *fi)
{
    uint64_t file_size = atomic_load(&files[inode - 2].size);
    uint64_t left = (uint64_t)offset < file_size ? file_size - (uint64_t)offset : 0;

    (void)fi;
    if (size > left)
        size = left;
    fuse_reply_buf(req, buffer, size < IO_SIZE ? size : IO_SIZE);
}

static void null_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    fuse_ino_t inode = find(name);

    (void)parent;
    if (inode != 0)
        files[inode - 2].name[0] = '\0';
    fuse_reply_err(req, inode == 0 ? ENOENT : 0);
}

static void null_fsync(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *fi)
{
    (void)inode;
    (void)data_only;
    (void)fi;
    fuse_reply_err(req, 0);
}

static void null_init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
    connection->max_write = IO_SIZE;
    connection->max_read = IO_SIZE;
    connection->max_background = 128;
    connection->congestion_threshold = 96;
}

static const struct fuse_lowlevel_ops operations = {
    .init = null_init,
    .lookup = null_lookup,
    .getattr = null_getattr,
    .setattr = null_setattr,
    .open = null_open,
    .create = null_create,
    .read = null_read,
    .write = null_write,
    .unlink = null_unlink,
    .fsync = null_fsync,
};

static void set_read_ahead(const char *mountpoint)
{
    char path[96];
    struct stat status;
    FILE *file;

    if (stat(mountpoint, &status) < 0)
        return;
    (void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
                   (unsigned)(status.st_dev >> 8), (unsigned)(status.st_dev & 0xff));
    file = fopen(path, "we");
    if (!file)
        return; /* not root: slower */
    (void)fprintf(file, "4096\n");
    (void)fclose(file);
}

static void *tune(void *mountpoint)
{
    set_read_ahead(mountpoint);
    return NULL;
}

int main(int argc, char *argv[])
{
    static char list_flag[] = "-o";
    static char list[] = "fsname=nullfs,subtype=nullfs,max_read=1048576,allow_other";
    char *arguments[] = {argv[0], list_flag, list, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, arguments);
    struct fuse_loop_config *config;
    struct fuse_session *session;
    pthread_t tuner;
    int err;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: nullfs MOUNTPOINT\n");
        return EXIT_FAILURE;
    }
    buffer = malloc(IO_SIZE);
    config = fuse_loop_cfg_create();
    session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
    if (!buffer || !config || !session)
        return EXIT_FAILURE;
    memset(buffer, 0x5a, IO_SIZE);
    if (fuse_set_signal_handlers(session) != 0 || fuse_session_mount(session, argv[1]) != 0)
        return EXIT_FAILURE;
    /* stat() of the mount is answered by the loop below. */
    if (pthread_create(&tuner, NULL, tune, argv[1]) == 0)
        (void)pthread_detach(tuner);
    fuse_loop_cfg_set_idle_threads(config, 16);
    err = fuse_session_loop_mt(session, config);
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    fuse_loop_cfg_destroy(config);
    free(buffer);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
