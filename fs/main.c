/*
 * tensorfs(8): from the command line to the last exit code.
 *
 * Signals: SIGTERM and SIGINT unmount, make everything durable and exit 0; SIGHUP is ignored
 * (syslog has nothing to be reopened). umount(8) returns when the mount is out of the tree; what
 * the kernel held is then written, and this process goes on until the store is durable and its lock
 * is free, which the next mount of the store waits for.
 */
#include "control/log_ring.h"
#include "fs/daemonize.h"
#include "fs/default_store.h"
#include "fs/host.h"
#include "fs/labels.h"
#include "fs/ll_dispatch.h"
#include "fs/ll_handle.h"
#include "fs/mount.h"
#include "fs/mountpoint.h"
#include "fs/options.h"
#include "fs/remount.h"
#include "fs/syslog_sink.h"
#include "fs/upcalls.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/base/standard_files.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* After a signal: how long programs that still have files open may go on. */
enum { GRACE_MS = 2000 };

/* Who waits for the store says so after a second. */
enum { LOCK_TURN_MS = 200, LOCK_TELL_MS = 1000 };

/* Segments are up to 1 GiB, the index's files less. */
#define FILE_SIZE_MIN TFS_GIB

struct server {
    const struct options *options;
    const struct daemonize *daemonize;
    struct tfs_volume *volume;
    struct upcalls upcalls;
    struct ll ll;
    struct loop *loop;
    struct host host;
    int signal_fd;
    bool was_usable; /* somebody may have stored something */
};

/* ---- start ---- */

/* Before any thread: signals reach the process through signal_fd only. */
static int take_signals(struct server *server)
{
    sigset_t signals;

    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
    (void)signal(SIGHUP, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return server->signal_fd < 0 ? tfs_fail(-errno, "signalfd") : 0;
}

static rlim_t raise_limit(__rlimit_resource_t resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0)
        return RLIM_INFINITY; /* then there is none to be met */
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(resource, &limit); /* if not, the soft limit stays */
    return limit.rlim_max;
}

/* The store keeps its segments open, and they are large, whatever a shell allows its programs. An
 * index that meets a limit of file sizes in the middle of its log is of no use any more. */
static int raise_limits(const struct options *options, struct tfs_message *message)
{
    rlim_t file_size_max = raise_limit(RLIMIT_FSIZE);

    (void)raise_limit(RLIMIT_NOFILE); /* with few, segments are opened again and again */
    if (file_size_max >= FILE_SIZE_MIN || options->volume.read_only)
        return 0;
    (void)snprintf(message->text, sizeof(message->text),
                   "files may be %llu bytes here (ulimit -f), those of a store are up to 1G",
                   (unsigned long long)file_size_max);
    return -EFBIG;
}

static int start_loop(struct server *server, struct tfs_message *message)
{
    struct loop_options loop_options;
    int err;

    loop_options_init(&loop_options, server->options->request_threads, LL_IO_SIZE_MAX,
                      server->options->volume.memory_size);
    loop_options.fd = server->ll.fd;
    loop_options.ops = (struct loop_ops){.is_data = ll_is_data, .process = ll_process};
    loop_options.context = &server->ll;
    err = loop_new(&loop_options, &server->loop);
    if (err == 0)
        err = mount_agree(&server->ll, server->loop, message);
    if (err == 0)
        err = host_start(&server->host,
                         &(struct host_parts){&server->ll, server->loop, server->options}, message);
    if (err == 0)
        err = loop_start(server->loop);
    if (err < 0 && !message->text[0])
        (void)snprintf(message->text, sizeof(message->text), "cannot start: %s",
                       tfs_error_text(err));
    return err;
}

static bool is_signalled(const struct server *server)
{
    struct pollfd state = {.fd = server->signal_fd, .events = POLLIN};

    return poll(&state, 1, 0) > 0;
}

static bool is_given_up(const struct server *server, struct tfs_message *message)
{
    if (!is_signalled(server) && daemonize_is_waited_for(server->daemonize))
        return false;
    (void)snprintf(message->text, sizeof(message->text),
                   "stopped while waiting for the store '%.400s'", server->options->store);
    return true;
}

