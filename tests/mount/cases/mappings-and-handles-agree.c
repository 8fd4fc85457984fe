/*
 * CASE: mappings, read() and write() of any handles show each other's changes at once
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { page = 4096, pages = 300, size = pages * page };

static char *map(int fd, size_t length, int protection, int flags)
{
    char *at = mmap(NULL, length, protection, flags, fd, 0);

    if (at == MAP_FAILED)
        fail_msg("mmap: %s", strerror(errno));
    return at;
}

static char *make_file(const char *name)
{
    char *content = case_buffer(size);

    case_fill(content, size, 1);
    case_write_file(name, content, size);
    return content;
}

static void a_private_mapping_shows_the_file_and_keeps_its_changes_to_itself(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDONLY));
    char *at = map(fd, size, PROT_READ | PROT_WRITE, MAP_PRIVATE);

    (void)state;
    assert_ok(close(fd));
    assert_memory_equal(at, content, size);
    memset(at + page, 'x', page);
    case_expect_file("file", content, size);
    assert_ok(munmap(at, size));
    case_expect_file("file", content, size);
    free(content);
}

static void a_shared_mapping_writes_the_file(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDWR));
    int other = (int)assert_ok(open("file", O_RDONLY));
    char *at = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);

    (void)state;
    for (int i = 0; i < pages; i += 7) {
        memset(at + i * page + 100, 'a' + i % 26, 1000);
        memset(content + i * page + 100, 'a' + i % 26, 1000);
    }
    case_expect_fd(other, content, size);
    assert_ok(msync(at, size, MS_SYNC));
    assert_ok(munmap(at, size));
    assert_ok(close(fd));
    assert_ok(close(other));
    case_control("remount");
    case_expect_file("file", content, size);
    free(content);
}

static void dirty_pages_reach_the_file_without_msync(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDWR));
    char *at = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);

    (void)state;
    assert_ok(close(fd));
    memset(at, 'm', size);
    memset(content, 'm', size);
    assert_ok(munmap(at, size));
    case_control("remount");
    case_expect_file("file", content, size);
    free(content);
}

static void fsync_makes_mapped_changes_durable(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDWR));
    char *at = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);

    (void)state;
    memset(at + 10 * page, 's', 20 * page);
    memset(content + 10 * page, 's', 20 * page);
    assert_ok(fsync(fd));
    assert_ok(munmap(at, size));
    assert_ok(close(fd));
    case_control("crash");
    case_expect_file("file", content, size);
    free(content);
}

/* Every kind of handle writes; a mapping made before must show it. */
/* The kernel writes pages back through any handle that is mapped; the close of the one through
 * which they were stored to commits them all the same. */
static void closing_commits_what_was_stored_through_a_mapping(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDWR));
    int other = (int)assert_ok(open("file", O_RDWR));
    char *at = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *later = map(other, size, PROT_READ | PROT_WRITE, MAP_SHARED); /* the one that is taken */

    (void)state;
    memset(at + 5 * page, 'x', page);
    memset(content + 5 * page, 'x', page);
    assert_ok(munmap(at, size));
    assert_ok(close(fd));
    case_control("crash");
    case_expect_file("file", content, size);
    (void)munmap(later, size); /* of the mount that was killed */
    (void)close(other);
    free(content);
}

