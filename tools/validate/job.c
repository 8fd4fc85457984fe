/*
 * Planning, reading and merging.
 *
 * Invariant: a file's jobs partition its bytes in order, and are merged in order whatever the order
 * they finish in; sums and checksums depend on it.
 */
#include "tools/validate/job.h"

#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "tools/common/interrupt.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

bool validate_plan_is_done(const struct validate_file *file, const struct validate_plan *plan)
{
    return plan->extent == file->extent_count;
}

void validate_job_free(struct validate_job *job)
{
    if (!job)
        return;
    free(job->items);
    free(job->leaves);
    free(job->extents);
    free(job->member_crcs);
    free(job->parts);
    free(job->part_ends);
    free(job);
}

/* How many parts the bytes [offset, offset + size) fall into. */
static uint32_t part_count_of(const struct validate_file *file, uint64_t offset, uint32_t size)
{
    uint64_t first = offset / file->part_bytes;
    uint64_t last = (offset + size - 1) / file->part_bytes;

    return (uint32_t)(last - first + 1);
}

static void leaf_add(struct validate_job *job, size_t extent, uint64_t offset, uint32_t size)
{
    const struct validate_file *file = job->file;
    struct gpu_item *item = &job->items[job->item_count];
    uint32_t end = 0;

    *item = (struct gpu_item){.offset = (uint32_t)job->byte_count,
                              .size = size,
                              .part_first = job->part_count,
                              .part_count = part_count_of(file, offset, size),
                              .dtype = (uint32_t)file->extents[extent].dtype};
    job->extents[job->item_count++] = extent;
    while (end < size) {
        uint64_t border = ((offset + end) / file->part_bytes + 1) * file->part_bytes;
        uint32_t next = (uint32_t)tfs_min_u64(border - offset, size);

        job->parts[job->part_count] =
            (struct validate_part){.size = next - end, .difference = VALIDATE_NO_DIFFERENCE};
        job->part_ends[job->part_count++] = next;
        end = next;
    }
    assert(job->part_count == item->part_first + item->part_count);
    job->byte_count += tfs_align_up(size, GPU_ITEM_ALIGNMENT);
}

/* Fill the job from the plan on; false when the next leaf has no room in it. */
static bool leaf_plan(struct validate_job *job, struct validate_plan *plan)
{
    const struct validate_extent *extent = &job->file->extents[plan->extent];
    const uint64_t offset = extent->offset + plan->at;
    const uint32_t size = (uint32_t)tfs_min_u64(GPU_LEAF_BYTES, extent->size - plan->at);

    if (job->item_count == VALIDATE_SLOT_ITEMS ||
        tfs_align_up(size, GPU_ITEM_ALIGNMENT) > plan->byte_count_max - job->byte_count ||
        part_count_of(job->file, offset, size) > VALIDATE_SLOT_PARTS - job->part_count)
        return false;
    leaf_add(job, plan->extent, offset, size);
    plan->at += size;
    if (plan->at == extent->size) {
        plan->extent++;
        plan->at = 0;
    }
    return true;
}

int validate_job_new(struct validate_file *file, struct validate_plan *plan,
                     struct validate_job **ret)
{
    struct validate_job *job = calloc(1, sizeof(*job));
    const uint32_t part_count_max =
        VALIDATE_SLOT_BYTES / file->part_bytes + 2 * VALIDATE_SLOT_ITEMS;

    if (!job)
        return -ENOMEM;
    job->file = file;
    job->items = calloc(VALIDATE_SLOT_ITEMS, sizeof(*job->items));
    job->leaves = calloc(VALIDATE_SLOT_ITEMS, sizeof(*job->leaves));
    job->extents = calloc(VALIDATE_SLOT_ITEMS, sizeof(*job->extents));
    job->member_crcs = calloc(VALIDATE_SLOT_ITEMS, sizeof(*job->member_crcs));
    job->parts = calloc(part_count_max, sizeof(*job->parts));
    job->part_ends = calloc(part_count_max, sizeof(*job->part_ends));
    if (!job->items || !job->leaves || !job->extents || !job->member_crcs || !job->parts ||
        !job->part_ends) {
        validate_job_free(job);
        return -ENOMEM;
    }
    job->sequence = plan->sequence++;
    job->offset = file->extents[plan->extent].offset + plan->at;
    while (!validate_plan_is_done(file, plan) && leaf_plan(job, plan))
        ;
    job->is_last = validate_plan_is_done(file, plan);
    assert(plan->byte_count_max <= VALIDATE_SLOT_BYTES);
    assert(job->item_count > 0 && job->part_count <= part_count_max);
    *ret = job;
    return 0;
}

