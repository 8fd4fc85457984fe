/*
 * Settings. Each is one row, a little-endian 64-bit number under its name.
 */
#include "store/tables/super.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/tables/meta.h"
#include "store/volume.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const char key_seed[] = "name_hash_seed";
static const char key_clean[] = "clean";
static const char key_sweep[] = "sweep_from";
static const char key_resume_segment[] = "resume_segment";
static const char key_resume_offset[] = "resume_offset";
static const char key_allocated[] = "allocated"; /* absent: 0 */

static void put(struct index_batch *batch, const char *key, uint64_t value)
{
    uint8_t raw[sizeof(uint64_t)];

    tfs_put_le64(raw, value);
    index_batch_put(batch, INDEX_SUPER, key, strlen(key), raw, sizeof(raw));
}

static int find(struct tfs_index *index, const char *key, uint64_t *ret)
{
    struct index_value value;
    int err = index_get(index, INDEX_SUPER, key, strlen(key), &value);

    if (err)
        return err;
    if (value.size == sizeof(uint64_t))
        *ret = tfs_get_le64(value.data);
    else
        err = tfs_fail(-EUCLEAN, "setting '%s' has %zu bytes", key, value.size);
    index_value_release(&value);
    return err;
}

static int has(struct tfs_index *index, const char *key, bool *ret)
{
    struct index_value value;
    int err = index_get(index, INDEX_SUPER, key, strlen(key), &value);

    if (err && err != -ENOENT)
        return err;
    if (!err)
        index_value_release(&value);
    *ret = !err;
    return 0;
}

static int get(struct tfs_index *index, const char *key, uint64_t *ret)
{
    int err = find(index, key, ret);

    return err == -ENOENT ? tfs_fail(-EUCLEAN, "the index has no setting '%s'", key) : err;
}

static void put_root(struct index_batch *batch)
{
    struct timespec now = tfs_clock_real();
    struct meta_inode root = {
        .version = 1,
        .parent = TFS_ROOT_INODE,
        .mode = S_IFDIR | 0755,
        .uid = geteuid(),
        .gid = getegid(),
        .nlink = 2,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now,
        .compression = {.codec = CODEC_AUTO},
        .chunk_size_log2 = (uint8_t)__builtin_ctzll(TFS_CHUNK_SIZE_DEFAULT),
    };
    uint8_t key[META_INODE_KEY_SIZE];
    uint8_t record[META_INODE_FIXED_SIZE];

    meta_inode_key(TFS_ROOT_INODE, key);
    (void)meta_inode_encode(&root, NULL, record); /* its size is that of the array */
    index_batch_put(batch, INDEX_INODE, key, sizeof(key), record, sizeof(record));
}

int super_create(struct tfs_index *index)
{
    struct index_batch *batch;
    uint64_t seed;
    int err = index_batch_new(&batch);

    if (err)
        return err;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)tfs_clock_real().tv_nsec; /* only makes collisions harder to plan */
    index_batch_guard_absent(batch, INDEX_SUPER, key_seed, strlen(key_seed));
    put(batch, key_seed, seed);
    put(batch, key_clean, 1);
    put(batch, key_sweep, 1);
    put(batch, key_resume_segment, 0);
    put(batch, key_resume_offset, 0);
    put_root(batch);
    err = index_commit(index, batch, true);
    index_batch_free(batch);
    return err == -EEXIST ? 0 : err;
}

int super_read(struct tfs_index *index, struct super *ret)
{
    struct super super = {0};
    uint64_t clean = 0;
    int err = get(index, key_seed, &super.name_hash_seed);

    if (!err)
        err = get(index, key_clean, &clean);
    if (!err)
        err = get(index, key_sweep, &super.sweep_from);
    if (!err)
        err = get(index, key_resume_segment, &super.resume_segment);
    if (!err)
        err = get(index, key_resume_offset, &super.resume_offset);
    if (!err)
        err = find(index, key_allocated, &super.allocated);
    if (!err || err == -ENOENT)
        err = has(index, SUPER_REPAIRING, &super.repairing);
    if (err)
        return err;
    if (clean > 1)
        return tfs_fail(-EUCLEAN, "setting '%s' is %llu", key_clean, (unsigned long long)clean);
    super.clean = clean == 1;
    *ret = super;
    return 0;
}

int super_write_state(struct tfs_index *index, const struct super *super)
{
    struct index_batch *batch;
    int err = index_batch_new(&batch);

    if (err)
        return err;
    put(batch, key_clean, super->clean);
    put(batch, key_sweep, super->sweep_from);
    put(batch, key_resume_segment, super->resume_segment);
    put(batch, key_resume_offset, super->resume_offset);
    err = index_commit(index, batch, true);
    index_batch_free(batch);
    return err;
}

void super_put_allocated(struct index_batch *batch, uint64_t room)
{
    put(batch, key_allocated, room);
}

int super_set_sweep_from(struct tfs_volume *volume, uint64_t segment)
{
    struct index_batch *batch;
    int err = index_batch_new(&batch);

    if (err)
        return err;
    put(batch, key_sweep, segment);
    tfs_mutex_lock(&volume->metadata);
    err = index_commit(volume->index, batch, false);
    tfs_mutex_unlock(&volume->metadata);
    index_batch_free(batch);
    return err;
}
