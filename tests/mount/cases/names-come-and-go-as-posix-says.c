/*
 * CASE: create, mknod, mkdir, lookup, unlink and rmdir answer as a local filesystem does
 *
 * One test per rule, each in a directory of its own. What the tests leave behind must be found
 * again by the runner after a crash and after a remount.
 */
#include "tests/mount/case.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static void a_created_file_is_empty_and_has_the_mode_less_the_umask(void **state)
{
    struct stat seen;

    (void)state;
    assert_ok(umask(027));
    assert_ok(close(case_create("file", 0666)));
    seen = case_stat("file");
    assert_int_equal(seen.st_mode, S_IFREG | 0640);
    assert_int_equal(seen.st_size, 0);
    assert_int_equal(seen.st_nlink, 1);
    assert_int_equal(seen.st_uid, 0);

    assert_ok(mkdir("directory", 0777));
    assert_int_equal(case_stat("directory").st_mode, S_IFDIR | 0750);
    assert_ok(mknod("fifo", S_IFIFO | 0666, 0));
    assert_int_equal(case_stat("fifo").st_mode, S_IFIFO | 0640);
}

static void a_file_created_without_permissions_is_still_open_for_its_creator(void **state)
{
    int fd;

    (void)state;
    case_become(CASE_NOBODY, CASE_NOBODY);
    fd = case_create("sealed", 0);
    assert_int_equal(assert_ok(write(fd, "abc", 3)), 3);
    assert_ok(close(fd));
    assert_fails(open("sealed", O_RDONLY), EACCES);
    case_become_root();
    case_expect_text("sealed", "abc");
    assert_int_equal(case_stat("sealed").st_uid, CASE_NOBODY);
    assert_int_equal(case_stat("sealed").st_gid, CASE_NOBODY);
}

static void exclusive_creation_refuses_every_name_that_exists(void **state)
{
    (void)state;
    case_write_text("file", "kept");
    assert_ok(mkdir("directory", 0777));
    assert_ok(symlink("nowhere", "dangling"));
    assert_fails(open("file", O_CREAT | O_EXCL | O_WRONLY, 0666), EEXIST);
    assert_fails(open("directory", O_CREAT | O_EXCL | O_WRONLY, 0666), EEXIST);
    assert_fails(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0666), EEXIST);
    assert_fails(mkdir("file", 0777), EEXIST);
    assert_fails(mkdir("dangling", 0777), EEXIST);
    assert_fails(mknod("file", S_IFIFO | 0666, 0), EEXIST);
    assert_fails(symlink("x", "file"), EEXIST);
    case_expect_text("file", "kept");
    case_expect_absent("nowhere");
}

static void creation_through_a_dangling_symlink_makes_its_target(void **state)
{
    (void)state;
    assert_ok(symlink("target", "link"));
    case_write_text("link", "through");
    case_expect_text("target", "through");
    assert_true(S_ISLNK(case_lstat("link").st_mode));
}

