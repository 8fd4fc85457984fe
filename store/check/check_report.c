/*
 * What was found. Problems wait until the end of their round: only then are the names known that
 * lead to an inode, and what is corrected is in the index.
 */
#include "store/base/list.h"
#include "store/check/check_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* More are counted, and not told one by one. */
enum { PROBLEMS_KEPT_MAX = 100000, PROBLEM_TEXT_SIZE = 320 };

struct problem {
    struct list node;
    enum tfs_check_kind kind;
    enum tfs_check_outcome outcome;
    struct check_range range;
    char text[PROBLEM_TEXT_SIZE];
};

const char *tfs_check_kind_name(enum tfs_check_kind kind)
{
    static const char *const names[TFS_CHECK_KIND_COUNT] = {
        [TFS_CHECK_INDEX] = "index",     [TFS_CHECK_SETTING] = "setting",
        [TFS_CHECK_KEY] = "key",         [TFS_CHECK_INODE] = "inode",
        [TFS_CHECK_NAME] = "name",       [TFS_CHECK_LINKS] = "links",
        [TFS_CHECK_PARENT] = "parent",   [TFS_CHECK_LOST] = "lost",
        [TFS_CHECK_ORPHAN] = "orphan",   [TFS_CHECK_ATTRIBUTE] = "attribute",
        [TFS_CHECK_SIZE] = "size",       [TFS_CHECK_ROW] = "row",
        [TFS_CHECK_FRAME] = "frame",     [TFS_CHECK_USAGE] = "usage",
        [TFS_CHECK_SEGMENT] = "segment",
    };

    return names[kind];
}

const char *tfs_check_outcome_name(enum tfs_check_outcome outcome)
{
    switch (outcome) {
    case TFS_CHECK_NOTE:
        return "note";
    case TFS_CHECK_FIXED:
        return "corrected";
    case TFS_CHECK_LEFT:
        return "error";
    default:
        return "unreadable";
    }
}

static uint64_t *counter_of(struct check *check, enum tfs_check_outcome outcome)
{
    switch (outcome) {
    case TFS_CHECK_NOTE:
        return &check->result->notes;
    case TFS_CHECK_FIXED:
        return &check->result->fixed;
    case TFS_CHECK_LEFT:
        return &check->result->left;
    default:
        return &check->result->unreadable;
    }
}

static void add(struct check *check, enum tfs_check_kind kind, enum tfs_check_outcome outcome,
                const struct check_range *range, const char *format, va_list arguments)
    __attribute__((format(printf, 5, 0)));

static void add(struct check *check, enum tfs_check_kind kind, enum tfs_check_outcome outcome,
                const struct check_range *range, const char *format, va_list arguments)
{
    struct problem *problem;

    (*counter_of(check, outcome))++;
    if (outcome == TFS_CHECK_UNREADABLE)
        check->result->unreadable_bytes += range->size;
    if (!check->options->report || check->problems_kept >= PROBLEMS_KEPT_MAX)
        return;
    problem = malloc(sizeof(*problem));
    if (!problem)
        return; /* it is counted */
    problem->kind = kind;
    problem->outcome = outcome;
    problem->range = *range;
    (void)vsnprintf(problem->text, sizeof(problem->text), format, arguments); /* may be cut */
    list_push_back(&check->problems, &problem->node);
    check->problems_kept++;
}

void check_problem(struct check *check, enum tfs_check_outcome outcome, enum tfs_check_kind kind,
                   uint64_t inode, const char *format, ...)
{
    struct check_range range = {.inode = inode};
    va_list arguments;

    va_start(arguments, format);
    add(check, kind, outcome, &range, format, arguments);
    va_end(arguments);
}

void check_unreadable(struct check *check, enum tfs_check_kind kind,
                      const struct check_range *range, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(check, kind, TFS_CHECK_UNREADABLE, range, format, arguments);
    va_end(arguments);
}

const char *check_done(const struct check *check, const char *text)
{
    return check->repairing ? text : "";
}

static void tell(struct check *check, const struct problem *problem)
{
    char path[CHECK_PATH_SIZE];
    struct tfs_check_problem told = {
        .kind = problem->kind,
        .outcome = problem->outcome,
        .inode = problem->range.inode,
        .offset = problem->range.offset,
        .size = problem->range.size,
        .text = problem->text,
    };

    if (told.inode && check_path(check, told.inode, path))
        told.path = path;
    check->options->report(check->options->context, &told);
}

void check_report(struct check *check, bool last)
{
    struct list *node;

    while ((node = list_pop_front(&check->problems))) {
        struct problem *problem = list_entry(node, struct problem, node);

        if (last || problem->outcome == TFS_CHECK_FIXED)
            tell(check, problem);
        free(problem);
    }
    check->problems_kept = 0;
}

void check_report_failed(struct check *check)
{
    struct list *node;

    list_for_each (node, &check->problems) {
        struct problem *problem = list_entry(node, struct problem, node);

        if (problem->outcome != TFS_CHECK_FIXED)
            continue;
        problem->outcome = TFS_CHECK_LEFT;
        check->result->fixed--;
        check->result->left++;
    }
    check_report(check, true);
}
