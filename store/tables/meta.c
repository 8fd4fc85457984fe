/*
 * Records of the index. Keys are big-endian so that they sort by number; values are little-endian.
 */
#include "store/tables/meta.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { META_INODE_VERSION = 1, META_INODE_RESERVED = 114, META_INODE_ALLOCATION = 120 };

void meta_inode_key(uint64_t inode, uint8_t *dst)
{
    tfs_put_be64(dst, inode);
}

void meta_extent_key(uint64_t inode, uint64_t chunk, uint8_t *dst)
{
    tfs_put_be64(dst, inode);
    tfs_put_be64(dst + 8, chunk);
}

void meta_segment_key(uint64_t segment, uint8_t *dst)
{
    tfs_put_be64(dst, segment);
}

void meta_share_key(uint64_t segment, uint64_t offset, uint8_t *dst)
{
    tfs_put_be64(dst, segment);
    tfs_put_be64(dst + 8, offset);
}

size_t meta_dentry_key(uint64_t parent, uint64_t hash, const char *name, uint8_t *dst)
{
    size_t size = strlen(name);

    tfs_put_be64(dst, parent);
    tfs_put_be64(dst + 8, hash);
    memcpy(dst + 16, name, size);
    return 16 + size;
}

size_t meta_xattr_key(uint64_t inode, const char *name, uint8_t *dst)
{
    size_t size = strlen(name);

    tfs_put_be64(dst, inode);
    memcpy(dst + 8, name, size);
    return 8 + size;
}

static void put_time(uint8_t *dst, const struct timespec *time)
{
    tfs_put_le64(dst, (uint64_t)time->tv_sec);
    tfs_put_le32(dst + 8, (uint32_t)time->tv_nsec);
}

static bool get_time(const uint8_t *src, struct timespec *ret)
{
    ret->tv_sec = (time_t)tfs_get_le64(src);
    ret->tv_nsec = (long)tfs_get_le32(src + 8);
    return ret->tv_nsec < 1000000000l;
}

static struct meta_allocation get_allocation(const uint8_t *bytes)
{
    return (struct meta_allocation){
        .from = tfs_get_le64(bytes + META_INODE_ALLOCATION),
        .to = tfs_get_le64(bytes + META_INODE_ALLOCATION + 8),
        .room = tfs_get_le64(bytes + META_INODE_ALLOCATION + 16),
    };
}

size_t meta_inode_encode(const struct meta_inode *inode, const char *target, uint8_t *dst)
{
    memset(dst, 0, META_INODE_FIXED_SIZE);
    dst[0] = META_INODE_VERSION;
    dst[1] = inode->chunk_size_log2;
    dst[2] = (uint8_t)inode->compression.codec;
    dst[3] = (uint8_t)inode->compression.level;
    tfs_put_le32(dst + 4, inode->flags);
    tfs_put_le64(dst + 8, inode->version);
    tfs_put_le64(dst + 16, inode->size);
    tfs_put_le64(dst + 24, inode->stored_bytes);
    tfs_put_le64(dst + 32, inode->rdev);
    tfs_put_le64(dst + 40, inode->parent);
    tfs_put_le32(dst + 48, inode->mode);
    tfs_put_le32(dst + 52, inode->uid);
    tfs_put_le32(dst + 56, inode->gid);
    tfs_put_le32(dst + 60, inode->nlink);
    put_time(dst + 64, &inode->atime);
    put_time(dst + 76, &inode->mtime);
    put_time(dst + 88, &inode->ctime);
    put_time(dst + 100, &inode->btime);
    tfs_put_le16(dst + 112, inode->target_size);
    tfs_put_le64(dst + META_INODE_ALLOCATION, inode->allocation.from);
    tfs_put_le64(dst + META_INODE_ALLOCATION + 8, inode->allocation.to);
    tfs_put_le64(dst + META_INODE_ALLOCATION + 16, inode->allocation.room);
    if (inode->target_size)
        memcpy(dst + META_INODE_FIXED_SIZE, target, inode->target_size);
    return META_INODE_FIXED_SIZE + (size_t)inode->target_size;
}

/* The type bits of a mode, as directory entries and records have them. */
static bool type_is_known(uint32_t type)
{
    switch (type) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
        return true;
    default:
        return false;
    }
}

static bool allocation_is_sane(const struct meta_inode *inode)
{
    const struct meta_allocation *allocation = &inode->allocation;

    if (allocation->to == 0)
        return allocation->from == 0 && allocation->room == 0;
    return S_ISREG(inode->mode) && allocation->from < allocation->to &&
           allocation->to <= TFS_FILE_SIZE_MAX && allocation->room <= META_ROOM_MAX;
}

static bool inode_is_sane(const struct meta_inode *inode, size_t size)
{
    bool symlink = S_ISLNK(inode->mode);

    if (!type_is_known(inode->mode & S_IFMT) || inode->mode & ~(uint32_t)(S_IFMT | 07777))
        return false;
    if (inode->flags & ~(uint32_t)META_INODE_FLAGS)
        return false;
    if (inode->size > (S_ISREG(inode->mode) ? TFS_FILE_SIZE_MAX : 0) ||
        !codec_spec_is_valid(&inode->compression))
        return false;
    if (inode->chunk_size_log2 < 8 || inode->chunk_size_log2 > 26 || !allocation_is_sane(inode))
        return false;
    if (size != META_INODE_FIXED_SIZE + (size_t)inode->target_size)
        return false;
    return symlink == (inode->target_size != 0) && inode->target_size <= TFS_SYMLINK_SIZE_MAX;
}

