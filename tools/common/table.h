/*
 * Tables of at most 100 columns of text. A row is one printf call whose cells are separated by
 * tabs; the width of a column is that of its widest cell. Where a table would be too wide, columns
 * of text are cut.
 */
#ifndef TFS_TOOLS_TABLE_H
#define TFS_TOOLS_TABLE_H

#include "store/base/defs.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12, TABLE_WIDTH_MAX = 100, TABLE_ROW_BYTES_MAX = 512 };

struct table {
    char **rows; /* each one string with tabs; the first is the heading */
    size_t row_count;
    bool left[TABLE_COLUMNS_MAX]; /* columns aligned to the left */
    int error;                    /* the first one of table_row; reported by table_print */
};

/*
 * The first column is aligned to the left, the others to the right, unless their heading starts
 * with '<'. A heading is a row as in table_row.
 */
void table_init(struct table *table, const char *heading);
void table_release(struct table *table);

/* Add a row. A failure is kept and reported by table_print. */
void table_row(struct table *table, const char *format, ...) TFS_PRINTF(2, 3);

/* Errors: -ENOMEM, -EINVAL (more than TABLE_COLUMNS_MAX columns). */
TFS_MUST_CHECK int table_print(const struct table *table, FILE *out);

#endif
