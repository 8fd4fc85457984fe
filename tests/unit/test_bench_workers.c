/*
 * Goal: loops and ranks on threads: each index once, the slowest rank is seen, errors come through;
 * command lines are parsed by their tables. Method: functions that count; settings filled from
 * argv.
 */
#include "tools/bench/command/common.h"
#include "tools/bench/system/workers.h"
#include "tools/common/console.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { COUNT = 1000 };

struct tally {
    atomic_int seen[COUNT];
    atomic_int running;
    size_t failing; /* this index fails; COUNT: none */
};

static int count_once(void *argument, size_t index)
{
    struct tally *tally = argument;

    (void)atomic_fetch_add(&tally->seen[index], 1);
    return index == tally->failing ? -EIO : 0;
}

static void every_index_is_run_once(void **state)
{
    static const unsigned threads[] = {1, 2, 7};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(threads); i++) {
        struct tally tally = {.failing = COUNT};

        assert_int_equal(workers_run(threads[i], COUNT, count_once, &tally), 0);
        for (int index = 0; index < COUNT; index++)
            assert_int_equal(atomic_load(&tally.seen[index]), 1);
    }
}

static void error_of_one_index_comes_through(void **state)
{
    struct tally tally = {.failing = 500};

    (void)state;
    assert_int_equal(workers_run(4, COUNT, count_once, &tally), -EIO);
}

/* Rank 3 waits until all others came: this ends only when they run at the same time. */
static int meet(void *argument, size_t rank)
{
    struct tally *tally = argument;
    const struct timespec pause = {.tv_nsec = 20000000};

    (void)atomic_fetch_add(&tally->running, 1);
    while (atomic_load(&tally->running) < 4) {
    }
    if (rank == 3)
        (void)nanosleep(&pause, NULL);
    return 0;
}

static void ranks_run_at_once_and_are_timed_one_by_one(void **state)
{
    struct tally tally = {.failing = COUNT};
    double seconds[4] = {0};

    (void)state;
    assert_int_equal(workers_run_ranks(4, meet, &tally, seconds), 0);
    assert_true(seconds[3] >= 0.02);
    for (int rank = 0; rank < 4; rank++)
        assert_true(seconds[rank] > 0);
}

static void error_of_one_rank_comes_through(void **state)
{
    struct tally tally = {.failing = 2};
    double seconds[4];

    (void)state;
    assert_int_equal(workers_run_ranks(4, count_once, &tally, seconds), -EIO);
}

struct settings {
    struct common_settings common;
    uint64_t count;
    uint64_t size;
    unsigned choice;
};

static const struct options_row rows[] = {
    {"count", 'n', OPTIONS_COUNT, offsetof(struct settings, count), "N", NULL, 1, 10, "count"},
    {"size", 0, OPTIONS_SIZE, offsetof(struct settings, size), "S", NULL, 1024, 4096, "size"},
    {"pick", 'p', OPTIONS_CHOICE, offsetof(struct settings, choice), "W", "red green", 0, 0,
     "pick"},
};

static const struct options_command command = {
    .name = "test", .summary = "s", .usage = "u", .details = "", .rows = rows, .row_count = 3};

static int parse(struct settings *settings, char *one, char *two)
{
    char name[] = "test";
    char *argv[] = {name, one, two, NULL};
    char **operands;

    *settings = (struct settings){0};
    return options_parse(&command, 1 + (one != NULL) + (two != NULL), argv, settings, &operands);
}

static void options_fill_their_fields(void **state)
{
    struct settings settings;
    char count[] = "-n7";
    char pick[] = "--pick=green";
    char size[] = "--size=2K";
    char dir[] = "--dir=/x";

    (void)state;
    assert_int_equal(parse(&settings, count, pick), OPTIONS_RUN);
    assert_int_equal(settings.count, 7);
    assert_int_equal(settings.choice, 1);
    assert_int_equal(parse(&settings, size, dir), OPTIONS_RUN);
    assert_int_equal(settings.size, 2048);
    assert_string_equal(settings.common.target.dir, "/x");
}

static void wrong_options_are_refused(void **state)
{
    char words[][16] = {"--count=0",   "--count=11", "--count=x", "--size=1023", "--pick=blue",
                        "--pick=gree", "--nothing",  "-z",        "--count",     "operand"};
    struct settings settings;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(words); i++)
        assert_int_equal(parse(&settings, words[i], NULL), -EINVAL);
}

static int start(void **state)
{
    (void)state;
    console_init(true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_run_once),
        cmocka_unit_test(error_of_one_index_comes_through),
        cmocka_unit_test(ranks_run_at_once_and_are_timed_one_by_one),
        cmocka_unit_test(error_of_one_rank_comes_through),
        cmocka_unit_test(options_fill_their_fields),
        cmocka_unit_test(wrong_options_are_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
