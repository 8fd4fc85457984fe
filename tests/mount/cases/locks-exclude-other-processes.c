/*
 * CASE: flock, fcntl and open-file locks exclude by mode and range and end with their owner
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

struct attempt {
    int command; /* F_SETLK, F_OFD_SETLK, or 0 for flock */
    short type;
    off_t start, length;
    int error; /* 0 or the errno that is expected */
};

static int try_lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

    return fcntl(fd, command, &lock);
}

/* In a child with a handle of its own. */
static int attempt(void *context)
{
    const struct attempt *wanted = context;
    int fd = (int)assert_ok(open("file", O_RDWR));
    int result = wanted->command
                     ? try_lock(fd, wanted->command, wanted->type, wanted->start, wanted->length)
                     : flock(fd, wanted->type | LOCK_NB);

    assert_int_equal(result == -1 ? errno : 0, wanted->error);
    return 0;
}

static void child_gets(int command, short type, off_t start, off_t length, int error)
{
    struct attempt wanted = {command, type, start, length, error};
    pid_t pid;

    case_fork(attempt, &wanted, &pid);
    case_join(pid);
}

static void flock_excludes_until_it_is_given_back(void **state)
{
    int fd = case_create("file", 0644);

    (void)state;
    assert_ok(flock(fd, LOCK_SH));
    child_gets(0, LOCK_SH, 0, 0, 0);
    child_gets(0, LOCK_EX, 0, 0, EWOULDBLOCK);
    assert_ok(flock(fd, LOCK_EX));
    child_gets(0, LOCK_SH, 0, 0, EWOULDBLOCK);
    assert_ok(flock(fd, LOCK_UN));
    child_gets(0, LOCK_EX, 0, 0, 0);
    assert_ok(flock(fd, LOCK_EX));
    assert_ok(close(fd));
    child_gets(0, LOCK_EX, 0, 0, 0);
}

static void fcntl_locks_exclude_by_range_and_mode(void **state)
{
    int fd = case_create("file", 0644);

    (void)state;
    assert_ok(try_lock(fd, F_SETLK, F_WRLCK, 100, 50));
    assert_ok(try_lock(fd, F_SETLK, F_RDLCK, 200, 50));
    child_gets(F_SETLK, F_WRLCK, 0, 100, 0);
    child_gets(F_SETLK, F_WRLCK, 0, 101, EAGAIN);
    child_gets(F_SETLK, F_RDLCK, 149, 1, EAGAIN);
    child_gets(F_SETLK, F_WRLCK, 150, 50, 0);
    child_gets(F_SETLK, F_RDLCK, 200, 10, 0);
    child_gets(F_SETLK, F_WRLCK, 249, 0, EAGAIN); /* length 0: to the end of all offsets */
    assert_ok(try_lock(fd, F_SETLK, F_UNLCK, 120, 10));
    child_gets(F_SETLK, F_WRLCK, 120, 10, 0);
    child_gets(F_SETLK, F_WRLCK, 119, 2, EAGAIN);
    assert_ok(close(fd)); /* closing any handle gives them all back */
    child_gets(F_SETLK, F_WRLCK, 0, 0, 0);
}

static int tell_the_holder(void *context)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    int fd = (int)assert_ok(open("file", O_RDWR));

    (void)context;
    assert_ok(fcntl(fd, F_GETLK, &lock));
    assert_int_equal(lock.l_type, F_RDLCK);
    assert_int_equal(lock.l_start, 5);
    assert_int_equal(lock.l_len, 3);
    assert_int_equal(lock.l_pid, getppid());
    return 0;
}

static void getlk_names_the_holder(void **state)
{
    int fd = case_create("file", 0644);
    pid_t pid;

    (void)state;
    assert_ok(try_lock(fd, F_SETLK, F_RDLCK, 5, 3));
    case_fork(tell_the_holder, NULL, &pid);
    case_join(pid);
    assert_ok(close(fd));
}

