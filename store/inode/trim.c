#include "store/inode/trim.h"

#include "store/base/clock.h"
#include "store/base/workers.h"
#include "store/volume.h"

#include <malloc.h>

enum {
    DROPPED_MIN = 8192, /* some 8 MiB */
    REST_MIN = 512,
};
static const uint64_t pause_ns = 2 * TFS_NS_PER_S; /* it takes tens of ms, and holds up malloc() */

static void run(struct tfs_job *job, void *scratch)
{
    struct trim *trim = tfs_container_of(job, struct trim, job);

    atomic_store_explicit(&trim->dropped, 0, memory_order_relaxed);
    if (scratch)
        (void)malloc_trim(0); /* whether there was anything does not matter */
    atomic_store_explicit(&trim->trimmed_ns, tfs_clock_ns(), memory_order_relaxed);
    atomic_store_explicit(&trim->queued, false, memory_order_release);
}

void trim_init(struct trim *trim)
{
    list_init(&trim->job.node);
    trim->job.run = run;
}

static void submit(struct tfs_volume *volume)
{
    struct trim *trim = &volume->trim;

    /* Acquire: the job is nobody's any more. */
    if (volume->workers && !atomic_exchange_explicit(&trim->queued, true, memory_order_acquire))
        tfs_workers_submit(volume->workers, &trim->job, TFS_JOB_IDLE);
}

void trim_note_dropped(struct tfs_volume *volume)
{
    struct trim *trim = &volume->trim;

    if (atomic_fetch_add_explicit(&trim->dropped, 1, memory_order_relaxed) + 1 < DROPPED_MIN)
        return;
    if (tfs_clock_ns() - atomic_load_explicit(&trim->trimmed_ns, memory_order_relaxed) >= pause_ns)
        submit(volume);
}

void trim_rest(struct tfs_volume *volume)
{
    if (atomic_load_explicit(&volume->trim.dropped, memory_order_relaxed) >= REST_MIN)
        submit(volume);
}
