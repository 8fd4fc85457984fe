/*
 * The namespace: what each operation does to names, links and times, and every error that store.h
 * names for it.
 *
 * Method: one volume for all tests, each in a directory of its own; what must survive is looked at
 * again after a reopen.
 */
#include "store_fixture.h"

#include "store/inode/inode.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct fixture *fixture;
static uint64_t directory; /* of the current test */

static int open_all(void **state)
{
    return fixture_set_up((void **)&fixture);
}

static int close_all(void **state)
{
    return fixture_tear_down((void **)&fixture);
}

static int set_up(void **state)
{
    static unsigned number;
    char name[16];

    (void)snprintf(name, sizeof(name), "%u", number++);
    directory = fixture_make(fixture, TFS_ROOT_INODE, name, S_IFDIR | 0755);
    return 0;
}

static uint64_t make(const char *name, uint32_t mode)
{
    return fixture_make(fixture, directory, name, mode);
}

static int try_make(const char *name, uint32_t mode, struct tfs_attr *ret)
{
    struct tfs_make what = {.mode = mode, .target = "t"};

    return tfs_make(fixture->volume, directory, name, &what, ret);
}

static int try_lookup(const char *name)
{
    struct tfs_attr attr;

    return tfs_lookup(fixture->volume, directory, name, &attr);
}

static struct tfs_attr attr_of(uint64_t inode)
{
    return fixture_attr(fixture, inode);
}

static int rename_in(const char *from, const char *to, unsigned flags)
{
    struct tfs_place a = {directory, from};
    struct tfs_place b = {directory, to};

    return tfs_rename(fixture->volume, &a, &b, flags);
}

static int rename_to(const char *from, uint64_t parent, const char *to, unsigned flags)
{
    struct tfs_place a = {directory, from};
    struct tfs_place b = {parent, to};

    return tfs_rename(fixture->volume, &a, &b, flags);
}

static int unlink_in(const char *name)
{
    return tfs_unlink(fixture->volume, directory, name);
}

static int rmdir_in(const char *name)
{
    return tfs_rmdir(fixture->volume, directory, name);
}

static const char *long_name(size_t size)
{
    static char name[TFS_NAME_SIZE_MAX + 2];

    memset(name, 'n', sizeof(name));
    name[size] = '\0';
    return name;
}

/* ---- make and lookup ---- */

static void every_type_is_made_as_asked_for(void **state)
{
    static const uint32_t modes[] = {S_IFREG | 0640,  S_IFDIR | 0750, S_IFIFO | 0600,
                                     S_IFSOCK | 0777, S_IFCHR | 0666, S_IFBLK | 0660};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(modes); i++) {
        struct tfs_make what = {
            .mode = modes[i], .umask = 022, .uid = 12, .gid = 34, .rdev = 0x501};
        struct tfs_attr attr;
        struct tfs_attr found;
        char name[8];

        (void)snprintf(name, sizeof(name), "%zu", i);
        assert_int_equal(tfs_make(fixture->volume, directory, name, &what, &attr), 0);
        assert_int_equal(attr.mode, modes[i] & ~022u);
        assert_int_equal(attr.uid, 12);
        assert_int_equal(attr.gid, 34);
        assert_int_equal(attr.nlink, S_ISDIR(modes[i]) ? 2 : 1);
        assert_int_equal(attr.rdev, S_ISCHR(modes[i]) || S_ISBLK(modes[i]) ? 0x501 : 0);
        assert_int_equal(tfs_lookup(fixture->volume, directory, name, &found), 0);
        fixture_assert_same_attr(&attr, &found);
    }
}

