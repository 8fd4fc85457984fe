/*
 * The volume: a POSIX namespace and files over a store directory. This is all that the mount, the
 * tools and a future engine see of the store; it does not know FUSE.
 *
 * Inodes are addressed by number; the root is TFS_ROOT_INODE. A number is never used again, so its
 * generation is always the same. A call that returns an inode to the caller (lookup, make, link,
 * readdir with attributes) adds one to the inode's lookup count; the caller gives the count back
 * with tfs_forget(). An inode that was removed lives until its count and its opens are gone.
 *
 * Permissions are the caller's business (the kernel checks them with default_permissions); what
 * changes as a consequence of an operation (setuid bits, setgid directories, ACL inheritance,
 * times) is done here.
 *
 * Durability: see docs/SEMANTICS.md. Each change of the namespace is one atomic batch of the index,
 * in order; it survives the death of the process at once and a power cut after the next sync of
 * anything or after commit_interval.
 *
 * Threads: all functions may be called from any thread at any time, except tfs_volume_close().
 * Functions that may wait for the disk, for memory or for other data operations say "may block";
 * all others take microseconds.
 *
 * Errors common to all: -EIO, -EUCLEAN, -ENOMEM, -ENOSPC and -EROFS (changes).
 */
#ifndef TFS_STORE_H
#define TFS_STORE_H

#include "store/base/defs.h"
#include "store/codec/codec.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#define TFS_ROOT_INODE 1ull

/* Of the store directory: docs/FORMAT.md. A store of another version is refused. */
enum { TFS_FORMAT_VERSION = 1 };

enum {
    TFS_NAME_SIZE_MAX = 255,          /* bytes, without the terminating zero */
    TFS_SYMLINK_SIZE_MAX = 4095,      /* likewise */
    TFS_XATTR_NAME_SIZE_MAX = 255,    /* likewise */
    TFS_XATTR_VALUE_SIZE_MAX = 65536, /* the kernel's limit */
    TFS_XATTR_LIST_SIZE_MAX = 65536,  /* the kernel's limit */
    TFS_LINKS_MAX = 65000,            /* hard links of one inode, as ext4 has it */
    TFS_DEPTH_MAX = 65536, /* levels of directories above one into which a directory is moved */
};
#define TFS_FILE_SIZE_MAX (1ull << 60)

#define TFS_CHUNK_SIZE_MIN     256ull
#define TFS_CHUNK_SIZE_MAX     (64ull * TFS_MIB)
#define TFS_CHUNK_SIZE_DEFAULT (4ull * TFS_MIB)
#define TFS_MEMORY_SIZE_MIN    (64ull * TFS_MIB)
#define TFS_CONCURRENCY_MAX    1024u

/* ---- upcalls ---- */

/* How an inode has changed by itself. */
struct tfs_inode_change {
    uint64_t inode;
    uint64_t from; /* bytes [from, to) of the file may read otherwise than they did */
    uint64_t to;   /* UINT64_MAX: up to the end */
    bool is_cut;   /* the file is shorter, too; it ends at or behind `from` */
};

/*
 * What the volume tells of itself to whoever keeps what he has read: the mount, for the kernel.
 *
 * inode_changed: what an inode shows has changed, and no call has asked for it: bytes were given up
 * that damage kept from being written back, or what was stored through a mapping (TFS_WRITE_BACK)
 * was lost. It comes once for each such change, as soon as new reads see it; two changes of one
 * inode may come in any order. What a call was asked to do is not told: the caller knows.
 *
 * Threads: any, at any time from within tfs_volume_open() to within tfs_volume_close(), also two at
 * a time. No lock of the store is held, but the calling thread may be inside of an operation that
 * others wait for: the callee must not block and must not call the store.
 */
struct tfs_upcalls {
    void (*inode_changed)(void *context, const struct tfs_inode_change *change);
    void *context;
};

/* ---- volume ---- */

struct tfs_volume;
struct index_engine;
struct segment_engine;

