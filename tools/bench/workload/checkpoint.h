/*
 * A checkpoint of several ranks: each rank holds its share of the model and saves and loads it in a
 * file of its own, all at once. The slowest rank counts, as in MLPerf Storage's checkpoint
 * benchmark.
 */
#ifndef TENSORFS_BENCH_CHECKPOINT_H
#define TENSORFS_BENCH_CHECKPOINT_H

#include "tools/bench/formats/format.h"
#include "tools/bench/model/model.h"

struct checkpoint_spec {
    struct model_spec model; /* parameters of all ranks together */
    const struct format *format;
    unsigned ranks;
    bool durable; /* fsync is part of saving */
};

struct checkpoint {
    const struct format *format;
    unsigned ranks;
    bool durable;
    struct model **shards;  /* what is saved, one for each rank */
    struct model **landing; /* what was loaded */
    uint64_t bytes;         /* of all shards */
    double bound_bytes;     /* Shannon's bound of all shards; entropy.h */
};

/*
 * Generate it. Takes twice the model's size in memory.
 *
 * Ownership: freed with checkpoint_free.
 * Errors:    said: -EINVAL (real files and several ranks; no tensor), -ENOMEM; of model_new.
 */
TFS_MUST_CHECK int checkpoint_new(const struct checkpoint_spec *spec, struct checkpoint **ret);
void checkpoint_free(struct checkpoint *checkpoint);

/* Other content of the same statistics for run number `run`, so that no run's bytes are stored
 * already. */
void checkpoint_vary(struct checkpoint *checkpoint, unsigned run);

/*
 * Save into the directory. Gives the seconds of the slowest rank.
 *
 * Errors: -EINTR; said: -ENOMEM; of the files, like -ENOSPC and -EIO.
 */
TFS_MUST_CHECK int checkpoint_save(struct checkpoint *checkpoint, const char *directory,
                                   double *ret_seconds);

/*
 * Load what was saved, then (not timed) compare every byte.
 *
 * Errors: said; -EBADMSG when something came back different.
 */
TFS_MUST_CHECK int checkpoint_load(struct checkpoint *checkpoint, const char *directory,
                                   enum source_method method, double *ret_seconds);

#endif
