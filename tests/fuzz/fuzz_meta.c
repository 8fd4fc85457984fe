/*
 * Records of inodes, directory entries and their keys, of any bytes: refused, or within all limits,
 * and then they encode to exactly the bytes that they came from.
 *
 * The first byte of an input says which of the three follows.
 */
#include "store/base/bytes.h"
#include "store/tables/meta.h"

#include <assert.h>
#include <string.h>

enum { WHAT_INODE, WHAT_ENTRY, WHAT_KEY, WHAT_COUNT };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_inode(const uint8_t *data, size_t size)
{
    uint8_t bytes[META_INODE_SIZE_MAX];
    struct meta_inode inode;
    const char *target;

    if (meta_inode_decode(data, size, &inode, &target) < 0)
        return;
    assert(size <= sizeof(bytes) && inode.size <= TFS_FILE_SIZE_MAX);
    assert(S_ISLNK(inode.mode) == (inode.target_size > 0));
    assert(inode.target_size <= TFS_SYMLINK_SIZE_MAX && !memchr(target, 0, inode.target_size));
    assert(codec_spec_is_valid(&inode.compression));
    assert(meta_inode_encode(&inode, target, bytes) == size && memcmp(bytes, data, size) == 0);
}

static void try_entry(const uint8_t *data, size_t size)
{
    uint8_t bytes[META_DENTRY_VALUE_SIZE];
    struct meta_dentry entry;

    if (meta_dentry_decode(data, size, &entry) < 0)
        return;
    meta_dentry_encode(&entry, bytes);
    assert(size == sizeof(bytes) && memcmp(bytes, data, size) == 0);
}

static void try_key(const uint8_t *data, size_t size)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    struct meta_dentry_name name;

    if (meta_dentry_key_decode(data, size, &name) < 0)
        return;
    assert(strlen(name.name) > 0 && !strchr(name.name, '/'));
    assert(meta_dentry_key(tfs_get_be64(data), name.hash, name.name, key) == size);
    assert(memcmp(key, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % WHAT_COUNT) {
    case WHAT_INODE:
        try_inode(data + 1, size - 1);
        break;
    case WHAT_ENTRY:
        try_entry(data + 1, size - 1);
        break;
    default:
        try_key(data + 1, size - 1);
        break;
    }
    return 0;
}
