/*
 * Rows and the frames that they show. A row is looked at for itself first; its frames are collected
 * and looked at in the order of the segments, each header once.
 *
 * What cannot be read here is never touched. Of a row that is not one it is not known which frames
 * it uses: as long as there are such rows, nothing counts as less used than it says.
 */
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/check/check_internal.h"
#include "store/codec/frame.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/segment/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than a sparse file is likely to have between two rows at its end. */
#define STRAY_GAP       (1ull * TFS_GIB)
#define FRAMES_SIZE_MAX (256ull * TFS_MIB)
enum { USES_MIN = 2 };
enum { HEADER_BUFFER_SIZE = 32768 }; /* the largest header, with its aligned surroundings */

/* A row of which the file is not known, or no file: with any block size that makes sense of it. */
static int decode_with_any_geometry(const struct index_record *record, struct tfs_row **ret,
                                    struct row_geometry *ret_geometry)
{
    for (uint8_t log2 = 22; log2 >= 8; log2--) {
        *ret_geometry = data_geometry(log2);
        ret_geometry->chunk_size = FRAME_RAW_SIZE_MAX;
        if (row_decode(record->value, record->value_size, ret_geometry, ret) == 0)
            return 0;
    }
    return -EUCLEAN;
}

/* The bytes of the row that show this extent's frame, from the first to the last. */
static void frame_span(const struct tfs_row *row, uint32_t index, uint32_t *ret_from,
                       uint32_t *ret_to)
{
    const struct frame_ref *frame = &row->extents[index].frame;

    *ret_from = row->extents[index].start;
    *ret_to = extent_end(&row->extents[index]);
    for (uint32_t i = index + 1; frame->segment && i < row->extent_count; i++) {
        if (frame_ref_equal(&row->extents[i].frame, frame))
            *ret_to = extent_end(&row->extents[i]);
    }
}

static int compare_uses(const void *a, const void *b)
{
    const struct check_use *x = a;
    const struct check_use *y = b;

    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return x->file_offset < y->file_offset ? -1 : x->file_offset > y->file_offset;
}

/* Leaves the uses of about half of the segments, the lower ones, and the others to another time.
 * Those of one segment are looked at together. */
static void halve_uses(struct check *check)
{
    uint64_t middle;

    qsort(check->uses, check->use_count, sizeof(*check->uses), compare_uses);
    middle = check->uses[check->use_count / 2].segment;
    check->uses_to = middle > check->uses[0].segment ? middle : middle + 1;
    if (check->uses[check->use_count - 1].segment < check->uses_to)
        check->uses_max *= 2;
    while (check->uses[check->use_count - 1].segment >= check->uses_to)
        check->use_count--;
}

static bool is_gathered(const struct check *check, uint64_t segment)
{
    return segment >= check->uses_from && segment < check->uses_to;
}

static int add_use(struct check *check, const struct check_use *use)
{
    int err;

    if (check->use_count >= check->uses_max)
        halve_uses(check);
    if (!is_gathered(check, use->segment))
        return 0; /* of those that were left to another time just now */
    err = check_grow((void **)&check->uses, check->use_count, &check->use_capacity,
                     sizeof(*check->uses));
    if (!err)
        check->uses[check->use_count++] = *use;
    return err;
}

static int add_frames(struct check *check, uint64_t inode, const struct tfs_row *row,
                      const struct row_geometry *geometry, uint64_t start)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct frame_ref *frame = &row->extents[i].frame;
        struct check_use use = {.segment = frame->segment,
                                .offset = frame->offset,
                                .inode = inode,
                                .stored_size = frame->stored_size,
                                .raw_size = frame->raw_size,
                                .header_crc = frame->header_crc,
                                .block_count = frame->block_count,
                                .block_size = geometry->block_size};
        uint32_t from;
        uint32_t to;
        int err;

        if (!frame->segment || !is_gathered(check, frame->segment) || !row_shows_first(row, i))
            continue;
        frame_span(row, i, &from, &to);
        use.file_offset = start + from;
        use.visible_size = to - from;
        err = add_use(check, &use);
        if (err)
            return err;
    }
    return 0;
}

