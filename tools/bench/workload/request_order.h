/*
 * Which block a request asks for: three loads of a cache, each from a seed.
 */
#ifndef TENSORFS_BENCH_REQUEST_ORDER_H
#define TENSORFS_BENCH_REQUEST_ORDER_H

#include "tools/bench/model/random.h"

#include "store/base/defs.h"

enum request_load {
    REQUEST_UNIFORM, /* every block as likely */
    REQUEST_ZIPF, /* the k-th most wanted block with a weight of k^-0.99 (YCSB's constant), strewn
                     over the file */
    REQUEST_SCAN, /* as ZIPF, but every second request belongs to a scan of REQUEST_SCAN_BLOCKS in
                     order */
};

enum { REQUEST_SCAN_BLOCKS = 64 };

/* Immutable once made; shared by the threads that draw. */
struct request_popularity {
    double *cumulative; /* share of requests for the k + 1 most wanted blocks */
    uint64_t *blocks;   /* the k-th most wanted block */
    uint64_t count;
};

/* Strew `blocks` blocks, of which there is one at least. Errors: -ENOMEM, not said. */
TFS_MUST_CHECK int request_popularity_init(struct request_popularity *popularity, uint64_t blocks,
                                           uint64_t seed);
void request_popularity_release(struct request_popularity *popularity);

/* One stream of requests. */
struct request_order {
    const struct request_popularity *popularity;
    enum request_load load;
    struct random random;
    uint64_t scan_next;
    uint64_t scan_left;
    bool scan_turn;
};

void request_order_init(struct request_order *order, const struct request_popularity *popularity,
                        enum request_load load, uint64_t seed);
uint64_t request_order_next(struct request_order *order);

#endif
