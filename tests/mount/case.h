/*
 * What C cases share: every test of a group runs in an empty directory of its own on the filesystem
 * under test, which is its working directory, so that relative names are enough.
 *
 * The working directory is left for a remount and entered again after it; descriptors into the
 * filesystem must be closed by then. On a plain directory a remount does nothing, and what only a
 * mount of ours promises is to be guarded by case_is_plain().
 */
#ifndef TFS_TESTS_CASE_H
#define TFS_TESTS_CASE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cmocka.h>

#define CASE_NOBODY 65533 /* a user and a group that own nothing */
#define CASE_OTHER  65532 /* another */

#define CASE_TEST(function)                                                                        \
    {                                                                                              \
        .name = #function, .test_func = (function), .setup_func = case_enter,                      \
        .teardown_func = case_leave, .initial_state = (void *)(uintptr_t) #function                \
    }

/* The value of a call that must not answer -1. */
#define assert_ok(call)                                                                            \
    __extension__({                                                                                \
        long result_ = (long)(call);                                                               \
        if (result_ == -1)                                                                         \
            fail_msg("%s: %s", #call, strerror(errno));                                            \
        result_;                                                                                   \
    })

/* A call that must answer -1 with this errno. */
#define assert_fails(call, error)                                                                  \
    do {                                                                                           \
        long result_ = (long)(call);                                                               \
        int errno_ = errno;                                                                        \
        if (result_ != -1)                                                                         \
            fail_msg("%s answered %ld, wanted %s", #call, result_, strerrorname_np(error));        \
        if (errno_ != (error))                                                                     \
            fail_msg("%s: %s, wanted %s", #call, strerrorname_np(errno_), strerrorname_np(error)); \
    } while (0)

/* Setup and teardown of CASE_TEST. */
int case_enter(void **state);
int case_leave(void **state);

bool case_is_plain(void);

/* The mountpoint, absolute. */
const char *case_root(void);

/* Skip on a plain directory that cannot do this; on a mount of ours it is a failure. */
void case_unsupported(const char *what);

/* Ask the runner, who must answer ok: "remount", "crash", "drop-caches", ... */
void case_control(const char *command);

/* Act as another user, without capabilities and other groups, until the test ends or
 * case_become_root. */
void case_become(uid_t uid, gid_t gid);
void case_become_root(void);

int case_create(const char *path, mode_t mode);
void case_can_open(const char *path, int flags);
void case_write_file(const char *path, const void *content, size_t size);
void case_write_text(const char *path, const char *text);

/* The file's whole content is these bytes. */
void case_expect_file(const char *path, const void *content, size_t size);
void case_expect_text(const char *path, const char *text);
void case_expect_fd(int fd, const void *content, size_t size);

void case_expect_absent(const char *path);

struct stat case_stat(const char *path);
struct stat case_lstat(const char *path);
struct stat case_fstat(int fd);

/* Bytes that follow from the seed alone and do not compress. */
void case_fill(void *buffer, size_t size, uint64_t seed);

/* A buffer of zeros, aligned for O_DIRECT; the caller frees it. */
void *case_buffer(size_t size);

/* Run `function` in a child; its return value must be 0, and its asserts count. */
void case_fork(int (*function)(void *context), void *context, pid_t *ret_pid);
void case_join(pid_t pid);

#endif
