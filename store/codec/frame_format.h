/*
 * Offsets and bit fields of a frame's header and table, as docs/FORMAT.md has them. Private to this
 * folder.
 */
#ifndef TFS_CODEC_FRAME_FORMAT_H
#define TFS_CODEC_FRAME_FORMAT_H

#define FRAME_MAGIC          0x46534654u /* "TFSF" in little-endian order */
#define FRAME_VERSION_PACKED 1u
#define FRAME_VERSION_PLAIN  2u

/* Header. */
#define FRAME_AT_MAGIC          0u
#define FRAME_AT_VERSION        4u
#define FRAME_AT_CODEC          5u
#define FRAME_AT_LEVEL          6u
#define FRAME_AT_BLOCK_SIZE_LOG 7u
#define FRAME_AT_RAW_SIZE       8u
#define FRAME_AT_STORED_SIZE    12u
#define FRAME_AT_TAG_INODE      16u
#define FRAME_AT_TAG_OFFSET     24u
#define FRAME_AT_RESERVED       32u
#define FRAME_AT_CRC            44u

#define FRAME_RESERVED_SIZE (FRAME_AT_CRC - FRAME_AT_RESERVED)

/* Table entry: a word of stored size, method and kind, then two checksums. */
#define FRAME_ENTRY_AT_WORD       0u
#define FRAME_ENTRY_AT_STORED_CRC 4u
#define FRAME_ENTRY_AT_RAW_CRC    8u

#define FRAME_WORD_SIZE_BITS    20u
#define FRAME_WORD_METHOD_SHIFT 20u
#define FRAME_WORD_METHOD_BITS  4u
#define FRAME_WORD_KIND_SHIFT   24u

#endif
