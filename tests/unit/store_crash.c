#include "store_crash.h"

#include <stdio.h>

struct fixture *crash_copy(const struct fixture *fixture)
{
    struct fixture *copy;
    char command[1000];

    assert_int_equal(fixture_set_up_closed((void **)&copy), 0);
    (void)snprintf(command, sizeof(command), "cp -a --sparse=always '%s' '%s'", fixture->path,
                   copy->directory);
    assert_int_equal(system(command), 0);
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
