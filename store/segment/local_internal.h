/*
 * What the files of the local engine share. Nothing outside of it includes this.
 */
#ifndef TFS_LOCAL_INTERNAL_H
#define TFS_LOCAL_INTERNAL_H

#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/segment/engine.h"

#include <stdatomic.h>

enum {
    LOCAL_ALIGNMENT = 4096,       /* what O_DIRECT wants, and the blocks of most filesystems */
    LOCAL_BUCKET_COUNT = 64,      /* a power of two */
    LOCAL_FILES_IDLE_MAX = 64,    /* descriptors kept for later reads */
    LOCAL_NAME_SIZE = 16 + 4 + 1, /* digits, ".seg", NUL */
    LOCAL_HEADS_MAX = 8,          /* segments that take appends at the same time */
};

/* An open file. All but number and fd is guarded by segments.lock. */
struct local_file {
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
struct local_head {
    struct local_file *file; /* NULL: the next append here starts a segment */
    uint64_t end;            /* where the next append goes */
    uint64_t allocated;      /* the file has space up to here */
    unsigned writers;        /* appends in progress, also into a file that was sealed since */
};

struct local_segments {
    struct segment_store store;
    struct segments_options options; /* immutable; path is not kept */
    struct segment_budget *budget;
    int directory_fd;
    atomic_bool direct; /* becomes false once the filesystem refuses; relaxed, a late reader is
                           refused again */

    struct tfs_mutex lock; /* rank TFS_RANK_SEGMENT; guards the rest */
    struct list buckets[LOCAL_BUCKET_COUNT];
    struct list idle;
    unsigned idle_count;
    struct local_head heads[LOCAL_HEADS_MAX];
    uint64_t allocate_step; /* bytes that are preallocated next */
    bool can_allocate;      /* false where it does not pay, or was refused */
    struct list dirty;      /* files with appends that no sync covers */
    struct list syncing;    /* files that the running sync is still to get to */
    bool directory_dirty;   /* a file was created since the directory was synced */
};

static inline struct local_segments *local_of(struct segment_store *store)
{
    return tfs_container_of(store, struct local_segments, store);
}

/* The functions of the table. */

int local_open(const struct segments_options *options, struct segment_budget *budget,
               struct segment_store **ret);
void local_close(struct segment_store *store);
int local_space(struct segment_store *store, struct segment_space *ret);
int local_resume(struct segment_store *store, uint64_t number, uint64_t offset);
int local_append(struct segment_store *store, const struct segment_pieces *from,
                 struct segment_position *ret);
int local_seal(struct segment_store *store);
bool local_is_active(struct segment_store *store, uint64_t number);
int local_sync(struct segment_store *store);
int local_read(struct segment_store *store, struct segment_position at, size_t size,
               const struct segment_pieces *into, size_t *ret_skip);
int local_punch(struct segment_store *store, struct segment_position at, uint64_t size);
int local_remove(struct segment_store *store, uint64_t number);
int local_visit(struct segment_store *store,
                int (*visit)(void *context, const struct segment_status *status), void *context);

/* local_file.c */

void local_name(uint64_t number, char name[LOCAL_NAME_SIZE]);

/* Returns: 0 and the number, or -EINVAL for a name that is not a segment's. */
int local_name_parse(const char *name, uint64_t *ret);

/* Find or open a segment. The caller puts it back. Errors: -ENOENT, -EUCLEAN (no regular file),
 * -EIO. */
TFS_MUST_CHECK int local_file_get_locked(struct local_segments *segments, uint64_t number,
                                         struct local_file **ret) TFS_REQUIRES(&segments->lock);

/*
 * A new, empty file; the directory becomes dirty. Errors: -EUCLEAN (there is one already), -ENOSPC,
 * -EIO.
 */
TFS_MUST_CHECK int local_file_create_locked(struct local_segments *segments, uint64_t number,
                                            struct local_file **ret) TFS_REQUIRES(&segments->lock);

/*
 * Returns: NULL, or a removed file that nobody uses any more, to be given to local_file_free()
 * without the lock: closing it frees its blocks, which takes a while.
 */
struct local_file *local_file_put_locked(struct local_segments *segments, struct local_file *file)
    TFS_REQUIRES(&segments->lock);

/* Get and put with the lock taken here. */
void local_file_put(struct local_segments *segments, struct local_file *file);

/* Forget a removed file, so that no later call finds it. */
void local_file_forget_locked(struct local_segments *segments, struct local_file *file)
    TFS_REQUIRES(&segments->lock);

void local_file_free(struct local_file *file);
void local_files_close(struct local_segments *segments); /* all of the table, at close */

/* local_io.c: whole transfers, whatever the system returns in between */

/* The errno of a failed call in our terms: -ENOSPC, -EROFS, or -EIO. */
int local_io_error(int system_error);

/* Errors: -ENOSPC, -EROFS, -ENOMEM, -EIO. */
TFS_MUST_CHECK int local_file_write(struct local_segments *segments, const struct local_file *file,
                                    const struct segment_pieces *from, uint64_t offset);

/*
 * Returns: 0 when at least the first `needed` bytes were read. Errors: -EUCLEAN (the file ends
 * before), -EIO.
 */
TFS_MUST_CHECK int local_file_read(struct local_segments *segments, const struct local_file *file,
                                   const struct segment_pieces *into, size_t needed,
                                   uint64_t offset);

/* local_append.c */

/* Returns: where the segment is appended to, or NULL when it is not active. */
const struct local_head *local_head_of_locked(const struct local_segments *segments,
                                              uint64_t number) TFS_REQUIRES(&segments->lock);

#endif
