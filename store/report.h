/*
 * What a volume tells of itself: its counters, what became of a file's bytes, and where they lie.
 * Reading only. These are numbers and names; whoever asks prints them as he likes.
 */
#ifndef TFS_REPORT_H
#define TFS_REPORT_H

#include "store/base/histogram.h"
#include "store/store.h"

/* ---- counters ---- */

/*
 * Counted since the volume was opened; "now" marks what is a gauge. Sizes in bytes. Each number is
 * one that was true at some moment of the call, not all at the same.
 */
struct tfs_volume_stats {
    struct {
        uint64_t hits;      /* cache blocks found, or being loaded by somebody else */
        uint64_t misses;    /* loaded */
        uint64_t evictions; /* given up for others */
        uint64_t bytes;     /* now: decoded data */
        uint64_t bytes_max; /* now: what it may become */
    } cache;
    struct {
        uint64_t hits;   /* names whose inode or absence was known */
        uint64_t misses; /* the index was asked */
    } names;
    struct {
        uint64_t hits;      /* rows that were known, decoded */
        uint64_t misses;    /* that were not */
        uint64_t looked_up; /* read from the index and decoded, for readers and writers */
        uint64_t bytes;     /* now: what the known ones take */
    } rows;
    struct {
        uint64_t budget;           /* the option */
        uint64_t used;             /* now: buffers in use, for dirty data, in flight and cache */
        uint64_t dirty;            /* now: of these, not written back */
        uint64_t buffers;          /* now: all buffers, also those that are free */
        uint64_t index;            /* now: RocksDB's memtables and block cache */
        uint64_t waits;            /* how often somebody waited for a buffer */
        uint64_t inodes;           /* now: how many are in memory */
        uint64_t inodes_bytes;     /* now: what they take */
        uint64_t inodes_bytes_max; /* when they take more, the kernel is to forget some */
        uint64_t rows_bytes;       /* now: of rows that are not committed */
    } memory;
    struct {
        uint64_t in_flight; /* now: chunks queued or being written back */
        uint64_t chunks;    /* written back */
        uint64_t raw_bytes;
        uint64_t stored_bytes; /* what these became */
        uint64_t failures;     /* chunks that could not be written back, at each try */
    } flush;
    struct {
        uint64_t syncs;         /* requests for durability */
        uint64_t commits;       /* groups of requests that were committed */
        uint64_t files;         /* requests in these groups */
        uint64_t pending_files; /* now: files to be committed */
    } commit;
    struct {
        uint64_t segments_asked; /* requests that waited for a sync of the segments */
        uint64_t segments_made;  /* syncs that served them */
        uint64_t index_asked;    /* the same of the index's log */
        uint64_t index_made;
    } sync;
    struct {
        struct tfs_histogram_sum encode; /* a chunk written back */
        struct tfs_histogram_sum load;   /* cache blocks of a frame read, verified and decoded */
        struct tfs_histogram_sum commit; /* a group committed */
    } times;
    uint64_t read_bytes;        /* answered to readers */
    uint64_t written_bytes;     /* taken from writers */
    uint64_t prefetched_chunks; /* decoded ahead of the reader */
    uint64_t checksum_errors;   /* reads that failed for a checksum */
    uint64_t reclaimed_bytes;   /* given back to the disk */
    uint64_t live_bytes;        /* now: in use in the segments, padding included */
};

/* Threads: any; never blocks for long. */
void tfs_volume_get_stats(struct tfs_volume *volume, struct tfs_volume_stats *ret);

/* ---- files ---- */

/* Bytes of files, and what they became. */
struct tfs_stored_bytes {
    uint64_t raw;
    uint64_t stored;
};

struct tfs_file_info {
    uint64_t size;        /* bytes of the file, as stat(2) tells it */
    uint64_t stored_size; /* bytes of its frames, headers included; 0: nothing but holes */
    uint64_t record_size; /* bytes; chunk_size as the user set it when the file was made */
    uint64_t chunk_size;  /* bytes of a chunk as it is stored; the last one may be shorter */
    uint64_t chunk_count; /* those that have data; chunk_count * chunk_size covers all data */
    uint64_t block_size;  /* bytes that are compressed and checksummed together */
    uint64_t block_count; /* in all frames */
    uint64_t frame_count; /* a frame that shows in several places of a chunk counts once */
    uint64_t header_size; /* bytes of stored_size: headers and block tables of the frames */
    struct tfs_stored_bytes kinds[CODEC_KIND_COUNT];     /* of the blocks, without headers */
    struct tfs_stored_bytes methods[CODEC_METHOD_COUNT]; /* likewise */
    struct tfs_stored_bytes codecs[CODEC_ID_COUNT];      /* of the frames, headers included */
};

/*
 * What became of a file's bytes. What was written before is committed first.
 *
 * Errors: -ESTALE, -ENODATA (not a regular file), -EBADMSG and -EUCLEAN (a frame's header is
 *         damaged). May block.
 */
TFS_MUST_CHECK int tfs_volume_get_file_info(struct tfs_volume *volume, uint64_t inode,
                                            struct tfs_file_info *ret);

/* A run of a file's bytes and the frame that holds them. A frame can show in several places. */
struct tfs_frame_place {
    uint64_t chunk;          /* which of the file's */
    uint64_t offset;         /* bytes from the start of the file */
    uint64_t size;           /* bytes that show here */
    uint64_t segment;        /* 0: the frame lies in the index */
    uint64_t segment_offset; /* bytes */
    uint32_t stored_size;    /* bytes, of the whole frame */
    uint32_t raw_size;       /* likewise */
    uint32_t block_count;    /* likewise */
};

struct tfs_frame_visitor {
    int (*visit)(void *context, const struct tfs_frame_place *place); /* an error ends the walk */
    void *context;
};

/*
 * Calls the visitor for all that is stored of a file, in the order of the file; holes are left out.
 * What was written before is written back first. No lock is held during a visit; a file that
 * changes meanwhile is seen partly as it was.
 *
 * Errors: -ESTALE, -ENODATA (not a regular file), those of the visitor. May block.
 */
TFS_MUST_CHECK int tfs_volume_visit_frames(struct tfs_volume *volume, uint64_t inode,
                                           const struct tfs_frame_visitor *visitor);

/* ---- the store ---- */

struct tfs_segment_info {
    uint64_t number;
    uint64_t size;      /* bytes, the end of what was appended */
    uint64_t allocated; /* bytes on the disk */
    uint64_t live;      /* bytes that are in use */
    bool active;        /* it is being appended to */
};

/* Both are for reports of problems. `visit` may end the walk with an error; names and texts of the
 * index are its own business, for people. */
TFS_MUST_CHECK int tfs_volume_visit_segments(struct tfs_volume *volume,
                                             int (*visit)(void *context,
                                                          const struct tfs_segment_info *segment),
                                             void *context);
void tfs_volume_visit_index(struct tfs_volume *volume,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context);

#endif