/* Whether the bytes are the header that the row names. */
static int compare_header(const struct check_use *use, const uint8_t *bytes, size_t size)
{
    struct frame_view view;
    int err = frame_open(bytes, size, &view);

    if (err)
        return err;
    if (view.header_crc != use->header_crc || view.raw_size != use->raw_size ||
        view.stored_size != use->stored_size || view.block_size != use->block_size)
        return tfs_fail(-EBADMSG, "another frame is where the index has frame 0x%08x",
                        use->header_crc);
    return 0;
}

static void check_inline_frames(struct check *check, struct check_inode *inode,
                                const struct tfs_row *row, const struct row_geometry *geometry,
                                uint64_t start)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];
        struct check_use use = {.stored_size = extent->frame.stored_size,
                                .raw_size = extent->frame.raw_size,
                                .header_crc = extent->frame.header_crc,
                                .block_size = geometry->block_size};
        struct check_range range = {
            .inode = inode->number, .offset = start + extent->start, .size = extent->visible_size};

        if (extent->frame.segment)
            continue;
        check->result->frames++;
        if (compare_header(&use, extent->inline_bytes, extent->frame.stored_size) != 0)
            check_unreadable(check, TFS_CHECK_FRAME, &range,
                             "the frame in its row is not what the row says");
    }
}

/* A row that no file has: kept, with what it uses, for whoever can make sense of it. */
static int keep_strange_row(struct check *check, const struct index_record *record, const char *why)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    struct check_range range = {.inode = tfs_get_be64(record->key)};
    struct row_geometry geometry;

    check_unreadable(check, TFS_CHECK_ROW, &range, "row %llu of inode %llu, %s",
                     (unsigned long long)tfs_get_be64(record->key + sizeof(uint64_t)),
                     (unsigned long long)range.inode, why);
    if (range.inode < META_NUMBER_FAR)
        check->strange_inode = tfs_max_u64(check->strange_inode, range.inode);
    if (decode_with_any_geometry(record, &row, &geometry) < 0) {
        check->unknown_rows++;
        return 0;
    }
    return add_frames(check, 0, row, &geometry, 0);
}

/*
 * Whether the row stands so far behind all else of the file that it is not the file's size that is
 * wrong. Nobody can read it as it is; made longer for it, the file would claim terabytes that were
 * never there. It is kept: behind the end of a file nothing is read, and whoever removes or cuts
 * the file removes it.
 */
static bool is_stray(const struct check_inode *inode, uint64_t offset)
{
    return offset > tfs_max_u64(inode->size, inode->end_seen) + STRAY_GAP;
}

/* Garbage that will go, and in use until then. */
static bool is_cut(const struct check_inode *inode, uint64_t offset)
{
    return (inode->flags & META_INODE_HAS_CUT_ROWS) && offset >= inode->size;
}

/* A row whose bytes are none of the file's. Once all rows were read, `end_seen` is where it was
 * when the first stray one came. */
static bool is_hidden(const struct check_inode *inode, uint64_t offset)
{
    return is_cut(inode, offset) || is_stray(inode, offset);
}

static int check_file_row(struct check *check, struct check_inode *inode,
                          const struct index_record *record)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    struct row_geometry geometry = data_geometry(inode->chunk_size_log2);
    uint64_t number = tfs_get_be64(record->key + sizeof(uint64_t));
    struct check_range range = {.inode = inode->number, .size = geometry.chunk_size};

    if (number >= TFS_FILE_SIZE_MAX / geometry.chunk_size) {
        inode->has_bad_row = true;
        return keep_strange_row(check, record, "behind the largest size of a file");
    }
    range.offset = number * geometry.chunk_size;
    if (range.offset < inode->size)
        range.size = tfs_min_u64(range.size, inode->size - range.offset);
    if (row_decode(record->value, record->value_size, &geometry, &row) < 0) {
        inode->has_bad_row = true;
        check->unknown_rows++;
        check_unreadable(check, TFS_CHECK_ROW, &range, "its row of %zu bytes is not one",
                         record->value_size);
        return 0;
    }
    inode->stored_seen += (uint64_t)row_stored_size(row);
    if (is_cut(inode, range.offset))
        return add_frames(check, 0, row, &geometry, 0);
    if (is_stray(inode, range.offset)) {
        check_unreadable(check, TFS_CHECK_ROW, &range,
                         "a row far behind the end of the file's data at %llu; it is kept",
                         (unsigned long long)tfs_max_u64(inode->size, inode->end_seen));
        return add_frames(check, 0, row, &geometry, 0);
    }
    inode->end_seen = tfs_max_u64(inode->end_seen, range.offset + row_end(row));
    check_inline_frames(check, inode, row, &geometry, range.offset);
    return add_frames(check, inode->number, row, &geometry, range.offset);
}

