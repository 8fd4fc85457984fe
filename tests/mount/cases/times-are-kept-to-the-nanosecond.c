/*
 * CASE: times move when POSIX says so and are kept to the nanosecond, through a remount too
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const struct timespec past[2] = {{.tv_sec = 1000000, .tv_nsec = 123456789},
                                        {.tv_sec = 2000000, .tv_nsec = 987654321}};

static void set_past(const char *path)
{
    assert_ok(utimensat(AT_FDCWD, path, past, AT_SYMLINK_NOFOLLOW));
}

static bool is_past(struct timespec time)
{
    return time.tv_sec == past[1].tv_sec && time.tv_nsec == past[1].tv_nsec;
}

/* The kernel's clock for file times ticks every few milliseconds. */
static void wait_a_tick(void)
{
    struct timespec tick = {.tv_nsec = 20000000};

    assert_ok(nanosleep(&tick, NULL));
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static void utimensat_sets_nanoseconds_before_1970_and_after_2038(void **state)
{
    static const struct timespec cases[][2] = {
        {{.tv_sec = 1, .tv_nsec = 999999999}, {.tv_sec = 2, .tv_nsec = 1}},
        {{.tv_sec = -1, .tv_nsec = 500000000}, {.tv_sec = -1000000000, .tv_nsec = 7}},
        {{.tv_sec = 4000000000, .tv_nsec = 0}, {.tv_sec = 5000000000, .tv_nsec = 3}},
    };
    char name[16];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(snprintf(name, sizeof(name), "file-%d", i) > 0);
        case_write_text(name, "x");
        assert_ok(utimensat(AT_FDCWD, name, cases[i], 0));
    }
    for (int remounted = 0; remounted < 2; remounted++) {
        for (int i = 0; i < 3; i++) {
            struct stat seen;

            assert_true(snprintf(name, sizeof(name), "file-%d", i) > 0);
            seen = case_stat(name);
            assert_memory_equal(&seen.st_atim, &cases[i][0], sizeof(seen.st_atim));
            assert_memory_equal(&seen.st_mtim, &cases[i][1], sizeof(seen.st_mtim));
        }
        case_control("remount");
    }
}

static void utime_now_and_omit_do_as_they_are_called(void **state)
{
    const struct timespec now_omit[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    const struct timespec omit_now[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    struct stat seen;

    (void)state;
    case_write_text("file", "");
    set_past("file");
    assert_ok(utimensat(AT_FDCWD, "file", now_omit, 0));
    seen = case_stat("file");
    assert_true(seen.st_atim.tv_sec > 1700000000);
    assert_true(is_past(seen.st_mtim));
    set_past("file");
    assert_ok(utimensat(AT_FDCWD, "file", omit_now, 0));
    seen = case_stat("file");
    assert_int_equal(seen.st_atim.tv_sec, past[0].tv_sec);
    assert_true(seen.st_mtim.tv_sec > 1700000000);
}

static void writing_and_truncating_move_mtime_and_ctime(void **state)
{
    struct stat seen;
    int fd = case_create("file", 0644);

    (void)state;
    for (int way = 0; way < 4; way++) {
        assert_ok(futimens(fd, past));
        assert_true(is_past(case_fstat(fd).st_mtim));
        if (way == 0)
            assert_int_equal(assert_ok(write(fd, "data", 4)), 4);
        else if (way == 1)
            assert_ok(ftruncate(fd, 2));
        else if (way == 2)
            assert_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1));
        else
            case_can_open("file", O_WRONLY | O_TRUNC);
        seen = case_stat("file");
        assert_true(seen.st_mtim.tv_sec > 1700000000);
        assert_true(seen.st_ctim.tv_sec > 1700000000);
    }
    assert_ok(close(fd));
}

static void writes_of_a_write_only_handle_move_the_times_too(void **state)
{
    struct stat before, after;
    int fd = (int)assert_ok(open("file", O_WRONLY | O_CREAT, 0644));

    (void)state;
    for (int i = 0; i < 5; i++) {
        before = case_stat("file");
        wait_a_tick();
        assert_int_equal(assert_ok(write(fd, "data", 4)), 4);
        after = case_stat("file");
        assert_true(later(after.st_mtim, before.st_mtim));
        assert_true(later(after.st_ctim, before.st_ctim));
    }
    assert_ok(close(fd));
}

static void storing_through_a_mapping_moves_mtime(void **state)
{
    int fd = case_create("file", 0644);
    char *at;

    (void)state;
    assert_ok(ftruncate(fd, 4096));
    assert_ok(futimens(fd, past));
    at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    at[7] = 'x';
    assert_ok(msync(at, 4096, MS_SYNC));
    assert_true(case_stat("file").st_mtim.tv_sec > 1700000000);
    assert_ok(munmap(at, 4096));
    assert_ok(close(fd));
}

