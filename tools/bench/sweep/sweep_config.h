/*
 * The configuration of a sweep: bench/configs/default.json and files like it. docs/BENCH-TOOL.md
 * describes the keys.
 */
#ifndef TENSORFS_BENCH_SWEEP_CONFIG_H
#define TENSORFS_BENCH_SWEEP_CONFIG_H

#include "tools/bench/model/model.h"

struct cJSON;

enum { SWEEP_TESTS_MAX = 256, SWEEP_RUNS_MAX = 100, SWEEP_OPTIONS_BYTES_MAX = 512 };

enum sweep_axis {
    SWEEP_AXIS_NONE,
    SWEEP_AXIS_CHUNK_SIZE,
    SWEEP_AXIS_CONCURRENCY,
    SWEEP_AXIS_COMPRESSION
};

struct sweep_test {
    char name[64];
    char options[SWEEP_OPTIONS_BYTES_MAX]; /* for -o: "chunk_size=256,compression=none,..." */
    enum sweep_axis axis;                  /* of a parameter scan; NONE for a test of the list */
    char value[32];                        /* the value on that axis */
};

struct sweep_config {
    char name[256];          /* the file's name, or "default" */
    char baseline[64];       /* the test that others are compared with */
    char model_path[4096];   /* "" for a synthetic model */
    struct model_spec model; /* parameters 0: by size */
    uint64_t model_bytes;
    unsigned runs;
    unsigned ranks;
    unsigned format; /* index for format_by_index */
    bool load_by_mmap;
    struct sweep_test *tests; /* those of the list first, then those of the scan */
    size_t test_count;
};

/* The file that is built in; the same bytes as bench/configs/default.json, terminated. */
extern const char sweep_default_config[];

/*
 * Parse a configuration's text. `file` is what messages call it.
 *
 * Ownership: freed with sweep_config_free.
 * Errors:    -EINVAL, said with line and key of what is wrong.
 */
TFS_MUST_CHECK int sweep_config_parse(const char *file, const char *text,
                                      struct sweep_config **ret);

/* The same from a file; NULL means the one that is built in. Errors: as above; -ENOMEM, -EIO of the
 * file, said. */
TFS_MUST_CHECK int sweep_config_read(const char *path, struct sweep_config **ret);
void sweep_config_free(struct sweep_config *config);

/* The index of the test of that name, or -1. */
long sweep_config_find(const struct sweep_config *config, const char *name);

#endif
