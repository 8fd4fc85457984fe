/*
 * What a tool prints, caught by its tests.
 */
#ifndef TFS_TESTS_SAID_H
#define TFS_TESTS_SAID_H

#include <stdio.h>

enum { SAID_BYTES_MAX = 16384 };

/* What is printed on `fd` from said_begin() to said_end(), which is when `text` is there. */
struct said {
    int fd;
    int saved;
    FILE *file;
    char text[SAID_BYTES_MAX]; /* the beginning, where it is more */
};

void said_begin(struct said *said, int fd);
void said_end(struct said *said);

/* Fails, with what was said, unless `part` stands in it. */
void said_assert(const struct said *said, const char *part);

#endif
