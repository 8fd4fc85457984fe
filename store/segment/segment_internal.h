/*
 * What the files of the segment store share. Nothing outside of store/segment/ includes it.
 */
#ifndef TFS_SEGMENT_INTERNAL_H
#define TFS_SEGMENT_INTERNAL_H

#include "store/base/group.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/segment/segment.h"

#include <stdatomic.h>

enum {
    SEGMENT_BUCKET_COUNT = 64,      /* a power of two */
    SEGMENT_FILES_IDLE_MAX = 64,    /* descriptors kept for later reads */
    SEGMENT_NAME_SIZE = 16 + 4 + 1, /* digits, ".seg", NUL */
    SEGMENT_HEADS_MAX = 8,          /* segments that take appends at the same time */
};

/* An open file. All but number and fd is guarded by segments.lock. */
struct segment_file {
    uint64_t number;
    int fd;
    unsigned users;          /* calls in progress, the list of dirty files, being active */
    bool in_table;           /* false once it is removed */
    bool dirty;              /* on segments.dirty or segments.syncing */
    struct list bucket_node; /* in the table */
    struct list idle_node;   /* while nobody uses it; the longest idle first */
    struct list dirty_node;  /* while dirty */
};

/* Where appends go. All of it is guarded by segments.lock. */
struct segment_head {
    struct segment_file *file; /* NULL: the next append here starts a segment */
    uint64_t end;              /* where the next append goes */
    uint64_t allocated;        /* the file has space up to here */
    unsigned writers;          /* appends in progress, also into a file that was sealed since */
};

/*
 * What the disk has left for appends, as of the last look plus what happened since. Signed: others
 * write too.
 */
struct segment_budget {
    struct tfs_mutex lock; /* rank TFS_RANK_LEAF; guards the rest */
    int64_t left;          /* bytes that may still be appended, reserve_size already taken off */
    int64_t unused;        /* preallocated and not appended to; negative: on the way to the disk */
    uint64_t reserved;     /* promised by segments_reserve() */
    uint64_t kept;         /* and by segments_keep(), to be reserved later */
    uint64_t total;        /* of the disk */
    int64_t kept_back;     /* free, but not for appends: reserve_size, and the disk's own reserve */
    uint64_t looked_at_ns; /* 0: never */
};

struct tfs_segments {
    struct segments_options options; /* immutable; path is not kept */
    int directory_fd;
    atomic_bool direct; /* becomes false once the filesystem refuses; relaxed, a late reader is
                           refused again */

    struct tfs_mutex lock; /* rank TFS_RANK_SEGMENT; guards the rest up to budget */
    struct list buckets[SEGMENT_BUCKET_COUNT];
    struct list idle;
    unsigned idle_count;
    struct segment_head heads[SEGMENT_HEADS_MAX];
    uint64_t allocate_step; /* bytes that are preallocated next */
    bool can_allocate;      /* false where it does not pay, or was refused */
    struct list dirty;      /* files with appends that no sync covers */
    struct list syncing;    /* files that the running sync is still to get to */
    bool directory_dirty;   /* a file was created since the directory was synced */
    struct tfs_group appends;

    struct segment_budget budget;
};

/* local_file.c */

void segment_name(uint64_t number, char name[SEGMENT_NAME_SIZE]);

/* Returns: 0 and the number, or -EINVAL for a name that is not a segment's. */
int segment_name_parse(const char *name, uint64_t *ret);

/* Find or open a segment. The caller puts it back. Errors: -ENOENT, -EUCLEAN (no regular file),
 * -EIO. */
TFS_MUST_CHECK int segment_file_get_locked(struct tfs_segments *segments, uint64_t number,
                                           struct segment_file **ret) TFS_REQUIRES(&segments->lock);

/*
 * A new, empty file; the directory becomes dirty. Errors: -EUCLEAN (there is one already), -ENOSPC,
 * -EIO.
 */
TFS_MUST_CHECK int segment_file_create_locked(struct tfs_segments *segments, uint64_t number,
                                              struct segment_file **ret)
    TFS_REQUIRES(&segments->lock);

/*
 * Returns: NULL, or a removed file that nobody uses any more, to be given to segment_file_free()
 * without the lock: closing it frees its blocks, which takes a while.
 */
struct segment_file *segment_file_put_locked(struct tfs_segments *segments,
                                             struct segment_file *file)
    TFS_REQUIRES(&segments->lock);

/* Get and put with the lock taken here. */
void segment_file_put(struct tfs_segments *segments, struct segment_file *file);

/* Forget a removed file, so that no later call finds it. */
void segment_file_forget_locked(struct tfs_segments *segments, struct segment_file *file)
    TFS_REQUIRES(&segments->lock);

void segment_file_free(struct segment_file *file);
void segment_files_close(struct tfs_segments *segments); /* all of the table, at close */

/* local_io.c: whole transfers, whatever the system returns in between */

/* The errno of a failed call in our terms: -ENOSPC, -EROFS, or -EIO. */
int segment_io_error(int system_error);

/* Memory of one transfer. */
struct segment_pieces {
    const struct iovec *pieces; /* borrowed */
    int count;                  /* 1..SEGMENT_PIECES_MAX */
    size_t size;                /* of all together */
};

/* Errors: -EINVAL: too many or none, or one that is empty or not aligned. */
TFS_MUST_CHECK int segment_pieces_init(const struct iovec *pieces, int count,
                                       struct segment_pieces *ret);

TFS_MUST_CHECK int segment_write(struct tfs_segments *segments, const struct segment_file *file,
                                 const struct segment_pieces *from, uint64_t offset);

/*
 * Returns: 0 when at least the first `needed` bytes were read. Errors: -EUCLEAN (the file ends
 * before), -EIO.
 */
TFS_MUST_CHECK int segment_read(struct tfs_segments *segments, const struct segment_file *file,
                                const struct segment_pieces *into, size_t needed, uint64_t offset);

/* local_append.c */

/* Returns: where the segment is appended to, or NULL when it is not active. */
const struct segment_head *segment_head_of_locked(const struct tfs_segments *segments,
                                                  uint64_t number) TFS_REQUIRES(&segments->lock);

/* segment_space.c */

void segment_budget_init(struct segment_budget *budget);
void segment_budget_release(struct segment_budget *budget);

/* Take `size` bytes for an append. -ENOSPC when the reserve would be touched. */
TFS_MUST_CHECK int segment_budget_take(struct tfs_segments *segments, uint64_t size);

/* Give back what was taken for an append that did not happen. */
void segment_budget_return(struct tfs_segments *segments, uint64_t size);

/* How many bytes may be preallocated without touching the reserve, taken appends included. */
uint64_t segment_budget_spare(struct tfs_segments *segments);

/* The disk gave space to a file (preallocated, or by a finished write); negative: got it back. */
void segment_budget_allocated(struct tfs_segments *segments, int64_t size);

#endif