struct tfs_volume_options {
    const char *path;    /* the store directory */
    uint64_t chunk_size; /* bytes, a power of two; of new files unless a directory says other */
    struct codec_spec compression; /* likewise */
    unsigned concurrency;          /* chunks in flight to the store, 1 .. TFS_CONCURRENCY_MAX */
    unsigned threads;              /* encode and decode workers; 0: the cores */
    uint64_t memory_size;          /* the whole budget: dirty, in flight, cache, index */
    uint64_t cache_size;           /* of it for decoded blocks; 0: half */
    unsigned commit_interval_s; /* seconds until unsynced data is committed; 0: only when asked */
    bool create;                /* make the store when the directory is empty or absent */
    bool read_only;             /* nothing reaches the store directory */
    bool noatime;               /* reads do not move access times */
    bool strictatime;           /* they do each time; else as relatime of mount(8) */
    bool direct;                /* O_DIRECT beneath, where it works */
    unsigned lock_wait_ms;      /* how long to wait for another mount of the store to go */
    bool lock_explain; /* when it stays: who keeps it; looks at the mounts of all processes */
    struct tfs_upcalls upcalls;                  /* of zeros: nobody is told */
    const struct index_engine *index_engine;     /* NULL: RocksDB */
    const struct segment_engine *segment_engine; /* NULL: local files */
};

/* The defaults of every field but path; compression is auto. */
void tfs_volume_options_init(struct tfs_volume_options *options);

/*
 * Open the store, make it when asked to. Needs no repair step after a crash. When it fails,
 * `message` (may be NULL) has one line that a user understands, without newline, and nothing was
 * touched.
 *
 * Errors: -EBUSY (in use by another mount), -ENOTDIR, -ENOENT, -EACCES, -EMEDIUMTYPE (not a store),
 * -EPROTONOSUPPORT (format is newer or unknown), -EINVAL (options), -EROFS. Blocks: up to
 * lock_wait_ms for the lock, and for the index's recovery.
 */
struct tfs_message {
    char text[1024];
};
TFS_MUST_CHECK int tfs_volume_open(const struct tfs_volume_options *options,
                                   struct tfs_message *message, struct tfs_volume **ret);

/* Makes everything durable, ends the threads, releases the lock. Accepts NULL. Returns the first
 * error; the volume is gone all the same. */
int tfs_volume_close(struct tfs_volume *volume);

/* As tfs_volume_close(), for a volume that came to no use: a store that tfs_volume_open() has just
 * made is removed again. One that was there before stays. */
int tfs_volume_discard(struct tfs_volume *volume);

/* Whether reads move access times, of files that are opened from now on. Threads: any. */
void tfs_volume_set_noatime(struct tfs_volume *volume, bool noatime);
bool tfs_volume_is_noatime(const struct tfs_volume *volume);

/* Tell those that find the store in use where it is mounted. Does nothing when it is read only. */
void tfs_volume_announce(struct tfs_volume *volume, const char *mountpoint, dev_t device);

/* Whether tfs_volume_open() has made the store. */
bool tfs_volume_is_new(const struct tfs_volume *volume);

/* Everything written before this call becomes durable (syncfs). May block. */
TFS_MUST_CHECK int tfs_volume_sync(struct tfs_volume *volume);

/*
 * Every change of names and attributes before this call becomes durable, and all data that is
 * committed; what is still being written is not waited for (fsync of a directory). May block.
 */
TFS_MUST_CHECK int tfs_volume_sync_names(struct tfs_volume *volume);

TFS_MUST_CHECK int tfs_volume_statfs(struct tfs_volume *volume, struct statvfs *ret);

/* The 16 bytes of the volume's UUID. Immutable. */
const uint8_t *tfs_volume_uuid(const struct tfs_volume *volume);

/* ---- namespace ---- */

struct tfs_attr {
    uint64_t inode;
    uint64_t generation;
    uint64_t size;   /* bytes */
    uint64_t blocks; /* of 512 bytes, stored (compressed) */
    uint64_t rdev;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;
    uint32_t block_size; /* preferred size of I/O */
    struct timespec atime;
    struct timespec mtime;
    struct timespec ctime;
    struct timespec btime;
};

/* Adds to the lookup count. `name` may be "." and "..". Errors: -ENOENT, -ENOTDIR, -ENAMETOOLONG.
 */
TFS_MUST_CHECK int tfs_lookup(struct tfs_volume *volume, uint64_t parent, const char *name,
                              struct tfs_attr *ret);

/* Gives back `count` of the lookups. Never fails, never blocks. */
void tfs_forget(struct tfs_volume *volume, uint64_t inode, uint64_t count);

