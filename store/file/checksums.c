/*
 * The checksums that the store keeps of a file's blocks, for whoever wants to verify the bytes
 * further on, up to a GPU's memory.
 */
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/file/file.h"
#include "store/inode/chunk_map.h"
#include "store/inode/complaint.h"
#include "store/inode/damage.h"
#include "store/inode/data.h"
#include "store/read/frames.h"

#include <errno.h>

/* CRC32C of `size` zero bytes. */
static uint32_t zero_checksum(uint32_t size)
{
    static const uint8_t zeros[4096];
    uint32_t crc = 0;

    for (uint32_t done = 0; done < size; done += (uint32_t)sizeof(zeros)) {
        uint32_t part = (uint32_t)tfs_min_u64(size - done, sizeof(zeros));

        crc = tfs_crc32c(crc, zeros, part);
    }
    return crc;
}

/* The row of a chunk whose data is all written back. */
static int flushed_row(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                       struct tfs_row **ret)
{
    tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
    int err = chunk_map_read(volume, inode, index, &map);

    if (!err && map.changing)
        err = -EAGAIN;
    if (!err)
        *ret = TAKE_PTR(map.row);
    return err;
}

/* The checksum of the block at byte `offset`, of which the extent shows all `size` bytes. */
static int extent_checksum(struct tfs_volume *volume, const struct extent *extent,
                           uint32_t block_size, uint32_t offset, uint32_t size, uint32_t *ret)
{
    tfs_cleanup(frame_header_unref_p) struct frame_header *header = NULL;
    struct frames_source source = frames_source_of(extent, block_size);
    uint32_t in_frame = extent_in_frame(extent, offset);
    const uint8_t *bytes = source.inline_bytes;
    struct frame_block found;
    struct frame_view view;
    int err = 0;

    if (in_frame % block_size)
        return -ERANGE; /* the frame's blocks are not the file's */
    if (source.frame.segment) {
        err = frames_header(volume->frames, &source, &header);
        bytes = err ? NULL : header->bytes;
    }
    if (!err)
        err = frame_open(bytes, frame_header_size(source.frame.block_count), &view);
    if (!err)
        err = frame_block_locate(&view, in_frame / block_size, &found);
    if (err)
        return err;
    if (found.raw_size != size)
        return -ERANGE; /* the file was cut inside of the block, or goes on behind it with zeros */
    *ret = found.raw_crc;
    return 0;
}

/* A block that is not stored as it reads: its bytes are read, with their own checks, and summed. */
static int computed_checksum(struct tfs_volume *volume, struct tfs_inode *inode,
                             const struct tfs_row *row, uint32_t offset, uint32_t size,
                             uint32_t *ret)
{
    uint8_t part[4096];
    uint32_t crc = 0;

    for (uint32_t done = 0; done < size;) {
        uint32_t now = (uint32_t)tfs_min_u64(size - done, sizeof(part));
        int err =
            chunk_copy_row(volume, row, &inode->data->geometry, offset + done, now, NULL, part);

        if (err)
            return err;
        crc = tfs_crc32c(crc, part, now);
        done += now;
    }
    *ret = crc;
    return 0;
}

/* The checksum of bytes [offset, offset + size) of the row's chunk, a block or the start of one. */
static int row_checksum(struct tfs_volume *volume, struct tfs_inode *inode,
                        const struct tfs_row *row, uint32_t offset, uint32_t size, uint32_t *ret)
{
    uint32_t block_size = inode->data->geometry.block_size;
    const struct extent *extent = row_find(row, offset);
    uint32_t start = extent ? extent->start : UINT32_MAX;
    int err = -ERANGE;

    if (start >= offset + size) {
        *ret = zero_checksum(size);
        return 0;
    }
    if (start <= offset && extent_end(extent) >= offset + size)
        err = extent_checksum(volume, extent, block_size, offset, size, ret);
    if (err == -ERANGE)
        err = computed_checksum(volume, inode, row, offset, size, ret);
    return err;
}

/* As when it is read: a frame may be given back between the look at its row and the one at it. */
static int block_checksum(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                          uint32_t size, uint32_t *ret)
{
    uint64_t chunk_size = inode->data->geometry.chunk_size;
    uint32_t in_chunk = (uint32_t)(offset % chunk_size);
    tfs_cleanup(row_unref_p) struct tfs_row *before = NULL;
    const struct complaint_wanted wanted = {
        .inode = inode->number,
        .start = offset - in_chunk,
        .offset = in_chunk,
        .size = size,
        .block_size = inode->data->geometry.block_size,
    };
    int err = 0;

    for (int tries = 0; tries < FRAMES_ROW_TRIES_MAX; tries++) {
        struct tfs_row *row;
        int row_err = flushed_row(volume, inode, offset / chunk_size, &row);

        if (row_err)
            return row_err;
        if (tries > 0 && row_equal(row, before)) {
            row_unref(row);
            break;
        }
        row_unref(before);
        before = row;
        err = row_checksum(volume, inode, row, in_chunk, size, ret);
        if (!damage_is_reason(err))
            return err;
    }
    return complaint_row(volume, &wanted, before, err);
}

int tfs_file_block_checksums(struct tfs_file *file, uint64_t offset, uint32_t *checksums,
                             unsigned count, uint32_t *ret_block_size)
{
    struct tfs_inode *inode = file->inode;
    uint32_t block_size = inode->data->geometry.block_size;
    unsigned done = 0;
    uint64_t end;
    int err = 0;

    data_enter(inode);
    end = data_size(inode);
    offset = tfs_align_down(offset, block_size);
    while (done < count && offset < end && !err) {
        uint32_t size = (uint32_t)tfs_min_u64(block_size, end - offset);

        err = block_checksum(file->volume, inode, offset, size, &checksums[done]);
        offset += block_size;
        done++;
    }
    data_leave(inode);
    if (err)
        return damage_is_reason(err) ? -EIO : err;
    *ret_block_size = block_size;
    return (int)done;
}