static void a_mapping_shows_what_any_handle_writes(void **state)
{
    static const int flags[] = {O_RDWR,
                                O_WRONLY,
                                O_WRONLY | O_APPEND,
                                O_WRONLY | O_DSYNC,
                                O_RDWR | O_DIRECT,
                                O_WRONLY | O_DIRECT};
    char *content = make_file("file"), *block = case_buffer(page);
    int fd = (int)assert_ok(open("file", O_RDWR));
    char *shared = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *private = map(fd, size, PROT_READ, MAP_PRIVATE);

    (void)state;
    assert_memory_equal(shared, content, size);
    assert_memory_equal(private, content, size);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        int writer = open("file", flags[i]);
        off_t at = (off_t)(i * 11 + 3) * page;

        if (writer == -1 && case_is_plain() && errno == EINVAL)
            continue; /* no O_DIRECT here */
        assert_true(writer != -1);
        case_fill(block, page, i + 100);
        if (flags[i] & O_APPEND) {
            assert_int_equal(assert_ok(pwrite(writer, block, page, 0)), page);
            assert_ok(ftruncate(writer, size));
        } else {
            assert_int_equal(assert_ok(pwrite(writer, block, page, at)), page);
            memcpy(content + at, block, page);
        }
        assert_memory_equal(shared, content, size);
        assert_memory_equal(private, content, size);
        case_expect_file("file", content, size);

        shared[at + page] = (char)(i + 1); /* and the other way round */
        content[at + page] = (char)(i + 1);
        case_expect_file("file", content, size);
        assert_ok(close(writer));
        assert_memory_equal(shared, content, size);
    }
    assert_ok(munmap(shared, size));
    assert_ok(munmap(private, size));
    assert_ok(close(fd));
    free(content);
    free(block);
}

static void a_file_open_for_writing_only_can_be_mapped_by_others(void **state)
{
    char *content = case_buffer(size), *shared, *private;
    int writer = (int)assert_ok(open("file", O_WRONLY | O_CREAT, 0644));
    int fd;

    (void)state;
    case_fill(content, size, 1);
    assert_int_equal(assert_ok(pwrite(writer, content, size, 0)), size);
    fd = (int)assert_ok(open("file", O_RDWR));
    private = map(fd, size, PROT_READ, MAP_PRIVATE);
    assert_memory_equal(private, content, size);
    shared = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (int i = 0; i < 50; i++) {
        off_t at = (off_t)i * 5 * page + 17;

        assert_int_equal(assert_ok(pwrite(writer, "through the handle", 18, at)), 18);
        memcpy(content + at, "through the handle", 18);
        assert_memory_equal(shared + at, content + at, 18);
        assert_memory_equal(private + at, content + at, 18);
        memcpy(shared + at + 100, "through the mapping", 19);
        memcpy(content + at + 100, "through the mapping", 19);
        if (i % 10 == 0)
            case_expect_fd(fd, content, size);
    }
    case_expect_fd(fd, content, size);
    assert_ok(close(writer));
    assert_ok(munmap(shared, size));
    assert_ok(munmap(private, size));
    assert_ok(close(fd));
    case_control("remount");
    case_expect_file("file", content, size);
    free(content);
}

static void cached_pages_of_one_handle_never_go_stale(void **state)
{
    char got[page], block[page];
    int reader, writer;

    (void)state;
    free(make_file("file"));
    reader = (int)assert_ok(open("file", O_RDONLY));
    writer = (int)assert_ok(open("file", O_WRONLY));
    for (int i = 0; i < 200; i++) {
        off_t at = (off_t)(i * 37 % pages) * page;

        assert_int_equal(assert_ok(pread(reader, got, page, at)), page); /* now it is cached */
        case_fill(block, page, (uint64_t)i + 50);
        assert_int_equal(assert_ok(pwrite(writer, block, page, at)), page);
        assert_int_equal(assert_ok(pread(reader, got, page, at)), page);
        assert_memory_equal(got, block, page);
    }
    assert_ok(close(reader));
    assert_ok(close(writer));
}

/* The filesystem learns of a store into a page when the kernel writes it back; who copies files and
 * leaves out their holes must not lose it before. */
