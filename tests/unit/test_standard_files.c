/*
 * Goal: whatever standard descriptors a program is started without, none of its own files gets
 * their numbers. Method: a child closes some, fills their places and looks at what is there.
 */
#include "store/base/standard_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ALL = 7, IS_NULL = 0, IS_OTHER = 1, IS_WRONG = 2 };

/* Is the descriptor /dev/null, opened with these flags? */
static bool is_null(int fd, int flags)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3) &&
           (fcntl(fd, F_GETFL) & O_ACCMODE) == flags;
}

/* In a child: close those of the mask, fill, and look. Answers by its exit status. */
static int child_look(unsigned closed, int flags)
{
    int ends[2];

    /* What stays open is a pipe, so that it cannot be taken for what was filled in. */
    if (pipe(ends) < 0)
        return IS_WRONG;
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(ends[1], fd) < 0)
            return IS_WRONG;
    }
    for (int fd = 0; fd < 3; fd++) {
        if (closed >> fd & 1)
            (void)close(fd);
    }
    if (tfs_fill_standard_files(flags) < 0)
        return IS_WRONG;
    for (int fd = 0; fd < 3; fd++) {
        if (is_null(fd, flags) != ((closed >> fd & 1) != 0))
            return IS_OTHER;
    }
    return IS_NULL;
}

static void what_is_closed_is_filled_and_what_is_open_stays(void **state)
{
    static const int flags[] = {O_RDONLY, O_RDWR};

    (void)state;
    for (unsigned closed = 0; closed <= ALL; closed++) {
        for (size_t i = 0; i < TFS_ARRAY_COUNT(flags); i++) {
            pid_t child = fork();
            int status;

            if (child == 0)
                _exit(child_look(closed, flags[i]));
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), IS_NULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_is_filled_and_what_is_open_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