static bool are_zeros(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

int meta_inode_decode(const uint8_t *bytes, size_t size, struct meta_inode *ret,
                      const char **ret_target)
{
    struct meta_inode inode;

    if (size < META_INODE_FIXED_SIZE || bytes[0] != META_INODE_VERSION)
        return tfs_fail(-EUCLEAN, "inode record of %zu bytes, version %d", size,
                        size ? bytes[0] : -1);
    inode = (struct meta_inode){
        .chunk_size_log2 = bytes[1],
        .compression = {.codec = (enum codec_id)bytes[2], .level = bytes[3]},
        .flags = tfs_get_le32(bytes + 4),
        .version = tfs_get_le64(bytes + 8),
        .size = tfs_get_le64(bytes + 16),
        .stored_bytes = tfs_get_le64(bytes + 24),
        .rdev = tfs_get_le64(bytes + 32),
        .parent = tfs_get_le64(bytes + 40),
        .mode = tfs_get_le32(bytes + 48),
        .uid = tfs_get_le32(bytes + 52),
        .gid = tfs_get_le32(bytes + 56),
        .nlink = tfs_get_le32(bytes + 60),
        .target_size = tfs_get_le16(bytes + 112),
        .allocation = get_allocation(bytes),
    };
    if (!get_time(bytes + 64, &inode.atime) || !get_time(bytes + 76, &inode.mtime) ||
        !get_time(bytes + 88, &inode.ctime) || !get_time(bytes + 100, &inode.btime) ||
        !are_zeros(bytes + META_INODE_RESERVED, META_INODE_ALLOCATION - META_INODE_RESERVED) ||
        !inode_is_sane(&inode, size) ||
        memchr(bytes + META_INODE_FIXED_SIZE, 0, inode.target_size) != NULL)
        return tfs_fail(-EUCLEAN, "inode record with impossible values");
    *ret = inode;
    *ret_target = (const char *)bytes + META_INODE_FIXED_SIZE;
    return 0;
}

/* An impossible promise is none. */
static void mend_allocation(uint8_t *bytes)
{
    const struct meta_inode inode = {
        .mode = tfs_get_le32(bytes + 48),
        .allocation = get_allocation(bytes),
    };

    if (!allocation_is_sane(&inode))
        memset(bytes + META_INODE_ALLOCATION, 0, META_INODE_FIXED_SIZE - META_INODE_ALLOCATION);
}

int meta_inode_mend(uint8_t *bytes, size_t size, struct meta_inode *ret, const char **ret_target,
                    size_t *ret_size)
{
    static const size_t nanoseconds[] = {72, 84, 96, 108};
    struct codec_spec spec;
    size_t target_size = 0;

    if (size < META_INODE_FIXED_SIZE)
        return tfs_fail(-EUCLEAN, "inode record of %zu bytes", size);
    bytes[0] = META_INODE_VERSION;
    spec = (struct codec_spec){.codec = (enum codec_id)bytes[2], .level = bytes[3]};
    if (!codec_spec_is_valid(&spec)) {
        bytes[2] = CODEC_AUTO;
        bytes[3] = 0;
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(nanoseconds); i++) {
        if (tfs_get_le32(bytes + nanoseconds[i]) >= 1000000000u)
            tfs_put_le32(bytes + nanoseconds[i], 0);
    }
    mend_allocation(bytes);
    if (S_ISLNK(tfs_get_le32(bytes + 48)))
        target_size = tfs_min_u64(size - META_INODE_FIXED_SIZE, TFS_SYMLINK_SIZE_MAX);
    tfs_put_le16(bytes + 112, (uint16_t)target_size);
    *ret_size = META_INODE_FIXED_SIZE + target_size;
    return meta_inode_decode(bytes, *ret_size, ret, ret_target);
}

/* A row never reaches behind the size that was committed with it, unless it was cut off since. */
bool meta_inode_may_have_rows(const struct meta_inode *inode)
{
    return S_ISREG(inode->mode) && (inode->size > 0 || inode->flags & META_INODE_HAS_CUT_ROWS);
}

bool meta_inode_may_have_more(const struct meta_inode *inode)
{
    return meta_inode_may_have_rows(inode) || inode->flags & META_INODE_HAS_XATTRS ||
           inode->allocation.room > 0;
}

void meta_dentry_encode(const struct meta_dentry *dentry, uint8_t *dst)
{
    tfs_put_le64(dst, dentry->inode);
    tfs_put_le32(dst + 8, dentry->type);
}

int meta_dentry_decode(const uint8_t *bytes, size_t size, struct meta_dentry *ret)
{
    struct meta_dentry dentry;

    if (size != META_DENTRY_VALUE_SIZE)
        return tfs_fail(-EUCLEAN, "directory entry of %zu bytes", size);
    dentry = (struct meta_dentry){.inode = tfs_get_le64(bytes), .type = tfs_get_le32(bytes + 8)};
    if (!type_is_known(dentry.type))
        return tfs_fail(-EUCLEAN, "directory entry with type %o", dentry.type);
    *ret = dentry;
    return 0;
}

int meta_dentry_key_decode(const uint8_t *key, size_t size, struct meta_dentry_name *ret)
{
    if (size <= 16 || size > META_DENTRY_KEY_SIZE_MAX || memchr(key + 16, 0, size - 16) ||
        memchr(key + 16, '/', size - 16))
        return tfs_fail(-EUCLEAN, "directory key of %zu bytes", size);
    ret->hash = tfs_get_be64(key + 8);
    memcpy(ret->name, key + 16, size - 16);
    ret->name[size - 16] = '\0';
    return 0;
}
