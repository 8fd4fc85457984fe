/*
 * Goal: the program mounts, serves real programs' calls, reports what is wrong in one line, and
 * ends as it should in each of the ways a mount can end. Method: memfs (our mount over a store in
 * memory) on a directory under /tmp. Needs root and /dev/fuse, and skips without.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/test_fs_mount.XXXXXX";
static bool is_possible;

struct caught {
    int status; /* of waitpid(2) */
    char output[4096];
    char errors[4096];
};

static int make_base(void **state)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    (void)state;
    is_possible = geteuid() == 0 && fd >= 0;
    if (!is_possible)
        (void)fprintf(stderr, "skipped: mounting needs root and /dev/fuse\n");
    if (fd >= 0)
        (void)close(fd); /* nothing was sent */
    return !mkdtemp(base) || chdir(base) < 0 || mkdir("mnt", 0755) < 0;
}

static int remove_base(void **state)
{
    (void)state;
    (void)umount2("mnt", MNT_DETACH); /* after a failed test */
    return rmdir("mnt") | chdir("/") | rmdir(base);
}

static int leave_no_mount(void **state)
{
    (void)state;
    while (umount2("mnt", MNT_DETACH) == 0)
        ;
    return 0;
}

#define NEEDS_MOUNT()                                                                              \
    do {                                                                                           \
        if (!is_possible)                                                                          \
            skip();                                                                                \
    } while (0)

/* Start memfs with its output into memory files. The arguments end with NULL. */
static pid_t start(const char *const arguments[], int *output, int *errors)
{
    char *argv[16] = {(char[]){"memfs"}};
    int argc = 1;
    pid_t child;

    for (; arguments[argc - 1]; argc++)
        argv[argc] = strdup(arguments[argc - 1]);
    *output = memfd_create("output", MFD_CLOEXEC);
    *errors = memfd_create("errors", MFD_CLOEXEC);
    assert_true(*output >= 0 && *errors >= 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(*output, STDOUT_FILENO);
        (void)dup2(*errors, STDERR_FILENO);
        (void)execv(TFS_TEST_MEMFS, argv);
        _exit(127);
    }
    for (int i = 1; i < argc; i++)
        free(argv[i]);
    return child;
}

static void read_back(int fd, char text[4096])
{
    ssize_t size = pread(fd, text, 4095, 0);

    assert_true(size >= 0);
    text[size] = '\0';
    (void)close(fd); /* memory only */
}

static struct caught finish(pid_t child, int output, int errors)
{
    struct caught caught;

    assert_int_equal(waitpid(child, &caught.status, 0), child);
    read_back(output, caught.output);
    read_back(errors, caught.errors);
    return caught;
}

static struct caught run(const char *const arguments[])
{
    int output;
    int errors;
    pid_t child = start(arguments, &output, &errors);