static void names_have_limits(void **state)
{
    struct tfs_attr attr;

    assert_int_equal(try_make("", S_IFREG, &attr), -ENOENT);
    assert_int_equal(try_make(long_name(TFS_NAME_SIZE_MAX), S_IFREG, &attr), 0);
    assert_int_equal(try_make(long_name(TFS_NAME_SIZE_MAX + 1), S_IFREG, &attr), -ENAMETOOLONG);
    assert_int_equal(try_lookup(long_name(TFS_NAME_SIZE_MAX)), 0);
    assert_int_equal(try_lookup(long_name(TFS_NAME_SIZE_MAX + 1)), -ENAMETOOLONG);
    assert_int_equal(try_make("a/b", S_IFREG, &attr), -EINVAL);
    assert_int_equal(try_make(".", S_IFREG, &attr), -EINVAL);
    assert_int_equal(try_make("..", S_IFREG, &attr), -EINVAL);
    assert_int_equal(try_make("...", S_IFREG, &attr), 0);
    assert_int_equal(try_make("\xff\n ", S_IFREG, &attr), 0); /* any other bytes */
}

static void make_answers_with_its_errors(void **state)
{
    struct tfs_make what = {.mode = S_IFREG | 0644};
    uint64_t file = make("file", S_IFREG);
    uint64_t gone = make("gone", S_IFDIR);
    struct tfs_attr attr = {.inode = 4711};

    assert_int_equal(try_make("file", S_IFREG, &attr), -EEXIST);
    assert_int_equal(try_make("file", S_IFDIR, &attr), -EEXIST);
    assert_int_equal(tfs_make(fixture->volume, file, "x", &what, &attr), -ENOTDIR);
    assert_int_equal(tfs_make(fixture->volume, UINT64_MAX, "x", &what, &attr), -ESTALE);
    assert_int_equal(rmdir_in("gone"), 0);
    assert_int_equal(tfs_make(fixture->volume, gone, "x", &what, &attr), -ENOENT);
    assert_int_equal(tfs_make_unnamed(fixture->volume, gone, &what, &attr), -ENOENT);
    assert_int_equal(try_make("odd", 0, &attr), -EINVAL);
    assert_int_equal(try_make("odd", S_IFMT, &attr), -EINVAL);
    what.mode = S_IFDIR;
    assert_int_equal(tfs_make_unnamed(fixture->volume, directory, &what, &attr), -EINVAL);
    assert_int_equal(attr.inode, 4711); /* outputs stay untouched */
}

static void a_symlink_keeps_its_target(void **state)
{
    char text[TFS_SYMLINK_SIZE_MAX + 2];
    char target[TFS_SYMLINK_SIZE_MAX + 1];
    struct tfs_make what = {.mode = S_IFLNK, .target = text};
    struct tfs_attr attr;

    memset(text, 'a', sizeof(text));
    text[TFS_SYMLINK_SIZE_MAX + 1] = '\0';
    assert_int_equal(tfs_make(fixture->volume, directory, "l", &what, &attr), -ENAMETOOLONG);
    text[TFS_SYMLINK_SIZE_MAX] = '\0';
    assert_int_equal(tfs_make(fixture->volume, directory, "l", &what, &attr), 0);
    assert_int_equal(attr.size, TFS_SYMLINK_SIZE_MAX);
    assert_int_equal(attr.mode, S_IFLNK | 0777);
    assert_int_equal(tfs_readlink(fixture->volume, attr.inode, target), 0);
    assert_string_equal(target, text);
    text[0] = '\0';
    assert_int_equal(tfs_make(fixture->volume, directory, "m", &what, &attr), -ENOENT);
    what.target = NULL;
    assert_int_equal(tfs_make(fixture->volume, directory, "m", &what, &attr), -ENOENT);
    assert_int_equal(tfs_readlink(fixture->volume, directory, target), -EINVAL);
    assert_int_equal(tfs_readlink(fixture->volume, UINT64_MAX, target), -ESTALE);
}

static void lookup_answers_with_its_errors(void **state)
{
    uint64_t file = make("file", S_IFREG);
    struct tfs_attr attr;

    assert_int_equal(try_lookup("nothing"), -ENOENT);
    assert_int_equal(try_lookup(""), -ENOENT);
    assert_int_equal(tfs_lookup(fixture->volume, file, "x", &attr), -ENOTDIR);
    assert_int_equal(tfs_lookup(fixture->volume, UINT64_MAX, "x", &attr), -ESTALE);
    assert_int_equal(tfs_lookup(fixture->volume, directory, ".", &attr), 0);
    assert_int_equal(attr.inode, directory);
    assert_int_equal(tfs_lookup(fixture->volume, directory, "..", &attr), 0);
    assert_int_equal(attr.inode, TFS_ROOT_INODE);
    assert_int_equal(tfs_lookup(fixture->volume, TFS_ROOT_INODE, "..", &attr), 0);
    assert_int_equal(attr.inode, TFS_ROOT_INODE);
    assert_int_equal(tfs_getattr(fixture->volume, UINT64_MAX, &attr), -ESTALE);
}

