/*
 * Complaints, each frame once: the kernel asks for a page that cannot be read again and again.
 */
#include "store/inode/complaint.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/inode/damage.h"
#include "store/inode/path.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>

void complaints_init(struct complaints *complaints, complaint_name *name_of)
{
    complaints->name_of = name_of;
    tfs_mutex_init(&complaints->lock, TFS_RANK_LEAF);
}

void complaints_release(struct complaints *complaints)
{
    tfs_mutex_release(&complaints->lock);
}

/* Notes the place; false when it was noted already. */
static bool is_news(struct complaints *complaints, struct complaint_place place)
{
    unsigned kept;
    bool news = true;

    tfs_mutex_lock(&complaints->lock);
    kept = complaints->count < COMPLAINTS_KEPT ? complaints->count : COMPLAINTS_KEPT;
    for (unsigned i = 0; i < kept && news; i++)
        news = complaints->places[i].container != place.container ||
               complaints->places[i].offset != place.offset;
    if (news)
        complaints->places[complaints->count++ % COMPLAINTS_KEPT] = place;
    tfs_mutex_unlock(&complaints->lock);
    return news;
}

static void complain(struct tfs_volume *volume, uint64_t inode, uint64_t offset,
                     const struct frame_ref *frame, int error)
{
    char path[PATH_TEXT_SIZE];
    char where[96] = "in the index";

    if (frame && frame->segment)
        (void)snprintf(where, sizeof(where), "frame 0x%08x, segment %llu offset %llu size %u",
                       frame->header_crc, (unsigned long long)frame->segment,
                       (unsigned long long)frame->offset, frame->stored_size); /* it fits */
    volume->complaints.name_of(volume, inode, path);
    tfs_error("file %s (inode %llu) offset %llu: cannot be read: %s (%s)", path,
              (unsigned long long)inode, (unsigned long long)offset, damage_text(error), where);
}

int complaint_unreadable(struct tfs_volume *volume, uint64_t inode, uint64_t offset,
                         const struct frame_ref *frame, int error)
{
    struct complaint_place place = {UINT64_MAX - inode, offset};

    if (!damage_is_reason(error))
        return error;
    if (frame && frame->segment)
        place = (struct complaint_place){frame->segment, frame->offset};
    if (error == -EBADMSG)
        tfs_counter_add(&volume->stats.checksum_errors, 1);
    if (is_news(&volume->complaints, place))
        complain(volume, inode, offset, frame, error);
    return -EIO;
}

int complaint_row(struct tfs_volume *volume, const struct complaint_wanted *wanted,
                  const struct tfs_row *row, int error)
{
    struct damage_range range = {wanted->offset, wanted->size};
    struct damage_place place = {.offset = wanted->offset};

    if (!damage_is_reason(error))
        return error;
    if (!damage_find(volume->segments, row, wanted->block_size, &range, &place))
        place.extent = row_find(row, wanted->offset);
    return complaint_unreadable(volume, wanted->inode, wanted->start + place.offset,
                                place.extent ? &place.extent->frame : NULL, error);
}
