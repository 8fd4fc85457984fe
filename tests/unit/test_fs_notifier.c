/*
 * Goal: what waits for pages to be dropped runs after they are, in order, and nothing is lost at
 * the end. Method: an invalidation that takes notes and can be held up.
 */
#include "fs/notifier.h"
#include "store/base/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS_MAX = 4096 };

static struct {
    struct tfs_mutex lock;
    struct tfs_cond changed;
    uint64_t events[EVENTS_MAX]; /* guarded by lock: 2 * inode when dropped, plus 1 when done */
    unsigned event_count;        /* guarded by lock */
    bool is_held;                /* guarded by lock */
} notes;

static void note(uint64_t event)
{
    assert_true(notes.event_count < EVENTS_MAX);
    notes.events[notes.event_count++] = event;
    tfs_cond_broadcast(&notes.changed);
}

static int invalidate(void *context, uint64_t inode, uint64_t offset, uint64_t size)
{
    assert_ptr_equal(context, &notes);
    assert_int_equal(offset, inode * 100);
    assert_int_equal(size, 7);
    tfs_mutex_lock(&notes.lock);
    while (notes.is_held)
        tfs_cond_wait(&notes.changed, &notes.lock);
    note(2 * inode);
    tfs_mutex_unlock(&notes.lock);
    return -2; /* the kernel does not know the inode: no reason not to go on */
}

static void done(void *argument, uint64_t size)
{
    assert_int_equal(size, 7);
    tfs_mutex_lock(&notes.lock);
    note(2 * (uint64_t)(uintptr_t)argument + 1);
    tfs_mutex_unlock(&notes.lock);
}

static void push(struct notifier *notifier, uint64_t inode)
{
    notifier_push(notifier, &(struct notifier_task){.inode = inode,
                                                    .offset = inode * 100,
                                                    .size = 7,
                                                    .done = done,
                                                    .argument = (void *)(uintptr_t)inode});
}

static int set_up(void **state)
{
    struct notifier *notifier;

    memset(&notes, 0, sizeof(notes));
    tfs_mutex_init(&notes.lock, TFS_RANK_LEAF);
    tfs_cond_init(&notes.changed);
    assert_int_equal(notifier_new(invalidate, &notes, &notifier), 0);
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

static void each_task_is_done_after_its_pages_are_dropped_and_in_order(void **state)
{
    (void)state;
    for (uint64_t inode = 1; inode <= 1500; inode++) /* more than the queue holds */
        push(*state, inode);
    notifier_stop(*state);
    assert_int_equal(notes.event_count, 3000);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(notes.events[i], i + 2);
}

static void pushing_does_not_wait_for_the_kernel(void **state)
{
    notes.is_held = true;
    for (uint64_t inode = 1; inode <= 1000; inode++)
        push(*state, inode);
    tfs_mutex_lock(&notes.lock);
    assert_int_equal(notes.event_count, 0);
    notes.is_held = false;
    tfs_cond_broadcast(&notes.changed);
    tfs_mutex_unlock(&notes.lock);
    notifier_stop(*state);
    assert_int_equal(notes.event_count, 2000);
}

static void after_the_end_tasks_are_done_without_dropping(void **state)
{
    notifier_stop(*state);
    push(*state, 5);
    assert_int_equal(notes.event_count, 1);
    assert_int_equal(notes.events[0], 11);
}

#define NOTIFIER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTIFIER_TEST(each_task_is_done_after_its_pages_are_dropped_and_in_order),
        NOTIFIER_TEST(pushing_does_not_wait_for_the_kernel),
        NOTIFIER_TEST(after_the_end_tasks_are_done_without_dropping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
