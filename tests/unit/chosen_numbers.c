#include "chosen_numbers.h"

enum { OPEN_MAX_AT_A_TIME = 8 };

/* What the volume gave to an open. */
struct asked {
    int (*take_number)(void *context, uint64_t *ret);
    void *context;
};

static uint64_t next_segment; /* 0: the volume's */

static int take_number(void *context, uint64_t *ret)
{
    const struct asked *asked = context;

    if (next_segment == 0)
        return asked->take_number(asked->context, ret);
    *ret = next_segment;
    next_segment = 0;
    return 0;
}

int chosen_numbers_open(const struct segments_options *options, struct segment_budget *budget,
                        struct segment_store **ret)
{
    static struct asked opens[OPEN_MAX_AT_A_TIME];
    static unsigned count;
    struct segments_options changed = *options;
    struct asked *asked = &opens[count++ % OPEN_MAX_AT_A_TIME];

    *asked = (struct asked){.take_number = options->take_number, .context = options->context};
    changed.take_number = take_number;
    changed.context = asked;
    return segment_local.open(&changed, budget, ret);
}

void chosen_numbers_set_next(uint64_t number)
{
    next_segment = number;
}
