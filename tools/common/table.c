#include "tools/common/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_GAP = 2, CUT_WIDTH_MIN = 8 };

static void table_append(struct table *table, const char *text)
{
    char **rows = realloc(table->rows, (table->row_count + 1) * sizeof(*rows));

    if (!rows) {
        table->error = -ENOMEM;
        return;
    }
    table->rows = rows;
    rows[table->row_count] = strdup(text);
    if (!rows[table->row_count]) {
        table->error = -ENOMEM;
        return;
    }
    table->row_count++;
}

/* Take the marks out of the heading. */
static void heading_parse(char *heading, bool *left)
{
    char *out = heading;
    size_t column = 0;

    left[0] = true;
    for (const char *in = heading; *in != '\0'; in++) {
        if (*in == '<' && (in == heading || in[-1] == '\t')) {
            left[column] = true;
            continue;
        }
        column += *in == '\t' && column + 1 < TABLE_COLUMNS_MAX;
        *out++ = *in;
    }
    *out = '\0';
}

void table_init(struct table *table, const char *heading)
{
    *table = (struct table){0};
    table_append(table, heading);
    if (table->row_count == 1)
        heading_parse(table->rows[0], table->left);
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->row_count; i++)
        free(table->rows[i]);
    free(table->rows);
    *table = (struct table){0};
}

void table_row(struct table *table, const char *format, ...)
{
    char row[TABLE_ROW_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(row, sizeof(row), format, arguments); /* a longer one is cut */
    va_end(arguments);
    table_append(table, row);
}

/* Widths count bytes that begin a character, so that names in UTF-8 stay aligned. */
static size_t cell_width(const char *cell, size_t size)
{
    size_t width = 0;

    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)cell[i] & 0xc0) != 0x80;
    return width;
}

static int table_measure(const struct table *table, size_t *widths, size_t *ret_columns)
{
    size_t columns = 0;

    for (size_t row = 0; row < table->row_count; row++) {
        const char *cell = table->rows[row];

        for (size_t column = 0;; column++) {
            size_t size = strcspn(cell, "\t");

            if (column >= TABLE_COLUMNS_MAX)
                return -EINVAL;
            if (cell_width(cell, size) > widths[column])
                widths[column] = cell_width(cell, size);
            if (column + 1 > columns)
                columns = column + 1;
            if (cell[size] == '\0')
                break;
            cell += size + 1;
        }
    }
    *ret_columns = columns;
    return 0;
}

/* Takes what does not fit from the widest column of text, again and again, down to eight
 * characters. */
static void table_fit(const struct table *table, size_t *widths, size_t columns)
{
    size_t total = TABLE_GAP * (columns - 1);

    for (size_t i = 0; i < columns; i++)
        total += widths[i];
    for (; total > TABLE_WIDTH_MAX; total--) {
        size_t widest = 0;

        for (size_t i = 1; i < columns; i++) {
            if (table->left[i] && widths[i] > widths[widest])
                widest = i;
        }
        if (widths[widest] <= CUT_WIDTH_MIN)
            return; /* too many columns of figures: better wide than wrong */
        widths[widest]--;
    }
}

static void cell_print(const char *cell, size_t size, size_t blanks, bool left, FILE *out)
{
    (void)fprintf(out, "%*s%.*s%*s", left ? 0 : (int)blanks, "", (int)size, cell,
                  left ? (int)blanks : 0, "");
}

static void table_print_row(const char *row, const bool *left, const size_t *widths, FILE *out)
{
    const char *cell = row;

    for (size_t column = 0;; column++) {
        size_t size = strcspn(cell, "\t");
        size_t width = cell_width(cell, size);
        bool last = cell[size] == '\0';

        if (column > 0)
            (void)fprintf(out, "%*s", TABLE_GAP, "");
        cell_print(cell, width > widths[column] ? widths[column] : size,
                   width < widths[column] ? widths[column] - width : 0, left[column], out);
        if (last)
            break;
        cell += size + 1;
    }
    (void)fputc('\n', out);
}

int table_print(const struct table *table, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    size_t columns;
    size_t total = 0;
    int err;

    if (table->error < 0)
        return table->error;
    err = table_measure(table, widths, &columns);
    if (err < 0)
        return err;
    table_fit(table, widths, columns);
    for (size_t i = 0; i < columns; i++)
        total += widths[i] + (i > 0 ? TABLE_GAP : 0);
    for (size_t row = 0; row < table->row_count; row++) {
        table_print_row(table->rows[row], table->left, widths, out);
        if (row == 0) {
            for (size_t i = 0; i < total; i++)
                (void)fputc('-', out);
            (void)fputc('\n', out);
        }
    }
    return 0;
}
