/*
 * Frames: an encoded run of consecutive blocks of one file. The layout is in docs/FORMAT.md.
 *
 *   header (48 bytes) | block table (12 bytes a block) | stored bytes of block 0, 1, ...
 *
 * Every block decodes by itself, from its table entry and its stored bytes. In a *packed* frame
 * they follow the table without a gap: whatever the input, it is at most frame_header_size() bytes
 * longer than its raw bytes. In a *plain* frame all blocks are raw, and zeros behind the table move
 * them to the next multiple of FRAME_PLAIN_ALIGNMENT: direct I/O goes from and to the buffers that
 * have the file's bytes.
 */
#ifndef TFS_CODEC_FRAME_H
#define TFS_CODEC_FRAME_H

#include "store/codec/codec.h"

#define FRAME_BUFFER_SIZE    (256u * 1024u)
#define FRAME_BLOCK_SIZE_MIN 256u
#define FRAME_BLOCK_SIZE_MAX FRAME_BUFFER_SIZE
#define FRAME_BLOCKS_MAX     1024u
#define FRAME_RAW_SIZE_MAX   (4u * 1024u * 1024u)

#define FRAME_FIXED_HEADER_SIZE 48u
#define FRAME_TABLE_ENTRY_SIZE  12u

#define FRAME_PLAIN_ALIGNMENT 4096u /* of the payload, and the smallest block, of a plain frame */

/* Where the frame's raw bytes were written from: a hint for scrub and repair, never trusted. */
struct frame_tag {
    uint64_t inode;
    uint64_t offset; /* bytes from the start of the file */
};

/* Header and table of a frame of so many blocks, in bytes. */
static inline size_t frame_header_size(uint32_t block_count)
{
    return FRAME_FIXED_HEADER_SIZE + (size_t)block_count * FRAME_TABLE_ENTRY_SIZE;
}

static inline uint32_t frame_block_count(uint32_t raw_size, uint32_t block_size)
{
    return (raw_size + block_size - 1) / block_size;
}

/* No packed frame of these sizes is longer than this. */
static inline size_t frame_stored_size_max(uint32_t raw_size, uint32_t block_size)
{
    return frame_header_size(frame_block_count(raw_size, block_size)) + raw_size;
}

/* Where the first block of a plain frame of so many blocks lies, in bytes from its start. */
static inline uint32_t frame_plain_offset(uint32_t block_count)
{
    return (uint32_t)tfs_align_up(frame_header_size(block_count), FRAME_PLAIN_ALIGNMENT);
}

/* The size of a plain frame, which its raw bytes alone decide. */
static inline size_t frame_plain_size(uint32_t raw_size, uint32_t block_size)
{
    return (size_t)frame_plain_offset(frame_block_count(raw_size, block_size)) + raw_size;
}

/* Whether any frame of so many raw bytes, inside of the limits, has this size. */
bool frame_stored_size_is_possible(uint32_t raw_size, uint32_t block_size, uint32_t stored_size);

/* Whether a frame of these sizes is likely a plain one: its header alone is certain. */
bool frame_size_is_plain(uint32_t raw_size, uint32_t block_size, uint32_t stored_size);

/*
 * What to encode. buffers[i] holds the raw bytes from i * FRAME_BUFFER_SIZE on; each is full except
 * the last. Buffers are best aligned to 64 bytes, but need not be.
 *
 * Limits: block_size a power of two, FRAME_BLOCK_SIZE_MIN..FRAME_BLOCK_SIZE_MAX;
 * raw_size 1..FRAME_RAW_SIZE_MAX and at most FRAME_BLOCKS_MAX blocks.
 */
struct frame_source {
    const void *const *buffers;
    uint32_t raw_size;
    uint32_t block_size;
    struct frame_tag tag;
    bool plain; /* where all blocks turn out raw, make a plain frame */
};

/*
 * Encode the source's bytes into one frame.
 *
 * Of a plain frame dst gets the first frame_plain_offset() bytes alone: the rest are the source's.
 * To make one, block_size is at least FRAME_PLAIN_ALIGNMENT. frame_open() tells whether it is.
 *
 * The result depends on spec and source alone, not on the machine's instruction set.
 *
 * Units:     capacity in bytes of dst, at least frame_stored_size_max(), and with source->plain
 *            frame_plain_offset().
 * Returns:   the frame's size.
 * Errors:    -EINVAL: spec or source outside of the limits; -ENOSPC: capacity; -ENOMEM.
 * Threads:   any, each with its own ctx.
 */
