/*
 * What a volume shows of its inside: the frames of a file and what they hold, the segments, what
 * the index tells of itself. Reading only; nothing here knows the mount.
 */
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/chunk_map.h"
#include "store/inode/damage.h"
#include "store/inode/data.h"
#include "store/inode/namespace.h"
#include "store/read/frames.h"
#include "store/report.h"
#include "store/segment/segment.h"
#include "store/txn/refcounts.h"
#include "store/writeback/commit.h"

#include <errno.h>

/* ---- the frames of a file ---- */

static int visit_row(const struct tfs_frame_visitor *visitor, const struct row_geometry *geometry,
                     uint64_t chunk, const struct tfs_row *row)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];
        const struct tfs_frame_place place = {
            .chunk = chunk,
            .offset = chunk * geometry->chunk_size + extent->start,
            .size = extent->visible_size,
            .segment = extent->frame.segment,
            .segment_offset = extent->frame.offset,
            .stored_size = extent->frame.stored_size,
            .raw_size = extent->frame.raw_size,
            .block_count = extent->frame.block_count,
        };
        int err = visitor->visit(visitor->context, &place);

        if (err)
            return err;
    }
    return 0;
}

static int visit_rows(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct tfs_frame_visitor *visitor)
{
    for (uint64_t index = 0;;) {
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        int err = chunk_map_next(volume, inode, index, &map);

        if (!err && map.row)
            err = visit_row(visitor, &inode->data->geometry, map.index, map.row);
        if (err || map.index == UINT64_MAX)
            return err;
        index = map.index + 1;
    }
}

/* An inode that has data, all of which is committed: what was written is to be told of.
 * Errors: -ESTALE, -ENODATA (not a regular file), those of the commit. */
static int get_committed(struct tfs_volume *volume, uint64_t number, struct tfs_inode **ret)
{
    struct tfs_inode *inode;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err;
    if (!inode->data)
        err = -ENODATA;
    else if (!volume->options.read_only)
        err = commit_inode(volume, inode, COMMIT_ORDERED);
    if (err) {
        inode_put(volume, inode);
        return err;
    }
    *ret = inode;
    return 0;
}

int tfs_volume_visit_frames(struct tfs_volume *volume, uint64_t number,
                            const struct tfs_frame_visitor *visitor)
{
    struct tfs_inode *inode;
    int err = get_committed(volume, number, &inode);

    if (err)
        return err;
    err = visit_rows(volume, inode, visitor);
    inode_put(volume, inode);
    return err;
}

/* ---- what became of a file's bytes ---- */

struct frame_sum {
    struct frame_stats frames;
    uint64_t stored; /* bytes */
    uint64_t chunks;
};

static int add_frame(struct tfs_volume *volume, const struct frames_source *source,
                     struct frame_sum *sum)
{
    tfs_cleanup(frame_header_unref_p) struct frame_header *header = NULL;
    const uint8_t *bytes = source->inline_bytes;
    struct frame_view view;
    int err = 0;

    if (source->frame.segment) {
        err = frames_header(volume->frames, source, &header);
        bytes = err ? NULL : header->bytes;
    }
    if (!err)
        err = frame_open(bytes, frame_header_size(source->frame.block_count), &view);
    if (err)
        return err;
    frame_stats_add(&view, &sum->frames);
    sum->stored += source->frame.stored_size;
    return 0;
}

static int add_row(struct tfs_volume *volume, const struct tfs_row *row, uint32_t block_size,
                   struct frame_sum *sum)
{
    int err = 0;

    sum->chunks++;
    for (uint32_t i = 0; i < row->extent_count && !err; i++) {
        struct frames_source source = frames_source_of(&row->extents[i], block_size);

        if (!source.frame.segment || row_shows_first(row, i))
            err = add_frame(volume, &source, sum);
    }
    return err;
}