/* Waits for the store's lock in short turns: a signal ends it, and so does the end of whoever
 * started us, who has given up and would find a mount later. */
static int open_volume(struct server *server, struct tfs_message *message)
{
    struct tfs_volume_options options = server->options->volume;
    uint32_t left_ms = options.lock_wait_ms;
    uint32_t tell_ms = left_ms - (uint32_t)tfs_min_u64(left_ms, LOCK_TELL_MS);
    int err;

    options.upcalls = upcalls_table(&server->upcalls);
    for (;;) {
        options.lock_wait_ms = (uint32_t)tfs_min_u64(left_ms, LOCK_TURN_MS);
        options.lock_explain = left_ms == 0 || left_ms == tell_ms;
        err = tfs_volume_open(&options, message, &server->volume);
        if (err < 0 && err != -EBUSY)
            return err;
        if (is_given_up(server, message))
            return -EINTR;
        if (err == 0 || left_ms == 0)
            return err;
        if (left_ms == tell_ms)
            daemonize_tell("%s; waiting for it for %u s more", message->text, left_ms / 1000);
        left_ms -= options.lock_wait_ms;
    }
}

/* Undone by server_stop() also when it fails half way. */
static int server_start(struct server *server, struct tfs_message *message)
{
    const struct options *options = server->options;
    int err = 0;

    if (options->store_is_default && options->volume.create && !options->volume.read_only)
        err = mountpoint_make_parents(options->store, message);
    if (err == 0)
        err = open_volume(server, message);
    if (err < 0)
        return err;
    err = ll_init(&server->ll, server->volume);
    if (err < 0) {
        (void)snprintf(message->text, sizeof(message->text), "cannot start: %s",
                       tfs_error_text(err));
        return err;
    }
    err = mount_open(&server->ll, options, message);
    if (err < 0)
        return err;
    upcalls_attach(&server->upcalls, &server->ll);
    err = start_loop(server, message);
    if (err == 0)
        mount_tune(&server->ll, options);
    else
        mount_take_back(options->mountpoint);
    return err;
}

/* ---- end ---- */

/* Returns true when the mount has ended, false when a signal asks for it. */
static bool wait_for_end(const struct server *server, int timeout_ms)
{
    struct pollfd fds[2] = {
        {.fd = loop_ended_fd(server->loop), .events = POLLIN},
        {.fd = server->signal_fd, .events = POLLIN},
    };

    for (;;) {
        /* In the time of grace only the end counts, not another signal. */
        int count = poll(fds, timeout_ms < 0 ? 2 : 1, timeout_ms);

        if (count < 0 && errno == EINTR)
            continue;
        return count > 0 && (fds[0].revents & POLLIN);
    }
}

static void log_counters(const struct loop *loop)
{
    char *text;

    cJSON *json;

    if (tfs_log_get_level() < TFS_LOG_DEBUG)
        return;
    json = counters_to_json(loop_counters(loop));
    text = cJSON_PrintUnformatted(json);
    tfs_debug("requests: %s", text ? text : "");
    free(text);
    cJSON_Delete(json);
}

/* Returns 0 or the error that somebody has to learn of. */
static int server_stop(struct server *server)
{
    int loop_err = 0;
    int err;

    if (server->ll.volume)
        ll_stop(&server->ll);
    if (server->loop) {
        loop_stop(server->loop);
        loop_err = loop_join(server->loop);
        log_counters(server->loop);
    }
    host_stop(&server->host);
    upcalls_detach(&server->upcalls);
    if (server->ll.volume) {
        mount_close(&server->ll);
        ll_close_handles(&server->ll);
        ll_release(&server->ll);
    }
    loop_free(server->loop);
    err =
        server->was_usable ? tfs_volume_close(server->volume) : tfs_volume_discard(server->volume);
    upcalls_release(&server->upcalls);
    if (err < 0)
        tfs_error("store '%s' did not close well: %s", server->options->store, tfs_error_text(err));
    return err < 0 ? err : loop_err;
}

