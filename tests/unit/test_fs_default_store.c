/*
 * Goal: the default store is where the manual says, no two mountpoints share one, and what older
 * versions have made is found as long as it is clear whose it is. Method: a directory of our own
 * under /tmp for data and mountpoints, and the environment's variables set by hand.
 */
#include "fs/default_store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64];
static struct tfs_message message;
static char found[PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof(base), "/tmp/test_fs_default_store.XXXXXX");
    memset(&message, 0, sizeof(message));
    return mkdtemp(base) && chdir(base) == 0 && setenv("XDG_DATA_HOME", base, 1) == 0 &&
                   unsetenv("TENSORFS_STORE") == 0 && mkdir("tensorfs", 0700) == 0
               ? 0
               : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return chdir("/") | nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of `name` in the base. */
static const char *in_base(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, PATH_MAX, "%s/%s", base, name);
    return path;
}

/* The store that has this mountpoint's old name, or, escaped, its new one. */
static const char *store_of(const char *mountpoint, bool is_old)
{
    static char stores[4][2 * PATH_MAX];
    static unsigned next;
    char *store = stores[next++ % 4];
    char name[PATH_MAX];

    assert_int_equal(default_store_name(mountpoint, name), 0);
    if (is_old)
        (void)snprintf(name, sizeof(name), "%s", mountpoint + 1);
    for (char *letter = name; *letter; letter++) {
        if (*letter == '/')
            *letter = '-';
    }
    (void)snprintf(store, sizeof(stores[0]), "%s/tensorfs/%s", base, name);
    return store;
}

static int find(const char *mountpoint)
{
    memset(&message, 0, sizeof(message));
    (void)snprintf(found, sizeof(found), "untouched");
    return default_store_find(mountpoint, found, &message);
}

static void assert_found(const char *mountpoint, const char *store)
{
    assert_int_equal(find(mountpoint), 0);
    assert_string_equal(found, store);
}

static void a_name_can_be_turned_back(void **state)
{
    static const struct {
        const char *mountpoint;
        const char *name;
    } names[] = {{"/mnt/ckpt", "mnt-ckpt"},
                 {"/mnt-ckpt", "mnt\\x2dckpt"},
                 {"/a/b-c/d", "a-b\\x2dc-d"},
                 {"/a\\x2db", "a\\x5cx2db"},
                 {"/mnt/a b/\303\244", "mnt-a b-\303\244"},
                 {"/", "-"},
                 {"/-", "\\x2d"}};
    char name[PATH_MAX];
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        assert_int_equal(default_store_name(names[i].mountpoint, name), 0);
        assert_string_equal(name, names[i].name);
    }
    memset(path, '-', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    (void)snprintf(name, sizeof(name), "untouched");
    assert_int_equal(default_store_name(path, name), -ENAMETOOLONG);
    assert_string_equal(name, "untouched");
}

static void the_default_store_comes_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("TENSORFS_STORE", "/data/store", 1), 0);
    assert_found("/mnt/ckpt", "/data/store");
    assert_int_equal(unsetenv("TENSORFS_STORE"), 0);
    assert_int_equal(setenv("XDG_DATA_HOME", "/xdg", 1), 0);
    assert_found("/mnt/ckpt", "/xdg/tensorfs/mnt-ckpt");
    assert_int_equal(setenv("XDG_DATA_HOME", "relative", 1), 0);
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_found("/mnt/ckpt", "/home/me/.local/share/tensorfs/mnt-ckpt");
    assert_int_equal(unsetenv("XDG_DATA_HOME"), 0);
    assert_found("/mnt/ckpt", "/home/me/.local/share/tensorfs/mnt-ckpt");
}

static void a_default_store_that_is_too_long_is_an_error(void **state)
{
    char data[PATH_MAX];

    (void)state;
    memset(data, 'a', sizeof(data) - 1);
    data[0] = '/';
    data[sizeof(data) - 1] = '\0';
    assert_int_equal(setenv("XDG_DATA_HOME", data, 1), 0);
    assert_int_equal(find("/mnt"), -ENAMETOOLONG);
    assert_string_equal(found, "untouched");
}

