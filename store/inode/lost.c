#include "store/inode/lost.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/inode/data.h"
#include "store/inode/path.h"
#include "store/inode/upcall.h"

#include <errno.h>

static void say(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, int error)
{
    char path[PATH_TEXT_SIZE];

    path_of_inode(volume, inode->number, path);
    tfs_error("file %s (inode %llu): what was stored through a mapping is lost, from offset %llu "
              "on: %s",
              path, (unsigned long long)inode->number, (unsigned long long)from,
              tfs_error_text(error));
}

void lost_note(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to,
               int error)
{
    struct tfs_data *data = inode->data;
    struct lost_range *lost = &data->lost;
    bool news;

    tfs_mutex_lock(&inode->lock);
    news = lost->from == lost->to;
    lost->from = news ? from : tfs_min_u64(lost->from, from);
    lost->to = news ? to : tfs_max_u64(lost->to, to);
    data->last_error = error;
    data->error_count++;
    tfs_mutex_unlock(&inode->lock);
    if (news)
        say(volume, inode, from, error);
    upcall_inode_changed(
        volume, &(struct tfs_inode_change){.inode = inode->number, .from = from, .to = to});
}

void lost_forget_locked(struct tfs_inode *inode, uint64_t from, uint64_t to)
{
    struct lost_range *lost = &inode->data->lost;

    if (from >= lost->to || to <= lost->from)
        return;
    if (from <= lost->from && to >= lost->to)
        *lost = (struct lost_range){0};
    else if (from <= lost->from)
        lost->from = to;
    else if (to >= lost->to)
        lost->to = from;
}