TFS_MUST_CHECK int64_t frame_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                                    const struct frame_source *source, void *dst, size_t capacity);

/* A frame's header, checked. It borrows the header's memory. */
struct frame_view {
    struct codec_spec spec; /* as requested when the frame was made */
    struct frame_tag tag;
    uint32_t block_size;
    uint32_t block_count;
    uint32_t raw_size;
    uint32_t stored_size;    /* of the whole frame */
    uint32_t payload_offset; /* of block 0, from the start of the frame */
    uint32_t header_crc;     /* CRC32C of header and table: names this frame's content */
    bool plain;
    const uint8_t *table;
};

/*
 * Look at the first FRAME_FIXED_HEADER_SIZE bytes of what may be a frame: limits are checked, the
 * checksum is not (it covers the table), and ret->table is NULL. For a scan that does not know how
 * much to read.
 *
 * Errors: -EUCLEAN: not a frame, cut short, or a value outside of the limits.
 */
TFS_MUST_CHECK int frame_peek(const void *header, size_t available, struct frame_view *ret);

/*
 * Check a frame's header and table: magic, version, limits, sizes that add up, checksum.
 *
 * Units: `available` is how many bytes can be read at `header`, at least frame_header_size(); the
 * payload is not needed.
 *
 * Ownership: ret borrows `header`.
 *
 * Errors: -EUCLEAN: not a frame, cut short, or contradicting itself; -EBADMSG: checksum.
 */
TFS_MUST_CHECK int frame_open(const void *header, size_t available, struct frame_view *ret);

/* One block, as the table tells. */
struct frame_block {
    uint32_t index;
    uint32_t offset;      /* of the stored bytes, from the start of the frame */
    uint32_t stored_size; /* 0..raw_size */
    uint32_t raw_size;
    uint32_t stored_crc;
    uint32_t raw_crc; /* CRC32C of the decoded bytes */
    enum codec_method method;
    enum codec_kind kind;
};

/* Find block `index`. Errors: -EINVAL: no such block. Cost: one pass over the table before it. */
TFS_MUST_CHECK int frame_block_locate(const struct frame_view *view, uint32_t index,
                                      struct frame_block *ret);

/* Move to the following block, at constant cost. Returns: false after the last one. */
bool frame_block_next(const struct frame_view *view, struct frame_block *block);

/*
 * Decode one block and verify both of its checksums.
 *
 * Safe for any bytes: reads block->stored_size bytes of stored, writes block->raw_size bytes of
 * dst, and allocates nothing that the input controls.
 *
 * Ownership: dst holds block->raw_size bytes; undefined on error.
 * Errors:    -EBADMSG: a checksum; -EUCLEAN: the checksum is right and the content is not.
 * Threads:   any, each with its own ctx.
 */
TFS_MUST_CHECK int frame_block_decode(struct codec_ctx *ctx, const struct frame_block *block,
                                      const void *stored, void *dst);

/*
 * The same for a raw block that stands where it is wanted. Errors: -EBADMSG: a checksum; -EINVAL:
 * it is not raw. Threads: any.
 */
TFS_MUST_CHECK int frame_block_verify_raw(const struct frame_block *block, const void *stored);

/* Sums over blocks; add up as many frames as you like. In bytes. */
struct frame_stats {
    uint64_t raw_by_kind[CODEC_KIND_COUNT];
    uint64_t stored_by_kind[CODEC_KIND_COUNT];
    uint64_t raw_by_method[CODEC_METHOD_COUNT];
    uint64_t stored_by_method[CODEC_METHOD_COUNT];
    uint64_t raw_by_codec[CODEC_ID_COUNT];
    uint64_t stored_by_codec[CODEC_ID_COUNT]; /* headers and tables included */
    uint64_t header_bytes;                    /* tables and the zeros behind them included */
    uint64_t frame_count;
    uint64_t block_count;
};

/* Add a frame to the sums; needs header and table only. */
void frame_stats_add(const struct frame_view *view, struct frame_stats *stats);

#endif
