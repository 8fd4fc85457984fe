/*
 * A UUID as people write it: RFC 9562, section 4.
 */
#ifndef TFS_BASE_UUID_H
#define TFS_BASE_UUID_H

#include <stdint.h>
#include <stdio.h>

enum { TFS_UUID_TEXT_SIZE = 37 }; /* with the terminating zero */

static inline void tfs_uuid_text(const uint8_t uuid[16], char ret[TFS_UUID_TEXT_SIZE])
{
    char *at = ret;

    for (int i = 0; i < 16; i++)
        at += snprintf(at, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

#endif
