/* Attributes, extended attributes and the data of files. */
#include "bench/nullfs/memstore.h"

#include "store/base/crc32c.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* ---- attributes ---- */

void memstore_touch(struct mem_inode *inode, bool is_data)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    inode->attr.ctime = now;
    if (is_data)
        inode->attr.mtime = now;
}

void memstore_drop_privileges(struct mem_inode *inode)
{
    inode->attr.mode &= ~(uint32_t)S_ISUID;
    if (inode->attr.mode & S_IXGRP)
        inode->attr.mode &= ~(uint32_t)S_ISGID;
}

int tfs_getattr(struct tfs_volume *volume, uint64_t number, struct tfs_attr *ret)
{
    struct mem_inode *inode;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    if (inode) {
        tfs_mutex_lock(&inode->data_lock);
        *ret = inode->attr;
        tfs_mutex_unlock(&inode->data_lock);
    }
    tfs_mutex_unlock(&volume->lock);
    return inode ? 0 : -ESTALE;
}

static void apply(struct tfs_volume *volume, struct mem_inode *inode,
                  const struct tfs_setattr *change)
{
    uint32_t fields = change->fields;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    memstore_touch(inode, (fields & TFS_SET_SIZE) != 0);
    if (fields & TFS_SET_SIZE) {
        if (change->size < inode->attr.size)
            memstore_data_truncate(volume, inode, change->size);
        inode->attr.size = change->size;
    }
    if (fields & TFS_SET_KILL_PRIVILEGES)
        memstore_drop_privileges(inode);
    if (fields & TFS_SET_MODE)
        inode->attr.mode = (inode->attr.mode & S_IFMT) | (change->mode & ~(uint32_t)S_IFMT);
    if (fields & TFS_SET_UID)
        inode->attr.uid = change->uid;
    if (fields & TFS_SET_GID)
        inode->attr.gid = change->gid;
    if (fields & (TFS_SET_ATIME | TFS_SET_ATIME_NOW))
        inode->attr.atime = (fields & TFS_SET_ATIME) ? change->atime : now;
    if (fields & (TFS_SET_MTIME | TFS_SET_MTIME_NOW))
        inode->attr.mtime = (fields & TFS_SET_MTIME) ? change->mtime : now;
}

int tfs_setattr(struct tfs_volume *volume, uint64_t number, const struct tfs_setattr *change,
                struct tfs_attr *ret)
{
    struct mem_inode *inode;

    if ((change->fields & TFS_SET_SIZE) && change->size > TFS_FILE_SIZE_MAX)
        return -EFBIG;
    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    if (inode) {
        tfs_mutex_lock(&inode->data_lock);
        apply(volume, inode, change);
        *ret = inode->attr;
        tfs_mutex_unlock(&inode->data_lock);
    }
    tfs_mutex_unlock(&volume->lock);
    return inode ? 0 : -ESTALE;
}

/* ---- extended attributes ---- */

static struct mem_xattr *xattr_find(struct mem_inode *inode, const char *name)
{
    struct list *node;

    list_for_each (node, &inode->xattrs) {
        struct mem_xattr *xattr = list_entry(node, struct mem_xattr, node);

        if (strcmp(xattr->name, name) == 0)
            return xattr;
    }
    return NULL;
}

int64_t tfs_getxattr(struct tfs_volume *volume, uint64_t number, const char *name, void *value,
                     size_t size)
{
    struct mem_inode *inode;
    struct mem_xattr *xattr;
    int64_t length = -ENODATA;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    xattr = inode ? xattr_find(inode, name) : NULL;
    if (xattr) {
        length = size > 0 && xattr->size > size ? -ERANGE : (int64_t)xattr->size;
        if (length > 0 && size > 0)
            memcpy(value, xattr->value, xattr->size);
    }
    tfs_mutex_unlock(&volume->lock);
    return length;
}

