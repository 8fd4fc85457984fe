#include "store/space/punch.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/index.h"
#include "store/segment/segment.h"
#include "store/space/compactor.h"
#include "store/txn/dead_list.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

static void punch_stretch(struct tfs_volume *volume, const struct dead_stretch *dead)
{
    struct segment_position position = {dead->segment, dead->offset};
    int err = segments_punch(volume->segments, position, dead->size);

    if (err == 0)
        tfs_counter_add(&volume->stats.reclaimed_bytes, dead->size);
    else if (err == -EOPNOTSUPP)
        compactor_note(volume->compactor, dead->size);
    else if (err != -ENOENT)
        tfs_warn("segment %llu offset %llu: cannot give back %llu bytes: %s",
                 (unsigned long long)dead->segment, (unsigned long long)dead->offset,
                 (unsigned long long)dead->size, tfs_error_text(err));
}

void punch_dead(struct tfs_volume *volume)
{
    uint64_t durable = index_durable_number(volume->index);
    struct dead_stretches taken = dead_list_take_stretches(volume->dead);

    for (size_t i = 0; i < taken.count; i++) {
        if (taken.items[i].commit_number <= durable)
            punch_stretch(volume, &taken.items[i]);
    }

    tfs_mutex_lock(&volume->dead->lock);
    for (size_t i = 0; i < taken.count; i++) {
        if (taken.items[i].commit_number > durable)
            dead_list_put_back_locked(volume->dead, &taken.items[i]);
    }
    tfs_mutex_unlock(&volume->dead->lock);
    free(taken.items);
}

void punch_relieve(struct tfs_volume *volume)
{
    if (dead_list_is_crowded(volume->dead) && index_sync(volume->index) == 0)
        punch_dead(volume);
}
