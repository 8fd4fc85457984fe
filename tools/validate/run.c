/*
 * Workers take jobs from the first file that has some. A file goes NEW -> OPENING -> PLANNING ->
 * PLANNED: the worker that finds it new opens it (run_open_file) while others take jobs of other
 * files; the job that reaches its end makes it PLANNED (run_plan_job); the merge of its last job
 * finishes it.
 */
#include "tools/validate/run.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "tools/common/interrupt.h"
#include "tools/validate/completeness.h"
#include "tools/validate/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum file_state { FILE_NEW, FILE_OPENING, FILE_PLANNING, FILE_PLANNED };

struct interval {
    uint64_t begin_ns;
    uint64_t end_ns;
};

struct interval_list {
    struct interval *intervals;
    size_t count;
    size_t capacity;
};

struct run_file {
    struct validate_file *file;
    struct validate_plan plan;
    enum file_state state;
};

struct run {
    const struct validate_options *options;
    unsigned lane_count; /* of each worker */
    size_t slot_bytes;
    struct tfs_mutex lock;  /* rank TFS_RANK_POOL */
    struct tfs_cond opened; /* a file has left OPENING */
    struct run_file *files; /* guarded by lock, but for the files themselves */
    size_t file_count;
    size_t first;                /* guarded by lock; files before it are PLANNED */
    int error;                   /* guarded by lock; of the first worker that failed */
    uint64_t byte_count;         /* guarded by lock */
    struct interval_list copies; /* guarded by lock */
    struct interval_list checks; /* guarded by lock */
};

/* A slot and what is in it. */
struct lane {
    struct gpu_slot *slot;
    struct validate_job *job;
};

struct worker {
    struct run *run;
    struct lane lanes[2];
    uint8_t *copy_buffer; /* for the copy's bytes; NULL when there is none to compare with */
    pthread_t thread;
};

static int interval_add(struct interval_list *list, uint64_t begin_ns, uint64_t end_ns)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        struct interval *grown = realloc(list->intervals, capacity * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        list->intervals = grown;
        list->capacity = capacity;
    }
    list->intervals[list->count++] = (struct interval){begin_ns, end_ns};
    return 0;
}

static int interval_compare(const void *a, const void *b)
{
    const struct interval *left = a;
    const struct interval *right = b;

    return (left->begin_ns > right->begin_ns) - (left->begin_ns < right->begin_ns);
}

/* How long at least one of them was on, in seconds. */
static double intervals_union(struct interval_list *list)
{
    uint64_t end_ns = 0;
    uint64_t total_ns = 0;

    if (list->count > 0)
        qsort(list->intervals, list->count, sizeof(*list->intervals), interval_compare);
    for (size_t i = 0; i < list->count; i++) {
        uint64_t begin_ns = tfs_max_u64(list->intervals[i].begin_ns, end_ns);

        if (list->intervals[i].end_ns <= begin_ns)
            continue;
        total_ns += list->intervals[i].end_ns - begin_ns;
        end_ns = list->intervals[i].end_ns;
    }
    return (double)total_ns / (double)TFS_NS_PER_S;
}

/* The lock is not held while a file is opened: its header is read and its store is asked. */
static int run_open_file(struct run *run, struct run_file *entry) TFS_REQUIRES(&run->lock)
{
    int err;

    entry->state = FILE_OPENING;
    tfs_mutex_unlock(&run->lock);
    err = validate_file_open(entry->file, run->options);
    err = err < 0 ? err : completeness_check(entry->file);
    tfs_mutex_lock(&run->lock);
    entry->state = FILE_PLANNING;
    if (err < 0) {
        entry->state = FILE_PLANNED;
    } else if (validate_plan_is_done(entry->file, &entry->plan)) {
        entry->state = FILE_PLANNED; /* empty, or it could not be opened */
        validate_file_finish(entry->file, run->options);
        validate_file_close(entry->file);
    }
    tfs_cond_broadcast(&run->opened);
    return err;
}

static int run_plan_job(struct run_file *entry, struct validate_job **ret)
{
    int err = validate_job_new(entry->file, &entry->plan, ret);

    if (validate_plan_is_done(entry->file, &entry->plan))
        entry->state = FILE_PLANNED;
    return err;
}

/* The first file that has something to do, or NULL; *ret_opening: one is on its way. */
static struct run_file *run_next_file(struct run *run, bool *ret_opening)
{
    *ret_opening = false;
    while (run->first < run->file_count && run->files[run->first].state == FILE_PLANNED)
        run->first++;
    for (size_t i = run->first; i < run->file_count; i++) {
        struct run_file *entry = &run->files[i];

        if (entry->state == FILE_NEW || entry->state == FILE_PLANNING)
            return entry;
        *ret_opening |= entry->state == FILE_OPENING;
    }
    return NULL;
}

