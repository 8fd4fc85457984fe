#include "store_crash.h"

#include <stdio.h>

/*
 * The volume lives on while it is copied. The index comes first: what its reclaim thread does to
 * the segments meanwhile is nothing that this index says was done. The other way round the copy
 * could be of a sweep that is recorded as over, with segments from before it, as no crash leaves
 * them.
 */
struct fixture *crash_copy(const struct fixture *fixture)
{
    struct fixture *copy;
    char command[2000];

    assert_int_equal(fixture_set_up_closed((void **)&copy), 0);
    (void)snprintf(command, sizeof(command),
                   "mkdir '%s' && cd '%s' && cp -a index FORMAT '%s' && "
                   "cp -a --sparse=always segments '%s'",
                   copy->path, fixture->path, copy->path, copy->path);
    assert_int_equal(system(command), 0);
    copy->options.index_engine = fixture->options.index_engine;
    copy->options.segment_engine = fixture->options.segment_engine;
    fixture_open(copy);
    return copy;
}

void crash_end(struct fixture *copy)
{
    assert_int_equal(fixture_tear_down((void **)&copy), 0);
}

uint64_t crash_size(struct fixture *copy, const char *name)
{
    return fixture_attr(copy, fixture_lookup(copy, TFS_ROOT_INODE, name)).size;
}