int64_t tfs_listxattr(struct tfs_volume *volume, uint64_t number, char *list, size_t size)
{
    struct mem_inode *inode;
    struct list *node;
    size_t used = 0;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    for (node = inode ? inode->xattrs.next : NULL; inode && node != &inode->xattrs;
         node = node->next) {
        const char *name = list_entry(node, struct mem_xattr, node)->name;

        if (used + strlen(name) + 1 <= size)
            memcpy(list + used, name, strlen(name) + 1);
        used += strlen(name) + 1;
    }
    tfs_mutex_unlock(&volume->lock);
    if (!inode)
        return -ESTALE;
    return size > 0 && used > size ? -ERANGE : (int64_t)used;
}

static int setxattr_locked(struct mem_inode *inode, const struct tfs_xattr *what)
{
    struct mem_xattr *xattr = xattr_find(inode, what->name);
    void *value = malloc(what->size ? what->size : 1);

    if (!value || (xattr && (what->flags & XATTR_CREATE)) ||
        (!xattr && (what->flags & XATTR_REPLACE))) {
        free(value);
        return !value ? -ENOMEM : xattr ? -EEXIST : -ENODATA;
    }
    memcpy(value, what->value, what->size);
    if (!xattr) {
        xattr = calloc(1, sizeof(*xattr));
        if (!xattr || !(xattr->name = strdup(what->name))) {
            free(xattr);
            free(value);
            return -ENOMEM;
        }
        list_push_back(&inode->xattrs, &xattr->node);
    }
    free(xattr->value);
    xattr->value = value;
    xattr->size = what->size;
    memstore_touch(inode, false);
    return 0;
}

int tfs_setxattr(struct tfs_volume *volume, uint64_t number, const struct tfs_xattr *xattr)
{
    struct mem_inode *inode;
    int err;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    err = inode ? setxattr_locked(inode, xattr) : -ESTALE;
    tfs_mutex_unlock(&volume->lock);
    return err;
}

int tfs_removexattr(struct tfs_volume *volume, uint64_t number, const char *name)
{
    struct mem_inode *inode;
    struct mem_xattr *xattr;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    xattr = inode ? xattr_find(inode, name) : NULL;
    if (xattr) {
        list_remove(&xattr->node);
        memstore_touch(inode, false);
    }
    tfs_mutex_unlock(&volume->lock);
    if (!xattr)
        return -ENODATA;
    free(xattr->name);
    free(xattr->value);
    free(xattr);
    return 0;
}

/* ---- blocks ---- */

static struct mem_block *block_new(struct tfs_volume *volume)
{
    struct mem_block *block;
    struct list *node;

    tfs_mutex_lock(&volume->block_lock);
    node = list_pop_front(&volume->free_blocks);
    tfs_mutex_unlock(&volume->block_lock);
    block = node ? list_entry(node, struct mem_block, node) : malloc(sizeof(*block));
    if (!block)
        return NULL;
    atomic_init(&block->refs, 1);
    volume->block_count++;
    return block;
}

static void block_unref(struct tfs_volume *volume, struct mem_block *block)
{
    if (atomic_fetch_sub(&block->refs, 1) > 1)
        return;
    volume->block_count--;
    tfs_mutex_lock(&volume->block_lock);
    list_push_front(&volume->free_blocks, &block->node);
    tfs_mutex_unlock(&volume->block_lock);
}

void memstore_data_truncate(struct tfs_volume *volume, struct mem_inode *inode, uint64_t size)
{
    size_t keep = (size + MEM_BLOCK_SIZE - 1) / MEM_BLOCK_SIZE;

    if (size < inode->small_capacity)
        memset(inode->small + size, 0, inode->small_capacity - size);
    for (size_t i = keep; i < inode->block_capacity; i++) {
        if (inode->blocks[i]) {
            block_unref(volume, inode->blocks[i]);
            inode->blocks[i] = NULL;
        }
    }
    if (size % MEM_BLOCK_SIZE && keep <= inode->block_capacity && inode->blocks[keep - 1])
        memset(inode->blocks[keep - 1]->data + size % MEM_BLOCK_SIZE, 0,
               MEM_BLOCK_SIZE - size % MEM_BLOCK_SIZE);
    inode->attr.blocks = 0;
}

