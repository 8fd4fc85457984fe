/*
 * What the files of the check share. Nothing outside of store/check/ includes it.
 *
 * A check is a series of passes over the tables of the index that fill a model in memory: inodes,
 * segments, and the frames that rows use. Each pass reports what contradicts the model, and takes
 * what it corrects over into it, so that one fault is reported once and later passes see the store
 * as it will be. Without repair the same happens and nothing is written.
 */
#ifndef TFS_CHECK_INTERNAL_H
#define TFS_CHECK_INTERNAL_H

#include "store/base/list.h"
#include "store/check/check.h"
#include "store/index/index.h"
#include "store/tables/meta.h"
#include "store/tables/row.h"

#include <stdarg.h>

struct tfs_format_lock;
struct tfs_segments;

enum check_reach { CHECK_REACH_UNKNOWN, CHECK_REACH_WALKING, CHECK_REACH_ROOT };

/* An inode as the tables show it. */
struct check_inode {
    uint64_t number;
    uint64_t size; /* these six are the record's */
    uint64_t stored_bytes;
    uint64_t parent;
    uint32_t mode;
    uint32_t nlink;
    uint32_t flags;
    uint8_t chunk_size_log2;
    uint8_t reach;       /* enum check_reach, of directories */
    bool readable;       /* the record is one */
    bool mended;         /* the record is not one as it stands, but can be made one */
    bool rebuilt;        /* a directory whose record is lost: it gets a new one */
    bool orphan;         /* it has a row in `orphan` */
    bool has_home;       /* a directory to which an entry of its `parent` leads */
    bool has_bad_row;    /* some of its rows could not be read */
    uint32_t flags_seen; /* enum meta_inode_flag, by its rows in `xattr` */
    uint32_t names;      /* entries that lead to it */
    uint32_t entries;    /* in it */
    uint32_t subdirectories;
    uint64_t entry_parent; /* of one of its names */
    uint64_t entry_hash;
    uint64_t stored_seen;
    uint64_t end_seen; /* behind the last byte that a row shows */
};

/* A frame in a row. */
struct check_use {
    uint64_t segment;
    uint64_t offset;
    uint64_t inode;
    uint64_t file_offset;  /* of the first byte that the row shows of it */
    uint32_t visible_size; /* from there to the last one */
    uint32_t stored_size;
    uint32_t raw_size;
    uint32_t header_crc;
    uint32_t block_count;
    uint32_t block_size; /* 0: not known */
};

struct check_segment {
    uint64_t number;
    uint64_t file_size;
    uint64_t live_seen; /* by the rows */
    uint64_t live_row;
    uint64_t frames_end; /* behind the last frame that a row uses */
    bool has_file;
    bool has_row;
};

/* Settings, and which of them are there. */
enum check_setting {
    CHECK_NAME_HASH_SEED,
    CHECK_CLEAN,
    CHECK_SWEEP_FROM,
    CHECK_RESUME_SEGMENT,
    CHECK_RESUME_OFFSET,
    CHECK_NEXT_INODE,
    CHECK_NEXT_SEGMENT,
    CHECK_SCRUB_INODE,
    CHECK_SCRUB_ROW,
    CHECK_REPAIRING,
    CHECK_ALLOCATED,
    CHECK_SETTING_COUNT
};

struct check_settings {
    uint64_t values[CHECK_SETTING_COUNT];
    bool found[CHECK_SETTING_COUNT];
};

/* Numbers to be added to the model, each once, growing. */
struct check_numbers {
    uint64_t *values;
    size_t count;
    size_t capacity;
};

struct check {
    const struct tfs_check_options *options;
    struct tfs_check_result *result;
    struct tfs_format_lock *lock;
    struct tfs_index *index;
    struct tfs_segments *segments;

    bool repairing;
    bool marked;                  /* the store says that a repair has begun: see super.h */
    struct index_repair repaired; /* what had to be done to the index to open it */
    struct index_batch *batch;

    const char *step;
    uint64_t step_done;
    uint64_t step_total;

    struct check_settings settings;
    struct check_numbers added; /* by the pass in progress */
    struct check_inode *inodes; /* by number */
    size_t inode_count;
    size_t inode_capacity;
    struct check_use *uses; /* of the segments [uses_from, uses_to) */
    uint64_t uses_from;
    uint64_t uses_to; /* UINT64_MAX: of all from there on */
    size_t uses_max;
    size_t use_count;
    size_t use_capacity;
    struct check_segment *segment_list; /* by number */
    size_t segment_count;
    size_t segment_capacity;
    uint64_t unknown_rows;   /* of which it is not known what frames they use */
    uint64_t strange_inode;  /* the highest number that a row of no known inode has, but far ones */
    uint64_t allocated;      /* room that the records of all files have */
    uint64_t lost_and_found; /* inode, 0: not looked for yet */

    struct list problems; /* of this round, struct problem of check_report.c */
    uint64_t problems_kept;
};

/* ---- check_report.c: what was found ---- */