static void two_mountpoints_never_have_one_store(void **state)
{
    (void)state;
    assert_int_equal(mkdir("a", 0700) | mkdir("a/b", 0700) | mkdir("a-b", 0700), 0);
    assert_found(in_base("a/b"), store_of(in_base("a/b"), false));
    assert_int_equal(mkdir(found, 0700), 0); /* made, and noted */
    default_store_claim(found, in_base("a/b"));
    assert_found(in_base("a/b"), store_of(in_base("a/b"), false));
    assert_found(in_base("a-b"), store_of(in_base("a-b"), false));
    assert_string_not_equal(found, store_of(in_base("a/b"), false));
}

static void what_an_older_version_made_is_found_when_it_is_clear_whose_it_is(void **state)
{
    const char *old;

    (void)state;
    assert_int_equal(mkdir("a-b", 0700), 0);
    old = store_of(in_base("a-b"), true);
    assert_int_equal(mkdir(old, 0700), 0);
    assert_found(in_base("a-b"), old);

    /* It may have been that of another mountpoint: nobody is given it, and both are told. */
    assert_int_equal(mkdir("a", 0700) | mkdir("a/b", 0700), 0);
    assert_int_equal(find(in_base("a-b")), -ENOTUNIQ);
    assert_non_null(strstr(message.text, in_base("a/b")));
    assert_string_equal(found, "untouched");
    assert_int_equal(find(in_base("a/b")), -ENOTUNIQ);
    assert_non_null(strstr(message.text, in_base("a-b")));

    /* Until the one whose it is has named it: the other makes its own, or is told where it can't.
     */
    default_store_claim(old, in_base("a-b"));
    assert_found(in_base("a-b"), old);
    assert_int_equal(find(in_base("a/b")), -EEXIST);
    assert_non_null(strstr(message.text, "is that of another mountpoint"));
}

static void the_other_makes_its_own_where_the_first_has_the_old_name(void **state)
{
    const char *old;

    (void)state;
    assert_int_equal(mkdir("a-b", 0700) | mkdir("a", 0700) | mkdir("a/b", 0700), 0);
    old = store_of(in_base("a-b"), true);
    assert_int_equal(mkdir(old, 0700), 0);
    default_store_claim(old, in_base("a/b"));
    assert_found(in_base("a/b"), old);
    assert_found(in_base("a-b"), store_of(in_base("a-b"), false));

    /* A store under the new name goes before one under the old. */
    assert_int_equal(mkdir(found, 0700), 0);
    assert_found(in_base("a-b"), store_of(in_base("a-b"), false));
}

static void a_note_is_made_once_and_for_stores_of_that_name_only(void **state)
{
    const char *store = store_of(in_base("a/b"), false);
    char note[PATH_MAX];
    int fd;

    (void)state;
    assert_int_equal(mkdir(store, 0700) | mkdir("elsewhere", 0700), 0);
    default_store_claim("elsewhere", in_base("a/b"));
    assert_int_equal(access("elsewhere/mountpoint", F_OK), -1);
    default_store_claim(store, in_base("a/b"));
    default_store_claim(store, in_base("a-b")); /* too late */
    (void)snprintf(note, sizeof(note), "%s/mountpoint", store);
    fd = open(note, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, note, sizeof(note)), strlen(in_base("a/b")));
    assert_memory_equal(note, in_base("a/b"), strlen(in_base("a/b")));

    /* Whatever stands there is compared and nothing else. */
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "\0\xff\n/x", 5, 0), 5);
    assert_int_equal(close(fd), 0);
    assert_int_equal(find(in_base("a/b")), 0); /* as without one */
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_can_be_turned_back),
        STORE_TEST(the_default_store_comes_from_the_environment),
        STORE_TEST(a_default_store_that_is_too_long_is_an_error),
        STORE_TEST(two_mountpoints_never_have_one_store),
        STORE_TEST(what_an_older_version_made_is_found_when_it_is_clear_whose_it_is),
        STORE_TEST(the_other_makes_its_own_where_the_first_has_the_old_name),
        STORE_TEST(a_note_is_made_once_and_for_stores_of_that_name_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
