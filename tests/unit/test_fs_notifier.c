/*
 * Goal: tasks run one after the other, in order, on a thread of their own, and nothing is lost at
 * the end. Method: tasks that take notes and can be held up.
 */
#include "fs/notifier.h"
#include "store/base/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TASKS_MAX = 2000 };

struct numbered {
    struct notifier_task task;
    unsigned number;
};

static struct {
    struct tfs_mutex lock;
    struct tfs_cond changed;
    struct numbered tasks[TASKS_MAX];
    unsigned numbers[TASKS_MAX]; /* guarded by lock; of the tasks that ran */
    bool told[TASKS_MAX];        /* guarded by lock; likewise */
    unsigned count;              /* guarded by lock; likewise */
    bool is_held;                /* guarded by lock */
} notes;

static void run(struct notifier_task *task, bool may_tell)
{
    const struct numbered *numbered = tfs_container_of(task, struct numbered, task);

    tfs_mutex_lock(&notes.lock);
    while (notes.is_held)
        tfs_cond_wait(&notes.changed, &notes.lock);
    notes.told[notes.count] = may_tell;
    notes.numbers[notes.count++] = numbered->number;
    tfs_mutex_unlock(&notes.lock);
}

static void push(struct notifier *notifier, unsigned number)
{
    notes.tasks[number] = (struct numbered){.task.run = run, .number = number};
    notifier_push(notifier, &notes.tasks[number].task);
}

static int set_up(void **state)
{
    struct notifier *notifier;

    memset(&notes, 0, sizeof(notes));
    tfs_mutex_init(&notes.lock, TFS_RANK_LEAF);
    tfs_cond_init(&notes.changed);
    assert_int_equal(notifier_new(&notifier), 0);
    *state = notifier;
    return 0;
}

static int tear_down(void **state)
{
    notifier_free(*state);
    tfs_cond_release(&notes.changed);
    tfs_mutex_release(&notes.lock);
    return 0;
}

static void tasks_run_in_order(void **state)
{
    for (unsigned number = 0; number < TASKS_MAX; number++)
        push(*state, number);
    notifier_stop(*state);
    assert_int_equal(notes.count, TASKS_MAX);
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        assert_int_equal(notes.numbers[i], i);
        assert_true(notes.told[i]);
    }
}

static void pushing_does_not_wait_for_the_kernel(void **state)
{
    notes.is_held = true;
    for (unsigned number = 0; number < TASKS_MAX; number++)
        push(*state, number);
    tfs_mutex_lock(&notes.lock);
    assert_int_equal(notes.count, 0);
    notes.is_held = false;
    tfs_cond_broadcast(&notes.changed);
    tfs_mutex_unlock(&notes.lock);
    notifier_stop(*state);
    assert_int_equal(notes.count, TASKS_MAX);
}

static void after_the_end_tasks_run_without_telling(void **state)
{
    notifier_stop(*state);
    push(*state, 5);
    assert_int_equal(notes.count, 1);
    assert_int_equal(notes.numbers[0], 5);
    assert_false(notes.told[0]);
}

#define NOTIFIER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTIFIER_TEST(tasks_run_in_order),
        NOTIFIER_TEST(pushing_does_not_wait_for_the_kernel),
        NOTIFIER_TEST(after_the_end_tasks_run_without_telling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
