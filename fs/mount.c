#include "fs/mount.h"

#include "fs/labels.h"
#include "fs/ll_dispatch.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/base/mounts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- options for mount(2) ---- */

static int add_flags(char **list, const struct options *options)
{
    const struct {
        const char *name;
        bool is_set;
    } flags[] = {
        {"default_permissions", true},     {"allow_other", options->allow_other},
        {"ro", options->volume.read_only}, {"noatime", options->volume.noatime},
        {"suid", options->allow_suid},     {"dev", options->allow_dev},
        {"noexec", options->noexec},       {"sync", options->sync},
        {"dirsync", options->dirsync},
    };

    for (size_t i = 0; i < TFS_ARRAY_COUNT(flags); i++) {
        if (flags[i].is_set && fuse_opt_add_opt(list, flags[i].name) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* "default_permissions,...,fsname=STORE". *ret is the caller's, free(). */
static int make_list(const struct options *options, char **ret)
{
    char source[PATH_MAX + 8];
    char max_read[32];
    char *list = NULL;
    int err = add_flags(&list, options);

    if (err == 0)
        err = labels_add(options, &list);
    (void)snprintf(source, sizeof(source), "fsname=%s",
                   options->fsname[0] ? options->fsname : options->store);
    (void)snprintf(max_read, sizeof(max_read), "max_read=%u", LL_IO_SIZE_MAX);
    if (err == 0 &&
        (fuse_opt_add_opt(&list, "subtype=tensorfs") != 0 ||
         fuse_opt_add_opt(&list, max_read) != 0 || fuse_opt_add_opt_escaped(&list, source) != 0))
        err = -ENOMEM;
    if (err < 0) {
        free(list);
        return tfs_fail(err, "list of mount options");
    }
    *ret = list;
    return 0;
}

static int session_new(struct ll *ll, const struct options *options)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    char *list = NULL;
    int err = make_list(options, &list);

    if (err < 0)
        return err;
    if (fuse_opt_add_arg(&args, "tensorfs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
        fuse_opt_add_arg(&args, list) == 0 &&
        (!options->debug || fuse_opt_add_arg(&args, "--debug") == 0))
        ll->session =
            fuse_session_new(&args, ll_operations(), sizeof(struct fuse_lowlevel_ops), ll);
    fuse_opt_free_args(&args);
    free(list);
    return ll->session ? 0 : tfs_fail(-ENOMEM, "session of libfuse");
}

/* ---- one line instead of several ---- */

/* libfuse and fusermount3 write to standard error what is wrong. It is caught, so that the user
 * gets one line, from us. The process has no other threads that write yet. */
struct catch
{
    int saved;
    int caught;
};

static void catch_begin(struct catch *catch)
{
    catch->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    catch->caught = memfd_create("stderr", MFD_CLOEXEC);
    if (catch->saved >= 0 && catch->caught >= 0)
        (void)dup2(catch->caught, STDERR_FILENO);
}

/* The last line that was caught, without the name of who wrote it. */
static void catch_end(struct catch *catch, char *line, size_t size)
{
    ssize_t length = 0;
    char *start;

    if (catch->saved >= 0) {
        (void)fflush(stderr);
        (void)dup2(catch->saved, STDERR_FILENO);
        (void)close(catch->saved);
    }
    if (catch->caught >= 0) {
        length = pread(catch->caught, line, size - 1, 0);
        (void)close(catch->caught);
    }
    line[length > 0 ? length : 0] = '\0';
    while (length > 0 && line[length - 1] == '\n')
        line[--length] = '\0';
    start = strrchr(line, '\n');
    start = start ? start + 1 : line;
    if (strncmp(start, "fuse: ", 6) == 0)
        start += 6;
    else if (strncmp(start, "fusermount3: ", 13) == 0)
        start += 13;
    memmove(line, start, strlen(start) + 1);
}

static int fail(struct tfs_message *message, int err, const char *mountpoint, const char *why)
{
    (void)snprintf(message->text, sizeof(message->text), "cannot mount on '%.300s': %.150s",
                   mountpoint, why);
    return err;
}

/* What libfuse has to say once we are mounted, with --debug every request. */
__attribute__((format(printf, 2, 0))) static void
log_of_libfuse(enum fuse_log_level level, const char *format, va_list arguments)
{
    char line[512];
    size_t length;

    (void)vsnprintf(line, sizeof(line), format, arguments); /* cut if too long */
    length = strlen(line);
    if (length > 0 && line[length - 1] == '\n')
        line[length - 1] = '\0';
    tfs_log(level <= FUSE_LOG_ERR ? TFS_LOG_WARN : TFS_LOG_DEBUG, "libfuse: %s", line);
}

/* The device's number of what is mounted there; 0 when that cannot be told. It is the kernel's, so
 * nobody is asked, be it us or another mount's process. */
static dev_t device_at(const char *mountpoint)
{
    struct statx status;

    if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0)
        return 0;
    return makedev(status.stx_dev_major, status.stx_dev_minor);
}

/* libfuse 3.14 does not know the option. Nothing is served yet, so no link was followed. */
static int refuse_links(const struct options *options, struct tfs_message *message)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSYMFOLLOW};

    if (!options->nosymfollow ||
        mount_setattr(AT_FDCWD, options->mountpoint, 0, &attributes, sizeof(attributes)) == 0)
        return 0;
    return fail(message, -errno, options->mountpoint,
                errno == EPERM ? "option nosymfollow is for root"
                               : "the kernel has no nosymfollow");
}

