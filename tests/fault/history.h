/*
 * A journal of the fault layer as histories: what was done to each file and to each name, and up to
 * where it was made durable. For the tool that makes the disk after a power cut.
 */
#ifndef TFS_TESTS_FAULT_HISTORY_H
#define TFS_TESTS_FAULT_HISTORY_H

#include "tests/fault/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something done to a file; data points into the journal. */
struct history_change {
    uint64_t number; /* of the record */
    enum fault_record_kind kind;
    uint64_t offset, size;
    const uint8_t *data;
};

struct history_file {
    char *base_name; /* where the image of before has it, NULL: new since then */
    struct history_change *changes;
    size_t count, capacity;
    uint64_t synced; /* what has a number up to this one is durable */
};

/* A directory's own durability: that of the names in it. */
struct history_directory {
    char *name;
    uint64_t synced;
};

enum { history_no_file = -1 }; /* the name is a directory's */

struct history_name {
    char *name;
    int file;
};

/* `name` gets, with `file`, or loses its meaning. A rename also takes `from` away. */
struct history_name_change {
    uint64_t number;
    int directory; /* of the name */
    bool removal;
    char *name;
    char *from; /* NULL unless a rename */
    int file;
};

struct history {
    struct history_file *files;
    size_t file_count;
    struct history_directory *directories;
    size_t directory_count;
    struct history_name *names; /* as the image of before had them */
    size_t name_count;
    struct history_name_change *name_changes;
    size_t name_change_count;
    uint64_t end; /* the last record's number */
};

/* Reads the image of before and the journal; ends the program on any error. */
void history_read(const char *journal, const char *base, struct history *ret);

/* Names as a set; a missing name is -2. */
int history_find(const struct history_name *names, size_t count, const char *name);
void history_set(struct history_name **names, size_t *count, const char *name, int file);
void history_remove(struct history_name *names, size_t *count, const char *name);
enum { history_missing = -2 };

_Noreturn void history_die(const char *what);

#endif