/* The small buffer is for files that were never larger than it; then all moves to blocks. */
static char *small_for(struct mem_inode *inode, uint64_t end)
{
    enum { SMALL_MAX = 16384 };
    size_t capacity = 512;
    char *small;

    if (inode->block_capacity > 0 || end > SMALL_MAX || inode->attr.size > SMALL_MAX)
        return NULL;
    if (end <= inode->small_capacity)
        return inode->small;
    while (capacity < end)
        capacity *= 2;
    small = realloc(inode->small, capacity);
    if (!small)
        return NULL;
    memset(small + inode->small_capacity, 0, capacity - inode->small_capacity);
    inode->small = small;
    inode->small_capacity = capacity;
    return small;
}

static int blocks_reserve(struct mem_inode *inode, size_t count)
{
    size_t capacity = tfs_max_u64(count, inode->block_capacity * 2);
    struct mem_block **blocks;

    if (count <= inode->block_capacity)
        return 0;
    if (count > SIZE_MAX / 2 / sizeof(struct mem_block *))
        return -EFBIG;
    blocks = realloc(inode->blocks, capacity * sizeof(struct mem_block *));
    if (!blocks)
        return -ENOMEM;
    memset(blocks + inode->block_capacity, 0,
           (capacity - inode->block_capacity) * sizeof(struct mem_block *));
    inode->blocks = blocks;
    inode->block_capacity = capacity;
    return 0;
}

static struct mem_block *block_for_write(struct tfs_volume *volume, struct mem_inode *inode,
                                         size_t index, bool is_whole)
{
    struct mem_block *block = inode->blocks[index];

    if (!block) {
        block = block_new(volume);
        if (block && !is_whole)
            memset(block->data, 0, MEM_BLOCK_SIZE);
        inode->blocks[index] = block;
    }
    return block;
}

static int write_blocks(struct tfs_volume *volume, struct mem_inode *inode, uint64_t offset,
                        const char *data, size_t size)
{
    int err = blocks_reserve(inode, (offset + size + MEM_BLOCK_SIZE - 1) / MEM_BLOCK_SIZE);

    if (err == 0 && inode->small) {
        struct mem_block *first = block_for_write(volume, inode, 0, false);

        if (!first)
            return -ENOMEM;
        memcpy(first->data, inode->small, inode->small_capacity);
        free(inode->small);
        inode->small = NULL;
        inode->small_capacity = 0;
    }
    while (err == 0 && size > 0) {
        size_t at = offset % MEM_BLOCK_SIZE;
        size_t part = tfs_min_u64(size, MEM_BLOCK_SIZE - at);
        struct mem_block *block =
            block_for_write(volume, inode, offset / MEM_BLOCK_SIZE, part == MEM_BLOCK_SIZE);

        if (!block)
            return -ENOMEM;
        memcpy(block->data + at, data, part);
        offset += part;
        data += part;
        size -= part;
    }
    return err;
}

/* ---- files ---- */

int tfs_file_open(struct tfs_volume *volume, uint64_t number, int flags, struct tfs_file **ret)
{
    struct tfs_file *file = calloc(1, sizeof(*file));
    struct mem_inode *inode;

    if (!file)
        return -ENOMEM;
    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    if (inode) {
        inode->open_count++;
        if (flags & O_TRUNC) {
            tfs_mutex_lock(&inode->data_lock);
            memstore_data_truncate(volume, inode, 0);
            inode->attr.size = 0;
            memstore_touch(inode, true);
            tfs_mutex_unlock(&inode->data_lock);
        }
    }
    tfs_mutex_unlock(&volume->lock);
    if (!inode) {
        free(file);
        return -ESTALE;
    }
    *file = (struct tfs_file){.volume = volume, .inode = inode};
    *ret = file;
    return 0;
}

