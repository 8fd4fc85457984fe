/*
 * Who has a store, for people that find it in use.
 *
 * flock(2) on the store's directory is the truth. A mount leaves a note beside, STORE/holder, one
 * line: its process, its start in seconds since 1970, the number of its device, its mountpoint. It
 * is removed when the mount ends, and stays behind a crash, so it counts only if the lock's holder
 * is the process that it names; and its bytes may be anything.
 */
#ifndef TFS_HOLDER_H
#define TFS_HOLDER_H

#include "store/base/defs.h"

#include <sys/types.h>

enum { HOLDER_TEXT_SIZE = 640 };

/* `directory` is the store's, open. Without a note less can be said: errors are not reported. */
void holder_write(int directory, const char *mountpoint, dev_t device);
void holder_remove(int directory);

/*
 * "process 12, mounted on '/x' since 2026-01-02 03:04:05": what is known of whoever has the lock.
 * With `copies` also which process keeps the mount from ending in a mount namespace of its own; for
 * that the mounts of all processes are read.
 */
void holder_describe(int directory, bool copies, char text[HOLDER_TEXT_SIZE]);

/* For tests: the note's fields. Returns: false for any other bytes. */
struct holder_note {
    pid_t pid;
    int64_t start_time;
    unsigned device_major;
    unsigned device_minor;
    const char *mountpoint; /* in `text` */
};
bool holder_parse(char *text, struct holder_note *ret);

#endif
