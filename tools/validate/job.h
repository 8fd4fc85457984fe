/*
 * A job: some of a file's leaves, one after the other, as large as a slot takes; and its results.
 */
#ifndef TFS_VALIDATE_JOB_H
#define TFS_VALIDATE_JOB_H

#include "tools/validate/file.h"

/* What a slot takes: enough to make a copy to a GPU worth its start; a CPU is better served by what
 * stays in its caches. In blocks of 256 bytes, the smallest, a full slot has so many parts. */
#define VALIDATE_SLOT_BYTES     (4u << 20)
#define VALIDATE_SLOT_BYTES_CPU (1u << 20)
#define VALIDATE_SLOT_ITEMS     512u
#define VALIDATE_SLOT_PARTS     (VALIDATE_SLOT_BYTES / VALIDATE_BLOCK_BYTES_MIN + VALIDATE_SLOT_ITEMS)

/* Where the next job of a file begins. */
struct validate_plan {
    size_t extent;
    uint64_t at;           /* bytes of that extent that are planned already */
    uint64_t sequence;     /* number of the next job */
    size_t byte_count_max; /* of a job, as its buffer is laid out; at most VALIDATE_SLOT_BYTES */
};

#define VALIDATE_NO_DIFFERENCE UINT32_MAX

struct validate_part {
    uint32_t size;
    uint32_t crc;        /* result */
    uint32_t copy_crc;   /* of the copy's bytes, where there is a copy */
    uint32_t difference; /* first byte that is not the copy's, from the part's first */
    int error;           /* negative errno when it could not be read */
};

struct validate_job {
    struct list node; /* in file->results */
    struct validate_file *file;
    uint64_t sequence;
    uint64_t offset;   /* of its first byte in the file; its leaves lie end to end there */
    size_t byte_count; /* of the buffer; leaves are aligned there */
    struct gpu_item *items;
    struct gpu_leaf *leaves; /* result */
    size_t *extents;         /* of each item */
    uint32_t *member_crcs;   /* CRC-32 of each item that is a part of a member */
    struct validate_part *parts;
    uint32_t *part_ends;
    uint32_t item_count;
    uint32_t part_count;
    bool is_last; /* of its file */
};

/* Is anything of the file left to plan? */
bool validate_plan_is_done(const struct validate_file *file, const struct validate_plan *plan);

/* Plan the next job and move the plan on. Errors: -ENOMEM. */
TFS_MUST_CHECK int validate_job_new(struct validate_file *file, struct validate_plan *plan,
                                    struct validate_job **ret);
void validate_job_free(struct validate_job *job);

/*
 * Read the job's bytes into a buffer laid out as its items say. What cannot be read is noted in its
 * parts and is zero in the buffer.
 *
 * Errors: -EINTR only (tools/common/interrupt.h): the job is worth nothing then.
 */
TFS_MUST_CHECK int validate_job_read(struct validate_job *job, uint8_t *buffer);

/* Compute the checksums of members' parts in that buffer. */
void validate_job_sum_members(struct validate_job *job, const uint8_t *buffer);

/* Read the copy's bytes into `copy`, compare them with the buffer's and note what differs. Errors:
 * likewise. */
TFS_MUST_CHECK int validate_job_compare(struct validate_job *job, const uint8_t *buffer,
                                        uint8_t *copy);

/*
 * Hand in a job's results; they take effect in the file's order.
 *
 * Ownership: the job is given.
 * Returns:   true when the file is complete; its last caller gets that.
 */
bool validate_job_merge(struct validate_job *job);

/* Free what waits for a job before it that will not come. */
void validate_job_drop_results(struct validate_file *file);

#endif