/*
 * Inodes take more than their share of the memory: who was given lookups should give some back. Up
 * to `count_max` numbers of inodes that are not open, those first that were looked up longest ago,
 * in ret[]. Returns how many; 0: enough for now. One whose lookups are not given back comes again
 * later.
 */
bool tfs_has_inodes_to_forget(struct tfs_volume *volume);
size_t tfs_inodes_to_forget(struct tfs_volume *volume, size_t count_max, uint64_t *ret);

/* Errors: -ESTALE when there is no such inode. */
TFS_MUST_CHECK int tfs_getattr(struct tfs_volume *volume, uint64_t inode, struct tfs_attr *ret);

enum tfs_setattr_field {
    TFS_SET_MODE = 1 << 0,
    TFS_SET_UID = 1 << 1,
    TFS_SET_GID = 1 << 2,
    TFS_SET_SIZE = 1 << 3,
    TFS_SET_ATIME = 1 << 4,
    TFS_SET_MTIME = 1 << 5,
    TFS_SET_CTIME = 1 << 6,
    TFS_SET_ATIME_NOW = 1 << 7,
    TFS_SET_MTIME_NOW = 1 << 8,
    /* Drop setuid, setgid where the group may execute, and security.capability. */
    TFS_SET_KILL_PRIVILEGES = 1 << 9,
};

struct tfs_setattr {
    uint32_t fields; /* enum tfs_setattr_field */
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint64_t size;
    struct timespec atime;
    struct timespec mtime;
    struct timespec ctime;
};

/* A change of size may block. Errors: -ESTALE, -EISDIR, -EINVAL, -EFBIG. */
TFS_MUST_CHECK int tfs_setattr(struct tfs_volume *volume, uint64_t inode,
                               const struct tfs_setattr *change, struct tfs_attr *ret);

struct tfs_make {
    uint32_t mode;  /* type and permissions as asked for; the umask is not applied yet */
    uint32_t umask; /* applied unless the parent has a default ACL */
    uint32_t uid;   /* the caller's; a setgid parent gives its own group */
    uint32_t gid;
    uint64_t rdev;      /* devices */
    const char *target; /* symlinks, NULL otherwise */
};

/*
 * Make a regular file, directory, symlink, device, fifo or socket, by mode. Adds to the lookup
 * count. Errors: -EEXIST, -ENOENT (the parent was removed), -ENOTDIR, -ENAMETOOLONG, -EMLINK,
 * -EINVAL.
 */
TFS_MUST_CHECK int tfs_make(struct tfs_volume *volume, uint64_t parent, const char *name,
                            const struct tfs_make *what, struct tfs_attr *ret);

/* A regular file without a name (O_TMPFILE), to be linked later or to vanish. Adds to the lookup
 * count. */
TFS_MUST_CHECK int tfs_make_unnamed(struct tfs_volume *volume, uint64_t parent,
                                    const struct tfs_make *what, struct tfs_attr *ret);

/* Errors: -ENOENT, -ENOTDIR, -EISDIR (unlink of a directory), -ENOTEMPTY, -EBUSY (the root). */
TFS_MUST_CHECK int tfs_unlink(struct tfs_volume *volume, uint64_t parent, const char *name);
TFS_MUST_CHECK int tfs_rmdir(struct tfs_volume *volume, uint64_t parent, const char *name);

struct tfs_place {
    uint64_t parent;
    const char *name;
};

/*
 * flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE. A file with uncommitted data is committed first,
 * so it may block. Errors: as rename(2); -EINVAL for a directory moved into itself and for unknown
 * flags; -EMLINK (the new parent has TFS_LINKS_MAX); -ELOOP (it lies below TFS_DEPTH_MAX others).
 */
TFS_MUST_CHECK int tfs_rename(struct tfs_volume *volume, const struct tfs_place *from,
                              const struct tfs_place *to, unsigned flags);

/* Adds to the lookup count. Commits uncommitted data first, so it may block. Errors: -EEXIST,
 * -EPERM (directories), -EMLINK, -ENOENT. */
TFS_MUST_CHECK int tfs_link(struct tfs_volume *volume, uint64_t inode, uint64_t parent,
                            const char *name, struct tfs_attr *ret);

