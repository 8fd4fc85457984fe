/*
 * What the parts of the fault tests share: the page through which a test steers the layer, and the
 * journal that the layer writes of all that a daemon does to its store.
 */
#ifndef TFS_TESTS_FAULT_H
#define TFS_TESTS_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

enum fault_kind {
    fault_open = 1, /* open of a file or directory */
    fault_read,
    fault_write,
    fault_sync,   /* fsync, fdatasync */
    fault_size,   /* truncation, allocation, punching */
    fault_name,   /* rename, link, unlink, mkdir, rmdir */
    fault_memory, /* an allocation by the program itself, not by its libraries */
    fault_thread, /* likewise a new thread */
    fault_change, /* write, size, name, and opens that make or empty a file */
};

/* Where in the store; memory and threads have no place. */
enum fault_part { fault_anywhere, fault_segments, fault_index, fault_rest };

enum { fault_half = 0 }; /* as an error: the call does half of what it was asked for */

/*
 * A file that the test and the layer map, of words only, so that Python can read it. `seen` counts
 * the calls that the plan is about; of them number `first` fails (from 1 on), and when `every` is
 * not 0 each further `every`th.
 */
struct fault_page {
    _Atomic uint64_t armed; /* 0: nothing fails, nothing is counted in `seen` */
    _Atomic uint64_t kind;
    _Atomic uint64_t part;
    _Atomic uint64_t error; /* an errno, or fault_half */
    _Atomic uint64_t first;
    _Atomic uint64_t every;
    _Atomic uint64_t seen;
    _Atomic uint64_t failed;
    _Atomic uint64_t operations; /* that change the store or make it durable, since the start */
    _Atomic uint64_t cut_at;     /* the operation before which the process dies; 0: none */
};

/* The journal: records in the order in which the calls returned, numbered from 1 on. */
enum fault_record_kind {
    fault_record_open = 1, /* name; offset 1: it was made by this call */
    fault_record_close,
    fault_record_write,    /* offset, and as payload the bytes */
    fault_record_truncate, /* offset: the new size */
    fault_record_allocate, /* offset, size; makes the file larger */
    fault_record_punch,    /* offset, size */
    fault_record_sync,     /* offset: number of the last record when it began */
    fault_record_rename,   /* both names, each with its zero */
    fault_record_link,     /* likewise */
    fault_record_unlink,   /* name */
    fault_record_mkdir,
    fault_record_rmdir,
};

/* Names are relative to the store, "" is the store itself, and end with a zero. */
struct fault_record {
    uint32_t kind;
    int32_t fd; /* -1 for operations on names */
    uint64_t offset;
    uint64_t size;
    uint64_t payload_size; /* bytes that follow: name, names, or data */
};

#endif