static void a_setgid_directory_gives_its_group(void **state)
{
    struct tfs_setattr change = {.fields = TFS_SET_MODE | TFS_SET_GID, .mode = 02775, .gid = 55};
    struct tfs_attr attr;

    assert_int_equal(tfs_setattr(fixture->volume, directory, &change, &attr), 0);
    assert_int_equal(attr_of(make("file", S_IFREG | 0644)).gid, 55);
    assert_int_equal(attr_of(make("file2", S_IFREG | 0644)).mode & S_ISGID, 0);
    assert_int_equal(attr_of(make("sub", S_IFDIR | 0755)).gid, 55);
    assert_int_equal(attr_of(make("sub2", S_IFDIR | 0755)).mode & S_ISGID, S_ISGID);
}

static void a_directory_changes_its_times_and_links_with_its_entries(void **state)
{
    struct tfs_setattr change = {.fields = TFS_SET_MTIME | TFS_SET_CTIME};
    struct tfs_attr attr;

    assert_int_equal(tfs_setattr(fixture->volume, directory, &change, &attr), 0);
    assert_int_equal(attr.mtime.tv_sec, 0);
    (void)make("sub", S_IFDIR);
    assert_int_equal(attr_of(directory).nlink, 3);
    assert_true(attr_of(directory).mtime.tv_sec > 0);
    assert_int_equal(rmdir_in("sub"), 0);
    assert_int_equal(attr_of(directory).nlink, 2);
}

/* ---- removal ---- */

static void removal_answers_with_its_errors(void **state)
{
    uint64_t sub;

    (void)make("file", S_IFREG);
    sub = make("sub", S_IFDIR);
    (void)fixture_make(fixture, sub, "x", S_IFREG);
    assert_int_equal(unlink_in("nothing"), -ENOENT);
    assert_int_equal(rmdir_in("nothing"), -ENOENT);
    assert_int_equal(unlink_in(""), -ENOENT);
    assert_int_equal(unlink_in("sub"), -EISDIR);
    assert_int_equal(rmdir_in("file"), -ENOTDIR);
    assert_int_equal(rmdir_in("sub"), -ENOTEMPTY);
    assert_int_equal(rmdir_in("."), -EINVAL);
    assert_int_equal(tfs_unlink(fixture->volume, fixture_lookup(fixture, directory, "file"), "x"),
                     -ENOTDIR);
    assert_int_equal(unlink_in(long_name(TFS_NAME_SIZE_MAX + 1)), -ENAMETOOLONG);
    assert_int_equal(tfs_unlink(fixture->volume, sub, "x"), 0);
    assert_int_equal(rmdir_in("sub"), 0);
    assert_int_equal(try_lookup("sub"), -ENOENT);
    assert_int_equal(tfs_unlink(fixture->volume, sub, "x"), -ENOENT); /* the parent is gone */
}

static void a_removed_file_lives_while_it_is_known(void **state)
{
    uint64_t inode = make("file", S_IFREG | 0644);
    struct tfs_attr attr;
    struct tfs_file *file;

    assert_int_equal(tfs_file_open(fixture->volume, inode, O_RDWR, &file), 0);
    fixture_write(file, 0, "alive", 5);
    assert_int_equal(unlink_in("file"), 0);
    assert_int_equal(attr_of(inode).nlink, 0);
    fixture_write(file, 5, "!", 1);
    assert_int_equal(attr_of(inode).size, 6);
    tfs_file_close(file);
    assert_int_equal(attr_of(inode).nlink, 0); /* made: one lookup */
    tfs_forget(fixture->volume, inode, 1);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    tfs_forget(fixture->volume, inode, 100); /* more than there are */
    assert_int_equal(tfs_lookup(fixture->volume, directory, "file", &attr), -ENOENT);
}

