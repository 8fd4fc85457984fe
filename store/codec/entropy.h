/*
 * The entropy of small samples, in integers, so that every machine decides alike. Private to this
 * folder.
 */
#ifndef TFS_CODEC_ENTROPY_H
#define TFS_CODEC_ENTROPY_H

#include "store/base/defs.h"

enum {
    ENTROPY_SYMBOLS = 256,
    ENTROPY_SAMPLES_MAX = 4096,
    ENTROPY_BIT = 1024, /* results are in 1/1024 bit */
};

/* log2(i) for 1..ENTROPY_SAMPLES_MAX in 1/65536. */
struct entropy_table {
    uint32_t log2[ENTROPY_SAMPLES_MAX + 1];
};

void entropy_table_init(struct entropy_table *table);

/*
 * Shannon's entropy per symbol of what `total` samples were drawn from, in 1/ENTROPY_BIT bit. The
 * estimate from the counts alone is too low by about (m - 1) / (2 N ln 2) bits for m symbols seen
 * (G. Miller, "Note on the bias of information estimates", 1955); that is added.
 */
uint32_t entropy_estimate(const struct entropy_table *table, const uint16_t counts[ENTROPY_SYMBOLS],
                          uint32_t total);

#endif
