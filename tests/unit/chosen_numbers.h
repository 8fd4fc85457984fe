/*
 * Local segments with numbers that a test chooses.
 */
#ifndef TFS_TESTS_CHOSEN_NUMBERS_H
#define TFS_TESTS_CHOSEN_NUMBERS_H

#include "store/segment/engine.h"

/* For the table of an engine that is a copy of segment_local. */
int chosen_numbers_open(const struct segments_options *options, struct segment_budget *budget,
                        struct segment_store **ret);

/* The next segment that is begun has this number; those after it have the volume's again. */
void chosen_numbers_set_next(uint64_t number);

#endif