static void open_file_locks_belong_to_the_handle(void **state)
{
    int fd = case_create("file", 0644);
    int second = (int)assert_ok(open("file", O_RDWR));

    (void)state;
    assert_ok(try_lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
    assert_fails(try_lock(second, F_OFD_SETLK, F_WRLCK, 5, 10), EAGAIN);
    child_gets(F_OFD_SETLK, F_WRLCK, 5, 10, EAGAIN);
    assert_ok(close(second));
    child_gets(F_OFD_SETLK, F_WRLCK, 5, 10, EAGAIN);
    assert_ok(close(fd));
    child_gets(F_OFD_SETLK, F_WRLCK, 5, 10, 0);
}

static int hold_until_killed(void *context)
{
    const int *ready = context;
    int fd = (int)assert_ok(open("file", O_RDWR));

    assert_ok(try_lock(fd, F_SETLK, F_WRLCK, 0, 0));
    assert_ok(flock(fd, LOCK_EX));
    assert_int_equal(assert_ok(write(*ready, "!", 1)), 1);
    (void)pause();
    return 1;
}

/* F_SETLKW and flock without LOCK_NB sleep until the holder dies; the kill ends both waits. */
static void locks_end_with_the_process_and_wake_who_waits(void **state)
{
    int fd = case_create("file", 0644);
    int ready[2];
    pid_t holder, killer;
    char mark;

    (void)state;
    assert_ok(pipe(ready));
    case_fork(hold_until_killed, &ready[1], &holder);
    assert_int_equal(assert_ok(read(ready[0], &mark, 1)), 1);
    assert_fails(try_lock(fd, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
    assert_fails(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK);

    killer = (pid_t)assert_ok(fork());
    if (killer == 0) {
        usleep(200000); /* most likely the parent waits by now; right either way */
        _exit(kill(holder, SIGKILL) == 0 ? 0 : 1);
    }
    assert_ok(try_lock(fd, F_SETLKW, F_WRLCK, 0, 0));
    assert_ok(flock(fd, LOCK_EX));
    case_join(killer);
    assert_int_equal(assert_ok(waitpid(holder, NULL, 0)), holder);
    assert_ok(close(fd));
    assert_ok(close(ready[0]));
    assert_ok(close(ready[1]));
}

enum { counters = 4, increments = 100 };

static int increment_under_lock(void *context)
{
    const int *use_flock = context;
    int fd = (int)assert_ok(open("counter", O_RDWR));

    for (int i = 0; i < increments; i++) {
        uint64_t value;

        assert_ok(*use_flock ? flock(fd, LOCK_EX) : try_lock(fd, F_SETLKW, F_WRLCK, 0, 8));
        assert_int_equal(assert_ok(pread(fd, &value, sizeof(value), 0)), sizeof(value));
        value++;
        assert_int_equal(assert_ok(pwrite(fd, &value, sizeof(value), 0)), sizeof(value));
        assert_ok(*use_flock ? flock(fd, LOCK_UN) : try_lock(fd, F_SETLK, F_UNLCK, 0, 8));
    }
    return 0;
}

static void a_counter_guarded_by_locks_loses_no_step(void **state)
{
    pid_t pids[counters];
    uint64_t value = 0;
    int fd;

    (void)state;
    case_write_file("counter", &value, sizeof(value));
    for (int use_flock = 0; use_flock < 2; use_flock++) {
        for (int i = 0; i < counters; i++)
            case_fork(increment_under_lock, &use_flock, &pids[i]);
        for (int i = 0; i < counters; i++)
            case_join(pids[i]);
    }
    fd = (int)assert_ok(open("counter", O_RDONLY));
    assert_int_equal(assert_ok(read(fd, &value, sizeof(value))), sizeof(value));
    assert_int_equal(value, 2 * counters * increments);
    assert_ok(close(fd));
}

static void locks_need_a_handle_with_the_right_mode(void **state)
{
    int reader, writer;

    (void)state;
    case_write_text("file", "");
    reader = (int)assert_ok(open("file", O_RDONLY));
    writer = (int)assert_ok(open("file", O_WRONLY));
    assert_fails(try_lock(reader, F_SETLK, F_WRLCK, 0, 1), EBADF);
    assert_fails(try_lock(writer, F_SETLK, F_RDLCK, 0, 1), EBADF);
    assert_ok(flock(reader, LOCK_EX));
    assert_ok(close(reader));
    assert_ok(close(writer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(flock_excludes_until_it_is_given_back),
        CASE_TEST(fcntl_locks_exclude_by_range_and_mode),
        CASE_TEST(getlk_names_the_holder),
        CASE_TEST(open_file_locks_belong_to_the_handle),
        CASE_TEST(locks_end_with_the_process_and_wake_who_waits),
        CASE_TEST(a_counter_guarded_by_locks_loses_no_step),
        CASE_TEST(locks_need_a_handle_with_the_right_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
