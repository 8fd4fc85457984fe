#include "fs/counters.h"

#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>

struct lane_opcode {
    _Atomic uint64_t count;
    _Atomic uint64_t total_ns;
    _Atomic uint64_t buckets[COUNTERS_BUCKET_COUNT];
};

struct counters {
    unsigned lane_count;        /* immutable */
    struct lane_opcode lanes[]; /* lane_count * COUNTERS_OPCODE_COUNT */
};

static const char *const opcode_names[COUNTERS_OPCODE_COUNT] = {
    [FUSE_LOOKUP] = "LOOKUP",
    [FUSE_FORGET] = "FORGET",
    [FUSE_GETATTR] = "GETATTR",
    [FUSE_SETATTR] = "SETATTR",
    [FUSE_READLINK] = "READLINK",
    [FUSE_SYMLINK] = "SYMLINK",
    [FUSE_MKNOD] = "MKNOD",
    [FUSE_MKDIR] = "MKDIR",
    [FUSE_UNLINK] = "UNLINK",
    [FUSE_RMDIR] = "RMDIR",
    [FUSE_RENAME] = "RENAME",
    [FUSE_LINK] = "LINK",
    [FUSE_OPEN] = "OPEN",
    [FUSE_READ] = "READ",
    [FUSE_WRITE] = "WRITE",
    [FUSE_STATFS] = "STATFS",
    [FUSE_RELEASE] = "RELEASE",
    [FUSE_FSYNC] = "FSYNC",
    [FUSE_SETXATTR] = "SETXATTR",
    [FUSE_GETXATTR] = "GETXATTR",
    [FUSE_LISTXATTR] = "LISTXATTR",
    [FUSE_REMOVEXATTR] = "REMOVEXATTR",
    [FUSE_FLUSH] = "FLUSH",
    [FUSE_INIT] = "INIT",
    [FUSE_OPENDIR] = "OPENDIR",
    [FUSE_READDIR] = "READDIR",
    [FUSE_RELEASEDIR] = "RELEASEDIR",
    [FUSE_FSYNCDIR] = "FSYNCDIR",
    [FUSE_CREATE] = "CREATE",
    [FUSE_INTERRUPT] = "INTERRUPT",
    [FUSE_DESTROY] = "DESTROY",
    [FUSE_IOCTL] = "IOCTL",
    [FUSE_BATCH_FORGET] = "BATCH_FORGET",
    [FUSE_FALLOCATE] = "FALLOCATE",
    [FUSE_READDIRPLUS] = "READDIRPLUS",
    [FUSE_RENAME2] = "RENAME2",
    [FUSE_LSEEK] = "LSEEK",
    [FUSE_COPY_FILE_RANGE] = "COPY_FILE_RANGE",
    [FUSE_SYNCFS] = "SYNCFS",
    [FUSE_TMPFILE] = "TMPFILE",
    [52] = "STATX",
};

int counters_new(unsigned lane_count, struct counters **ret)
{
    size_t cells = (size_t)lane_count * COUNTERS_OPCODE_COUNT;
    struct counters *counters = calloc(1, sizeof(*counters) + cells * sizeof(counters->lanes[0]));

    if (!counters)
        return tfs_fail(-ENOMEM, "counters of %u threads", lane_count);
    counters->lane_count = lane_count;
    *ret = counters;
    return 0;
}

void counters_free(struct counters *counters)
{
    free(counters);
}

static unsigned bucket_of(uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned bucket = us ? 64u - (unsigned)__builtin_clzll(us) : 0;

    return bucket < COUNTERS_BUCKET_COUNT ? bucket : COUNTERS_BUCKET_COUNT - 1;
}

/* Relaxed, and no atomic addition: the lane has one writer, and statistics order nothing. */
static void add(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, before + value, memory_order_relaxed);
}

void counters_add(struct counters *counters, unsigned lane, uint32_t opcode, uint64_t ns)
{
    uint32_t cell = opcode < COUNTERS_OPCODE_COUNT ? opcode : 0;
    struct lane_opcode *at = &counters->lanes[(size_t)lane * COUNTERS_OPCODE_COUNT + cell];

    assert(lane < counters->lane_count);
    add(&at->count, 1);
    add(&at->total_ns, ns);
    add(&at->buckets[bucket_of(ns)], 1);
}

void counters_sum(const struct counters *counters, uint32_t opcode, struct counters_opcode *ret)
{
    struct counters_opcode sum = {0};

    assert(opcode < COUNTERS_OPCODE_COUNT);
    for (unsigned lane = 0; lane < counters->lane_count; lane++) {
        const struct lane_opcode *at =
            &counters->lanes[(size_t)lane * COUNTERS_OPCODE_COUNT + opcode];

        sum.count += atomic_load_explicit(&at->count, memory_order_relaxed);
        sum.total_ns += atomic_load_explicit(&at->total_ns, memory_order_relaxed);
        for (unsigned i = 0; i < COUNTERS_BUCKET_COUNT; i++)
            sum.buckets[i] += atomic_load_explicit(&at->buckets[i], memory_order_relaxed);
    }
    *ret = sum;
}

const char *counters_opcode_name(uint32_t opcode)
{
    return opcode < COUNTERS_OPCODE_COUNT ? opcode_names[opcode] : NULL;
}

static void print_opcode(FILE *stream, const char *name, const struct counters_opcode *sum)
{
    (void)fprintf(stream, "\"%s\": {\"count\": %llu, \"total_ns\": %llu, \"buckets_us\": [", name,
                  (unsigned long long)sum->count, (unsigned long long)sum->total_ns);
    for (unsigned i = 0; i < COUNTERS_BUCKET_COUNT; i++)
        (void)fprintf(stream, "%s%llu", i ? ", " : "", (unsigned long long)sum->buckets[i]);
    (void)fputs("]}", stream);
}

int counters_json(const struct counters *counters, char **ret)
{
    struct counters_opcode sum;
    char *text = NULL;
    size_t size = 0;
    bool is_first = true;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return tfs_fail(-ENOMEM, "text of the counters");
    (void)fputc('{', stream);
    for (uint32_t opcode = 0; opcode < COUNTERS_OPCODE_COUNT; opcode++) {
        counters_sum(counters, opcode, &sum);
        if (sum.count == 0)
            continue;
        (void)fputs(is_first ? "" : ", ", stream);
        print_opcode(stream, opcode_names[opcode] ? opcode_names[opcode] : "other", &sum);
        is_first = false;
    }
    (void)fputc('}', stream);
    if (fclose(stream) != 0) { /* reports the failure of any write above */
        free(text);
        return tfs_fail(-ENOMEM, "text of the counters");
    }
    *ret = text;
    return 0;
}
