/*
 * preadv and pwritev until all is done. With O_DIRECT a transfer that stopped in the middle of an
 * aligned unit is taken up at the unit's start again, since the kernel refuses anything else.
 */
#include "store/base/error.h"
#include "store/segment/local_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

int local_io_error(int system_error)
{
    switch (system_error) {
    case ENOSPC:
    case EDQUOT:
        return -ENOSPC;
    case EROFS:
        return -EROFS;
    case ENOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

/*
 * Some filesystems take O_DIRECT at open and refuse the first transfer. Go on buffered then, for
 * ever. Several threads may be refused at once, so a transfer is repeated even when another one has
 * turned the flag off.
 *
 * given_up: false at the start of a transfer.
 * Returns:  true when the transfer is to be tried again.
 */
static bool direct_give_up(struct local_segments *segments, const struct local_file *file,
                           bool *given_up)
{
    int flags = fcntl(file->fd, F_GETFL);

    if (*given_up || !segments->options.direct || flags < 0)
        return false;
    *given_up = true;
    atomic_store_explicit(&segments->direct, false, memory_order_relaxed);
    return fcntl(file->fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

/*
 * Without O_DIRECT: start the write-back now, so that the sync finds little left to do. A hint, its
 * failure is the sync's.
 */
static void write_back_start(const struct local_file *file, size_t size, uint64_t offset)
{
    (void)sync_file_range(file->fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

/* What lies behind the first `done` bytes. Returns: how many pieces that is. */
static int pieces_left(const struct segment_pieces *all, size_t done,
                       struct iovec ret[SEGMENT_PIECES_MAX])
{
    int count = 0;

    for (int i = 0; i < all->count; i++) {
        size_t skipped = tfs_min_u64(done, all->pieces[i].iov_len);

        done -= skipped;
        if (skipped < all->pieces[i].iov_len)
            ret[count++] = (struct iovec){.iov_base = (char *)all->pieces[i].iov_base + skipped,
                                          .iov_len = all->pieces[i].iov_len - skipped};
    }
    return count;
}

int local_file_write(struct local_segments *segments, const struct local_file *file,
                     const struct segment_pieces *from, uint64_t offset)
{
    size_t size = from->size;
    size_t done = 0;
    bool given_up = false;

    while (done < size) {
        struct iovec left[SEGMENT_PIECES_MAX];
        int left_count = pieces_left(from, done, left);
        ssize_t count = pwritev(file->fd, left, left_count, (off_t)(offset + done));

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EINVAL && direct_give_up(segments, file, &given_up))
            continue;
        if (count < 0)
            return tfs_fail(local_io_error(errno),
                            "segment %016" PRIx64 ": write of %zu bytes at %" PRIu64 ": %s",
                            file->number, size, offset, tfs_error_text(-errno));
        if (atomic_load_explicit(&segments->direct, memory_order_relaxed))
            count = (ssize_t)tfs_align_down((uint64_t)count, LOCAL_ALIGNMENT);
        if (count == 0)
            return tfs_fail(-EIO, "segment %016" PRIx64 ": write at %" PRIu64 " makes no progress",
                            file->number, offset + done);
        done += (size_t)count;
    }
    if (!atomic_load_explicit(&segments->direct, memory_order_relaxed))
        write_back_start(file, size, offset);
    return 0;
}

int local_file_read(struct local_segments *segments, const struct local_file *file,
                    const struct segment_pieces *into, size_t needed, uint64_t offset)
{
    size_t done = 0;
    bool given_up = false;

    while (done < needed) {
        bool direct = atomic_load_explicit(&segments->direct, memory_order_relaxed);
        size_t from = direct ? (size_t)tfs_align_down(done, LOCAL_ALIGNMENT) : done;
        struct iovec left[SEGMENT_PIECES_MAX];
        int left_count = pieces_left(into, from, left);
        ssize_t count = preadv(file->fd, left, left_count, (off_t)(offset + from));

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EINVAL && direct_give_up(segments, file, &given_up))
            continue;
        if (count < 0)
            return tfs_fail(local_io_error(errno),
                            "segment %016" PRIx64 ": read of %zu bytes at %" PRIu64 ": %s",
                            file->number, into->size, offset, tfs_error_text(-errno));
        if (from + (size_t)count <= done) /* with O_DIRECT, the same part again */
            return tfs_fail(-EUCLEAN,
                            "segment %016" PRIx64 ": ends at %" PRIu64 ", read up to %" PRIu64,
                            file->number, offset + done, offset + needed);
        done = from + (size_t)count;
    }
    return 0;
}