/* Fills `target` with a terminated text. Errors: -EINVAL (not a symlink). */
TFS_MUST_CHECK int tfs_readlink(struct tfs_volume *volume, uint64_t inode,
                                char target[TFS_SYMLINK_SIZE_MAX + 1]);

struct tfs_directory_entry {
    const char *name; /* terminated, borrowed during the visit */
    uint64_t inode;
    uint32_t mode;   /* only the type bits count */
    uint64_t place;  /* its own: a walk from any cookie up to here comes to it */
    uint64_t cookie; /* where to go on after this entry; stable while the directory lives */
    const struct tfs_attr *attr; /* NULL unless asked for; "." and ".." have none, and are not
                                    counted as looked up */
};

/* Returns true to go on; false when the entry did not fit: it is not counted as looked up and comes
 * again with the same cookie. */
typedef bool tfs_directory_visit(void *context, const struct tfs_directory_entry *entry);

/*
 * Visit the entries behind `cookie` (0: from the start), "." and ".." first. An entry that is there
 * during the whole walk is visited exactly once, whatever comes and goes meanwhile. No lock is held
 * during a visit.
 */
TFS_MUST_CHECK int tfs_readdir(struct tfs_volume *volume, uint64_t inode, uint64_t cookie,
                               bool with_attributes, tfs_directory_visit *visit, void *context);

/* ---- extended attributes ---- */

/*
 * Names with their prefix: user., trusted., security., system.posix_acl_access,
 * system.posix_acl_default. Two that begin with user.tensorfs. are settings, chunk_size and
 * compression: of a directory what is inherited, of a file what it has (read only); listed where a
 * directory has been given its own. What tells of a file or the mount (info, stats, control) is
 * served above the store.
 *
 * get and list return the size needed; with size 0 nothing is copied, a too small buffer is
 * -ERANGE. Errors: -ENODATA, -EEXIST, -ERANGE, -E2BIG, -ENOSPC (also when the list would exceed
 * TFS_XATTR_LIST_SIZE_MAX), -EOPNOTSUPP (another prefix, or no setting's name), -EINVAL (a bad
 * value of a setting), -EPERM (only a directory has it).
 */
TFS_MUST_CHECK int64_t tfs_getxattr(struct tfs_volume *volume, uint64_t inode, const char *name,
                                    void *value, size_t size);
TFS_MUST_CHECK int64_t tfs_listxattr(struct tfs_volume *volume, uint64_t inode, char *list,
                                     size_t size);

struct tfs_xattr {
    const char *name;
    const void *value;
    size_t size;
    int flags; /* 0, XATTR_CREATE or XATTR_REPLACE */
};
TFS_MUST_CHECK int tfs_setxattr(struct tfs_volume *volume, uint64_t inode,
                                const struct tfs_xattr *xattr);
TFS_MUST_CHECK int tfs_removexattr(struct tfs_volume *volume, uint64_t inode, const char *name);

/* ---- files ---- */

/* An open file; several opens of one inode are several of these and share their data. */
struct tfs_file;

/* flags: O_RDONLY, O_WRONLY or O_RDWR, and O_TRUNC. Errors: -ESTALE, -EISDIR, -EROFS. O_TRUNC may
 * block. */
TFS_MUST_CHECK int tfs_file_open(struct tfs_volume *volume, uint64_t inode, int flags,
                                 struct tfs_file **ret);

/*
 * Accepts NULL. Writes nothing back and loses no error: call tfs_file_flush() first where errors
 * matter. The last close of a file discards what can not or need not be written any more, so it may
 * block.
 */
void tfs_file_close(struct tfs_file *file);

/* True when tfs_file_close() would find nothing to discard now; a hint for schedulers. */
bool tfs_file_close_is_ready(const struct tfs_file *file);

/*
 * Whoever reads through this handle keeps what he read, as the kernel's page cache does: what he
 * reads in sequence need not stay in the store's cache. Call it before the first read.
 */
void tfs_file_set_cached_above(struct tfs_file *file);

uint64_t tfs_file_inode(const struct tfs_file *file);

enum { TFS_READ_PIECES_MAX = 8 };
#define TFS_READ_SIZE_MAX (1024ull * 1024ull)