static void an_inode_number_is_not_used_again(void **state)
{
    uint64_t first = make("file", S_IFREG);

    assert_int_equal(unlink_in("file"), 0);
    tfs_forget(fixture->volume, first, 1);
    assert_true(make("file", S_IFREG) > first);
}

/* ---- links ---- */

static void a_link_is_the_same_file(void **state)
{
    uint64_t inode = make("a", S_IFREG | 0644);
    struct tfs_attr attr;

    assert_int_equal(tfs_link(fixture->volume, inode, directory, "b", &attr), 0);
    assert_int_equal(attr.inode, inode);
    assert_int_equal(attr.nlink, 2);
    assert_int_equal(unlink_in("a"), 0);
    assert_int_equal(attr_of(inode).nlink, 1);
    assert_int_equal(fixture_lookup(fixture, directory, "b"), inode);
}

static void link_answers_with_its_errors(void **state)
{
    uint64_t inode = make("a", S_IFREG);
    uint64_t sub = make("sub", S_IFDIR);
    struct tfs_attr attr;

    assert_int_equal(tfs_link(fixture->volume, inode, directory, "a", &attr), -EEXIST);
    assert_int_equal(tfs_link(fixture->volume, sub, directory, "b", &attr), -EPERM);
    assert_int_equal(tfs_link(fixture->volume, inode, inode, "b", &attr), -ENOTDIR);
    assert_int_equal(tfs_link(fixture->volume, UINT64_MAX, directory, "b", &attr), -ESTALE);
    assert_int_equal(tfs_link(fixture->volume, inode, directory, "", &attr), -ENOENT);
    assert_int_equal(tfs_link(fixture->volume, inode, directory, long_name(256), &attr),
                     -ENAMETOOLONG);
    assert_int_equal(rmdir_in("sub"), 0);
    assert_int_equal(tfs_link(fixture->volume, inode, sub, "b", &attr), -ENOENT);
    assert_int_equal(attr_of(inode).nlink, 1);
}

/* Sets the count of links in memory, because making so many names takes long. */
static void set_links(uint64_t number, uint32_t nlink)
{
    struct tfs_inode *inode;

    assert_int_equal(inode_get(fixture->volume, number, &inode), 0);
    tfs_mutex_lock(&fixture->volume->metadata);
    tfs_mutex_lock(&inode->lock);
    inode->record.nlink = nlink;
    tfs_mutex_unlock(&inode->lock);
    tfs_mutex_unlock(&fixture->volume->metadata);
    inode_put(fixture->volume, inode);
}

static void links_have_a_limit(void **state)
{
    uint64_t inode = make("a", S_IFREG);
    uint64_t sub = make("sub", S_IFDIR);
    struct tfs_make what = {.mode = S_IFDIR};
    struct tfs_attr attr;

    set_links(inode, TFS_LINKS_MAX - 1);
    assert_int_equal(tfs_link(fixture->volume, inode, directory, "b", &attr), 0);
    assert_int_equal(tfs_link(fixture->volume, inode, directory, "c", &attr), -EMLINK);
    set_links(sub, TFS_LINKS_MAX - 1);
    assert_int_equal(tfs_make(fixture->volume, sub, "x", &what, &attr), 0);
    assert_int_equal(tfs_make(fixture->volume, sub, "y", &what, &attr), -EMLINK);
    what.mode = S_IFREG; /* no link of its parent */
    assert_int_equal(tfs_make(fixture->volume, sub, "y", &what, &attr), 0);
    assert_int_equal(rename_to("a", sub, "a", 0), 0);
    assert_int_equal(tfs_link(fixture->volume, inode, directory, "c", &attr), -EMLINK);
}

static void a_file_without_a_name_gets_one_or_vanishes(void **state)
{
    struct tfs_make what = {.mode = S_IFREG | 0600};
    struct tfs_attr named;
    struct tfs_attr vanishing;
    struct tfs_attr attr;

    assert_int_equal(tfs_make_unnamed(fixture->volume, directory, &what, &named), 0);
    assert_int_equal(tfs_make_unnamed(fixture->volume, directory, &what, &vanishing), 0);
    assert_int_equal(named.nlink, 0);
    assert_int_equal(tfs_link(fixture->volume, named.inode, directory, "named", &attr), 0);
    assert_int_equal(attr.nlink, 1);
    fixture_reopen(fixture);
    assert_int_equal(fixture_lookup(fixture, directory, "named"), named.inode);
    assert_int_equal(tfs_getattr(fixture->volume, vanishing.inode, &attr), -ESTALE);
}