static int run_take_locked(struct run *run, struct validate_job **ret) TFS_REQUIRES(&run->lock)
{
    while (run->error == 0 && !interrupt_is_pending()) {
        bool is_opening;
        struct run_file *entry = run_next_file(run, &is_opening);

        if (entry && entry->state == FILE_PLANNING)
            return run_plan_job(entry, ret);
        if (entry) {
            int err = run_open_file(run, entry);

            if (err < 0 && err != -EINTR)
                return err;
        } else if (is_opening) {
            tfs_cond_wait(&run->opened, &run->lock);
        } else {
            break;
        }
    }
    *ret = NULL;
    return 0;
}

/* NULL when there is nothing left, somebody failed, or a signal came. */
static int run_take(struct run *run, struct validate_job **ret)
{
    int err;

    tfs_mutex_lock(&run->lock);
    err = run_take_locked(run, ret);
    tfs_mutex_unlock(&run->lock);
    return err;
}

static int lane_start(struct worker *worker, struct lane *lane, struct validate_job *job)
{
    const struct gpu_batch batch = {
        .byte_count = job->byte_count,
        .item_count = job->item_count,
        .part_count = job->part_count,
        .work = worker->run->options->copy_only ? GPU_WORK_COPY : GPU_WORK_CHECK,
    };

    int err;

    lane->job = job;
    err = validate_job_read(job, lane->slot->data);
    if (err == 0 && job->file->copy_fd >= 0)
        err = validate_job_compare(job, lane->slot->data, worker->copy_buffer);
    if (err < 0)
        return err;
    if (batch.work == GPU_WORK_CHECK)
        validate_job_sum_members(job, lane->slot->data);
    memcpy(lane->slot->items, job->items, job->item_count * sizeof(*job->items));
    memcpy(lane->slot->part_ends, job->part_ends, job->part_count * sizeof(*job->part_ends));
    return gpu_slot_start(lane->slot, &batch);
}

static int run_account(struct run *run, const struct validate_job *job,
                       const struct gpu_times *times)
{
    int err;

    tfs_mutex_lock(&run->lock);
    for (uint32_t i = 0; i < job->item_count; i++)
        run->byte_count += job->items[i].size;
    err = interval_add(&run->copies, times->copy_begin_ns, times->check_begin_ns);
    if (err == 0)
        err = interval_add(&run->checks, times->check_begin_ns, times->check_end_ns);
    tfs_mutex_unlock(&run->lock);
    return err;
}

static void results_take(const struct gpu_slot *slot, struct validate_job *job)
{
    memcpy(job->leaves, slot->leaves, job->item_count * sizeof(*job->leaves));
    for (uint32_t i = 0; i < job->part_count; i++)
        job->parts[i].crc = slot->part_crcs[i];
}

static int lane_finish(struct worker *worker, struct lane *lane)
{
    struct validate_job *job = lane->job;
    struct validate_file *file = job->file;
    struct gpu_times times;
    int err = gpu_slot_wait(lane->slot, &times);

    if (err == 0)
        err = run_account(worker->run, job, &times);
    if (err < 0)
        return err; /* worker_main frees the job */
    lane->job = NULL;
    if (worker->run->options->copy_only) {
        validate_job_free(job);
        return 0;
    }
    results_take(lane->slot, job);
    if (validate_job_merge(job)) {
        validate_file_finish(file, worker->run->options);
        validate_file_close(file);
    }
    return 0;
}

/* Start a job in one lane, then finish the one that was started before in the other; with one lane,
 * finish the same. */
static int worker_loop(struct worker *worker)
{
    const unsigned lane_count = worker->run->lane_count;
    unsigned turn = 0;

    for (;;) {
        struct lane *finishing = &worker->lanes[(turn + 1) % lane_count];
        struct validate_job *job;
        int err = run_take(worker->run, &job);

        if (err == 0 && job)
            err = lane_start(worker, &worker->lanes[turn], job);
        if (err == 0 && finishing->job)
            err = lane_finish(worker, finishing);
        if (err < 0 || !job)
            return err;
        turn = (turn + 1) % lane_count;
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    int err = worker_loop(worker);

    if (err == -EINTR)
        err = 0; /* what is done is worth a report */
    for (unsigned i = 0; i < TFS_ARRAY_COUNT(worker->lanes); i++)
        validate_job_free(worker->lanes[i].job); /* left behind by a failure */
    if (err < 0) {
        tfs_mutex_lock(&worker->run->lock);
        if (worker->run->error == 0)
            worker->run->error = err;
        tfs_cond_broadcast(&worker->run->opened);
        tfs_mutex_unlock(&worker->run->lock);
    }
    return NULL;
}

static void workers_free(struct worker *workers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        gpu_slot_free(workers[i].lanes[0].slot);
        gpu_slot_free(workers[i].lanes[1].slot);
        free(workers[i].copy_buffer);
    }
    free(workers);
}

