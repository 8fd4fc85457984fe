/*
 * The records of the index: keys, inode records, directory entries. Pure functions of bytes; layout
 * in docs/FORMAT.md.
 */
#ifndef TFS_META_H
#define TFS_META_H

#include "store/codec/codec.h"
#include "store/store.h"

enum {
    META_INODE_KEY_SIZE = 8,
    META_EXTENT_KEY_SIZE = 16,
    META_DENTRY_KEY_SIZE_MAX = 16 + TFS_NAME_SIZE_MAX,
    META_DENTRY_PREFIX_SIZE = 8,
    META_XATTR_KEY_SIZE_MAX = 8 + TFS_XATTR_NAME_SIZE_MAX,
    META_SEGMENT_KEY_SIZE = 8,
    META_SHARE_KEY_SIZE = 16,
    META_INODE_FIXED_SIZE = 144,
    META_INODE_SIZE_MAX = META_INODE_FIXED_SIZE + TFS_SYMLINK_SIZE_MAX,
    META_DENTRY_VALUE_SIZE = 12,
};

/*
 * No writer comes this far by counting. What has such a number or a higher one is damaged or
 * planted: it is served like all else, and nobody goes on counting behind it.
 */
#define META_NUMBER_FAR (1ull << 56)

/* More than this no file is promised, nor all together. */
#define META_ROOM_MAX (2 * TFS_FILE_SIZE_MAX)

enum meta_inode_flag {
    META_INODE_HAS_XATTRS = 1 << 0,      /* there may be rows in the xattr table */
    META_INODE_HAS_ACCESS_ACL = 1 << 1,  /* system.posix_acl_access is one of them */
    META_INODE_HAS_DEFAULT_ACL = 1 << 2, /* system.posix_acl_default is one of them */
    META_INODE_HAS_CAPABILITY = 1 << 3,  /* security.capability is one of them */
    META_INODE_SETS_CHUNK_SIZE = 1 << 4, /* a directory on which user.tensorfs.chunk_size was set */
    META_INODE_SETS_COMPRESSION = 1 << 5,
    META_INODE_HAS_CUT_ROWS = 1 << 6, /* of a file: there may be rows behind the one in which it
                                         ends; they are garbage. See store/inode/cut.h */
    META_INODE_FLAGS = (1 << 7) - 1,  /* all of them */
};

/* What fallocate has promised a file: all zero when it is nothing. See store/inode/allocation.h. */
struct meta_allocation {
    uint64_t from; /* bytes of the file */
    uint64_t to;
    uint64_t room; /* of the disk, for what is still to be stored there */
};

struct meta_inode {
    uint64_t version; /* grows with every change of the record */
    uint64_t size;    /* committed */
    uint64_t stored_bytes;
    uint64_t rdev;
    uint64_t parent; /* of a directory */
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;
    uint32_t flags; /* enum meta_inode_flag */
    struct timespec atime;
    struct timespec mtime;
    struct timespec ctime;
    struct timespec btime;
    struct meta_allocation allocation;
    struct codec_spec compression; /* of a file: its own; of a directory: what is inherited */
    uint8_t chunk_size_log2;       /* likewise */
    uint16_t target_size;          /* of a symlink, bytes of text behind the record */
};

/* Fixed-size keys. dst has the size named in the enum. */
void meta_inode_key(uint64_t inode, uint8_t *dst);
void meta_extent_key(uint64_t inode, uint64_t chunk, uint8_t *dst);
void meta_segment_key(uint64_t segment, uint8_t *dst);
void meta_share_key(uint64_t segment, uint64_t offset, uint8_t *dst);

/* Return the key's size. */
size_t meta_dentry_key(uint64_t parent, uint64_t hash, const char *name, uint8_t *dst);
size_t meta_xattr_key(uint64_t inode, const char *name, uint8_t *dst);

/* Writes META_INODE_FIXED_SIZE bytes and the target; returns the size. */
size_t meta_inode_encode(const struct meta_inode *inode, const char *target, uint8_t *dst);

/* *ret_target points into `bytes`, not terminated. Errors: -EUCLEAN. */
TFS_MUST_CHECK int meta_inode_decode(const uint8_t *bytes, size_t size, struct meta_inode *ret,
                                     const char **ret_target);

/* Whether the index may have rows of it: looking for them costs a scan. Whether it may have
 * anything but the record: rows, attributes, room. */
bool meta_inode_may_have_rows(const struct meta_inode *inode);
bool meta_inode_may_have_more(const struct meta_inode *inode);

struct meta_dentry {
    uint64_t inode;
    uint32_t type; /* S_IFMT bits */
};

/*
 * Values that no record may have become some that it may: times, compression, lengths. What cannot
 * be guessed, such as a chunk size, is refused. `bytes` are changed, *ret_size may be less than
 * size. Errors: -EUCLEAN.
 */
TFS_MUST_CHECK int meta_inode_mend(uint8_t *bytes, size_t size, struct meta_inode *ret,
                                   const char **ret_target, size_t *ret_size);

void meta_dentry_encode(const struct meta_dentry *dentry, uint8_t *dst);
TFS_MUST_CHECK int meta_dentry_decode(const uint8_t *bytes, size_t size, struct meta_dentry *ret);

/* A key of the dentry table, taken apart; the name is copied and terminated. Errors: -EUCLEAN. */
struct meta_dentry_name {
    uint64_t hash;
    char name[TFS_NAME_SIZE_MAX + 1];
};
TFS_MUST_CHECK int meta_dentry_key_decode(const uint8_t *key, size_t size,
                                          struct meta_dentry_name *ret);

#endif