/* The items' places in a buffer, as preadv(2) takes them; leaves of one extent touch each other. */
static int vectors_of(const struct validate_job *job, uint8_t *buffer,
                      struct iovec vectors[VALIDATE_SLOT_ITEMS])
{
    int count = 0;

    for (uint32_t i = 0; i < job->item_count; i++) {
        if (i > 0 && job->extents[i] == job->extents[i - 1])
            vectors[count - 1].iov_len += job->items[i].size;
        else
            vectors[count++] = (struct iovec){buffer + job->items[i].offset, job->items[i].size};
    }
    return count;
}

static int vectors_read(int fd, struct iovec *vectors, int count, uint64_t offset)
{
    while (count > 0) {
        ssize_t got = preadv(fd, vectors, count < IOV_MAX ? count : IOV_MAX, (off_t)offset);

        if (got < 0 && errno == EINTR && !interrupt_is_pending())
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -ENODATA; /* the file has become shorter */
        offset += (uint64_t)got;
        while (count > 0 && (size_t)got >= vectors->iov_len) {
            got -= (ssize_t)vectors->iov_len;
            vectors++;
            count--;
        }
        if (count > 0) {
            vectors->iov_base = (char *)vectors->iov_base + got;
            vectors->iov_len -= (size_t)got;
        }
    }
    return 0;
}

/* One part after the other, to learn which of them cannot be read. */
static int parts_read(struct validate_job *job, int fd, uint8_t *buffer)
{
    uint64_t offset = job->offset;

    for (uint32_t i = 0; i < job->item_count; i++) {
        const struct gpu_item *item = &job->items[i];
        uint8_t *at = buffer + item->offset;

        for (uint32_t p = item->part_first; p < item->part_first + item->part_count; p++) {
            struct validate_part *part = &job->parts[p];
            struct iovec vector = {at, part->size};
            int err = vectors_read(fd, &vector, 1, offset);

            if (err == -EINTR)
                return err;
            if (err < 0) {
                memset(at, 0, part->size);
                part->error = err;
            }
            at += part->size;
            offset += part->size;
        }
    }
    return 0;
}

static int bytes_read(struct validate_job *job, int fd, uint8_t *buffer)
{
    struct iovec vectors[VALIDATE_SLOT_ITEMS];
    int count = vectors_of(job, buffer, vectors);
    int err = vectors_read(fd, vectors, count, job->offset);

    return err == 0 || err == -EINTR ? err : parts_read(job, fd, buffer);
}

int validate_job_read(struct validate_job *job, uint8_t *buffer)
{
    return bytes_read(job, job->file->fd, buffer);
}

void validate_job_sum_members(struct validate_job *job, const uint8_t *buffer)
{
    for (uint32_t i = 0; i < job->item_count; i++) {
        if (job->file->extents[job->extents[i]].member != VALIDATE_NO_MEMBER)
            job->member_crcs[i] =
                (uint32_t)crc32(0, buffer + job->items[i].offset, job->items[i].size);
    }
}

static uint32_t first_difference(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    uint32_t i = 0;

    if (memcmp(a, b, size) == 0)
        return VALIDATE_NO_DIFFERENCE;
    while (a[i] == b[i])
        i++;
    return i;
}

int validate_job_compare(struct validate_job *job, const uint8_t *buffer, uint8_t *copy)
{
    int err = bytes_read(job, job->file->copy_fd, copy);

    if (err < 0)
        return err;
    for (uint32_t i = 0; i < job->item_count; i++) {
        const struct gpu_item *item = &job->items[i];
        uint32_t at = item->offset;

        for (uint32_t p = item->part_first; p < item->part_first + item->part_count; p++) {
            struct validate_part *part = &job->parts[p];

            part->difference = first_difference(buffer + at, copy + at, part->size);
            part->copy_crc = tfs_crc32c(0, copy + at, part->size);
            at += part->size;
        }
    }
    return 0;
}

static void part_expect(struct validate_file *file, struct validate_expectation *expected,
                        const struct validate_part *part)
{
    struct validate_block_cursor *cursor = &expected->cursor;
    const struct validate_blocks *blocks = &expected->blocks;
    const uint64_t offset = cursor->index * blocks->block_size;

    cursor->is_unreadable |= part->error < 0;
    if (!validate_block_add(cursor, blocks, part->crc, part->size))
        return;
    if (!cursor->is_unreadable && cursor->crc != blocks->crcs[cursor->index])
        validate_file_problem(
            file, VALIDATE_BLOCK_DIFFERS, cursor->index, offset, cursor->size,
            "block %" PRIu64 " at offset %" PRIu64 ": checksum 0x%08x, the %s has 0x%08x",
            cursor->index, offset, cursor->crc, expected->source, blocks->crcs[cursor->index]);
    validate_block_next(cursor);
}