void tfs_file_close(struct tfs_file *file)
{
    if (!file)
        return;
    tfs_mutex_lock(&file->volume->lock);
    file->inode->open_count--;
    memstore_inode_reap(file->volume, file->inode);
    tfs_mutex_unlock(&file->volume->lock);
    free(file);
}

uint64_t tfs_file_inode(const struct tfs_file *file)
{
    return file->inode->attr.inode;
}

void tfs_file_set_cached_above(struct tfs_file *file)
{
    (void)file; /* no cache of its own */
}

bool tfs_file_close_is_ready(const struct tfs_file *file)
{
    (void)file;
    return true;
}

static const char zeros[MEM_BLOCK_SIZE];

static int read_locked(struct mem_inode *inode, uint64_t offset, size_t size, struct tfs_read *ret)
{
    if (inode->small) { /* may move when it grows: copied */
        ret->copy = calloc(1, size ? size : 1);
        if (!ret->copy)
            return -ENOMEM;
        if (offset < inode->small_capacity)
            memcpy(ret->copy, inode->small + offset,
                   tfs_min_u64(size, inode->small_capacity - offset));
        ret->pieces[0] = (struct iovec){ret->copy, size};
        ret->piece_count = 1;
        return 0;
    }
    for (size_t left = size; left > 0;) {
        size_t index = offset / MEM_BLOCK_SIZE;
        size_t at = offset % MEM_BLOCK_SIZE;
        size_t part = tfs_min_u64(left, MEM_BLOCK_SIZE - at);
        struct mem_block *block = index < inode->block_capacity ? inode->blocks[index] : NULL;
        const char *data = block ? block->data : zeros;
        int piece = ret->piece_count++;

        if (block)
            atomic_fetch_add(&block->refs, 1);
        ret->pins[piece] = block;
        ret->pieces[piece].iov_len = part;
        data += at;
        memcpy(&ret->pieces[piece].iov_base, &data, sizeof(data)); /* only read from */
        offset += part;
        left -= part;
    }
    return 0;
}

int tfs_file_read(struct tfs_file *file, uint64_t offset, size_t size, struct tfs_read *ret)
{
    struct mem_inode *inode = file->inode;
    struct tfs_read found = {.piece_count = 0};
    int err;

    tfs_mutex_lock(&inode->data_lock);
    if (offset >= inode->attr.size)
        size = 0;
    else
        size = tfs_min_u64(size, inode->attr.size - offset);
    err = read_locked(inode, offset, size, &found);
    tfs_mutex_unlock(&inode->data_lock);
    if (err < 0)
        return err;
    found.size = size;
    /* Where the blocks are to be given back to. */
    found.pins[TFS_READ_PIECES_MAX - 1] = file->volume;
    *ret = found;
    return 0;
}

int tfs_file_try_read(struct tfs_file *file, uint64_t offset, size_t size, struct tfs_read *ret)
{
    return tfs_file_read(file, offset, size, ret); /* all is in memory */
}

void tfs_read_keep(struct tfs_read *read)
{
    (void)read; /* nothing is cached here */
}

void tfs_read_release(struct tfs_read *read)
{
    struct tfs_volume *volume = read->pins[TFS_READ_PIECES_MAX - 1];

    assert(read->piece_count < TFS_READ_PIECES_MAX);
    for (int i = 0; i < read->piece_count; i++) {
        if (read->pins[i])
            block_unref(volume, read->pins[i]);
    }
    free(read->copy);
}

