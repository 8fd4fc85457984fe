/*
 * Local files as an engine of the segments: STORE/segments/<number, 16 hex digits>.seg, written
 * with O_DIRECT from the caller's own buffers where the filesystem beneath allows it.
 */
#include "store/segment/local_internal.h"

const struct segment_engine segment_local = {
    .name = "local",
    .folder = "segments",
    .open = local_open,
    .close = local_close,
    .resume = local_resume,
    .append = local_append,
    .sync = local_sync,
    .read = local_read,
    .punch = local_punch,
    .remove = local_remove,
    .seal = local_seal,
    .is_active = local_is_active,
    .visit = local_visit,
    .space = local_space,
};
