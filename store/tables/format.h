/*
 * The store directory: its FORMAT file, its lock, and its making. Which folders the parts of a
 * store have in it their engines say.
 *
 * STORE/FORMAT is one line, its flags in hexadecimal:
 *
 *     tensorfs VERSION UUID INCOMPATIBLE_FLAGS COMPATIBLE_FLAGS
 */
#ifndef TFS_FORMAT_H
#define TFS_FORMAT_H

#include "store/store.h"

struct tfs_format_lock;

/* Things that a store may hold and that programs made before do not know: incompatible flags. A
 * store has the flag from its first such thing on, so one that never used it stays readable. */
enum format_feature {
    FORMAT_FEATURE_ALLOCATION = 1 << 0, /* inode records with an allocated range */
    FORMAT_FEATURE_CUT_ROWS = 1 << 1,   /* rows behind the end of a file */
    FORMAT_FEATURE_ZERO_UNITS = 1 << 2, /* rows that say where frames have pages of zeros */
    FORMAT_FEATURE_PAGES = 1 << 3,      /* rows whose extents begin at any page */
    FORMAT_FEATURES = (1 << 4) - 1,     /* all that are known here */
};

struct format_line {
    uint32_t version;
    uint8_t uuid[16];
    uint32_t incompatible; /* enum format_feature */
    uint32_t compatible;
};

/* Of the store's directory, as the engines of the parts say; NULL: it has none there. */
struct format_folders {
    const char *index;
    const char *segments;
};

struct format_paths {
    char *index;
    char *segments;
};

/*
 * Take the lock of the store in directory `path` and read FORMAT; with options->create, begin to
 * make a store where there is none: *ret_creating then says that format_finish() has to be called
 * once the parts are there.
 *
 * Errors, each with a line in `message`: as tfs_volume_open().
 */
TFS_MUST_CHECK int format_open(const struct tfs_volume_options *options,
                               const struct format_folders *folders, struct tfs_message *message,
                               struct tfs_format_lock **ret, bool *ret_creating);

/* The store is complete: give it its FORMAT file, durably. */
TFS_MUST_CHECK int format_finish(struct tfs_format_lock *lock);

const struct format_paths *format_get_paths(const struct tfs_format_lock *lock);
const uint8_t *format_uuid(const struct tfs_format_lock *lock);

/*
 * Before the first thing is written that needs the feature: programs that do not know it must
 * refuse the store from now on, also after a crash. Costs nothing when it is noted already.
 *
 * Errors: -EIO, -ENOSPC, -EROFS; FORMAT is as it was. Threads: any; may hold all but leaf locks.
 */
TFS_MUST_CHECK int format_use_feature(struct tfs_format_lock *lock, enum format_feature feature);

/* Whether format_open() found no store and began to make one. */
bool format_has_made_store(const struct tfs_format_lock *lock);

/* Note in the store who has it, for those that find it in use: holder.h. */
void format_announce(struct tfs_format_lock *lock, const char *mountpoint, dev_t device);

/* Gives the lock up. Accepts NULL. */
void format_close(struct tfs_format_lock *lock);

/* As format_close(), and what format_open() and all since have made is removed again: for a store
 * of which nobody has heard yet. One that was there before stays as it is. The parts are closed. */
void format_discard(struct tfs_format_lock *lock);

/* For tests and fuzzing: one FORMAT line. Errors: -EMEDIUMTYPE, -EPROTONOSUPPORT. */
TFS_MUST_CHECK int format_parse(const char *line, struct format_line *ret);

/* Write a message for the user. Does nothing with NULL. Returns `error`. */
int format_message(struct tfs_message *message, int error, const char *text, ...) TFS_PRINTF(3, 4);

/* The message for a store that cannot be opened: why, in the index's words if it has any. Returns
 * `error`. */
int format_message_open(struct tfs_message *message, int error, const char *path,
                        const char *index_reason);

#endif