/* ---- rename ---- */

static void rename_moves_and_replaces(void **state)
{
    uint64_t a = make("a", S_IFREG);
    uint64_t b = make("b", S_IFREG);

    assert_int_equal(rename_in("a", "b", 0), 0);
    assert_int_equal(try_lookup("a"), -ENOENT);
    assert_int_equal(fixture_lookup(fixture, directory, "b"), a);
    assert_int_equal(attr_of(b).nlink, 0);
    assert_int_equal(rename_in("b", "b", 0), 0); /* onto itself: nothing */
    assert_int_equal(attr_of(a).nlink, 1);
}

static void rename_onto_another_name_of_the_file_does_nothing(void **state)
{
    uint64_t a = make("a", S_IFREG);
    struct tfs_attr attr;

    assert_int_equal(tfs_link(fixture->volume, a, directory, "b", &attr), 0);
    assert_int_equal(rename_in("a", "b", 0), 0);
    assert_int_equal(fixture_lookup(fixture, directory, "a"), a);
    assert_int_equal(attr_of(a).nlink, 2);
}

static void rename_answers_with_its_errors(void **state)
{
    uint64_t sub = make("sub", S_IFDIR);
    uint64_t full = make("full", S_IFDIR);
    uint64_t below = fixture_make(fixture, sub, "below", S_IFDIR);
    uint64_t file = make("file", S_IFREG);

    (void)fixture_make(fixture, full, "x", S_IFREG);
    assert_int_equal(rename_in("nothing", "b", 0), -ENOENT);
    assert_int_equal(rename_in("", "b", 0), -ENOENT);
    assert_int_equal(rename_in("file", "", 0), -ENOENT);
    assert_int_equal(rename_in("file", ".", 0), -EINVAL);
    assert_int_equal(rename_in("file", long_name(256), 0), -ENAMETOOLONG);
    assert_int_equal(rename_in("sub", "file", 0), -ENOTDIR);
    assert_int_equal(rename_in("file", "sub", 0), -EISDIR);
    assert_int_equal(rename_in("sub", "full", 0), -ENOTEMPTY);
    assert_int_equal(rename_to("sub", sub, "x", 0), -EINVAL);
    assert_int_equal(rename_to("sub", below, "x", 0), -EINVAL);
    assert_int_equal(rename_to("file", file, "x", 0), -ENOTDIR);
    assert_int_equal(rename_to("file", UINT64_MAX, "x", 0), -ENOENT);
    assert_int_equal(rename_in("file", "b", 4), -EINVAL); /* RENAME_WHITEOUT */
    assert_int_equal(rename_in("file", "b", RENAME_NOREPLACE | RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(rename_in("file", "sub", RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(rename_in("file", "nothing", RENAME_EXCHANGE), -ENOENT);
    assert_int_equal(fixture_lookup(fixture, directory, "file"), file);
    assert_int_equal(rename_in("file", "b", RENAME_NOREPLACE), 0);
}

static void a_directory_takes_its_link_to_its_new_parent(void **state)
{
    uint64_t a = make("a", S_IFDIR);
    uint64_t b = make("b", S_IFDIR);
    uint64_t sub = fixture_make(fixture, a, "sub", S_IFDIR);
    struct tfs_place from = {a, "sub"};
    struct tfs_place to = {b, "sub"};
    struct tfs_attr attr;

    assert_int_equal(tfs_rename(fixture->volume, &from, &to, 0), 0);
    assert_int_equal(attr_of(a).nlink, 2);
    assert_int_equal(attr_of(b).nlink, 3);
    assert_int_equal(tfs_lookup(fixture->volume, sub, "..", &attr), 0);
    assert_int_equal(attr.inode, b);
    (void)fixture_make(fixture, a, "sub", S_IFDIR);
    assert_int_equal(tfs_rename(fixture->volume, &from, &to, 0), 0); /* over an empty one */
    assert_int_equal(attr_of(a).nlink, 2);
    assert_int_equal(attr_of(b).nlink, 3);
    assert_int_equal(attr_of(sub).nlink, 0);
}

static void exchange_swaps_any_two_and_refuses_loops(void **state)
{
    uint64_t file = make("file", S_IFREG);
    uint64_t sub = make("sub", S_IFDIR);
    uint64_t other = make("other", S_IFDIR);
    struct tfs_place inside = {other, "file"};
    struct tfs_place outside = {directory, "sub"};
    struct tfs_attr attr;

    assert_int_equal(rename_in("file", "sub", RENAME_EXCHANGE), 0);
    assert_int_equal(fixture_lookup(fixture, directory, "file"), sub);
    assert_int_equal(fixture_lookup(fixture, directory, "sub"), file);
    assert_int_equal(rename_to("sub", other, "file", 0), 0);
    assert_int_equal(rename_in("file", "sub", 0), 0);
    assert_int_equal(tfs_rename(fixture->volume, &inside, &outside, RENAME_EXCHANGE), 0);
    assert_int_equal(attr_of(directory).nlink, 3);
    assert_int_equal(attr_of(other).nlink, 3);
    assert_int_equal(tfs_lookup(fixture->volume, sub, "..", &attr), 0);
    assert_int_equal(attr.inode, other);
    assert_int_equal(rename_to("other", other, "file", RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(tfs_rename(fixture->volume, &inside, &(struct tfs_place){directory, "other"},
                                RENAME_EXCHANGE),
                     -EINVAL);
}

/* ---- attributes ---- */

static void setattr_changes_what_it_names(void **state)
{
    uint64_t inode = make("file", S_IFREG | 0644);
    struct tfs_setattr change = {.fields = TFS_SET_MODE | TFS_SET_UID | TFS_SET_GID |
                                           TFS_SET_ATIME | TFS_SET_MTIME | TFS_SET_CTIME,
                                 .mode = 07751,
                                 .uid = 1,
                                 .gid = 2,
                                 .atime = {11, 1},
                                 .mtime = {12, 2},
                                 .ctime = {13, 999999999}};
    struct tfs_attr attr;
    struct tfs_attr again;

    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    assert_int_equal(attr.mode, S_IFREG | 07751);
    assert_int_equal(attr.uid, 1);
    assert_int_equal(attr.gid, 2);
    assert_int_equal(attr.atime.tv_sec, 11);
    assert_int_equal(attr.mtime.tv_nsec, 2);
    assert_int_equal(attr.ctime.tv_nsec, 999999999);
    fixture_reopen(fixture);
    again = attr_of(inode);
    fixture_assert_same_attr(&attr, &again);
    change.fields = TFS_SET_ATIME_NOW | TFS_SET_MTIME_NOW;
    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    assert_true(attr.atime.tv_sec > 1000 && attr.mtime.tv_sec > 1000 && attr.ctime.tv_sec > 1000);
}

static void setattr_answers_with_its_errors(void **state)
{
    uint64_t file = make("file", S_IFREG | 0644);
    struct tfs_setattr change = {.fields = TFS_SET_SIZE, .size = 1};
    struct tfs_attr attr;

    assert_int_equal(tfs_setattr(fixture->volume, directory, &change, &attr), -EISDIR);
    assert_int_equal(tfs_setattr(fixture->volume, make("l", S_IFLNK), &change, &attr), -EINVAL);
    assert_int_equal(tfs_setattr(fixture->volume, make("p", S_IFIFO), &change, &attr), -EINVAL);
    assert_int_equal(tfs_setattr(fixture->volume, UINT64_MAX, &change, &attr), -ESTALE);
    change.size = TFS_FILE_SIZE_MAX + 1;
    assert_int_equal(tfs_setattr(fixture->volume, file, &change, &attr), -EFBIG);
    change.size = TFS_FILE_SIZE_MAX;
    assert_int_equal(tfs_setattr(fixture->volume, file, &change, &attr), 0);
    assert_int_equal(attr.size, TFS_FILE_SIZE_MAX);
}

static void a_time_that_is_none_is_refused(void **state)
{
    static const uint32_t fields[] = {TFS_SET_ATIME, TFS_SET_MTIME, TFS_SET_CTIME};
    uint64_t file = make("file", S_IFREG | 0644);
    struct tfs_attr attr;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(fields); i++) {
        struct timespec bad = {0, i % 2 ? -1 : 1000000000};
        struct tfs_setattr change = {.fields = fields[i], .atime = bad, .mtime = bad, .ctime = bad};

        assert_int_equal(tfs_setattr(fixture->volume, file, &change, &attr), -EINVAL);
    }
    fixture_reopen(fixture); /* the record can be read */
    assert_int_equal(attr_of(file).mode, S_IFREG | 0644);
}

static void privileges_are_dropped_as_chown_says(void **state)
{
    static const uint32_t modes[][2] = {
        {04755, 0755}, {02755, 0755}, {02745, 02745}, {06777, 0777}, {0644, 0644}};
    struct tfs_setattr kill = {.fields = TFS_SET_KILL_PRIVILEGES};
    uint64_t file = make("file", S_IFREG);
    struct tfs_attr attr;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(modes); i++) {
        struct tfs_setattr change = {.fields = TFS_SET_MODE, .mode = modes[i][0]};

        assert_int_equal(tfs_setattr(fixture->volume, file, &change, &attr), 0);
        assert_int_equal(tfs_setattr(fixture->volume, file, &kill, &attr), 0);
        assert_int_equal(attr.mode, S_IFREG | modes[i][1]);
    }
}

static void names_survive_a_reopen(void **state)
{
    uint64_t sub = make("sub", S_IFDIR | 0700);
    uint64_t file = fixture_make(fixture, sub, "file", S_IFREG | 0600);
    struct tfs_attr before = attr_of(file);
    struct tfs_attr after;

    fixture_reopen(fixture);
    assert_int_equal(fixture_lookup(fixture, directory, "sub"), sub);
    assert_int_equal(fixture_lookup(fixture, sub, "file"), file);
    after = attr_of(file);
    fixture_assert_same_attr(&before, &after);
    assert_int_equal(tfs_lookup(fixture->volume, sub, "..", &after), 0);
    assert_int_equal(after.inode, directory);
}

#define NAMESPACE_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMESPACE_TEST(every_type_is_made_as_asked_for),
        NAMESPACE_TEST(names_have_limits),
        NAMESPACE_TEST(make_answers_with_its_errors),
        NAMESPACE_TEST(a_symlink_keeps_its_target),
        NAMESPACE_TEST(lookup_answers_with_its_errors),
        NAMESPACE_TEST(a_setgid_directory_gives_its_group),
        NAMESPACE_TEST(a_directory_changes_its_times_and_links_with_its_entries),
        NAMESPACE_TEST(removal_answers_with_its_errors),
        NAMESPACE_TEST(a_removed_file_lives_while_it_is_known),
        NAMESPACE_TEST(an_inode_number_is_not_used_again),
        NAMESPACE_TEST(a_link_is_the_same_file),
        NAMESPACE_TEST(link_answers_with_its_errors),
        NAMESPACE_TEST(links_have_a_limit),
        NAMESPACE_TEST(a_file_without_a_name_gets_one_or_vanishes),
        NAMESPACE_TEST(rename_moves_and_replaces),
        NAMESPACE_TEST(rename_onto_another_name_of_the_file_does_nothing),
        NAMESPACE_TEST(rename_answers_with_its_errors),
        NAMESPACE_TEST(a_directory_takes_its_link_to_its_new_parent),
        NAMESPACE_TEST(exchange_swaps_any_two_and_refuses_loops),
        NAMESPACE_TEST(setattr_changes_what_it_names),
        NAMESPACE_TEST(setattr_answers_with_its_errors),
        NAMESPACE_TEST(a_time_that_is_none_is_refused),
        NAMESPACE_TEST(privileges_are_dropped_as_chown_says),
        NAMESPACE_TEST(names_survive_a_reopen),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