    return finish(child, output, errors);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* A mount in the foreground; waits until it is usable. */
static pid_t mount_foreground(int *output, int *errors)
{
    pid_t child =
        start((const char *const[]){"-f", "-osuid,dev", "store", "mnt", NULL}, output, errors);
    struct stat status;

    while (stat("mnt", &status) < 0 || status.st_ino != 1) {
        char text[64] = "";

        assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        if (pread(*errors, text, sizeof(text) - 1, 0) > 0)
            assert_null(strstr(text, "cannot"));
        assert_int_equal(usleep(1000), 0); /* the condition is looked at again */
    }
    return child;
}

static void assert_exit(const struct caught *caught, int status)
{
    assert_true(WIFEXITED(caught->status));
    assert_int_equal(WEXITSTATUS(caught->status), status);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void assert_file(const char *path, const char *text)
{
    char found[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, found, sizeof(found) - 1), strlen(text));
    assert_string_equal(found, text);
    (void)close(fd); /* read only */
}

/* ---- what can be said before anything is mounted ---- */

static void bad_command_lines_touch_nothing(void **state)
{
    struct caught caught;

    (void)state;
    caught = RUN("--nonsense", "store", "mnt");
    assert_exit(&caught, 1);
    assert_string_equal(caught.errors,
                        "tensorfs: unknown option 'nonsense' (see tensorfs --help)\n");
    caught = RUN("store", "missing");
    assert_exit(&caught, 1);
    assert_string_equal(caught.errors, "tensorfs: mountpoint 'missing' does not exist\n");
    caught = RUN("--chunk_size=3M", "deep/store", "mnt");
    assert_exit(&caught, 1);
    assert_string_equal(caught.output, "");
    assert_int_equal(access("deep", F_OK), -1);
    assert_int_equal(access("store", F_OK), -1);
}

static void help_and_version_exit_0(void **state)
{
    struct caught caught = RUN("--help");

    (void)state;
    assert_exit(&caught, 0);
    assert_non_null(strstr(caught.output, "usage: tensorfs"));
    caught = RUN("-V");
    assert_exit(&caught, 0);
    assert_int_equal(strncmp(caught.output, "tensorfs ", 9), 0);
}

/* ---- a mount's life ---- */

static void a_background_mount_is_usable_when_the_command_returns(void **state)
{
    struct caught caught;
    char line[256];

    (void)state;
    NEEDS_MOUNT();
    caught = RUN("store", "mnt");
    assert_exit(&caught, 0);
    (void)snprintf(line, sizeof(line), "tensorfs: store %s/store is mounted on %s/mnt\n", base,
                   base);
    assert_string_equal(caught.output, line);
    assert_string_equal(caught.errors, "");
    write_file("mnt/f", "hello");
    assert_file("mnt/f", "hello");
    caught = RUN("store", "mnt");
    assert_exit(&caught, 1);
    assert_string_equal(caught.errors, "tensorfs: mountpoint 'mnt' is a tensorfs mount already\n");
    assert_int_equal(umount2("mnt", 0), 0);
}

static void umount_ends_the_process_with_status_0(void **state)
{
    struct caught caught;
    int output;
    int errors;
    pid_t child;

    (void)state;
    NEEDS_MOUNT();
    child = mount_foreground(&output, &errors);
    write_file("mnt/f", "hello");
    assert_int_equal(umount2("mnt", 0), 0);
    caught = finish(child, output, errors);
    assert_exit(&caught, 0);
}

static void signals_unmount_and_end_with_status_0(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    (void)state;
    NEEDS_MOUNT();
    for (size_t i = 0; i < 2; i++) {
        struct caught caught;
        struct stat status;
        int output;
        int errors;
        pid_t child = mount_foreground(&output, &errors);

        assert_int_equal(kill(child, SIGHUP), 0); /* is ignored */
        write_file("mnt/f", "still there");
        assert_int_equal(kill(child, signals[i]), 0);
        caught = finish(child, output, errors);
        assert_exit(&caught, 0);
        assert_int_equal(stat("mnt", &status), 0);
        assert_int_not_equal(status.st_ino, 1);
    }
}

static void a_signal_ends_a_mount_with_open_files_too(void **state)
{
    struct caught caught;
    int output;
    int errors;
    pid_t child;
    int fd;

    (void)state;
    NEEDS_MOUNT();
    child = mount_foreground(&output, &errors);
    write_file("mnt/f", "hello");
    fd = open("mnt/f", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(kill(child, SIGTERM), 0);
    caught = finish(child, output, errors);
    assert_exit(&caught, 0);
    assert_non_null(strstr(caught.errors, "still open"));
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(errno, ENOTCONN);
    (void)close(fd); /* there is nobody to report an error */
}

static void a_mount_whose_process_was_killed_is_named_as_such(void **state)
{
    struct caught caught;
    int output;
    int errors;
    pid_t child;

    (void)state;
    NEEDS_MOUNT();
    child = mount_foreground(&output, &errors);
    assert_int_equal(kill(child, SIGKILL), 0);
    (void)finish(child, output, errors);
    caught = RUN("store", "mnt");
    assert_exit(&caught, 1);
    assert_string_equal(caught.errors, "tensorfs: mountpoint 'mnt' is a mount whose process is "
                                       "gone; run: fusermount3 -u mnt\n");
    assert_int_equal(umount2("mnt", MNT_DETACH), 0);
}

/* ---- what the kernel and we agreed on, seen by a program ---- */

static void a_new_exclusive_file_can_be_mapped_shared(void **state)
{
    struct caught caught;
    char *map;
    int fd;

    (void)state;
    NEEDS_MOUNT();
    caught = RUN("store", "mnt");
    assert_exit(&caught, 0);
    fd = open("mnt/map", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8192), 0);
    map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    memcpy(map, "mapped", 7);
    assert_int_equal(munmap(map, 8192), 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(close(fd), 0);
    fd = open("mnt/map", O_RDONLY | O_CLOEXEC);
    {
        char text[7] = "";

        assert_int_equal(read(fd, text, 7), 7);
        assert_string_equal(text, "mapped");
    }
    (void)close(fd); /* read only */
}

static void a_direct_write_is_seen_through_cached_handles(void **state)
{
    struct caught caught;
    char text[4] = "";
    char *map;
    int reader;
    int writer;

    (void)state;
    NEEDS_MOUNT();
    caught = RUN("store", "mnt");
    assert_exit(&caught, 0);
    writer = open("mnt/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(writer >= 0);
    assert_int_equal(pwrite(writer, "old", 3, 0), 3);
    reader = open("mnt/f", O_RDONLY | O_CLOEXEC);
    map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(pread(reader, text, 3, 0), 3);
    assert_memory_equal(map, "old", 3);
    assert_int_equal(pwrite(writer, "new", 3, 0), 3);
    assert_int_equal(pread(reader, text, 3, 0), 3);
    assert_string_equal(text, "new");
    assert_memory_equal(map, "new", 3);
    assert_int_equal(munmap(map, 4096), 0);
    (void)close(reader); /* read only */
    assert_int_equal(close(writer), 0);
}

static void every_name_of_a_file_shows_the_same(void **state)
{
    struct caught caught;
    struct stat one;
    struct stat other;

    (void)state;
    NEEDS_MOUNT();
    caught = RUN("store", "mnt");
    assert_exit(&caught, 0);
    write_file("mnt/a", "x");
    assert_int_equal(stat("mnt/a", &one), 0);
    assert_int_equal(link("mnt/a", "mnt/b"), 0);
    assert_int_equal(chmod("mnt/b", 0600), 0);
    assert_int_equal(stat("mnt/a", &one), 0);
    assert_int_equal(stat("mnt/b", &other), 0);
    assert_int_equal(one.st_nlink, 2);
    assert_int_equal(one.st_ino, other.st_ino);
    assert_int_equal(one.st_mode, S_IFREG | 0600);
    assert_int_equal(one.st_ctim.tv_nsec, other.st_ctim.tv_nsec);
    assert_int_equal(rename("mnt/b", "mnt/c"), 0);
    assert_int_equal(unlink("mnt/a"), 0);
    assert_int_equal(stat("mnt/c", &one), 0);
    assert_int_equal(one.st_nlink, 1);
}

static void a_file_without_a_name_can_be_linked_in(void **state)
{
    struct caught caught;
    char path[64];
    int fd;

    (void)state;
    NEEDS_MOUNT();
    caught = RUN("store", "mnt");
    assert_exit(&caught, 0);
    fd = open("mnt", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EOPNOTSUPP)
        skip(); /* before Linux 6.1 */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "tmp", 3), 3);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, "mnt/named", AT_SYMLINK_FOLLOW), 0);
    assert_int_equal(close(fd), 0);
    assert_file("mnt/named", "tmp");
}

