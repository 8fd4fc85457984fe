/*
 * The mount itself: made before the first request, undone after the last.
 *
 *   mount_open -> mount_agree -> (loop starts) -> mount_tune -> ... -> mount_detach -> (loop ends)
 *   -> mount_close
 */
#ifndef TFS_FS_MOUNT_H
#define TFS_FS_MOUNT_H

#include "fs/ll.h"
#include "fs/options.h"

/*
 * Make a session for ll and mount it: root with mount(2), others through fusermount3. Sets
 * ll->session, ll->fd and ll->device.
 *
 * Errors: negative errno; *message has the line for the user and nothing is mounted.
 */
TFS_MUST_CHECK int mount_open(struct ll *ll, const struct options *options,
                              struct tfs_message *message);

/* Serve the kernel's INIT request, which comes before all others. Errors as above. */
TFS_MUST_CHECK int mount_agree(struct ll *ll, struct loop *loop, struct tfs_message *message);

/* Raise the kernel's read-ahead for this mount. Only root may; without, reading is slower and that
 * is all. The loop has to be running. */
void mount_tune(const struct ll *ll, const struct options *options);

/* Have the kernel write what programs changed through shared mappings, then take the mount out of
 * the tree, also while files are open. What else is mounted there by now is left alone. The loop
 * has to be running. */
void mount_detach(const struct ll *ll, const char *mountpoint);

/* Take the mount out of the tree again when the loop could not be started: nothing was served, and
 * nobody would answer. */
void mount_take_back(const char *mountpoint);

/* End the connection: open files of the mount answer ENOTCONN from now on. The loop has ended. */
void mount_close(struct ll *ll);

#endif
