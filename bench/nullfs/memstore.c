/* The volume and its inodes. */
#include "bench/nullfs/memstore.h"

#include "store/check/scrub.h"
#include "store/report.h"
#include "store/space/gc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- volume ---- */

void tfs_volume_options_init(struct tfs_volume_options *options)
{
    *options = (struct tfs_volume_options){
        .chunk_size = TFS_CHUNK_SIZE_DEFAULT,
        .compression = {.codec = CODEC_NONE},
        .concurrency = 16,
        .memory_size = 512 * TFS_MIB,
        .commit_interval_s = 5,
        .create = true,
        .direct = true,
        .lock_wait_ms = 10000,
    };
}

struct mem_inode *memstore_inode_new(struct tfs_volume *volume, const struct tfs_make *what)
{
    struct mem_inode *inode = calloc(1, sizeof(*inode));
    struct timespec now;

    if (!inode)
        return NULL;
    if (volume->inode_next >= volume->inode_capacity) {
        size_t capacity = volume->inode_capacity ? 2 * volume->inode_capacity : 1024;
        struct mem_inode **inodes = realloc(volume->inodes, capacity * sizeof(struct mem_inode *));

        if (!inodes) {
            free(inode);
            return NULL;
        }
        memset(inodes + volume->inode_capacity, 0,
               (capacity - volume->inode_capacity) * sizeof(struct mem_inode *));
        volume->inodes = inodes;
        volume->inode_capacity = capacity;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    inode->attr = (struct tfs_attr){
        .inode = volume->inode_next,
        .generation = 1,
        .rdev = what->rdev,
        .mode = what->mode & ~(S_ISLNK(what->mode) ? 0 : what->umask),
        .uid = what->uid,
        .gid = what->gid,
        .nlink = S_ISDIR(what->mode) ? 2 : 1,
        .block_size = 4096,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now,
    };
    list_init(&inode->xattrs);
    tfs_mutex_init(&inode->data_lock, TFS_RANK_INODE);
    volume->inodes[volume->inode_next++] = inode;
    volume->inode_count++;
    return inode;
}

void memstore_inode_free(struct tfs_volume *volume, struct mem_inode *inode)
{
    struct list *node;

    volume->inodes[inode->attr.inode] = NULL;
    volume->inode_count--;
    tfs_mutex_lock(&inode->data_lock);
    memstore_data_truncate(volume, inode, 0);
    tfs_mutex_unlock(&inode->data_lock);
    while ((node = list_pop_front(&inode->xattrs))) {
        struct mem_xattr *xattr = list_entry(node, struct mem_xattr, node);

        free(xattr->name);
        free(xattr->value);
        free(xattr);
    }
    tfs_mutex_release(&inode->data_lock);
    free(inode->small);
    free(inode->blocks);
    free(inode->entries);
    free(inode->target);
    free(inode);
}

void memstore_inode_reap(struct tfs_volume *volume, struct mem_inode *inode)
{
    if (inode->attr.nlink == 0 && inode->lookup_count == 0 && inode->open_count == 0)
        memstore_inode_free(volume, inode);
}

struct mem_inode *memstore_inode_get(struct tfs_volume *volume, uint64_t number)
{
    return number < volume->inode_capacity ? volume->inodes[number] : NULL;
}

int tfs_volume_open(const struct tfs_volume_options *options, struct tfs_message *message,
                    struct tfs_volume **ret)
{
    struct tfs_volume *volume = calloc(1, sizeof(*volume));
    struct mem_inode *root = NULL;

