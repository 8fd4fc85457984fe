/*
 * Segments with numbers that a test chooses. Link with --wrap=numbers_take.
 */
#ifndef TFS_TESTS_WRAP_NUMBERS_H
#define TFS_TESTS_WRAP_NUMBERS_H

#include <stdint.h>

/* The next segment that is begun has this number; those after it have the volume's again. */
void wrap_numbers_set_next_segment(uint64_t number);

#endif