static void open_tells_missing_names_files_and_directories_apart(void **state)
{
    (void)state;
    case_write_text("file", "");
    assert_ok(mkdir("directory", 0777));
    assert_ok(symlink("file", "link"));
    assert_fails(open("missing", O_RDONLY), ENOENT);
    assert_fails(open("missing/file", O_RDONLY | O_CREAT, 0666), ENOENT);
    assert_fails(open("", O_RDONLY), ENOENT);
    assert_fails(open("file/below", O_RDONLY), ENOTDIR);
    assert_fails(open("file/", O_RDONLY), ENOTDIR);
    assert_fails(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    assert_fails(open("directory", O_WRONLY), EISDIR);
    assert_fails(open("directory", O_RDWR), EISDIR);
    assert_fails(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    assert_fails(mkdir("file/below", 0777), ENOTDIR);
    assert_fails(mkdir("missing/below", 0777), ENOENT);
}

static void a_name_is_seen_as_soon_as_it_is_made_although_it_was_asked_for_before(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_true(snprintf(name, sizeof(name), "name-%d", i) > 0);
        case_expect_absent(name);
        assert_ok(close(case_create(name, 0644)));
        assert_int_equal(case_stat(name).st_size, 0);
        assert_ok(unlink(name));
        case_expect_absent(name);
        assert_ok(mkdir(name, 0755));
        assert_true(S_ISDIR(case_stat(name).st_mode));
        assert_ok(rmdir(name));
        case_expect_absent(name);
        assert_ok(symlink("target", name));
        assert_true(S_ISLNK(case_lstat(name).st_mode));
    }
}

static void device_nodes_keep_their_numbers_and_open_the_device(void **state)
{
    struct stat seen;
    int fd;
    char byte;

    (void)state;
    assert_ok(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    assert_ok(mknod("large", S_IFBLK | 0600, makedev(4000, 1000000)));
    seen = case_stat("null");
    assert_true(S_ISCHR(seen.st_mode));
    assert_int_equal(seen.st_rdev, makedev(1, 3));
    seen = case_stat("large");
    assert_true(S_ISBLK(seen.st_mode));
    assert_int_equal(seen.st_rdev, makedev(4000, 1000000));

    fd = open("null", O_RDWR);
    if (fd == -1 && errno == EACCES && case_is_plain())
        skip(); /* a plain directory on a mount with nodev */
    assert_true(fd != -1);
    assert_int_equal(assert_ok(write(fd, "gone", 4)), 4);
    assert_int_equal(assert_ok(read(fd, &byte, 1)), 0);
    assert_ok(close(fd));

    assert_ok(mknod("plain", S_IFREG | 0644, 0));
    assert_int_equal(case_stat("plain").st_mode, S_IFREG | 0644);
}

static void fifos_and_sockets_connect_processes(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = (int)assert_ok(socket(AF_UNIX, SOCK_STREAM, 0));
    int client = (int)assert_ok(socket(AF_UNIX, SOCK_STREAM, 0));
    int fifo;
    char text[8] = "";

    (void)state;
    assert_ok(mkfifo("fifo", 0644));
    fifo = (int)assert_ok(open("fifo", O_RDWR));
    assert_int_equal(assert_ok(write(fifo, "hello", 5)), 5);
    assert_int_equal(assert_ok(read(fifo, text, sizeof(text))), 5);
    assert_string_equal(text, "hello");
    assert_ok(close(fifo));

    assert_ok(bind(listener, (struct sockaddr *)&address, sizeof(address)));
    assert_ok(listen(listener, 1));
    assert_true(S_ISSOCK(case_stat("socket").st_mode));
    assert_ok(connect(client, (struct sockaddr *)&address, sizeof(address)));
    assert_ok(close(client));
    assert_ok(close(listener));
}

static void directories_count_their_subdirectories_as_links(void **state)
{
    (void)state;
    assert_ok(mkdir("parent", 0777));
    assert_int_equal(case_stat("parent").st_nlink, 2);
    assert_ok(mkdir("parent/a", 0777));
    assert_ok(mkdir("parent/b", 0777));
    case_write_text("parent/file", "");
    assert_int_equal(case_stat("parent").st_nlink, 4);
    assert_ok(rmdir("parent/a"));
    assert_int_equal(case_stat("parent").st_nlink, 3);
    assert_ok(mkdir("other", 0777));
    assert_ok(rename("parent/b", "other/b"));
    assert_int_equal(case_stat("parent").st_nlink, 2);
    assert_int_equal(case_stat("other").st_nlink, 3);
}

static void rmdir_and_unlink_refuse_what_is_not_theirs(void **state)
{
    (void)state;
    assert_ok(mkdir("full", 0777));
    case_write_text("full/file", "");
    assert_ok(mkdir("empty", 0777));
    assert_ok(symlink("empty", "link"));
    assert_fails(rmdir("full"), ENOTEMPTY);
    assert_fails(rmdir("full/file"), ENOTDIR);
    assert_fails(rmdir("link"), ENOTDIR);
    assert_fails(rmdir("missing"), ENOENT);
    assert_fails(rmdir("empty/."), EINVAL);
    assert_fails(rmdir("full/.."), ENOTEMPTY);
    assert_fails(unlink("empty"), EISDIR);
    assert_fails(unlink("missing"), ENOENT);
    assert_fails(unlink("full/file/below"), ENOTDIR);
    assert_fails(unlink("full/file/"), ENOTDIR);
    assert_ok(unlink("link"));
    assert_ok(rmdir("empty"));
    case_expect_text("full/file", "");
}

static void an_unlinked_file_stays_usable_while_it_is_open(void **state)
{
    enum { size = 300000 };
    char *content = case_buffer(size);
    int fd = case_create("file", 0644);

    (void)state;
    case_fill(content, size, 1);
    assert_int_equal(assert_ok(pwrite(fd, content, size / 2, 0)), size / 2);
    assert_ok(unlink("file"));
    case_expect_absent("file");
    assert_int_equal(case_fstat(fd).st_nlink, 0);

    assert_int_equal(assert_ok(pwrite(fd, content + size / 2, size / 2, size / 2)), size / 2);
    case_expect_fd(fd, content, size);
    assert_ok(fsync(fd));
    assert_ok(fchmod(fd, 0600));
    assert_int_equal(case_fstat(fd).st_mode, S_IFREG | 0600);
    assert_ok(ftruncate(fd, 1000));
    case_expect_fd(fd, content, 1000);

    case_write_text("file", "a new one of the same name");
    case_expect_fd(fd, content, 1000);
    assert_ok(close(fd));
    case_expect_text("file", "a new one of the same name");
    free(content);
}

static void a_removed_directory_stays_open_but_takes_nothing_in(void **state)
{
    DIR *listing;
    int fd;

    (void)state;
    assert_ok(mkdir("directory", 0777));
    fd = (int)assert_ok(open("directory", O_RDONLY | O_DIRECTORY));
    assert_ok(rmdir("directory"));
    assert_fails(openat(fd, "file", O_CREAT | O_WRONLY, 0666), ENOENT);
    assert_fails(mkdirat(fd, "below", 0777), ENOENT);
    listing = fdopendir(fd);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        assert_true(entry->d_name[0] == '.');
    assert_int_equal(closedir(listing), 0);
    assert_ok(mkdir("directory", 0777));
}

static void parents_get_new_times_when_a_name_comes_or_goes(void **state)
{
    struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    (void)state;
    assert_ok(mkdir("parent", 0777));
    for (int step = 0; step < 5; step++) {
        assert_ok(utimensat(AT_FDCWD, "parent", past, 0));
        if (step == 0)
            case_write_text("parent/file", "");
        else if (step == 1)
            assert_ok(rename("parent/file", "parent/moved"));
        else if (step == 2)
            assert_ok(link("parent/moved", "parent/second"));
        else if (step == 3)
            assert_ok(unlink("parent/moved"));
        else
            assert_ok(mkdir("parent/directory", 0777));
        assert_true(case_stat("parent").st_mtim.tv_sec > 1000);
        assert_true(case_stat("parent").st_ctim.tv_sec > 1000);
    }
}

static void names_may_hold_any_byte_but_slash_and_zero(void **state)
{
    char name[3] = "";

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        if (byte == '/')
            continue;
        name[0] = 'x';
        name[1] = (char)byte;
        assert_ok(close(case_create(name, 0644)));
    }
    assert_ok(mkdir("line\nbreak \\ \"quote\" \xff\xfe", 0755));
    case_write_text("line\nbreak \\ \"quote\" \xff\xfe/\xe2\x82\xac", "euro");
    case_expect_text("line\nbreak \\ \"quote\" \xff\xfe/\xe2\x82\xac", "euro");
}

static void names_differ_by_case_and_by_every_byte(void **state)
{
    (void)state;
    case_write_text("model", "1");
    case_write_text("Model", "2");
    case_write_text("model ", "3");
    case_write_text("model.", "4");
    case_write_text("e\xcc\x81", "5");
    case_write_text("\xc3\xa9", "6");
    case_expect_text("model", "1");
    case_expect_text("Model", "2");
    case_expect_text("model ", "3");
    case_expect_text("model.", "4");
    case_expect_text("e\xcc\x81", "5");
    case_expect_text("\xc3\xa9", "6");
}

static void an_unnamed_file_is_refused_cleanly_or_can_be_given_a_name(void **state)
{
    char path[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0644);

    (void)state;
    if (fd == -1) {
        assert_int_equal(errno, EOPNOTSUPP);
        return;
    }
    assert_int_equal(case_fstat(fd).st_nlink, 0);
    assert_int_equal(assert_ok(write(fd, "named", 5)), 5);
    assert_true(snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) > 0);
    assert_ok(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    assert_ok(close(fd));
    case_expect_text("named", "named");
}

static void paths_through_dots_lead_where_they_should(void **state)
{
    struct stat here;

    (void)state;
    assert_ok(mkdir("a", 0777));
    assert_ok(mkdir("a/b", 0777));
    case_write_text("a/file", "found");
    here = case_stat("a");
    case_control("drop-caches");
    case_expect_text("a/b/../file", "found");
    case_expect_text("./a/./b/.././file", "found");
    assert_int_equal(case_stat("a/b/..").st_ino, here.st_ino);
    assert_int_equal(case_stat("a/.").st_ino, here.st_ino);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(a_created_file_is_empty_and_has_the_mode_less_the_umask),
        CASE_TEST(a_file_created_without_permissions_is_still_open_for_its_creator),
        CASE_TEST(exclusive_creation_refuses_every_name_that_exists),
        CASE_TEST(creation_through_a_dangling_symlink_makes_its_target),
        CASE_TEST(open_tells_missing_names_files_and_directories_apart),
        CASE_TEST(a_name_is_seen_as_soon_as_it_is_made_although_it_was_asked_for_before),
        CASE_TEST(device_nodes_keep_their_numbers_and_open_the_device),
        CASE_TEST(fifos_and_sockets_connect_processes),
        CASE_TEST(directories_count_their_subdirectories_as_links),
        CASE_TEST(rmdir_and_unlink_refuse_what_is_not_theirs),
        CASE_TEST(an_unlinked_file_stays_usable_while_it_is_open),
        CASE_TEST(a_removed_directory_stays_open_but_takes_nothing_in),
        CASE_TEST(parents_get_new_times_when_a_name_comes_or_goes),
        CASE_TEST(names_may_hold_any_byte_but_slash_and_zero),
        CASE_TEST(names_differ_by_case_and_by_every_byte),
        CASE_TEST(an_unnamed_file_is_refused_cleanly_or_can_be_given_a_name),
        CASE_TEST(paths_through_dots_lead_where_they_should),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