    (void)options;
    if (volume) {
        tfs_mutex_init(&volume->lock, TFS_RANK_NAMESPACE);
        tfs_mutex_init(&volume->block_lock, TFS_RANK_POOL);
        list_init(&volume->free_blocks);
        volume->inode_next = TFS_ROOT_INODE;
        root = memstore_inode_new(volume, &(struct tfs_make){.mode = S_IFDIR | 0755});
    }
    if (!root) {
        (void)snprintf(message->text, sizeof(message->text), "no memory");
        free(volume);
        return -ENOMEM;
    }
    root->parent = TFS_ROOT_INODE;
    root->lookup_count = 1;
    *ret = volume;
    return 0;
}

int tfs_volume_close(struct tfs_volume *volume)
{
    struct list *node;

    if (!volume)
        return 0;
    for (size_t i = 0; i < MEM_BUCKET_COUNT; i++) {
        for (struct mem_entry *entry = volume->buckets[i]; entry;) {
            struct mem_entry *next = entry->next;

            free(entry);
            entry = next;
        }
    }
    for (size_t i = 0; i < volume->inode_capacity; i++) {
        if (volume->inodes[i])
            memstore_inode_free(volume, volume->inodes[i]);
    }
    while ((node = list_pop_front(&volume->free_blocks)))
        free(list_entry(node, struct mem_block, node));
    tfs_mutex_release(&volume->block_lock);
    tfs_mutex_release(&volume->lock);
    free(volume->inodes);
    free(volume);
    return 0;
}

int tfs_volume_sync_names(struct tfs_volume *volume)
{
    return tfs_volume_sync(volume);
}

int tfs_volume_sync(struct tfs_volume *volume)
{
    (void)volume;
    return 0;
}

int tfs_volume_statfs(struct tfs_volume *volume, struct statvfs *ret)
{
    *ret = (struct statvfs){
        .f_bsize = 4096,
        .f_frsize = 4096,
        .f_blocks = 1 << 24,
        .f_bfree = (1 << 24) - volume->block_count * (MEM_BLOCK_SIZE / 4096),
        .f_files = 1 << 24,
        .f_ffree = 1 << 23,
        .f_namemax = TFS_NAME_SIZE_MAX,
    };
    ret->f_bavail = ret->f_bfree;
    return 0;
}

void tfs_volume_set_noatime(struct tfs_volume *volume, bool noatime)
{
    (void)volume; /* it has no access times */
    (void)noatime;
}

bool tfs_volume_is_noatime(const struct tfs_volume *volume)
{
    (void)volume;
    return true;
}

void tfs_volume_announce(struct tfs_volume *volume, const char *mountpoint, dev_t device)
{
    (void)volume; /* nobody else can find it */
    (void)mountpoint;
    (void)device;
}

bool tfs_volume_is_new(const struct tfs_volume *volume)
{
    (void)volume;
    return false;
}

int tfs_volume_discard(struct tfs_volume *volume)
{
    return tfs_volume_close(volume);
}

const uint8_t *tfs_volume_uuid(const struct tfs_volume *volume)
{
    static const uint8_t uuid[16] = "in memory only";

    (void)volume;
    return uuid;
}

void tfs_volume_get_stats(struct tfs_volume *volume, struct tfs_volume_stats *ret)
{
    (void)volume;
    *ret = (struct tfs_volume_stats){.read_bytes = 0}; /* it counts nothing */
}

int tfs_volume_get_file_info(struct tfs_volume *volume, uint64_t inode, struct tfs_file_info *ret)
{
    struct tfs_attr attr;
    int err = tfs_getattr(volume, inode, &attr);

    if (!err && !S_ISREG(attr.mode))
        err = -ENODATA;
    if (!err)
        *ret = (struct tfs_file_info){.size = attr.size};
    return err;
}

/* Nothing here has frames or segments. */
int tfs_volume_visit_frames(struct tfs_volume *volume, uint64_t inode,
                            const struct tfs_frame_visitor *visitor)
{
    (void)volume;
    (void)inode;
    (void)visitor;
    return 0;
}

int tfs_volume_gc(struct tfs_volume *volume, const struct tfs_gc_options *options,
                  struct tfs_gc_result *ret)
{
    *ret = (struct tfs_gc_result){0};
    return 0;
}

int tfs_scrub(struct tfs_volume *volume, const struct tfs_scrub_options *options,
              struct tfs_scrub_result *ret)
{
    *ret = (struct tfs_scrub_result){0};
    return 0;
}

int tfs_volume_visit_segments(struct tfs_volume *volume,
                              int (*visit)(void *context, const struct tfs_segment_info *segment),
                              void *context)
{
    (void)volume;
    (void)visit;
    (void)context;
    return 0;
}

void tfs_volume_visit_index(struct tfs_volume *volume,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context)
{
    (void)volume;
    (void)visit;
    (void)context;
}
