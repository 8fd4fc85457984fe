/*
 * Checking a store that nobody has mounted: is what the index says consistent with itself and with
 * the segments, and can what is not be put right?
 *
 * The check reads all of the index and the header of every frame; contents are the scrub's
 * (store/check/scrub.h). Repair follows three rules. What can be read now can be read afterwards.
 * What cannot be read stays where it is and is listed by path and range. Nothing is guessed that
 * can be counted: link counts, live bytes and users come from names and rows.
 */
#ifndef TFS_CHECK_H
#define TFS_CHECK_H

#include "store/store.h"

enum tfs_check_kind {
    TFS_CHECK_INDEX,     /* a table cannot be read to its end */
    TFS_CHECK_SETTING,   /* the table `super` */
    TFS_CHECK_KEY,       /* a record that nobody can ever ask for */
    TFS_CHECK_INODE,     /* an inode's record */
    TFS_CHECK_NAME,      /* an entry of a directory */
    TFS_CHECK_LINKS,     /* the count of an inode's names */
    TFS_CHECK_PARENT,    /* what a directory says of the one it is in */
    TFS_CHECK_LOST,      /* an inode that no name leads to */
    TFS_CHECK_ORPHAN,    /* the table `orphan` */
    TFS_CHECK_ATTRIBUTE, /* extended attributes */
    TFS_CHECK_SIZE,      /* a file's size, or its stored bytes */
    TFS_CHECK_ROW,       /* a row of the table `extent` */
    TFS_CHECK_FRAME,     /* a frame that a row shows */
    TFS_CHECK_USAGE,     /* live bytes of a segment, users of a frame */
    TFS_CHECK_SEGMENT,   /* a segment's file */
    TFS_CHECK_KIND_COUNT
};

enum tfs_check_outcome {
    TFS_CHECK_NOTE,       /* not an error */
    TFS_CHECK_FIXED,      /* an error, corrected */
    TFS_CHECK_LEFT,       /* an error, as it was */
    TFS_CHECK_UNREADABLE, /* bytes that nothing can bring back; left as they are */
};

struct tfs_check_problem {
    enum tfs_check_kind kind;
    enum tfs_check_outcome outcome;
    uint64_t inode;   /* 0: of none */
    const char *path; /* of the inode, from the root and with a leading slash; NULL: none */
    uint64_t offset;  /* bytes of the file that are concerned */
    uint64_t size;    /* 0: no range */
    const char *text; /* what is wrong, one line */
};

struct tfs_check_progress {
    const char *step;
    uint64_t done;  /* records, or frames */
    uint64_t total; /* 0: not known */
};

struct tfs_check_options {
    const char *path; /* the store directory */
    bool repair;
    /* Bytes for the frames that rows show; 0: 256 MiB. When there are more, rows are read again,
     * for a part of the segments each time. What one segment holds has to fit. */
    uint64_t frames_size_max;
    void (*report)(void *context, const struct tfs_check_problem *problem); /* may be NULL */
    /* Called now and then; false ends the check with -ECANCELED. May be NULL. */
    bool (*progress)(void *context, const struct tfs_check_progress *progress);
    void *context;
};

struct tfs_check_result {
    uint64_t files;
    uint64_t directories;
    uint64_t others;
    uint64_t names;
    uint64_t rows;
    uint64_t frames;
    uint64_t segments;
    uint64_t live_bytes; /* of all frames in use, padding included */
    uint64_t notes;
    uint64_t fixed;
    uint64_t left;
    uint64_t unreadable;       /* ranges and records */
    uint64_t unreadable_bytes; /* of files, as far as their number is known */
};

/* The name of a kind or outcome, for output. */
const char *tfs_check_kind_name(enum tfs_check_kind kind);
const char *tfs_check_outcome_name(enum tfs_check_outcome outcome);

/*
 * Check the store, and with `repair` correct it. After a repair everything is checked again, so
 * that the result tells how the store is now; what could not be corrected is reported once, at the
 * end.
 *
 * Errors: as tfs_volume_open(), each with a line in `message` (may be NULL); -EBUSY when it is
 *         mounted; -ECANCELED; -ENOMEM. *ret says what was found so far also then.
 * Blocks: for as long as the index takes to be read.
 */
TFS_MUST_CHECK int tfs_check(const struct tfs_check_options *options, struct tfs_message *message,
                             struct tfs_check_result *ret);

#endif