/* What a read found: pieces of memory that stay as they are until tfs_read_release(). */
struct tfs_read {
    struct iovec pieces[TFS_READ_PIECES_MAX];
    int piece_count;
    size_t size;                     /* of all pieces, bytes */
    void *pins[TFS_READ_PIECES_MAX]; /* the store's */
    void *copy;                      /* the store's */
    struct tfs_cache *cache;         /* the store's */
    bool passes_by;                  /* the store's, as the next */
    bool in_sequence;
};

/*
 * Read up to `size` bytes (at most TFS_READ_SIZE_MAX) at `offset`. Holes read as zeros; at or past
 * the end nothing is read. A write racing with this call is seen whole or not at all within one
 * block, and in any mixture across blocks.
 *
 * Errors: -EIO (also for a checksum that does not match, after one line in the log).
 * May block. On success the caller releases *ret.
 */
TFS_MUST_CHECK int tfs_file_read(struct tfs_file *file, uint64_t offset, size_t size,
                                 struct tfs_read *ret);
void tfs_read_release(struct tfs_read *read);

/* The reader went past the cache above (tfs_file_set_cached_above()) with this read: what it found
 * stays in the store's, unless it belongs to a stream. Before tfs_read_release(). */
void tfs_read_keep(struct tfs_read *read);

/*
 * The same of what is in memory now, without waiting for the disk, for memory or for others: it
 * takes microseconds. -EAGAIN and nothing else when that cannot be, for whatever reason:
 * tfs_file_read() finds it out.
 */
TFS_MUST_CHECK int tfs_file_try_read(struct tfs_file *file, uint64_t offset, size_t size,
                                     struct tfs_read *ret);

enum tfs_write_flag {
    TFS_WRITE_APPEND = 1 << 0, /* offset is ignored, the end of the file is taken atomically */
    TFS_WRITE_KILL_PRIVILEGES = 1 << 1, /* as TFS_SET_KILL_PRIVILEGES */
    TFS_WRITE_BACK = 1 << 2, /* what was stored through a mapping earlier; nobody calls. What cannot
                                be written is lost: others are told at their next call */
};

/*
 * Write all of it. Waits while the memory budget is spent. Reports the error of an earlier
 * background flush of this file, once per open file. Returns: size. Errors: -ENOSPC, -EFBIG, -EIO.
 * May block.
 */
TFS_MUST_CHECK int64_t tfs_file_write(struct tfs_file *file, uint64_t offset, const void *data,
                                      size_t size, unsigned flags);

/*
 * What close(2) promises: the file is committed. Its data is in the segments (or in the index, when
 * small) and in order, so that it survives the death of the process from now on; a power cut may
 * still take it until the next sync of anything. May block.
 */
TFS_MUST_CHECK int tfs_file_flush(struct tfs_file *file);

/* Data, size and (unless data_only) attributes are durable, and so is the file's name. May block.
 */
TFS_MUST_CHECK int tfs_file_sync(struct tfs_file *file, bool data_only);

/* mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE[|KEEP_SIZE]; others
 * -EOPNOTSUPP. May block. */
TFS_MUST_CHECK int tfs_file_fallocate(struct tfs_file *file, int mode, uint64_t offset,
                                      uint64_t size);

/* whence: SEEK_DATA or SEEK_HOLE. Returns the offset. Errors: -ENXIO, -EINVAL. May block. */
TFS_MUST_CHECK int64_t tfs_file_seek(struct tfs_file *file, uint64_t offset, int whence);

struct tfs_copy {
    struct tfs_file *source;
    uint64_t source_offset;
    struct tfs_file *target;
    uint64_t target_offset;
    uint64_t size;
};

/* copy_file_range(2): shares frames where both sides are aligned alike, copies the rest. Returns
 * bytes copied. May block. */
TFS_MUST_CHECK int64_t tfs_file_copy(const struct tfs_copy *copy);

/*
 * CRC32C of the raw bytes of up to `count` blocks from the one that holds `offset` on, as the store
 * recorded them when they were written; a hole's is that of zeros. Returns how many. Errors:
 * -EAGAIN when a block has data that is not written back yet.
 */
TFS_MUST_CHECK int tfs_file_block_checksums(struct tfs_file *file, uint64_t offset,
                                            uint32_t *checksums, unsigned count,
                                            uint32_t *ret_block_size);

#endif
