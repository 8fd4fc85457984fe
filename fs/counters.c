#include "fs/counters.h"

#include "control/json.h"
#include "store/base/error.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>

struct counters {
    unsigned lane_count;          /* immutable */
    struct tfs_histogram lanes[]; /* lane_count * COUNTERS_OPCODE_COUNT */
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

void counters_add(struct counters *counters, unsigned lane, uint32_t opcode, uint64_t ns)
{
    uint32_t cell = opcode < COUNTERS_OPCODE_COUNT ? opcode : 0;

    assert(lane < counters->lane_count);
    tfs_histogram_add_alone(&counters->lanes[(size_t)lane * COUNTERS_OPCODE_COUNT + cell], ns);
}

void counters_sum(const struct counters *counters, uint32_t opcode, struct tfs_histogram_sum *ret)
{
    struct tfs_histogram_sum sum = {0};

    assert(opcode < COUNTERS_OPCODE_COUNT);
    for (unsigned lane = 0; lane < counters->lane_count; lane++)
        tfs_histogram_sum_up(&counters->lanes[(size_t)lane * COUNTERS_OPCODE_COUNT + opcode], &sum);
    *ret = sum;
}

struct cJSON *counters_to_json(const struct counters *counters)
{
    cJSON *object = cJSON_CreateObject();

    for (uint32_t opcode = 0; object && opcode < COUNTERS_OPCODE_COUNT; opcode++) {
        struct tfs_histogram_sum sum;

        counters_sum(counters, opcode, &sum);
        if (sum.count > 0)
            control_add_histogram(object, opcode_names[opcode] ? opcode_names[opcode] : "other",
                                  &sum);
    }
    return object;
}