static int check_row(struct check *check, const struct index_record *record)
{
    struct check_inode *inode;

    check->result->rows++;
    if (record->key_size != META_EXTENT_KEY_SIZE) {
        check_error(check, TFS_CHECK_KEY, 0,
                    "a key of %zu bytes in table 'extent', which nobody asks for",
                    record->key_size);
        check_delete(check, INDEX_EXTENT, record->key, record->key_size);
        return 0;
    }
    inode = check_find_inode(check, tfs_get_be64(record->key));
    if (!inode)
        return keep_strange_row(check, record, "which does not exist");
    if (!inode->readable)
        return keep_strange_row(check, record, "whose record cannot be read");
    if (!S_ISREG(inode->mode))
        return keep_strange_row(check, record, "which is no file");
    return check_file_row(check, inode, record);
}

int check_rows(struct check *check)
{
    uint64_t size = check->options->frames_size_max;

    check->uses_max = tfs_max_u64(USES_MIN, (size ? size : FRAMES_SIZE_MAX) / sizeof(*check->uses));
    check->uses_from = 0;
    check->uses_to = UINT64_MAX;
    return check_scan(check, INDEX_EXTENT, "rows", check_row);
}

/* The uses of the row once more; what there is to tell of the row was told. */
static int gather_row(struct check *check, const struct index_record *record)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    const struct check_inode *inode;
    struct row_geometry geometry;
    uint64_t offset;

    if (record->key_size != META_EXTENT_KEY_SIZE)
        return 0;
    inode = check_find_inode(check, tfs_get_be64(record->key));
    offset = tfs_get_be64(record->key + sizeof(uint64_t));
    if (inode && inode->readable && S_ISREG(inode->mode)) {
        geometry = data_geometry(inode->chunk_size_log2);
        if (offset < TFS_FILE_SIZE_MAX / geometry.chunk_size) {
            if (row_decode(record->value, record->value_size, &geometry, &row) < 0)
                return 0;
            offset *= geometry.chunk_size;
            return is_hidden(inode, offset)
                       ? add_frames(check, 0, row, &geometry, 0)
                       : add_frames(check, inode->number, row, &geometry, offset);
        }
    }
    return decode_with_any_geometry(record, &row, &geometry) < 0
               ? 0
               : add_frames(check, 0, row, &geometry, 0);
}

/* The uses of the segments behind those that were looked at. */
static int gather_next(struct check *check)
{
    check->use_count = 0;
    check->uses_from = check->uses_to;
    check->uses_to = UINT64_MAX;
    return check_scan(check, INDEX_EXTENT, "rows", gather_row);
}

/* ---- frames ---- */

static int add_segment_file(void *context, const struct segment_status *status)
{
    struct check *check = context;
    struct check_segment *segment = check_add_segment(check, status->number);

    if (!segment)
        return -ENOMEM;
    segment->has_file = true;
    segment->file_size = status->size;
    check->result->segments++;
    return 0;
}

static void unreadable_use(struct check *check, const struct check_use *use, const char *why)
{
    struct check_range range = {use->inode, use->file_offset, use->visible_size};

    if (use->inode) /* of others it was said with their row */
        check_unreadable(check, TFS_CHECK_FRAME, &range,
                         "%s (frame 0x%08x, segment %llu offset %llu size %u)", why,
                         use->header_crc, (unsigned long long)use->segment,
                         (unsigned long long)use->offset, use->stored_size);
}

