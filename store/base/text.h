/*
 * Text for people that holds names from anywhere: one line, and nothing that a terminal obeys.
 */
#ifndef TFS_BASE_TEXT_H
#define TFS_BASE_TEXT_H

#include <stdbool.h>

/* ASCII's control characters. Bytes of UTF-8 are none. */
static inline bool tfs_is_control(char letter)
{
    return (unsigned char)letter < 0x20 || letter == 0x7f;
}

/* Put '?' in place of every control character, line breaks among them. */
static inline void tfs_make_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if (tfs_is_control(*text))
            *text = '?';
    }
}

#endif