static void part_record(struct validate_file *file, const struct validate_part *part)
{
    struct validate_block_cursor *cursor = &file->recorded_cursor;

    if (!validate_block_add(cursor, &file->recorded, part->crc, part->size))
        return;
    file->recorded.crcs[cursor->index] = cursor->crc;
    validate_block_next(cursor);
}

static void part_merge(struct validate_file *file, const struct validate_part *part,
                       uint64_t offset)
{
    const uint64_t block = offset / file->recorded.block_size;
    const uint64_t different = offset + part->difference;

    if (part->error < 0)
        validate_file_problem(file, VALIDATE_UNREADABLE, block, offset, part->size,
                              "block %" PRIu64 ", %u bytes at offset %" PRIu64
                              " cannot be read: %s",
                              block, part->size, offset, tfs_error_text(part->error));
    else if (part->difference != VALIDATE_NO_DIFFERENCE)
        validate_file_problem(
            file, VALIDATE_COPY_DIFFERS, block, different, part->size - part->difference,
            "block %" PRIu64 " differs from the copy, first at offset %" PRIu64, block, different);
    else if (file->copy_fd >= 0 && part->crc != part->copy_crc)
        validate_file_problem(file, VALIDATE_COPY_DIFFERS, block, offset, part->size,
                              "block %" PRIu64 " at offset %" PRIu64
                              " changed on its way to the device",
                              block, offset);
    part_record(file, part);
    for (unsigned i = 0; i < VALIDATE_EXPECTATION_COUNT; i++) {
        if (file->expected[i].source)
            part_expect(file, &file->expected[i], part);
    }
}

/* The parts of a member follow each other; behind its last one it is compared. */
static void member_merge(struct validate_file *file, size_t index, uint32_t crc,
                         const struct gpu_item *item, bool is_unreadable)
{
    const struct format_member *member = &file->tensors.members[index];
    struct validate_member_cursor *cursor = &file->member_cursor;

    cursor->crc = (uint32_t)crc32_combine(cursor->crc, crc, item->size);
    cursor->size += item->size;
    cursor->is_unreadable |= is_unreadable;
    if (cursor->size < member->size)
        return;
    if (!cursor->is_unreadable && cursor->crc != member->crc)
        validate_file_problem(
            file, VALIDATE_MEMBER_DIFFERS, member->offset / file->recorded.block_size,
            member->offset, member->size,
            "member '%.100s' at offset %" PRIu64 ": CRC-32 0x%08x, the archive has 0x%08x",
            member->name, member->offset, cursor->crc, member->crc);
    *cursor = (struct validate_member_cursor){.crc = 0};
}

static void results_merge(struct validate_job *job)
{
    struct validate_file *file = job->file;
    uint64_t offset = job->offset;

    for (uint32_t i = 0; i < job->item_count; i++) {
        const struct gpu_item *item = &job->items[i];
        const size_t tensor = file->extents[job->extents[i]].tensor;
        const size_t member = file->extents[job->extents[i]].member;
        bool is_unreadable = false;

        if (tensor != VALIDATE_NO_TENSOR)
            gpu_stats_add(&file->stats[tensor], &job->leaves[i],
                          item->size / dtype_width((enum dtype)item->dtype));
        for (uint32_t p = item->part_first; p < item->part_first + item->part_count; p++) {
            part_merge(file, &job->parts[p], offset);
            offset += job->parts[p].size;
            is_unreadable |= job->parts[p].error < 0;
        }
        if (member != VALIDATE_NO_MEMBER)
            member_merge(file, member, job->member_crcs[i], item, is_unreadable);
    }
}

/* The job that comes next in the file, out of those that have finished. */
static struct validate_job *next_result(struct validate_file *file)
{
    struct list *node;

    list_for_each (node, &file->results) {
        struct validate_job *job = list_entry(node, struct validate_job, node);

        if (job->sequence == file->merged_count)
            return job;
    }
    return NULL;
}

bool validate_job_merge(struct validate_job *job)
{
    struct validate_file *file = job->file;
    bool is_complete = false;

    tfs_mutex_lock(&file->lock);
    list_push_back(&file->results, &job->node);
    while ((job = next_result(file)) != NULL) {
        list_remove(&job->node);
        results_merge(job);
        file->merged_count++;
        is_complete = job->is_last;
        validate_job_free(job);
    }
    tfs_mutex_unlock(&file->lock);
    return is_complete;
}

void validate_job_drop_results(struct validate_file *file)
{
    while (!list_is_empty(&file->results)) {
        struct validate_job *job = list_entry(file->results.next, struct validate_job, node);

        list_remove(&job->node);
        validate_job_free(job);
    }
}
