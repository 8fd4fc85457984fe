/*
 * One file being checked: what is in it, what is known of it, what was found.
 */
#ifndef TFS_VALIDATE_FILE_H
#define TFS_VALIDATE_FILE_H

#include "formats/tensor_list.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "tools/validate/blocks.h"
#include "tools/validate/manifest.h"
#include "tools/validate/options.h"

/* Details are kept of so many problems of a file; all are counted. */
#define VALIDATE_PROBLEMS_KEPT 64u

enum validate_problem_kind {
    VALIDATE_CANNOT_OPEN,
    VALIDATE_MISSING,   /* named in the manifest, or no counterpart in the copy */
    VALIDATE_MALFORMED, /* its header */
    VALIDATE_SIZE_DIFFERS,
    VALIDATE_UNREADABLE, /* a block */
    VALIDATE_BLOCK_DIFFERS,
    VALIDATE_COPY_DIFFERS,
    VALIDATE_MEMBER_DIFFERS, /* of an archive, from the checksum that the archive has */
    VALIDATE_NOT_FINITE,     /* a tensor */
    VALIDATE_PROBLEM_KIND_COUNT
};

struct validate_problem {
    enum validate_problem_kind kind;
    uint64_t block;  /* its index, where the problem is one block's */
    uint64_t offset; /* of the block, of the first byte that differs, or of the tensor */
    uint64_t size;
    size_t tensor_first; /* the tensors that it touches */
    size_t tensor_count;
    char text[320]; /* the whole of it for people, without the file's name */
};

/* A stretch of the file: a tensor, or bytes between tensors. */
struct validate_extent {
    uint64_t offset;
    uint64_t size;
    size_t tensor;    /* index, or VALIDATE_NO_TENSOR */
    size_t member;    /* that it is a part of, or VALIDATE_NO_MEMBER */
    enum dtype dtype; /* of its arithmetic */
};

/* By which arithmetic a tensor is checked: of complex numbers that of their parts. */
static inline enum dtype validate_dtype(const struct tensor_place *tensor)
{
    return dtype_info(tensor->dtype)->arithmetic;
}

#define VALIDATE_NO_TENSOR SIZE_MAX
#define VALIDATE_NO_MEMBER SIZE_MAX

/* The CRC-32 of a member, as far as its bytes are merged. */
struct validate_member_cursor {
    uint32_t crc;
    uint64_t size;
    bool is_unreadable;
};

/* Somebody's checksums of the file, and how far they have been compared. */
struct validate_expectation {
    const char *source; /* "store" or "manifest"; NULL when there is none */
    struct validate_blocks blocks;
    struct validate_block_cursor cursor;
};

enum { VALIDATE_EXPECT_STORE, VALIDATE_EXPECT_MANIFEST, VALIDATE_EXPECTATION_COUNT };

struct validate_file {
    char *path;
    char *name;    /* in a manifest and under a copy's directory */
    bool is_below; /* found below a directory that was named */

    /* Set by validate_file_open, constant afterwards. */
    int fd;
    int copy_fd;   /* -1 when there is none */
    bool has_copy; /* stays when copy_fd is closed */
    uint64_t size;
    struct tensor_list tensors;
    struct validate_extent *extents;
    size_t extent_count;
    uint32_t part_bytes; /* no part crosses a multiple of this */

    bool is_complete; /* set by validate_file_finish: all of it was checked, as far as it went */

    /* Guarded by lock. */
    struct tfs_mutex lock;   /* rank TFS_RANK_LEAF */
    struct list results;     /* struct validate_job, finished before an earlier one */
    uint64_t merged_count;   /* jobs whose results are in the fields below */
    struct gpu_stats *stats; /* of each tensor */
    struct validate_expectation expected[VALIDATE_EXPECTATION_COUNT];
    struct validate_blocks recorded; /* what was computed here */
    struct validate_block_cursor recorded_cursor;
    struct validate_member_cursor member_cursor;
    struct validate_problem problems[VALIDATE_PROBLEMS_KEPT];
    uint64_t problem_count;
};

/*
 * A file to be checked. Errors: -ENOMEM.
 *
 * Ownership: path and name are copied.
 */
TFS_MUST_CHECK int validate_file_new(const char *path, const char *name,
                                     struct validate_file **ret);
void validate_file_free(struct validate_file *file);

/* Give each the other's path and name. Call it while neither is opened. */
void validate_file_swap_names(struct validate_file *a, struct validate_file *b);

/* The tensors and what lies between them, cut where members begin and end. Errors: -ENOMEM. */
TFS_MUST_CHECK int validate_extents_build(struct validate_file *file);

/*
 * Open the file, find its tensors and what is known of its blocks. Whatever is wrong with the file
 * becomes a problem of it, and as much of it as possible is checked all the same.
 *
 * Errors: -ENOMEM and -EINTR only.
 */
TFS_MUST_CHECK int validate_file_open(struct validate_file *file,
                                      const struct validate_options *options);
void validate_file_close(struct validate_file *file);

/* Once all of it is merged: what tensors as wholes are guilty of. */
void validate_file_finish(struct validate_file *file, const struct validate_options *options);

/* Note a problem with the bytes [offset, offset + size); the text follows like printf's. Call with
 * the lock held, or while nobody else knows the file. */
void validate_file_problem(struct validate_file *file, enum validate_problem_kind kind,
                           uint64_t block, uint64_t offset, uint64_t size, const char *format, ...)
    TFS_PRINTF(6, 7);

#endif
