#include "fs/options_table.h"

#include <assert.h>

#define AT(member)     offsetof(struct options, member)
#define COMMIT_MAX_S   86400u
#define LOCK_WAIT_S    3600u
#define READ_AHEAD_MAX (64ull * TFS_MIB)
#define MEMORY_MAX     (1ull << 46)

const struct option option_table[] = {
    {"chunk_size", OPTION_POWER, AT(volume.chunk_size), TFS_CHUNK_SIZE_MIN, TFS_CHUNK_SIZE_MAX,
     "size of the chunks of new files, a power of two"},
    {"compression", OPTION_CODEC, AT(volume.compression), 0, 0,
     "auto, none, gzip[:1-9] or zstd[:1-19], for new files"},
    {"concurrency", OPTION_COUNT, AT(volume.concurrency), 1, TFS_CONCURRENCY_MAX,
     "chunks in flight to the store"},
    {"threads", OPTION_COUNT, AT(volume.threads), 0, TFS_CONCURRENCY_MAX,
     "encode and decode workers; 0: the cores"},
    {"memory", OPTION_SIZE, AT(volume.memory_size), TFS_MEMORY_SIZE_MIN, MEMORY_MAX,
     "one budget for dirty data, data in flight and caches"},
    {"cache", OPTION_SIZE, AT(volume.cache_size), 0, MEMORY_MAX,
     "share of it for decoded data; 0: half"},
    {"commit_interval", OPTION_COUNT, AT(volume.commit_interval_s), 0, COMMIT_MAX_S,
     "seconds until unsynced data is committed; 0: only when asked"},
    {"read_ahead", OPTION_SIZE, AT(read_ahead_size), 0, READ_AHEAD_MAX,
     "the kernel's read-ahead (needs root); 0: leave it"},
    {"request_threads", OPTION_COUNT, AT(request_threads), 0, 256,
     "threads that serve the kernel; 0: by the cores"},
    {"lock_wait", OPTION_COUNT, AT(lock_wait_s), 0, LOCK_WAIT_S,
     "seconds to wait for an earlier mount of the store to end"},
    {"direct", OPTION_SET, AT(volume.direct), 0, 0, "O_DIRECT to the store's files (the default)"},
    {"nodirect", OPTION_CLEAR, AT(volume.direct), 0, 0, "use the page cache beneath"},
    {"create", OPTION_SET, AT(volume.create), 0, 0, "make the store when absent (the default)"},
    {"nocreate", OPTION_CLEAR, AT(volume.create), 0, 0, "the store must exist"},
    {"ro", OPTION_SET, AT(volume.read_only), 0, 0, "read only"},
    {"rw", OPTION_CLEAR, AT(volume.read_only), 0, 0, "read and write (the default)"},
    {"noatime", OPTION_SET, AT(volume.noatime), 0, 0, "reads do not move access times"},
    {"atime", OPTION_CLEAR, AT(volume.noatime), 0, 0, "they do, as relatime (the default)"},
    {"strictatime", OPTION_SET, AT(volume.strictatime), 0, 0, "they do each time"},
    {"sync", OPTION_SET, AT(sync), 0, 0, "every change is durable when the call returns"},
    {"async", OPTION_CLEAR, AT(sync), 0, 0, "what is synced is (the default)"},
    {"dirsync", OPTION_SET, AT(dirsync), 0, 0, "changes of names are"},
    {"allow_other", OPTION_SET, AT(allow_other), 0, 0, "other users may use the mount"},
    {"suid", OPTION_SET, AT(allow_suid), 0, 0, "set-user-ID bits count (root only)"},
    {"nosuid", OPTION_CLEAR, AT(allow_suid), 0, 0, "they do not (the default)"},
    {"dev", OPTION_SET, AT(allow_dev), 0, 0, "device nodes work (root only)"},
    {"nodev", OPTION_CLEAR, AT(allow_dev), 0, 0, "they do not (the default)"},
    {"exec", OPTION_CLEAR, AT(noexec), 0, 0, "programs can be run (the default)"},
    {"noexec", OPTION_SET, AT(noexec), 0, 0, "they cannot"},
    {"nosymfollow", OPTION_SET, AT(nosymfollow), 0, 0, "no symbolic link is followed (root only)"},
    {"symfollow", OPTION_CLEAR, AT(nosymfollow), 0, 0, "they are (the default)"},
    {"context", OPTION_TEXT, AT(labels.context), 1, OPTIONS_LABEL_SIZE_MAX,
     "SELinux: the label of all files, instead of their own"},
    {"fscontext", OPTION_TEXT, AT(labels.fscontext), 1, OPTIONS_LABEL_SIZE_MAX,
     "SELinux: the label of the filesystem"},
    {"defcontext", OPTION_TEXT, AT(labels.defcontext), 1, OPTIONS_LABEL_SIZE_MAX,
     "SELinux: of files that have none"},
    {"rootcontext", OPTION_TEXT, AT(labels.rootcontext), 1, OPTIONS_LABEL_SIZE_MAX,
     "SELinux: of the root directory"},
    {"fsname", OPTION_TEXT, AT(fsname), 1, PATH_MAX - 1, "source in /proc/mounts (the store)"},
    {"metrics", OPTION_TEXT, AT(metrics), 1, 63,
     "serve metrics over HTTP at PORT of 127.0.0.1, or ADDRESS:PORT"},
    {"log_level", OPTION_LEVEL, AT(log_level), 0, 0, "error, warn, info or debug"},
    {"default_permissions", OPTION_ACCEPTED, 0, 0, 0, "always on"},
    {"nonempty", OPTION_ACCEPTED, 0, 0, 0, "always on"},
    {"foreground", OPTION_SET, AT(foreground), 0, 0, "as -f"},
    {"debug", OPTION_SET, AT(debug), 0, 0, "as -d"},
    {"remount", OPTION_SET, AT(remount), 0, 0, NULL},
    {"help", OPTION_SET, AT(show_help), 0, 0, NULL},
    {"version", OPTION_SET, AT(show_version), 0, 0, NULL},
};

const size_t option_count = TFS_ARRAY_COUNT(option_table);
static_assert(TFS_ARRAY_COUNT(option_table) <= OPTIONS_COUNT_MAX, "struct options has less");

/* Of mount(8), fstab(5) and systemd.mount(5), and without a meaning here: directories have no
 * access times that listing moves, times are never written by themselves, nothing is locked by
 * force, and who may mount was decided before. */
const char *const option_dropped[] = {
    "auto",       "noauto",     "defaults",   "nofail",   "_netdev",    "user",          "nouser",
    "users",      "nousers",    "group",      "nogroup",  "owner",      "noowner",       "relatime",
    "norelatime", "diratime",   "nodiratime", "lazytime", "nolazytime", "silent",        "loud",
    "iversion",   "noiversion", "mand",       "nomand",   "comment",    "nostrictatime",
};

const size_t option_dropped_count = TFS_ARRAY_COUNT(option_dropped);

const char *const option_kernel[] = {"user_id",  "group_id", "rootmode", "fd",
                                     "max_read", "blksize",  "seclabel"};

const size_t option_kernel_count = TFS_ARRAY_COUNT(option_kernel);

const struct option_letter option_letters[] = {
    {'f', "foreground", "stay in the foreground, log to standard error"},
    {'d', "debug", "-f with every request traced"},
    {'h', "help", "print this"},
    {'V', "version", "print the versions of tensorfs and of its store format"},
};

const size_t option_letter_count = TFS_ARRAY_COUNT(option_letters);