static void what_was_stored_through_a_mapping_is_no_hole(void **state)
{
    enum { length = 8 << 20, place = 5 << 20 };
    static const int flags[] = {O_RDWR, O_RDWR | O_EXCL};

    (void)state;
    for (int i = 0; i < 2; i++) {
        int fd = (int)assert_ok(open("file", O_CREAT | flags[i], 0644));
        int reader = (int)assert_ok(open("file", O_RDONLY));
        int copy = case_create("copy", 0644);
        loff_t from = place, to = 0;
        char *at;

        assert_ok(ftruncate(fd, length));
        at = map(fd, length, PROT_READ | PROT_WRITE, MAP_SHARED);
        assert_ok(close(fd)); /* the mapping is enough */
        at[place] = 'x';
        assert_in_range(assert_ok(lseek(reader, 0, SEEK_DATA)), place - (1 << 20), place);
        at[place + page] = 'y';
        assert_in_range(assert_ok(lseek(reader, place, SEEK_HOLE)), place + page + 1, length);
        at[place + 1] = 'z';
        assert_int_equal(assert_ok(copy_file_range(reader, &from, copy, &to, 2, 0)), 2);
        case_expect_fd(copy, "xz", 2);
        assert_int_equal(at[place + page], 'y');
        assert_ok(munmap(at, length));
        assert_ok(close(copy));
        assert_ok(close(reader));
        assert_ok(unlink("file"));
        assert_ok(unlink("copy"));
    }
}

/* Who sees no block takes the file for one hole, and does not ask: GNU tar -S. */
static void a_file_that_may_be_stored_into_through_a_mapping_is_not_without_blocks(void **state)
{
    enum { length = 1 << 20 };
    int fd = case_create("file", 0644);
    char *at;

    (void)state;
    assert_ok(ftruncate(fd, length));
    assert_ok(close(fd));
    (void)case_stat("file"); /* the kernel may keep what it was told */
    fd = (int)assert_ok(open("file", O_RDWR));
    at = map(fd, length, PROT_READ | PROT_WRITE, MAP_SHARED);
    assert_ok(close(fd));
    at[length / 2] = 'x';
    assert_true(case_stat("file").st_blocks > 0);
    fd = (int)assert_ok(open("file", O_RDONLY));
    assert_in_range(assert_ok(lseek(fd, 0, SEEK_DATA)), 0, length / 2);
    assert_ok(munmap(at, length));
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    assert_in_range(case_stat("file").st_blocks, 1, length / 512 - 1);
}

static void the_page_beyond_the_end_is_zeros_and_never_becomes_data(void **state)
{
    struct statfs type;
    char *at;
    int fd = case_create("file", 0644);

    (void)state;
    assert_ok(statfs(".", &type));
    if (case_is_plain() && type.f_type == TMPFS_MAGIC)
        skip(); /* which never writes the page back, and so never clears its tail */
    assert_int_equal(assert_ok(write(fd, "tail", 4)), 4);
    at = map(fd, page, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (int i = 4; i < page; i++)
        assert_int_equal(at[i], 0);
    at[10] = 'x'; /* beyond the end: must not come back when the file grows */
    assert_ok(msync(at, page, MS_SYNC));
    assert_int_equal(case_fstat(fd).st_size, 4);
    assert_ok(munmap(at, page));
    assert_ok(ftruncate(fd, 20));
    case_expect_fd(fd, "tail\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    assert_ok(close(fd));
}

static int touch_beyond_the_end(void *context)
{
    const volatile char *at = context;

    return at[10 * page];
}

static void touching_a_mapping_beyond_the_end_is_sigbus(void **state)
{
    int fd, status = 0;
    pid_t pid;
    char *at;

    (void)state;
    free(make_file("file"));
    fd = (int)assert_ok(open("file", O_RDWR));
    at = map(fd, size, PROT_READ, MAP_SHARED);
    assert_true(at[10 * page] | 1); /* it is there */
    assert_ok(ftruncate(fd, 5 * page));
    assert_ok(signal(SIGBUS, SIG_DFL) == SIG_ERR ? -1 : 0);
    case_fork(touch_beyond_the_end, at, &pid);
    assert_int_equal(assert_ok(waitpid(pid, &status, 0)), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
    assert_ok(munmap(at, size));
    assert_ok(close(fd));
}

static void truncation_and_growth_show_in_a_mapping(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDWR));
    char *at = map(fd, size, PROT_READ, MAP_SHARED);

    (void)state;
    assert_memory_equal(at, content, size);
    assert_ok(ftruncate(fd, 7 * page + 5));
    assert_ok(ftruncate(fd, size));
    memset(content + 7 * page + 5, 0, size - 7 * page - 5);
    assert_memory_equal(at, content, size);
    case_expect_fd(fd, content, size);
    assert_ok(munmap(at, size));
    assert_ok(close(fd));
    free(content);
}

static void a_mapping_outlives_close_replacement_and_removal(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDONLY));
    char *at = map(fd, size, PROT_READ, MAP_PRIVATE);

    (void)state;
    assert_ok(close(fd));
    case_write_text("new", "new");
    assert_ok(rename("new", "file"));
    assert_ok(unlink("file"));
    assert_int_equal(madvise(at, size, MADV_DONTNEED), 0);
    assert_memory_equal(at, content, size);
    assert_ok(munmap(at, size));
    free(content);
}

