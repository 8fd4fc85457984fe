/*
 * The table of options: for options.c, which walks it, and nobody else.
 */
#ifndef TFS_FS_OPTIONS_TABLE_H
#define TFS_FS_OPTIONS_TABLE_H

#include "fs/options.h"

enum option_kind {
    OPTION_SIZE,     /* uint64_t, bytes; K M G */
    OPTION_POWER,    /* likewise, a power of two */
    OPTION_COUNT,    /* unsigned */
    OPTION_CODEC,    /* struct codec_spec */
    OPTION_LEVEL,    /* enum tfs_log_level */
    OPTION_TEXT,     /* char[PATH_MAX] */
    OPTION_SET,      /* bool: the name sets it */
    OPTION_CLEAR,    /* bool: the name clears it */
    OPTION_ACCEPTED, /* always so; naming it changes nothing */
};

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* into struct options */
    uint64_t minimum;
    uint64_t maximum;
    const char *help; /* NULL: not in the help text */
};

extern const struct option option_table[];
extern const size_t option_count;

/* Options of one letter are long ones of the table. */
struct option_letter {
    char letter;
    const char *name;
    const char *help;
};
extern const struct option_letter option_letters[];
extern const size_t option_letter_count;

/* Names that are taken and mean nothing here; with or without a value. */
extern const char *const option_dropped[];
extern const size_t option_dropped_count;

/* What the kernel has in the list of a mount's options beside those of mount(8), which passes all
 * of them on when a mount is changed. */
extern const char *const option_kernel[];
extern const size_t option_kernel_count;

#endif
