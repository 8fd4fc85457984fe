/*
 * Draws are inverse transforms: a binary search in the cumulative shares.
 */
#include "tools/bench/workload/request_order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const double ZIPF_EXPONENT = 0.99;

static void popularity_fill(struct request_popularity *popularity, uint64_t seed)
{
    struct random random;
    double sum = 0;

    random_init(&random, seed);
    for (uint64_t i = 0; i < popularity->count; i++) {
        sum += pow((double)(i + 1), -ZIPF_EXPONENT);
        popularity->cumulative[i] = sum;
        popularity->blocks[i] = i;
    }
    for (uint64_t i = 0; i < popularity->count; i++)
        popularity->cumulative[i] /= sum;
    for (uint64_t i = popularity->count; i > 1; i--) { /* Fisher and Yates */
        uint64_t other = random_below(&random, i);
        uint64_t block = popularity->blocks[i - 1];

        popularity->blocks[i - 1] = popularity->blocks[other];
        popularity->blocks[other] = block;
    }
}

int request_popularity_init(struct request_popularity *popularity, uint64_t blocks, uint64_t seed)
{
    popularity->count = blocks;
    popularity->cumulative = calloc(blocks, sizeof(double));
    popularity->blocks = calloc(blocks, sizeof(uint64_t));
    if (!popularity->cumulative || !popularity->blocks) {
        request_popularity_release(popularity);
        return -ENOMEM;
    }
    popularity_fill(popularity, seed);
    return 0;
}

void request_popularity_release(struct request_popularity *popularity)
{
    free(popularity->cumulative);
    free(popularity->blocks);
    *popularity = (struct request_popularity){0};
}

void request_order_init(struct request_order *order, const struct request_popularity *popularity,
                        enum request_load load, uint64_t seed)
{
    *order = (struct request_order){.popularity = popularity, .load = load};
    random_init(&order->random, seed);
}

/* The first rank whose cumulative share is above the draw. */
static uint64_t zipf_next(struct request_order *order)
{
    const struct request_popularity *popularity = order->popularity;
    double draw = random_unit(&order->random);
    uint64_t low = 0;
    uint64_t high = popularity->count - 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (popularity->cumulative[middle] > draw)
            high = middle;
        else
            low = middle + 1;
    }
    return popularity->blocks[low];
}

static uint64_t scan_next(struct request_order *order)
{
    uint64_t count = order->popularity->count;

    if (order->scan_left == 0) {
        order->scan_next = random_below(&order->random, count);
        order->scan_left = REQUEST_SCAN_BLOCKS;
    }
    order->scan_left--;
    order->scan_next %= count;
    return order->scan_next++;
}

uint64_t request_order_next(struct request_order *order)
{
    if (order->load == REQUEST_UNIFORM)
        return random_below(&order->random, order->popularity->count);
    if (order->load == REQUEST_SCAN) {
        order->scan_turn = !order->scan_turn;
        if (order->scan_turn)
            return scan_next(order);
    }
    return zipf_next(order);
}