/* Why the frame's header cannot be read, or NULL. */
static const char *header_problem(struct check *check, const struct check_use *use, uint8_t *buffer)
{
    const struct segment_position at = {use->segment, use->offset};
    const struct check_segment *segment = check_find_segment(check, use->segment);
    size_t size = frame_header_size(use->block_count);
    const uint8_t *bytes;
    int err;

    if (!segment || !segment->has_file)
        return "its segment is missing";
    if (use->offset + use->stored_size > segment->file_size)
        return "its segment ends before it";
    err = segments_read(check->segments, at, size, buffer, HEADER_BUFFER_SIZE, &bytes);
    if (err)
        return tfs_error_text(err);
    err = compare_header(use, bytes, size);
    if (err == -EBADMSG)
        return "the checksum of its header does not match";
    return err ? "what is stored is not a frame" : NULL;
}

static uint64_t end_of(const struct check_use *use)
{
    return use->offset + tfs_align_up(use->stored_size, SEGMENT_ALIGNMENT);
}

/* The uses [first, end) name one place. `*free_from`: behind all frames before it in its segment.
 */
static int check_place(struct check *check, size_t first, size_t end, uint64_t *free_from,
                       uint8_t *buffer)
{
    struct check_segment *segment = check_find_segment(check, check->uses[first].segment);
    const char *problem = NULL;
    uint64_t place_end = 0;

    for (size_t i = first; i < end; i++) {
        const struct check_use *use = &check->uses[i];

        place_end = tfs_max_u64(place_end, end_of(use));
        if (i == first || use->header_crc != use[-1].header_crc ||
            use->raw_size != use[-1].raw_size)
            problem = header_problem(check, use, buffer);
        if (!problem && use->offset < *free_from)
            problem = "it begins inside of another frame";
        if (problem)
            unreadable_use(check, use, problem);
    }
    check->result->frames++;
    check->result->live_bytes += place_end - check->uses[first].offset;
    segment->live_seen += place_end - check->uses[first].offset;
    segment->frames_end = tfs_max_u64(segment->frames_end, place_end);
    *free_from = tfs_max_u64(*free_from, place_end);
    return check_step(check);
}

static size_t end_of_place(const struct check *check, size_t first)
{
    size_t end = first + 1;

    while (end < check->use_count && check->uses[end].segment == check->uses[first].segment &&
           check->uses[end].offset == check->uses[first].offset)
        end++;
    return end;
}

/* Sorts the uses, and has their segments in the model. */
static int sort_uses(struct check *check)
{
    int err = 0;

    if (check->use_count)
        qsort(check->uses, check->use_count, sizeof(*check->uses), compare_uses);
    for (size_t i = 0; i < check->use_count && !err; i++) {
        uint64_t number = check->uses[i].segment;

        if ((i == 0 || number != check->uses[i - 1].segment) && !check_find_segment(check, number))
            err = check_note_number(check, number);
    }
    return err ? err : check_add_segments(check);
}

static int check_places(struct check *check, uint8_t *buffer)
{
    uint64_t segment = 0;
    uint64_t free_from = 0;
    int err = sort_uses(check);

    check->step = "frames";
    check->step_done = 0;
    check->step_total = check->use_count;
    for (size_t first = 0; first < check->use_count && !err;) {
        size_t end = end_of_place(check, first);

        if (check->uses[first].segment != segment)
            free_from = 0;
        segment = check->uses[first].segment;
        err = check_place(check, first, end, &free_from, buffer);
        first = end;
    }
    return err;
}

int check_frames(struct check *check)
{
    uint8_t *buffer = aligned_alloc(SEGMENT_ALIGNMENT, HEADER_BUFFER_SIZE);
    int err = buffer ? segments_visit(check->segments, add_segment_file, check) : -ENOMEM;
    bool more = true;

    while (!err && more) {
        err = check_places(check, buffer);
        if (!err)
            err = check_shares(check);
        more = check->uses_to < UINT64_MAX;
        if (!err && more)
            err = gather_next(check);
    }
    free(buffer);
    return err;
}