static int server_run(struct server *server)
{
    const char *mountpoint = server->options->mountpoint;

    tfs_info("store '%s' is mounted on '%s'", server->options->store, mountpoint);
    if (!wait_for_end(server, -1)) {
        tfs_info("signal: unmounting '%s'", mountpoint);
        mount_detach(&server->ll, mountpoint);
        if (!wait_for_end(server, GRACE_MS))
            tfs_warn("files of '%s' are still open; they are cut off", mountpoint);
    }
    return server_stop(server);
}

/* ---- main ---- */

/* In the background process, or in the foreground. Returns the exit status. */
static int serve(const struct options *options, struct daemonize *daemonize)
{
    static struct server server; /* large, and there is one */
    struct tfs_message message = {.text = ""};
    char text[2 * PATH_MAX + 64];
    int err;

    server.options = options;
    server.daemonize = daemonize;
    server.signal_fd = -1;
    upcalls_init(&server.upcalls);
    (void)umask(077); /* the store is its owner's alone */
    if (!options->foreground)
        syslog_sink_install();
    log_ring_install();
    err = take_signals(&server);
    if (err < 0)
        (void)snprintf(message.text, sizeof(message.text), "signals: %s", tfs_error_text(err));
    else
        err = server_start(&server, &message);
    if (err < 0) {
        (void)server_stop(&server); /* the first error is the one to be told */
        daemonize_fail(daemonize, message.text);
        return EXIT_FAILURE;
    }
    if (!options->volume.read_only)
        default_store_claim(options->store, options->mountpoint);
    (void)snprintf(text, sizeof(text), "tensorfs: %sstore %s is mounted on %s\n",
                   tfs_volume_is_new(server.volume) ? "new " : "", options->store,
                   options->mountpoint);
    server.was_usable = true;
    tfs_volume_announce(server.volume, options->mountpoint, server.ll.device);
    daemonize_succeed(daemonize, text);
    err = server_run(&server);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_version(void)
{
    (void)printf("tensorfs %s\nstore format %d\nlibfuse %s\n", TFS_VERSION, TFS_FORMAT_VERSION,
                 fuse_pkgversion());
}

/* What can be known before anything is touched. Returns 0 or a negative errno with a message. */
static int prepare(struct options *options, struct tfs_message *message)
{
    int err = labels_check(options, message);

    if (err == 0)
        err = mountpoint_check(options, message);
    if (err == 0)
        err = mountpoint_resolve_store(options, message);
    if (err == 0)
        err = raise_limits(options, message);
    return err;
}

/* Returns the exit status. */
static int change_mount(struct options *options, struct daemonize *daemonize)
{
    struct tfs_message message = {.text = ""};
    int err = mountpoint_find(options, &message);

    if (err == 0)
        err = remount_change(options, &message);
    if (err < 0)
        daemonize_fail(daemonize, message.text);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    static struct options options;
    struct tfs_message message = {.text = ""};
    struct daemonize daemonize = {.pipe = -1};
    /* Else a file of the store would get the number, and take our log, or be replaced when the
     * background process lets go of the terminal. */
    int err = tfs_fill_standard_files(O_RDWR);

    if (err < 0)
        return EXIT_FAILURE; /* nobody to be told, and nothing to be opened safely */
    err = options_parse(argc, argv, &options, &message);
    if (err == 0 && options.show_help) {
        options_print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (err == 0 && options.show_version) {
        print_version();
        return EXIT_SUCCESS;
    }
    if (err == 0 && options.remount)
        return change_mount(&options, &daemonize);
    if (err == 0)
        err = prepare(&options, &message);
    if (err < 0) {
        daemonize_fail(&daemonize, message.text);
        return EXIT_FAILURE;
    }
    tfs_log_set_level(options.log_level);
    err = daemonize_start(options.foreground, &daemonize);
    if (err < 0) {
        (void)fprintf(stderr, "tensorfs: cannot go into the background: %s\n", tfs_error_text(err));
        return EXIT_FAILURE;
    }
    return err == 0 ? daemonize.exit_status : serve(&options, &daemonize);
}
