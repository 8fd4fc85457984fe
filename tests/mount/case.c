/*
 * Helpers of the C cases; see case.h.
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xxhash.h>

static const char *setting(const char *name)
{
    const char *value = getenv(name);

    if (!value) {
        (void)fprintf(stderr, "%s is not set: run this through run_case.py\n", name);
        exit(EXIT_FAILURE);
    }
    return value;
}

const char *case_root(void)
{
    return setting("MNT");
}

bool case_is_plain(void)
{
    return strcmp(setting("TFS_PLAIN"), "1") == 0;
}

static void enter_directory(const char *name)
{
    assert_ok(chdir(case_root()));
    assert_ok(chdir(name));
}

/* cmocka hands the test's name through initial_state; it names the directory too. */
int case_enter(void **state)
{
    const char *name = *state;

    assert_ok(umask(022));
    assert_ok(chdir(case_root()));
    assert_ok(mkdir(name, 0777));
    assert_ok(chmod(name, 0777));
    enter_directory(name);
    return 0;
}

int case_leave(void **state)
{
    (void)state;
    case_become_root();
    assert_ok(chdir("/"));
    /* What a failed test left open must not keep the next one from its remount. */
    assert_ok(close_range(STDERR_FILENO + 1, UINT_MAX, 0));
    return 0;
}

void case_unsupported(const char *what)
{
    if (!case_is_plain())
        fail_msg("%s is not supported", what);
    print_message("not on this plain directory: %s\n", what);
    skip();
}

static int connect_to_runner(void)
{
    const char *name = setting("TFS_CONTROL");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int wire;

    assert_true(length + 1 <= sizeof(address.sun_path));
    memcpy(address.sun_path + 1, name, length); /* an abstract name: it starts with a zero byte */
    wire = (int)assert_ok(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_ok(connect(wire, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)));
    return wire;
}

void case_control(const char *command)
{
    char answer[512] = "";
    char directory[4096];
    size_t length = 0;
    ssize_t count;
    int wire;

    assert_non_null(getcwd(directory, sizeof(directory)));
    assert_ok(chdir("/"));
    wire = connect_to_runner();
    assert_int_equal(dprintf(wire, "%s\n", command), strlen(command) + 1);
    while ((count = read(wire, answer + length, sizeof(answer) - 1 - length)) > 0)
        length += (size_t)count;
    assert_ok(close(wire));
    if (strncmp(answer, "ok", 2) != 0)
        fail_msg("%s: %s", command, answer);
    assert_ok(chdir(directory));
}

void case_become(uid_t uid, gid_t gid)
{
    assert_ok(setgroups(0, NULL));
    assert_ok(setegid(gid));
    assert_ok(seteuid(uid));
}

void case_become_root(void)
{
    assert_ok(seteuid(0));
    assert_ok(setegid(0));
}

int case_create(const char *path, mode_t mode)
{
    return (int)assert_ok(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
}

void case_can_open(const char *path, int flags)
{
    int fd = (int)assert_ok(open(path, flags | O_CLOEXEC));

    assert_ok(close(fd));
}

void case_write_file(const char *path, const void *content, size_t size)
{
    int fd = (int)assert_ok(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

    for (size_t done = 0; done < size;)
        done += (size_t)assert_ok(write(fd, (const char *)content + done, size - done));
    assert_ok(close(fd));
}

void case_write_text(const char *path, const char *text)
{
    case_write_file(path, text, strlen(text));
}

void case_expect_fd(int fd, const void *content, size_t size)
{
    char *got = case_buffer(size + 1);
    size_t done = 0;
    ssize_t count;

    while ((count = assert_ok(pread(fd, got + done, size + 1 - done, (off_t)done))) > 0)
        done += (size_t)count;
    assert_int_equal(done, size);
    assert_memory_equal(got, content, size);
    free(got);
}

void case_expect_file(const char *path, const void *content, size_t size)
{
    int fd = (int)assert_ok(open(path, O_RDONLY | O_CLOEXEC));

    case_expect_fd(fd, content, size);
    assert_ok(close(fd));
}

void case_expect_text(const char *path, const char *text)
{
    case_expect_file(path, text, strlen(text));
}

void case_expect_absent(const char *path)
{
    struct stat seen;

    assert_fails(lstat(path, &seen), ENOENT);
}

struct stat case_stat(const char *path)
{
    struct stat seen;

    if (stat(path, &seen) != 0)
        fail_msg("stat '%s': %s", path, strerror(errno));
    return seen;
}

struct stat case_lstat(const char *path)
{
    struct stat seen;

    if (lstat(path, &seen) != 0)
        fail_msg("lstat '%s': %s", path, strerror(errno));
    return seen;
}

struct stat case_fstat(int fd)
{
    struct stat seen;

    assert_ok(fstat(fd, &seen));
    return seen;
}

void case_fill(void *buffer, size_t size, uint64_t seed)
{
    uint8_t *bytes = buffer;

    for (uint64_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = XXH3_64bits_withSeed(&at, sizeof(at), seed);
        size_t left = size - at;

        memcpy(bytes + at, &word, left < sizeof(word) ? left : sizeof(word));
    }
}

void *case_buffer(size_t size)
{
    void *buffer = NULL;

    assert_int_equal(posix_memalign(&buffer, 4096, size ? size : 1), 0);
    memset(buffer, 0, size);
    return buffer;
}

/* cmocka's asserts jump out of the test, which a child must not do: there they abort it. */
void case_fork(int (*function)(void *context), void *context, pid_t *ret_pid)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = (pid_t)assert_ok(fork());
    if (pid == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
        _exit(function(context));
    }
    *ret_pid = pid;
}

void case_join(pid_t pid)
{
    int status = 0;

    assert_int_equal(assert_ok(waitpid(pid, &status, 0)), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status 0x%x", (unsigned)status);
}
