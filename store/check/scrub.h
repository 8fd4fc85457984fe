/*
 * Scrubbing: every stored byte of a volume against its checksum, while the volume is in use.
 */
#ifndef TFS_SCRUB_H
#define TFS_SCRUB_H

#include "store/store.h"

struct tfs_scrub_progress {
    uint64_t bytes;   /* stored bytes verified, those of the run before this one included */
    uint64_t total;   /* as it was when the scrub began */
    uint64_t damaged; /* ranges found by this run */
};

/* A range of a file that cannot be read. */
struct tfs_scrub_damage {
    uint64_t inode;
    const char *path; /* from the root and with a leading slash; NULL: it has none */
    uint64_t offset;
    uint64_t size;
    const char *reason;
};

struct tfs_scrub_options {
    uint64_t rate; /* stored bytes a second; 0: as many as come */
    bool deep;     /* decode too, and verify what comes out */
    bool restart;  /* from the beginning, also when the last run was stopped */

    /* Called several times a second; false stops the scrub with -ECANCELED. May be NULL. */
    bool (*progress)(void *context, const struct tfs_scrub_progress *progress);
    void (*damage)(void *context, const struct tfs_scrub_damage *damage); /* may be NULL */
    void *context;
};

struct tfs_scrub_result {
    uint64_t bytes; /* stored bytes read by this run */
    uint64_t frames;
    uint64_t damaged; /* ranges */
    uint64_t damaged_bytes;
    bool resumed; /* it went on where an earlier run was stopped */
};

/*
 * Verify all frames that the index has; what is written meanwhile may be left out. A frame that is
 * overwritten while it is read is none: an error counts only when the index still has the row.
 *
 * A run that was stopped leaves its place in the store (unless that is read-only), and the next one
 * goes on there.
 *
 * Errors: -ECANCELED, -EBUSY (the volume is being scrubbed already), -ENOMEM, of the index. Damage
 *         is none. *ret says what was done also then.
 * Threads: any; blocks for as long as it takes.
 */
TFS_MUST_CHECK int tfs_scrub(struct tfs_volume *volume, const struct tfs_scrub_options *options,
                             struct tfs_scrub_result *ret);

#endif
