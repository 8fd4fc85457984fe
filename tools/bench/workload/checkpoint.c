/*
 * Two models for each rank: the shard that is saved, and where it lands when it is loaded. Both
 * are touched before anything is timed. The landing place is overwritten before each load.
 */
#include "tools/bench/workload/checkpoint.h"

#include "tools/bench/system/workers.h"
#include "tools/common/console.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (unsigned rank = 0; rank < checkpoint->ranks; rank++) {
        if (checkpoint->shards)
            model_free(checkpoint->shards[rank]);
        if (checkpoint->landing)
            model_free(checkpoint->landing[rank]);
    }
    free(checkpoint->shards);
    free(checkpoint->landing);
    free(checkpoint);
}

static void checkpoint_free_p(struct checkpoint **checkpoint)
{
    checkpoint_free(*checkpoint);
}

static int checkpoint_generate(struct checkpoint *checkpoint, const struct model_spec *spec)
{
    struct model_spec share = *spec;
    int err;

    share.parameters = spec->parameters / checkpoint->ranks;
    for (unsigned rank = 0; rank < checkpoint->ranks; rank++) {
        share.seed = spec->seed * WORKERS_MAX + rank;
        err = model_new(&share, &checkpoint->shards[rank]);
        if (err < 0)
            return err;
        checkpoint->bytes += checkpoint->shards[rank]->bytes;
        checkpoint->bound_bytes += model_entropy_bound(checkpoint->shards[rank]);
        err = model_new_like(checkpoint->shards[rank], &checkpoint->landing[rank]);
        if (err < 0)
            return err;
    }
    return 0;
}

int checkpoint_new(const struct checkpoint_spec *spec, struct checkpoint **ret)
{
    tfs_cleanup(checkpoint_free_p) struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
    int err;

    if (spec->model.path && spec->ranks > 1)
        return console_reject("a model of real files is saved by one rank");
    if (!checkpoint)
        return console_fail(-ENOMEM, "a checkpoint");
    checkpoint->ranks = spec->ranks;
    checkpoint->format = spec->model.path ? &format_files : spec->format;
    checkpoint->durable = spec->durable;
    checkpoint->shards = calloc(spec->ranks, sizeof(struct model *));
    checkpoint->landing = calloc(spec->ranks, sizeof(struct model *));
    if (!checkpoint->shards || !checkpoint->landing)
        return console_fail(-ENOMEM, "%u ranks", spec->ranks);
    console_stage("generating the model");
    err = checkpoint_generate(checkpoint, &spec->model);
    if (err < 0)
        return err;
    *ret = TAKE_PTR(checkpoint);
    return 0;
}

void checkpoint_vary(struct checkpoint *checkpoint, unsigned run)
{
    for (unsigned rank = 0; rank < checkpoint->ranks; rank++)
        model_vary(checkpoint->shards[rank], run);
}

struct checkpoint_work {
    const struct checkpoint *checkpoint;
    const char *directory;
    enum source_method method;
};

static void rank_path(const struct checkpoint_work *work, size_t rank, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/rank-%04zu%s", work->directory, rank,
                   work->checkpoint->format->extension);
}

static int rank_save(void *argument, size_t rank)
{
    const struct checkpoint_work *work = argument;
    char path[PATH_MAX];

    rank_path(work, rank, path);
    return work->checkpoint->format->save(work->checkpoint->shards[rank], path,
                                          work->checkpoint->durable);
}

static int rank_load(void *argument, size_t rank)
{
    const struct checkpoint_work *work = argument;
    char path[PATH_MAX];

    rank_path(work, rank, path);
    return work->checkpoint->format->load(work->checkpoint->landing[rank], path, work->method);
}

static int run_slowest(struct checkpoint_work *work, workers_function *function,
                       double *ret_seconds)
{
    unsigned ranks = work->checkpoint->ranks;
    double *seconds;
    double slowest = 0;
    int err;

    assert(ranks > 0);
    seconds = calloc(ranks, sizeof(*seconds));
    if (!seconds)
        return console_fail(-ENOMEM, "%u ranks", ranks);
    err = workers_run_ranks(ranks, function, work, seconds);
    for (unsigned rank = 0; rank < ranks; rank++)
        slowest = fmax(slowest, seconds[rank]);
    free(seconds);
    if (err < 0)
        return err;
    *ret_seconds = slowest;
    return 0;
}

int checkpoint_save(struct checkpoint *checkpoint, const char *directory, double *ret_seconds)
{
    struct checkpoint_work work = {.checkpoint = checkpoint, .directory = directory};

    return run_slowest(&work, rank_save, ret_seconds);
}

int checkpoint_load(struct checkpoint *checkpoint, const char *directory, enum source_method method,
                    double *ret_seconds)
{
    struct checkpoint_work work = {
        .checkpoint = checkpoint, .directory = directory, .method = method};
    int err;

    for (unsigned rank = 0; rank < checkpoint->ranks; rank++)
        model_poison(checkpoint->landing[rank]);
    err = run_slowest(&work, rank_load, ret_seconds);
    for (unsigned rank = 0; rank < checkpoint->ranks && err == 0; rank++)
        err = model_compare(checkpoint->shards[rank], checkpoint->landing[rank]);
    return err;
}
