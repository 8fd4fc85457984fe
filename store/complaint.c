/*
 * Complaints, each frame once: the kernel asks for a page that cannot be read again and again.
 */
#include "store/complaint.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/path.h"
#include "store/volume.h"

#include <errno.h>

void complaints_init(struct complaints *complaints)
{
    tfs_mutex_init(&complaints->lock, TFS_RANK_LEAF);
}

void complaints_release(struct complaints *complaints)
{
    tfs_mutex_release(&complaints->lock);
}

/* Notes the frame; false when it was noted already. */
static bool is_news(struct complaints *complaints, const struct frame_ref *frame)
{
    unsigned kept;
    bool news = true;

    tfs_mutex_lock(&complaints->lock);
    kept = complaints->count < COMPLAINTS_KEPT ? complaints->count : COMPLAINTS_KEPT;
    for (unsigned i = 0; i < kept && news; i++)
        news = complaints->frames[i].segment != frame->segment ||
               complaints->frames[i].offset != frame->offset;
    if (news) {
        unsigned slot = complaints->count++ % COMPLAINTS_KEPT;

        complaints->frames[slot].segment = frame->segment;
        complaints->frames[slot].offset = frame->offset;
    }
    tfs_mutex_unlock(&complaints->lock);
    return news;
}

static const char *reason(int error)
{
    switch (error) {
    case -EBADMSG:
        return "checksum does not match";
    case -EUCLEAN:
        return "what is stored is not a frame";
    case -ENOENT:
        return "its segment is missing";
    default:
        return tfs_error_text(error);
    }
}

void complaint_unreadable(struct tfs_volume *volume, uint64_t inode, uint64_t offset,
                          const struct frame_ref *frame, int error)
{
    char path[PATH_TEXT_SIZE];

    if (!is_news(&volume->complaints, frame))
        return;
    path_of_inode(volume, inode, path);
    tfs_error("file %s (inode %llu) offset %llu: cannot be read: %s "
              "(frame 0x%08x, segment %llu offset %llu size %u)",
              path, (unsigned long long)inode, (unsigned long long)offset, reason(error),
              frame->header_crc, (unsigned long long)frame->segment,
              (unsigned long long)frame->offset, frame->stored_size);
}
