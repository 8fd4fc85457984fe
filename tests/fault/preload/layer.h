/*
 * The layer between a daemon and its store: a shared object for LD_PRELOAD that can make calls fail
 * and kill the process at a chosen operation, and keeps a journal of all that reached the store.
 *
 *     TFS_FAULT_STORE    the store directory, as the daemon is told it; nothing else is touched
 *     TFS_FAULT_PAGE     struct fault_page
 *     TFS_FAULT_JOURNAL  where the journal goes; without it none is kept
 *
 * With a journal nothing is synced in truth: what is durable, the journal says.
 */
#ifndef TFS_TESTS_FAULT_LAYER_H
#define TFS_TESTS_FAULT_LAYER_H

#include "tests/fault/fault.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- what is to fail (plan.c) ---- */

/* True when this call is to fail; errno is set to the error, fault_half included. */
bool plan_fails(enum fault_kind kind, enum fault_part part);

/* The same for memory and threads, which only fail where the program itself asked for them. */
bool plan_fails_for(enum fault_kind kind, const void *caller);

/* The page, NULL while there is none. */
struct fault_page *plan_page(void);

/* ---- the store's files (files.c) ---- */

struct layer_path {
    bool inside; /* of the store */
    char name[PATH_MAX];
};

/* Where `path`, seen from the directory of descriptor `directory`, leads. */
void layer_resolve(int directory, const char *path, struct layer_path *ret);

/* The part of the store that the name lies in. */
enum fault_part layer_part(const char *name);

/* The name behind a descriptor; false when it is none of the store's. */
bool layer_find(int fd, struct layer_path *ret);

/*
 * Operations happen one at a time, so that the journal has their order. layer_begin() may not
 * return: it ends the process when its time has come.
 */
void layer_begin(void);
void layer_end(void);

/* Between these two: a descriptor gets or loses its name; a record is written. */
void layer_note_open_locked(int fd, const char *name, bool made);
void layer_note_close_locked(int fd);
void layer_record_locked(struct fault_record record, const void *payload);
uint64_t layer_last_record_locked(void);
bool layer_has_journal(void);

/* Takes the lock without being an operation. */
void layer_lock(void);

#endif