/* One problem. `inode` may be 0. */
void check_problem(struct check *check, enum tfs_check_outcome outcome, enum tfs_check_kind kind,
                   uint64_t inode, const char *format, ...) TFS_PRINTF(5, 6);

/* An error that repair corrects. */
#define check_error(check, ...)                                                                    \
    check_problem(check, (check)->repairing ? TFS_CHECK_FIXED : TFS_CHECK_LEFT, __VA_ARGS__)

/* An error that was corrected before the passes began. */
#define check_fixed(check, ...) check_problem(check, TFS_CHECK_FIXED, __VA_ARGS__)

/* An error that repair leaves. */
#define check_left(check, ...) check_problem(check, TFS_CHECK_LEFT, __VA_ARGS__)

#define check_note(check, ...) check_problem(check, TFS_CHECK_NOTE, __VA_ARGS__)

struct check_range {
    uint64_t inode;
    uint64_t offset;
    uint64_t size; /* 0: no part of a file, or not known which */
};

void check_unreadable(struct check *check, enum tfs_check_kind kind,
                      const struct check_range *range, const char *format, ...) TFS_PRINTF(4, 5);

/*
 * Report what this round corrected. `last`: and everything else; without it the rest is dropped,
 * for the next round finds it again.
 */
void check_report(struct check *check, bool last);

/* The round failed: of what it was to correct nobody knows how much is in the index. */
void check_report_failed(struct check *check);

/* ---- check_tables.c: reading, changing, and the model ---- */

typedef int check_visit(struct check *check, const struct index_record *record);

/* Visit every record of a table; commits corrections as they grow. A negative result of the visit
 * ends it. */
TFS_MUST_CHECK int check_scan(struct check *check, enum index_table table, const char *step,
                              check_visit *visit);

/* Counts one; now and then tells the caller of the check. Errors: -ECANCELED. */
TFS_MUST_CHECK int check_step(struct check *check);

/* Corrections; nothing without repair. */
void check_put(struct check *check, enum index_table table, const void *key, size_t key_size,
               const void *value, size_t value_size);
void check_delete(struct check *check, enum index_table table, const void *key, size_t key_size);
void check_put_number(struct check *check, enum index_table table, const void *key, size_t key_size,
                      uint64_t value);
TFS_MUST_CHECK int check_commit(struct check *check); /* all of them, durably */

/* The same once there are many, for loops: a batch has a limit. */
TFS_MUST_CHECK int check_commit_full(struct check *check);

/* Room for one more element; *array is moved when it grows. Errors: -ENOMEM. */
TFS_MUST_CHECK int check_grow(void **array, size_t count, size_t *capacity, size_t element_size);

/* NULL when there is none. Valid until an inode or segment is added. */
struct check_inode *check_find_inode(struct check *check, uint64_t number);
struct check_segment *check_find_segment(struct check *check, uint64_t number);

/* A new inode of the model, which has none of that number. NULL: no memory. Moves the others. */
struct check_inode *check_add_inode(struct check *check, uint64_t number);

/* The segment's place in the model, made when it is not there. NULL: no memory. */
struct check_segment *check_add_segment(struct check *check, uint64_t number);

/* Notes a number, once if it was the last one already. Errors: -ENOMEM. */
TFS_MUST_CHECK int check_note_number(struct check *check, uint64_t number);

/*
 * New inodes, or segments, of the numbers in check->added, none of which the model has; and none is
 * in check->added then. One by one would move all those behind it each time. Errors: -ENOMEM.
 */
TFS_MUST_CHECK int check_add_inodes(struct check *check);
TFS_MUST_CHECK int check_add_segments(struct check *check);

void check_model_release(struct check *check);

/* A path of the inode, with a leading slash; false when no names lead to it. */
enum { CHECK_PATH_SIZE = 4096 };
bool check_path(struct check *check, uint64_t inode, char text[CHECK_PATH_SIZE]);

/* ---- the passes, in their order ---- */

TFS_MUST_CHECK int check_settings_read(struct check *check);
TFS_MUST_CHECK int check_inodes_read(struct check *check);
TFS_MUST_CHECK int check_orphans_read(struct check *check);
TFS_MUST_CHECK int check_names(struct check *check);
TFS_MUST_CHECK int check_tree(struct check *check);
TFS_MUST_CHECK int check_rows(struct check *check);
TFS_MUST_CHECK int check_attributes(struct check *check);
TFS_MUST_CHECK int check_frames(struct check *check);
TFS_MUST_CHECK int check_shares(struct check *check); /* a part of the pass before */
TFS_MUST_CHECK int check_segments(struct check *check);
TFS_MUST_CHECK int check_records(struct check *check);
TFS_MUST_CHECK int check_settings(struct check *check);

/* A number above all inodes of the model. */
uint64_t check_take_inode_number(struct check *check);

/* `text` when something is corrected, else nothing: for the end of a message. */
const char *check_done(const struct check *check, const char *text);

#endif
