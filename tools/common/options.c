/*
 * One table row says everything about an option; getopt's own tables are made from the rows, and
 * so is --help. A value is checked before its field is written, so that a refused command line
 * changes nothing.
 */
#include "tools/common/options.h"

#include "tools/common/console.h"
#include "tools/common/units.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 48, LONG_BASE = 1000, HELP_COLUMN = 30 };

/* The first common row that the command takes. */
static size_t common_first(const struct options_command *command)
{
    return command->takes_few ? options_tool.row_count - 2 : 0;
}

/* The rows of a command: its own first, then the common ones. */
static size_t rows_collect(const struct options_command *command, const struct options_row **rows)
{
    size_t count = 0;

    assert(command->row_count + options_tool.row_count <= ROWS_MAX);
    for (size_t i = 0; i < command->row_count; i++)
        rows[count++] = &command->rows[i];
    for (size_t i = common_first(command); i < options_tool.row_count; i++)
        rows[count++] = &options_tool.rows[i];
    return count;
}

static int choice_parse(const struct options_row *row, const char *value, unsigned *ret)
{
    const char *word = row->choices;

    for (unsigned index = 0; *word != '\0'; index++) {
        size_t size = strcspn(word, " ");

        if (strlen(value) == size && strncmp(word, value, size) == 0) {
            *ret = index;
            return 0;
        }
        word += size;
        word += strspn(word, " ");
    }
    return console_reject("--%s=%s: it must be one of: %s", row->name, value, row->choices);
}

static int number_parse(const struct options_row *row, const char *value, uint64_t *ret)
{
    bool is_size = row->kind == OPTIONS_SIZE;
    uint64_t number;
    int err = is_size ? units_parse_size(value, &number) : units_parse_count(value, &number);

    if (err < 0 && err != -ERANGE)
        return console_reject("--%s=%s: not a %s", row->name, value,
                              is_size ? "size (like 64K, 512M, 2G)" : "whole number");
    if (err == 0 && number >= row->min && number <= row->max) {
        *ret = number;
        return 0;
    }
    if (is_size)
        return console_reject("--%s=%s: it must lie between %s and %s", row->name, value,
                              units_bytes(row->min).text, units_bytes(row->max).text);
    return console_reject("--%s=%s: it must lie between %llu and %llu", row->name, value,
                          (unsigned long long)row->min, (unsigned long long)row->max);
}

static int row_apply(const struct options_row *row, const char *value, void *settings)
{
    void *field = (char *)settings + row->offset;

    switch (row->kind) {
    case OPTIONS_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTIONS_PATH:
        if (*value == '\0')
            return console_reject("--%s: a path is missing; it is empty", row->name);
        *(const char **)field = value;
        return 0;
    case OPTIONS_STRING:
        *(const char **)field = value;
        return 0;
    case OPTIONS_COUNT:
    case OPTIONS_SIZE:
        return number_parse(row, value, field);
    case OPTIONS_CHOICE:
        return choice_parse(row, value, field);
    }
    return -EINVAL;
}

/* getopt's own tables. A long option answers LONG_BASE + its index in rows. */
static void getopt_tables(const struct options_row **rows, size_t count, struct option *longs,
                          char *shorts)
{
    char *letter = shorts;

    *letter++ = ':'; /* tell a missing argument from an unknown option */
    for (size_t i = 0; i < count; i++) {
        longs[i] = (struct option){
            .name = rows[i]->name,
            .has_arg = rows[i]->argument ? required_argument : no_argument,
            .val = LONG_BASE + (int)i,
        };
        if (!rows[i]->letter)
            continue;
        *letter++ = rows[i]->letter;
        if (rows[i]->argument)
            *letter++ = ':';
    }
    longs[count] = (struct option){0};
    *letter = '\0';
}

static const struct options_row *row_find(const struct options_row **rows, size_t count, int code)
{
    if (code >= LONG_BASE && (size_t)(code - LONG_BASE) < count)
        return rows[code - LONG_BASE];
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->letter == code)
            return rows[i];
    }
    return NULL;
}

static int options_hint(const struct options_command *command, const char *what, const char *word)
{
    return console_reject("%s '%s'; '%s %s --help' lists the options", what, word,
                          options_tool.name, command->name);
}

/* Complain about what getopt refused: a whole word, or a letter among others in one. */
static int parse_refuse(const struct options_command *command, int code, char **argv)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < LONG_BASE;
    const char *word = is_letter ? letter : argv[optind - 1];

    if (code == ':')
        return options_hint(command, "a value is missing behind", word);
    if (optopt >= LONG_BASE)
        return options_hint(command, "no value belongs to", word);
    return options_hint(command, "unknown option", word);
}

int options_parse(const struct options_command *command, int argc, char **argv, void *settings,
                  char ***ret_operands)
{
    const struct options_row *rows[ROWS_MAX];
    struct option longs[ROWS_MAX + 1];
    char shorts[2 * ROWS_MAX + 2];
    size_t count = rows_collect(command, rows);
    int code;
    int err;

    getopt_tables(rows, count, longs, shorts);
    opterr = 0;
    optind = 0; /* glibc: start anew, also behind a word that was refused in its middle */
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const struct options_row *row = row_find(rows, count, code);

        if (!row)
            return parse_refuse(command, code, argv);
        if (strcmp(row->name, "help") == 0) {
            options_print_help(command);
            return OPTIONS_DONE;
        }
        err = row_apply(row, optarg, settings);
        if (err < 0)
            return err;
    }
    if (!command->takes_operands && optind < argc)
        return options_hint(command, "unexpected argument", argv[optind]);
    *ret_operands = argv + optind;
    return OPTIONS_RUN;
}

static void row_print(const struct options_row *row)
{
    char left[64];

    if (row->letter)
        (void)snprintf(left, sizeof(left), "-%c, --%s%s%s", row->letter, row->name,
                       row->argument ? "=" : "", row->argument ? row->argument : "");
    else
        (void)snprintf(left, sizeof(left), "    --%s%s%s", row->name, row->argument ? "=" : "",
                       row->argument ? row->argument : "");
    if (strlen(left) + 2 >= HELP_COLUMN)
        (void)printf("  %s\n  %*s%s\n", left, HELP_COLUMN - 2, "", row->help);
    else
        (void)printf("  %-*s%s\n", HELP_COLUMN - 2, left, row->help);
}

void options_print_help(const struct options_command *command)
{
    (void)printf("Usage: %s %s %s\n\n%s.\n", options_tool.name, command->name, command->usage,
                 command->summary);
    if (command->row_count > 0)
        (void)printf("\nOptions:\n");
    for (size_t i = 0; i < command->row_count; i++)
        row_print(&command->rows[i]);
    (void)printf("\nCommon options:\n");
    for (size_t i = common_first(command); i < options_tool.row_count; i++)
        row_print(&options_tool.rows[i]);
    (void)printf("\n%s", command->details);
}
