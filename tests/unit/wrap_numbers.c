#include "wrap_numbers.h"

#include "store/numbers.h"

static uint64_t next_segment; /* 0: the volume's */

int __real_numbers_take(struct tfs_numbers *numbers, enum numbers_kind kind, uint64_t *ret);
int __wrap_numbers_take(struct tfs_numbers *numbers, enum numbers_kind kind, uint64_t *ret);

int __wrap_numbers_take(struct tfs_numbers *numbers, enum numbers_kind kind, uint64_t *ret)
{
    if (kind != NUMBERS_SEGMENT || next_segment == 0)
        return __real_numbers_take(numbers, kind, ret);
    *ret = next_segment;
    next_segment = 0;
    return 0;
}

void wrap_numbers_set_next_segment(uint64_t number)
{
    next_segment = number;
}
