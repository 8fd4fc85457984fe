/*
 * Command lines from one table per subcommand: parsing, checking and --help all read the same rows.
 */
#ifndef TFS_TOOLS_OPTIONS_H
#define TFS_TOOLS_OPTIONS_H

#include "store/base/defs.h"

enum options_kind {
    OPTIONS_FLAG,   /* bool */
    OPTIONS_STRING, /* const char *, borrowed from argv */
    OPTIONS_PATH,   /* the same, and not empty: "$DIR/x" of an unset DIR would be the root's */
    OPTIONS_COUNT,  /* uint64_t */
    OPTIONS_SIZE,   /* uint64_t, with K, M, G */
    OPTIONS_CHOICE, /* unsigned: which of the words in `choices` */
};

struct options_row {
    const char *name; /* the long name, without dashes */
    char letter;      /* 0: none */
    enum options_kind kind;
    size_t offset;        /* of the field in the settings */
    const char *argument; /* shown in --help; NULL for a flag */
    const char *choices;  /* OPTIONS_CHOICE: words separated by blanks */
    uint64_t min;         /* OPTIONS_COUNT, OPTIONS_SIZE */
    uint64_t max;
    const char *help;
};

struct options_command {
    const char *name;
    const char *summary;            /* one line, for the list of commands */
    const char *usage;              /* what stands behind the command's name */
    const char *details;            /* paragraphs and examples, printed after the options */
    const struct options_row *rows; /* the command's own */
    size_t row_count;
    bool takes_operands;
    bool takes_few; /* of the common options only --quiet and --help */
};

/*
 * The program whose command lines these are, and the options that all of its commands share. Each
 * program defines one, options_tool.
 */
struct options_tool {
    const char *name;
    const struct options_row *rows; /* the last two are --quiet and --help, which all take */
    size_t row_count;
};

extern const struct options_tool options_tool;

enum options_outcome { OPTIONS_RUN, OPTIONS_DONE };

/*
 * Fill `settings` (already holding the defaults) from argv, whose first word is the command's name.
 * Rows are the command's and those that all share (options_tool).
 *
 * Ownership: strings in settings and *ret_operands point into argv.
 * Returns:   OPTIONS_RUN, or OPTIONS_DONE when --help was printed.
 * Errors:    -EINVAL, said on standard error.
 */
TFS_MUST_CHECK int options_parse(const struct options_command *command, int argc, char **argv,
                                 void *settings, char ***ret_operands);

void options_print_help(const struct options_command *command);

#endif
