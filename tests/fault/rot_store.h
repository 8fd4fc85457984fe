/*
 * A small store of known content for the test of bit rot: files of every kind of row and frame,
 * names, links and attributes.
 */
#ifndef TFS_TESTS_FAULT_ROT_STORE_H
#define TFS_TESTS_FAULT_ROT_STORE_H

#include <stdbool.h>

enum rot_end {
    rot_closed,  /* unmounted in order */
    rot_crashed, /* all is synced, and the process ended */
};

/* Makes the store; false and a message when it cannot. Ends this process's use of the store in the
 * given way: for rot_crashed the caller must _exit(). */
bool rot_store_make(const char *path, enum rot_end end);

/* What a reader finds, from good to bad. */
enum rot_verdict {
    rot_right,
    rot_refused,    /* the store does not open, and says why */
    rot_unreadable, /* something is EIO, all else is right */
    rot_lost,       /* something that was synced is missing or short, without an error */
    rot_wrong,      /* a wrong byte, or no line for a refusal */
};

/* Opens the store and reads all of it. Tells on standard output what is not right. */
enum rot_verdict rot_store_read(const char *path, bool read_only);

#endif
