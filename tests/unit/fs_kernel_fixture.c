#include "tests/unit/fs_kernel_fixture.h"

struct kernel kernel;

int kernel_set_up(void **state)
{
    (void)state;
    kernel_open_new(&kernel);
    return 0;
}

int kernel_set_up_old(void **state)
{
    (void)state;
    kernel_open_old(&kernel);
    return 0;
}

int kernel_tear_down(void **state)
{
    (void)state;
    kernel_close(&kernel);
    return 0;
}