static void mappings_need_a_handle_with_the_right_mode(void **state)
{
    int fd;

    (void)state;
    free(make_file("file"));
    fd = (int)assert_ok(open("file", O_RDONLY));
    assert_true(mmap(NULL, page, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    assert_ok(close(fd));
    fd = (int)assert_ok(open("file", O_WRONLY));
    assert_true(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    assert_ok(close(fd));
}

static int set_bytes_through_a_mapping(void *context)
{
    char *at = context;

    for (int i = 0; i < pages; i++)
        at[i * page] = 'c';
    return 0;
}

static void processes_share_a_mapping(void **state)
{
    char *content = make_file("file");
    int fd = (int)assert_ok(open("file", O_RDWR));
    char *at = map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
    pid_t pid;

    (void)state;
    case_fork(set_bytes_through_a_mapping, at, &pid);
    case_join(pid);
    for (int i = 0; i < pages; i++) {
        content[i * page] = 'c';
        assert_int_equal(at[i * page], 'c');
    }
    case_expect_fd(fd, content, size);
    assert_ok(munmap(at, size));
    assert_ok(close(fd));
    free(content);
}

static void programs_run_from_the_filesystem(void **state)
{
    enum { largest = 16 << 20 };
    char *content = case_buffer(largest);
    int fd = (int)assert_ok(open("/bin/true", O_RDONLY));
    ssize_t length = assert_ok(read(fd, content, largest));
    int status = 0;
    pid_t pid;

    (void)state;
    assert_ok(close(fd));
    case_write_file("program", content, (size_t)length);
    assert_ok(chmod("program", 0755));
    pid = (pid_t)assert_ok(fork());
    if (pid == 0) {
        (void)execl("./program", "program", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(assert_ok(waitpid(pid, &status, 0)), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99 && case_is_plain())
        skip(); /* a plain directory on a mount with noexec */
    assert_int_equal(status, 0);
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(a_private_mapping_shows_the_file_and_keeps_its_changes_to_itself),
        CASE_TEST(a_shared_mapping_writes_the_file),
        CASE_TEST(dirty_pages_reach_the_file_without_msync),
        CASE_TEST(fsync_makes_mapped_changes_durable),
        CASE_TEST(closing_commits_what_was_stored_through_a_mapping),
        CASE_TEST(a_mapping_shows_what_any_handle_writes),
        CASE_TEST(a_file_open_for_writing_only_can_be_mapped_by_others),
        CASE_TEST(cached_pages_of_one_handle_never_go_stale),
        CASE_TEST(what_was_stored_through_a_mapping_is_no_hole),
        CASE_TEST(a_file_that_may_be_stored_into_through_a_mapping_is_not_without_blocks),
        CASE_TEST(the_page_beyond_the_end_is_zeros_and_never_becomes_data),
        CASE_TEST(touching_a_mapping_beyond_the_end_is_sigbus),
        CASE_TEST(truncation_and_growth_show_in_a_mapping),
        CASE_TEST(a_mapping_outlives_close_replacement_and_removal),
        CASE_TEST(mappings_need_a_handle_with_the_right_mode),
        CASE_TEST(processes_share_a_mapping),
        CASE_TEST(programs_run_from_the_filesystem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
