/*
 * The storages that a torch checkpoint's data.pkl names. A pickle is a program; this runs none of
 * it: it follows the stack far enough to see the arguments of persistent ids, and what a call would
 * return is a value that nothing is known about.
 */
#ifndef TFS_VALIDATE_PICKLE_H
#define TFS_VALIDATE_PICKLE_H

#include "gpu/gpu.h"

/* Borrowed from the pickle's bytes, not terminated. */
struct pickle_text {
    const char *at;
    size_t size;
};

struct pickle_storage {
    struct pickle_text key;   /* the entry is <archive>/data/<key> */
    struct pickle_text label; /* the last string before the tensor: its name in a state_dict */
    enum gpu_dtype dtype;     /* GPU_BYTES when unknown */
    uint32_t element_size;    /* bytes of one of the counted elements, 0 when unknown */
    uint64_t element_count;
};

struct pickle_storage_list {
    struct pickle_storage *storages; /* as often as they are named; freed by the caller */
    size_t count;
    size_t capacity;
};

/*
 * Collect the storages of a pickle (protocols 1 to 5).
 *
 * Ownership: what is in the list points into data. On failure the list is empty.
 * Errors:    -EUCLEAN (malformed), -EOPNOTSUPP (it may be whole, but cannot be followed: persistent
 *            ids that are no storages, operations with a meaning of the writer's own, or beyond a
 *            limit), -ENOMEM.
 */
TFS_MUST_CHECK int pickle_find_storages(const void *data, size_t size,
                                        struct pickle_storage_list *ret);

#endif