int64_t tfs_file_write(struct tfs_file *file, uint64_t offset, const void *data, size_t size,
                       unsigned flags)
{
    struct mem_inode *inode = file->inode;
    char *small;
    int err = 0;

    tfs_mutex_lock(&inode->data_lock);
    if (flags & TFS_WRITE_APPEND)
        offset = inode->attr.size;
    if (size > TFS_FILE_SIZE_MAX || offset > TFS_FILE_SIZE_MAX - size)
        err = -EFBIG;
    small = err == 0 ? small_for(inode, offset + size) : NULL;
    if (small)
        memcpy(small + offset, data, size);
    else if (err == 0)
        err = write_blocks(file->volume, inode, offset, data, size);
    if (err == 0) {
        inode->attr.size = tfs_max_u64(inode->attr.size, offset + size);
        inode->attr.blocks = (inode->attr.size + 511) / 512;
        if (flags & TFS_WRITE_KILL_PRIVILEGES)
            memstore_drop_privileges(inode);
        memstore_touch(inode, true);
    }
    tfs_mutex_unlock(&inode->data_lock);
    return err < 0 ? err : (int64_t)size;
}

int tfs_file_flush(struct tfs_file *file)
{
    (void)file;
    return 0;
}

int tfs_file_sync(struct tfs_file *file, bool data_only)
{
    (void)file;
    (void)data_only;
    return 0;
}

int tfs_file_fallocate(struct tfs_file *file, int mode, uint64_t offset, uint64_t size)
{
    struct mem_inode *inode = file->inode;
    bool erases = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    uint64_t end = offset + size;
    static const char no_bytes[4096];
    int64_t written = 0;

    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    for (uint64_t at = offset; erases && at < tfs_min_u64(end, inode->attr.size) && written >= 0;) {
        uint64_t part = tfs_min_u64(sizeof(no_bytes), tfs_min_u64(end, inode->attr.size) - at);

        written = tfs_file_write(file, at, no_bytes, part, 0);
        at += part;
    }
    tfs_mutex_lock(&inode->data_lock);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > inode->attr.size)
        inode->attr.size = end;
    tfs_mutex_unlock(&inode->data_lock);
    return written < 0 ? (int)written : 0;
}

int64_t tfs_file_seek(struct tfs_file *file, uint64_t offset, int whence)
{
    uint64_t size = file->inode->attr.size;

    if (offset >= size)
        return -ENXIO;
    return whence == SEEK_DATA ? (int64_t)offset : (int64_t)size; /* all is data */
}

int64_t tfs_file_copy(const struct tfs_copy *copy)
{
    int64_t done = 0;

    while ((uint64_t)done < copy->size) {
        struct tfs_read found;
        uint64_t part = tfs_min_u64(copy->size - (uint64_t)done, MEM_BLOCK_SIZE);
        int64_t copied =
            tfs_file_read(copy->source, copy->source_offset + (uint64_t)done, part, &found);

        if (copied < 0)
            return copied;
        for (int i = 0; i < found.piece_count && copied >= 0; i++) {
            copied = tfs_file_write(copy->target, copy->target_offset + (uint64_t)done,
                                    found.pieces[i].iov_base, found.pieces[i].iov_len, 0);
            done += copied > 0 ? copied : 0;
        }
        tfs_read_release(&found);
        if (copied < 0)
            return copied;
        if (found.size < part)
            break;
    }
    return done;
}

int tfs_file_block_checksums(struct tfs_file *file, uint64_t offset, uint32_t *checksums,
                             unsigned count, uint32_t *ret_block_size)
{
    unsigned done = 0;

    for (offset -= offset % MEM_BLOCK_SIZE; done < count; offset += MEM_BLOCK_SIZE) {
        struct tfs_read found;
        int err = tfs_file_read(file, offset, MEM_BLOCK_SIZE, &found);

        if (err < 0)
            return err;
        if (found.size > 0) /* a block is one piece */
            checksums[done++] = tfs_crc32c(0, found.pieces[0].iov_base, found.size);
        tfs_read_release(&found);
        if (found.size == 0)
            break;
    }
    *ret_block_size = MEM_BLOCK_SIZE;
    return (int)done;
}
