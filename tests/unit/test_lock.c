/*
 * Goal: mutexes exclude, conditions wake and time out, and a debug build dies at the first lock
 * that is taken against the order of ranks.
 * Method: threads that count; children that do the forbidden thing and must be killed by abort().
 */
#include "store/base/clock.h"
#include "store/base/lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREAD_COUNT = 4, ROUND_COUNT = 20000 };

struct shared {
    struct tfs_mutex lock;
    struct tfs_cond changed;
    uint64_t count; /* guarded by lock */
    bool ready;     /* guarded by lock */
};

static void shared_init(struct shared *shared)
{
    *shared = (struct shared){0};
    tfs_mutex_init(&shared->lock, TFS_RANK_LEAF);
    tfs_cond_init(&shared->changed);
}

static void shared_release(struct shared *shared)
{
    tfs_cond_release(&shared->changed);
    tfs_mutex_release(&shared->lock);
}

static void *count_up(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUND_COUNT; i++) {
        tfs_mutex_lock(&shared->lock);
        shared->count++;
        tfs_mutex_unlock(&shared->lock);
    }
    return NULL;
}

static void a_mutex_lets_one_thread_in_at_a_time(void **state)
{
    pthread_t threads[THREAD_COUNT];
    struct shared shared;

    (void)state;
    shared_init(&shared);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &shared), 0);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.count, THREAD_COUNT * ROUND_COUNT);
    shared_release(&shared);
}

static void *make_ready(void *arg)
{
    struct shared *shared = arg;

    tfs_mutex_lock(&shared->lock);
    shared->ready = true;
    tfs_cond_signal(&shared->changed);
    tfs_mutex_unlock(&shared->lock);
    return NULL;
}

static void a_signal_wakes_the_waiter(void **state)
{
    pthread_t thread;
    struct shared shared;

    (void)state;
    shared_init(&shared);
    tfs_mutex_lock(&shared.lock);
    assert_int_equal(pthread_create(&thread, NULL, make_ready, &shared), 0);
    while (!shared.ready)
        tfs_cond_wait(&shared.changed, &shared.lock);
    tfs_mutex_unlock(&shared.lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    shared_release(&shared);
}

static void *wait_until_ready(void *arg)
{
    struct shared *shared = arg;

    tfs_mutex_lock(&shared->lock);
    while (!shared->ready)
        tfs_cond_wait(&shared->changed, &shared->lock);
    shared->count++;
    tfs_mutex_unlock(&shared->lock);
    return NULL;
}

static void a_broadcast_wakes_every_waiter(void **state)
{
    pthread_t threads[THREAD_COUNT];
    struct shared shared;

    (void)state;
    shared_init(&shared);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_until_ready, &shared), 0);
    tfs_mutex_lock(&shared.lock);
    shared.ready = true;
    tfs_cond_broadcast(&shared.changed);
    tfs_mutex_unlock(&shared.lock);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.count, THREAD_COUNT);
    shared_release(&shared);
}

static void waiting_ends_at_the_deadline_and_not_before(void **state)
{
    const uint64_t deadline_ns = tfs_clock_ns() + 20 * TFS_NS_PER_MS;
    struct shared shared;

    (void)state;
    shared_init(&shared);
    tfs_mutex_lock(&shared.lock);
    while (tfs_cond_wait_until(&shared.changed, &shared.lock, deadline_ns))
        continue; /* woken spuriously */
    tfs_mutex_unlock(&shared.lock);
    assert_true(tfs_clock_ns() >= deadline_ns);
    shared_release(&shared);
}

static void rising_ranks_are_accepted_and_may_be_released_in_any_order(void **state)
{
    struct tfs_mutex low;
    struct tfs_mutex high;

    (void)state;
    tfs_mutex_init(&low, TFS_RANK_FS_LOOP);
    tfs_mutex_init(&high, TFS_RANK_LEAF);
    for (int i = 0; i < 2; i++) {
        tfs_mutex_lock(&low);
        tfs_mutex_lock(&high);
        tfs_mutex_unlock(&low);
        tfs_mutex_unlock(&high);
    }
    tfs_mutex_release(&low);
    tfs_mutex_release(&high);
}

/* The forbidden things, each in a child of its own; the analysis of clang would refuse them. */
static void lock_a_lower_rank(void) TFS_NO_LOCK_ANALYSIS
{
    struct tfs_mutex low;
    struct tfs_mutex high;

    tfs_mutex_init(&low, TFS_RANK_INODE);
    tfs_mutex_init(&high, TFS_RANK_CACHE);
    tfs_mutex_lock(&high);
    tfs_mutex_lock(&low);
}

static void lock_two_of_one_rank(void) TFS_NO_LOCK_ANALYSIS
{
    struct tfs_mutex first;
    struct tfs_mutex second;

    tfs_mutex_init(&first, TFS_RANK_INODE);
    tfs_mutex_init(&second, TFS_RANK_INODE);
    tfs_mutex_lock(&first);
    tfs_mutex_lock(&second);
}

static void unlock_what_is_not_held(void) TFS_NO_LOCK_ANALYSIS
{
    struct tfs_mutex mutex;

    tfs_mutex_init(&mutex, TFS_RANK_INODE);
    tfs_mutex_unlock(&mutex);
}

static void run_silently(void (*deed)(void))
{
    const struct rlimit no_core = {0, 0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)setrlimit(RLIMIT_CORE, &no_core); /* only tidiness */
    (void)signal(SIGABRT, SIG_DFL);         /* cmocka's handler would go on with its tests */
    if (null >= 0)
        (void)dup2(null, STDERR_FILENO);
    deed();
    _exit(0);
}

static void assert_aborts(void (*deed)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        run_silently(deed);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_debug_build_dies_at_the_first_lock_out_of_order(void **state)
{
    (void)state;
#ifdef NDEBUG
    skip(); /* asserts are off in this build */
#endif
    assert_aborts(lock_a_lower_rank);
    assert_aborts(lock_two_of_one_rank);
    assert_aborts(unlock_what_is_not_held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mutex_lets_one_thread_in_at_a_time),
        cmocka_unit_test(a_signal_wakes_the_waiter),
        cmocka_unit_test(a_broadcast_wakes_every_waiter),
        cmocka_unit_test(waiting_ends_at_the_deadline_and_not_before),
        cmocka_unit_test(rising_ranks_are_accepted_and_may_be_released_in_any_order),
        cmocka_unit_test(a_debug_build_dies_at_the_first_lock_out_of_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
