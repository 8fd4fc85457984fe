/*
 * UTF-8, told from what is none.
 */
#ifndef TFS_BASE_UTF8_H
#define TFS_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the character that the text, which a zero ends, begins with; 0 when it is none of UTF-8,
 * or at the text's end. */
size_t tfs_utf8_size(const char *text);

#endif
