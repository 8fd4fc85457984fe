/*
 * CASE: a file handle opens its file whatever caches forgot, and is ESTALE once it is removed
 * NEEDS: root
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct handle {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
};

static struct handle handle_of(const char *path)
{
    struct handle handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount_id;

    if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) == -1) {
        if (errno == EOPNOTSUPP)
            case_unsupported("name_to_handle_at");
        fail_msg("name_to_handle_at '%s': %s", path, strerror(errno));
    }
    return handle;
}

static int open_handle(const struct handle *handle, int flags)
{
    struct handle copy = *handle;
    int root = (int)assert_ok(open(case_root(), O_RDONLY | O_DIRECTORY));
    int fd = open_by_handle_at(root, &copy.head, flags);
    int error = errno;

    assert_ok(close(root));
    errno = error;
    return fd;
}

static void expect_through(const struct handle *handle, const char *text)
{
    int fd = (int)assert_ok(open_handle(handle, O_RDONLY));

    case_expect_fd(fd, text, strlen(text));
    assert_ok(close(fd));
}

static void a_handle_opens_its_file_whatever_the_caches_forgot(void **state)
{
    struct handle handle;

    (void)state;
    assert_ok(mkdir("a", 0755));
    assert_ok(mkdir("a/b", 0755));
    case_write_text("a/b/file", "found");
    handle = handle_of("a/b/file");
    expect_through(&handle, "found");
    case_control("drop-caches");
    expect_through(&handle, "found");
    assert_ok(rename("a/b/file", "a/moved"));
    case_control("drop-caches");
    expect_through(&handle, "found");
}

static void a_handle_of_a_directory_leads_to_its_path(void **state)
{
    struct handle handle;
    char link[64], path[4096] = "";
    int fd;

    (void)state;
    assert_ok(mkdir("a", 0755));
    assert_ok(mkdir("a/b", 0755));
    case_write_text("a/b/file", "below");
    handle = handle_of("a/b");
    case_control("drop-caches");
    fd = (int)assert_ok(open_handle(&handle, O_RDONLY | O_DIRECTORY));
    assert_true(snprintf(link, sizeof(link), "/proc/self/fd/%d", fd) > 0);
    assert_true(assert_ok(readlink(link, path, sizeof(path) - 1)) > 4);
    assert_string_equal(path + strlen(path) - 4, "/a/b");
    assert_ok(faccessat(fd, "file", R_OK, 0));
    assert_ok(close(fd));
}

static void a_handle_of_a_removed_file_is_stale(void **state)
{
    struct handle handle;

    (void)state;
    case_write_text("file", "gone");
    handle = handle_of("file");
    assert_ok(unlink("file"));
    assert_fails(open_handle(&handle, O_RDONLY), ESTALE);
    case_control("drop-caches");
    assert_fails(open_handle(&handle, O_RDONLY), ESTALE);
}

/* Inode numbers may come again; the generation in the handle tells the new file from the old. */
static void a_handle_never_opens_a_later_file(void **state)
{
    enum { files = 200 };
    struct handle *handles = case_buffer(files * sizeof(*handles));
    char name[32];

    (void)state;
    for (int i = 0; i < files; i++) {
        assert_true(snprintf(name, sizeof(name), "old-%d", i) > 0);
        case_write_text(name, "old");
        handles[i] = handle_of(name);
        assert_ok(unlink(name));
    }
    case_control("drop-caches");
    for (int i = 0; i < files; i++) {
        assert_true(snprintf(name, sizeof(name), "new-%d", i) > 0);
        case_write_text(name, "new");
    }
    for (int i = 0; i < files; i++)
        assert_fails(open_handle(&handles[i], O_RDONLY), ESTALE);
    free(handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(a_handle_opens_its_file_whatever_the_caches_forgot),
        CASE_TEST(a_handle_of_a_directory_leads_to_its_path),
        CASE_TEST(a_handle_of_a_removed_file_is_stale),
        CASE_TEST(a_handle_never_opens_a_later_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