/* Nothing is locked: the row may be superseded, or its frames moved, before they are looked at. */
static int add_chunk(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                     struct frame_sum *ret)
{
    tfs_cleanup(row_unref_p) struct tfs_row *before = NULL;
    int err = 0;

    for (int tries = 0; tries < FRAMES_ROW_TRIES_MAX; tries++) {
        struct frame_sum sum = *ret;
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        int map_err = chunk_map_read(volume, inode, index, &map);

        if (map_err)
            return map_err;
        if (tries > 0 && row_equal(map.row, before))
            return err;
        row_unref(before);
        before = TAKE_PTR(map.row);
        err = before ? add_row(volume, before, inode->data->geometry.block_size, &sum) : 0;
        if (!err)
            *ret = sum;
        if (!damage_is_reason(err))
            return err;
    }
    return err;
}

static int collect_frames(struct tfs_volume *volume, struct tfs_inode *inode, struct frame_sum *sum)
{
    uint64_t index = 0;
    int err = 0;

    while (!err) {
        err = chunk_next(volume, inode, index, &index);
        if (err || index == UINT64_MAX)
            return err;
        err = add_chunk(volume, inode, index++, sum);
    }
    return err;
}

static void tell(const struct frame_sum *sum, struct tfs_inode *inode, struct tfs_file_info *ret)
{
    const struct frame_stats *frames = &sum->frames;
    struct tfs_attr attr;

    inode_attr(inode, &attr);
    *ret = (struct tfs_file_info){
        .size = attr.size,
        .stored_size = sum->stored,
        .record_size = 1ull << inode_record(inode).chunk_size_log2,
        .chunk_size = inode->data->geometry.chunk_size,
        .chunk_count = sum->chunks,
        .block_size = inode->data->geometry.block_size,
        .block_count = frames->block_count,
        .frame_count = frames->frame_count,
        .header_size = frames->header_bytes,
    };
    for (size_t i = 0; i < CODEC_KIND_COUNT; i++)
        ret->kinds[i] =
            (struct tfs_stored_bytes){frames->raw_by_kind[i], frames->stored_by_kind[i]};
    for (size_t i = 0; i < CODEC_METHOD_COUNT; i++)
        ret->methods[i] =
            (struct tfs_stored_bytes){frames->raw_by_method[i], frames->stored_by_method[i]};
    for (size_t i = 0; i < CODEC_ID_COUNT; i++)
        ret->codecs[i] =
            (struct tfs_stored_bytes){frames->raw_by_codec[i], frames->stored_by_codec[i]};
}

int tfs_volume_get_file_info(struct tfs_volume *volume, uint64_t number, struct tfs_file_info *ret)
{
    struct frame_sum sum = {.stored = 0};
    struct tfs_inode *inode;
    int err = get_committed(volume, number, &inode);

    if (err)
        return err;
    err = collect_frames(volume, inode, &sum);
    if (!err)
        tell(&sum, inode, ret);
    inode_put(volume, inode);
    return err;
}

/* ---- the store ---- */

struct segment_walk {
    const struct tfs_volume *volume;
    int (*visit)(void *context, const struct tfs_segment_info *segment);
    void *context;
};

static int visit_segment(void *context, const struct segment_status *status)
{
    const struct segment_walk *walk = context;

    return walk->visit(walk->context,
                       &(struct tfs_segment_info){
                           .number = status->number,
                           .size = status->size,
                           .allocated = status->allocated,
                           .live = refcounts_live_of(walk->volume->refcounts, status->number),
                           .active = status->active,
                       });
}

int tfs_volume_visit_segments(struct tfs_volume *volume,
                              int (*visit)(void *context, const struct tfs_segment_info *segment),
                              void *context)
{
    struct segment_walk walk = {volume, visit, context};

    return segments_visit(volume->segments, visit_segment, &walk);
}

void tfs_volume_visit_index(struct tfs_volume *volume,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context)
{
    index_visit_properties(volume->index, visit, context);
}