int mount_open(struct ll *ll, const struct options *options, struct tfs_message *message)
{
    char why[1024];
    struct catch catch;
    int err = session_new(ll, options);

    if (err < 0)
        return fail(message, err, options->mountpoint, tfs_error_text(err));
    catch_begin(&catch);
    err = fuse_session_mount(ll->session, options->mountpoint);
    catch_end(&catch, why, sizeof(why));
    if (err != 0) {
        fuse_session_destroy(ll->session);
        ll->session = NULL;
        return fail(message, -EIO, options->mountpoint, why[0] ? why : "the kernel refuses");
    }
    ll->device = device_at(options->mountpoint); /* before anybody has found it */
    ll->is_synchronous = options->sync;
    ll->names_are_synchronous = options->sync || options->dirsync;
    fuse_set_log_func(log_of_libfuse);
    ll->fd = fuse_session_fd(ll->session);
    err = fuse_session_custom_io(ll->session, ll_custom_io(), ll->fd);
    if (err != 0)
        err = fail(message, -ENOMEM, options->mountpoint, "no memory");
    else
        err = refuse_links(options, message);
    if (err != 0) {
        mount_take_back(options->mountpoint);
        mount_close(ll);
    }
    return err;
}

int mount_agree(struct ll *ll, struct loop *loop, struct tfs_message *message)
{
    int err = 0;

    while (err == 0 && !ll->protocol.is_agreed) {
        err = loop_serve_one(loop);
        if (err == 0)
            err = ll->protocol.init_error;
    }
    if (err < 0)
        (void)snprintf(message->text, sizeof(message->text),
                       "no agreement with the kernel's FUSE, protocol 7.%u: %s",
                       ll->protocol.kernel_minor, tfs_error_text(err));
    else
        tfs_debug("kernel protocol 7.%u, offered %#llx, agreed %#llx", ll->protocol.kernel_minor,
                  (unsigned long long)ll->protocol.offered,
                  (unsigned long long)ll->protocol.agreed);
    return err;
}

/* ---- tuning ---- */

void mount_tune(const struct ll *ll, const struct options *options)
{
    char path[96];
    FILE *file;

    if (options->read_ahead_size == 0 || ll->device == 0)
        return;
    (void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(ll->device),
                   minor(ll->device));
    file = fopen(path, "we");
    if (file)
        (void)fprintf(file, "%llu\n", (unsigned long long)(options->read_ahead_size / TFS_KIB));
    if (!file || fclose(file) != 0)
        tfs_info("read-ahead stays as the kernel has it: %s: %s", path, strerror(errno));
}

/* ---- the end ---- */

static void sync_mapped_pages(const char *mountpoint)
{
    int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return; /* unmounted meanwhile: then the kernel has done it */
    if (syncfs(fd) < 0)
        tfs_warn("syncfs of '%s': %s", mountpoint, strerror(errno));
    (void)close(fd); /* a directory, opened to read */
}

void mount_take_back(const char *mountpoint)
{
    char *const arguments[] = {(char[]){"fusermount3"}, (char[]){"-uqz"}, (char[]){"--"},
                               strdup(mountpoint), NULL};
    pid_t child;
    int status;

    if (umount2(mountpoint, MNT_DETACH) < 0 && errno == EPERM && arguments[3] &&
        posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) == 0)
        (void)waitpid(child, &status, 0); /* if it failed, the loop goes on to be waited for */
    free(arguments[3]);
}

/* Why there is nothing to be unmounted. */
static void tell_out_of_reach(dev_t device, const char *mountpoint)
{
    struct tfs_mount_copy copy;

    if (tfs_mount_is_here(device))
        tfs_warn("another mount covers '%s'; both are left as they are", mountpoint);
    else if (tfs_mount_find_copy(device, &copy))
        tfs_warn("'%s' was unmounted, and lives on in the mount namespace of process %d (%s), %s",
                 mountpoint, (int)copy.pid, copy.name, copy.mount_name);
    else
        tfs_warn("'%s' was unmounted while files were open; what is there now is left as it is",
                 mountpoint);
}

void mount_detach(const struct ll *ll, const char *mountpoint)
{
    if (device_at(mountpoint) != ll->device) {
        /* Unmounted lazily before, or covered by another mount, which is not ours to unmount. */
        tell_out_of_reach(ll->device, mountpoint);
        return;
    }
    sync_mapped_pages(mountpoint);
    mount_take_back(mountpoint);
}

/*
 * A descriptor that polls as broken takes the place of the device. The device is closed by that,
 * which makes the kernel end what is left of the connection, and fuse_session_unmount() sees that
 * there is nothing to unmount. Else it would unmount whatever is at the mountpoint's path by now.
 */
static void disconnect(int fd)
{
    int pipe_fds[2];

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return; /* it will unmount, then: nearly always still our mount */
    (void)close(pipe_fds[0]);
    (void)dup3(pipe_fds[1], fd, O_CLOEXEC);
    (void)close(pipe_fds[1]);
}

void mount_close(struct ll *ll)
{
    if (!ll->session)
        return;
    disconnect(ll->fd);
    fuse_session_unmount(ll->session);
    fuse_session_destroy(ll->session);
    ll->session = NULL;
    ll->fd = -1;
}