static int worker_init(struct worker *worker, struct run *run, struct gpu *gpu)
{
    const struct gpu_slot_limits limits = {run->slot_bytes, VALIDATE_SLOT_ITEMS,
                                           VALIDATE_SLOT_PARTS};
    int err = 0;

    worker->run = run;
    for (unsigned i = 0; i < run->lane_count && err == 0; i++)
        err = gpu_slot_new(gpu, &limits, &worker->lanes[i].slot);
    if (err == 0 && run->options->copy_directory) {
        worker->copy_buffer = malloc(run->slot_bytes);
        err = worker->copy_buffer ? 0 : -ENOMEM;
    }
    return err;
}

/* Run the workers and wait for all of them. */
static int workers_run(struct run *run, struct worker *workers, unsigned count)
{
    unsigned started = 0;
    int err = 0;

    while (started < count && err == 0) {
        err = -pthread_create(&workers[started].thread, NULL, worker_main, &workers[started]);
        if (err == 0)
            started++;
    }
    if (err < 0 && started > 0)
        err = 0; /* fewer of them do the same work */
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(workers[i].thread, NULL); /* ours, and joined once */
    return err < 0 ? err : run->error;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int run_timed(struct run *run, struct worker *workers, unsigned worker_count,
                     struct validate_cost *ret)
{
    const double cpu_begin_s = cpu_seconds();
    const uint64_t begin_ns = tfs_clock_ns();
    int err = workers_run(run, workers, worker_count);
    double wall_s = (double)(tfs_clock_ns() - begin_ns) / (double)TFS_NS_PER_S;

    if (err < 0)
        return err;
    wall_s = wall_s > 0 ? wall_s : 1e-9;
    *ret = (struct validate_cost){
        .byte_count = run->byte_count,
        .wall_s = wall_s,
        .cpu_s = cpu_seconds() - cpu_begin_s,
        .copy_share = intervals_union(&run->copies) / wall_s,
        .check_share = intervals_union(&run->checks) / wall_s,
    };
    return 0;
}

static void run_release(struct run *run)
{
    for (size_t i = 0; i < run->file_count; i++) {
        validate_file_close(run->files[i].file); /* those that a failure or a mere copy left open */
        validate_job_drop_results(run->files[i].file);
    }
    free(run->files);
    free(run->copies.intervals);
    free(run->checks.intervals);
    tfs_cond_release(&run->opened);
    tfs_mutex_release(&run->lock);
}

int validate_run(struct gpu *gpu, const struct validate_options *options,
                 struct validate_file **files, size_t file_count, struct validate_cost *ret)
{
    struct run run = {
        .options = options,
        .lane_count = gpu_is_cuda(gpu) && !options->one_by_one ? 2 : 1,
        .slot_bytes = gpu_is_cuda(gpu) ? VALIDATE_SLOT_BYTES : VALIDATE_SLOT_BYTES_CPU,
        .file_count = file_count,
    };
    const unsigned worker_count = options->one_by_one ? 1 : options->job_count;
    struct worker *workers = calloc(worker_count, sizeof(*workers));
    int err = 0;

    tfs_mutex_init(&run.lock, TFS_RANK_POOL);
    tfs_cond_init(&run.opened);
    run.files = calloc(file_count + 1, sizeof(*run.files));
    if (!workers || !run.files) {
        run.file_count = 0;
        err = -ENOMEM;
    }
    for (size_t i = 0; i < run.file_count; i++)
        run.files[i] = (struct run_file){.file = files[i], .plan.byte_count_max = run.slot_bytes};
    for (unsigned i = 0; i < worker_count && err == 0; i++)
        err = worker_init(&workers[i], &run, gpu);
    if (err == 0)
        err = run_timed(&run, workers, worker_count, ret);
    if (workers)
        workers_free(workers, worker_count);
    run_release(&run);
    return err;
}