static void reading_and_failing_move_no_mtime(void **state)
{
    char text[8];
    int fd;

    (void)state;
    case_write_text("file", "content");
    set_past("file");
    fd = (int)assert_ok(open("file", O_RDWR));
    assert_true(assert_ok(read(fd, text, sizeof(text))) > 0);
    assert_int_equal(assert_ok(write(fd, "", 0)), 0);
    assert_fails(pwrite(fd, "x", 1, -5), EINVAL);
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    assert_true(is_past(case_stat("file").st_mtim));
}

static void changes_of_attributes_move_ctime_alone(void **state)
{
    (void)state;
    case_write_text("file", "");
    for (int way = 0; way < 3; way++) {
        struct stat before, after;

        set_past("file");
        before = case_stat("file");
        wait_a_tick();
        if (way == 0)
            assert_ok(chmod("file", 0600));
        else if (way == 1)
            assert_ok(chown("file", CASE_NOBODY, CASE_NOBODY));
        else
            assert_ok(link("file", "second"));
        after = case_stat("file");
        assert_true(later(after.st_ctim, before.st_ctim));
        assert_true(is_past(after.st_mtim));
    }
}

static void times_after_closing_are_those_after_a_remount(void **state)
{
    enum { count = 60 };
    struct timespec mtime[count], ctime[count];
    char name[16];

    (void)state;
    for (int i = 0; i < count; i++) {
        struct stat seen;

        assert_true(snprintf(name, sizeof(name), "file-%d", i) > 0);
        case_write_text(name, name);
        seen = case_stat(name);
        mtime[i] = seen.st_mtim;
        ctime[i] = seen.st_ctim;
    }
    case_control("remount");
    for (int i = 0; i < count; i++) {
        struct stat seen;

        assert_true(snprintf(name, sizeof(name), "file-%d", i) > 0);
        seen = case_stat(name);
        assert_memory_equal(&seen.st_mtim, &mtime[i], sizeof(mtime[i]));
        assert_memory_equal(&seen.st_ctim, &ctime[i], sizeof(ctime[i]));
    }
}

static void a_set_mtime_is_not_overtaken_by_earlier_writes(void **state)
{
    int fd = case_create("file", 0644);

    (void)state;
    assert_int_equal(assert_ok(write(fd, "data", 4)), 4);
    assert_ok(futimens(fd, past)); /* as tar and rsync do before they close */
    assert_ok(close(fd));
    assert_true(is_past(case_stat("file").st_mtim));
    case_control("drop-caches");
    assert_true(is_past(case_stat("file").st_mtim));
    case_control("remount");
    assert_true(is_past(case_stat("file").st_mtim));
}

static void a_set_mtime_is_not_overtaken_by_what_was_stored_through_a_mapping(void **state)
{
    int fd = case_create("file", 0644);
    char *at;

    (void)state;
    assert_ok(ftruncate(fd, 8192));
    at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    at[0] = 'x';
    assert_ok(futimens(fd, past));
    assert_ok(msync(at, 8192, MS_SYNC));
    assert_true(is_past(case_stat("file").st_mtim));
    at[5000] = 'y'; /* but by what is stored later */
    assert_ok(msync(at, 8192, MS_SYNC));
    assert_false(is_past(case_stat("file").st_mtim));
    at[1] = 'z';
    assert_ok(utimensat(AT_FDCWD, "file", past, 0)); /* without a handle */
    assert_ok(munmap(at, 8192));
    assert_ok(close(fd));
    assert_true(is_past(case_stat("file").st_mtim));
    case_control("remount");
    assert_true(is_past(case_stat("file").st_mtim));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(utimensat_sets_nanoseconds_before_1970_and_after_2038),
        CASE_TEST(utime_now_and_omit_do_as_they_are_called),
        CASE_TEST(writing_and_truncating_move_mtime_and_ctime),
        CASE_TEST(writes_of_a_write_only_handle_move_the_times_too),
        CASE_TEST(storing_through_a_mapping_moves_mtime),
        CASE_TEST(reading_and_failing_move_no_mtime),
        CASE_TEST(changes_of_attributes_move_ctime_alone),
        CASE_TEST(times_after_closing_are_those_after_a_remount),
        CASE_TEST(a_set_mtime_is_not_overtaken_by_earlier_writes),
        CASE_TEST(a_set_mtime_is_not_overtaken_by_what_was_stored_through_a_mapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