static void a_large_directory_is_listed_whole_while_it_is_emptied(void **state)
{
    enum { COUNT = 3000 };
    struct caught caught;
    char path[64];

    (void)state;
    NEEDS_MOUNT();
    caught = RUN("store", "mnt");
    assert_exit(&caught, 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(path, sizeof(path), "mnt/d%d", i);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    {
        char command[128];

        (void)snprintf(command, sizeof(command), "test $(ls -l mnt | grep -c ' d[0-9]*$') = %d",
                       COUNT);
        assert_int_equal(system(command), 0);
        assert_int_equal(system("rm -r mnt/d* && test -z \"$(ls mnt)\""), 0);
    }
}

#define MOUNT_TEST(name) cmocka_unit_test_teardown(name, leave_no_mount)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_command_lines_touch_nothing),
        cmocka_unit_test(help_and_version_exit_0),
        MOUNT_TEST(a_background_mount_is_usable_when_the_command_returns),
        MOUNT_TEST(umount_ends_the_process_with_status_0),
        MOUNT_TEST(signals_unmount_and_end_with_status_0),
        MOUNT_TEST(a_signal_ends_a_mount_with_open_files_too),
        MOUNT_TEST(a_mount_whose_process_was_killed_is_named_as_such),
        MOUNT_TEST(a_new_exclusive_file_can_be_mapped_shared),
        MOUNT_TEST(a_direct_write_is_seen_through_cached_handles),
        MOUNT_TEST(every_name_of_a_file_shows_the_same),
        MOUNT_TEST(a_file_without_a_name_can_be_linked_in),
        MOUNT_TEST(a_large_directory_is_listed_whole_while_it_is_emptied),
    };

    return cmocka_run_group_tests(tests, make_base, remove_base);
}
