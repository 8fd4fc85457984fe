/*
 * Extended attributes: plain ones with every error that store.h names, ACLs that follow the mode,
 * and the virtual ones that say what is inherited.
 *
 * Scans of the index are wrapped and counted.
 */
#include "store_fixture.h"

#include "store/base/bytes.h"
#include "store/index/engine.h"
#include "store/volume.h"

#include <errno.h>
#include <linux/posix_acl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static struct fixture *fixture;
static uint64_t inode; /* a new file for each test */
static uint64_t directory;

static atomic_uint xattr_scans;

static int scan_open(struct index_db *db, const struct index_range *range, struct index_scan **ret)
{
    if (range->table == INDEX_XATTR)
        atomic_fetch_add(&xattr_scans, 1);
    return index_rocksdb.scan_open(db, range, ret);
}

static int open_all(void **state)
{
    static struct index_engine engine;

    engine = index_rocksdb;
    engine.scan_open = scan_open;
    return fixture_set_up_with((void **)&fixture, &engine, NULL);
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
    inode = fixture_make(fixture, directory, "file", S_IFREG | 0644);
    return 0;
}

static int set_of(uint64_t number, const char *name, const void *value, size_t size, int flags)
{
    struct tfs_xattr xattr = {.name = name, .value = value, .size = size, .flags = flags};

    return tfs_setxattr(fixture->volume, number, &xattr);
}

static int set(const char *name, const char *value)
{
    return set_of(inode, name, value, strlen(value), 0);
}

static int64_t get(const char *name, void *value, size_t size)
{
    return tfs_getxattr(fixture->volume, inode, name, value, size);
}

static void assert_text(uint64_t number, const char *name, const char *wanted)
{
    char text[4096] = "";
    int64_t size = tfs_getxattr(fixture->volume, number, name, text, sizeof(text) - 1);

    assert_int_equal(size, strlen(wanted));
    assert_string_equal(text, wanted);
}

/* ---- plain ones ---- */

static void a_value_comes_back_of_any_size(void **state)
{
    static const size_t sizes[] = {0, 1, 4096, TFS_XATTR_VALUE_SIZE_MAX};
    static uint8_t value[TFS_XATTR_VALUE_SIZE_MAX + 1];
    static uint8_t again[TFS_XATTR_VALUE_SIZE_MAX + 1];

    fixture_fill(value, sizeof(value), 1);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
        assert_int_equal(set_of(inode, "user.a", value, sizes[i], 0), 0);
        fixture_reopen(fixture);
        assert_int_equal(get("user.a", NULL, 0), sizes[i]);
        assert_int_equal(get("user.a", again, sizeof(again)), sizes[i]);
        assert_memory_equal(value, again, sizes[i]);
        if (sizes[i] > 1)
            assert_int_equal(get("user.a", again, sizes[i] - 1), -ERANGE);
    }
    assert_int_equal(set_of(inode, "user.a", value, sizeof(value), 0), -E2BIG);
}

static void names_have_prefixes_and_limits(void **state)
{
    char name[TFS_XATTR_NAME_SIZE_MAX + 2];
    char value[8];

    memset(name, 'n', sizeof(name));
    memcpy(name, "user.", 5);
    name[TFS_XATTR_NAME_SIZE_MAX + 1] = '\0';
    assert_int_equal(set(name, "x"), -ERANGE);
    assert_int_equal(get(name, value, sizeof(value)), -ERANGE);
    name[TFS_XATTR_NAME_SIZE_MAX] = '\0';
    assert_int_equal(set(name, "x"), 0);
    assert_int_equal(get(name, value, sizeof(value)), 1);
    assert_int_equal(set("", "x"), -ERANGE);
    assert_int_equal(set("user.", "x"), -EINVAL);
    assert_int_equal(set("users.a", "x"), -EOPNOTSUPP);
    assert_int_equal(set("system.other", "x"), -EOPNOTSUPP);
    assert_int_equal(get("a", value, sizeof(value)), -EOPNOTSUPP);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, "a"), -EOPNOTSUPP);
    assert_int_equal(set("trusted.a", "x"), 0);
    assert_int_equal(set("security.a", "x"), 0);
}

static void create_and_replace_look_before_they_set(void **state)
{
    assert_int_equal(set_of(inode, "user.a", "1", 1, XATTR_REPLACE), -ENODATA);
    assert_int_equal(set_of(inode, "user.a", "1", 1, XATTR_CREATE), 0);
    assert_int_equal(set_of(inode, "user.a", "2", 1, XATTR_CREATE), -EEXIST);
    assert_text(inode, "user.a", "1");
    assert_int_equal(set_of(inode, "user.a", "2", 1, XATTR_REPLACE), 0);
    assert_text(inode, "user.a", "2");
}

static void a_removed_attribute_is_gone(void **state)
{
    char value[8];

    assert_int_equal(tfs_removexattr(fixture->volume, inode, "user.a"), -ENODATA);
    assert_int_equal(get("user.a", value, sizeof(value)), -ENODATA);
    assert_int_equal(set("user.a", "1"), 0);
    assert_int_equal(set("user.b", "2"), 0);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, "user.a"), 0);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, "user.a"), -ENODATA);
    assert_text(inode, "user.b", "2");
    assert_int_equal(set_of(UINT64_MAX, "user.a", "1", 1, 0), -ESTALE);
    assert_int_equal(tfs_getxattr(fixture->volume, UINT64_MAX, "user.a", value, 8), -ESTALE);
    assert_int_equal(tfs_removexattr(fixture->volume, UINT64_MAX, "user.a"), -ESTALE);
    assert_int_equal(tfs_listxattr(fixture->volume, UINT64_MAX, value, 8), -ESTALE);
}

static void a_list_has_all_names_and_its_size(void **state)
{
    char list[64];

    assert_int_equal(tfs_listxattr(fixture->volume, inode, list, sizeof(list)), 0);
    assert_int_equal(set("user.b", "2"), 0);
    assert_int_equal(set("trusted.a", "1"), 0);
    assert_int_equal(tfs_listxattr(fixture->volume, inode, NULL, 0), 17);
    assert_int_equal(tfs_listxattr(fixture->volume, inode, list, 17), 17);
    assert_memory_equal(list, "trusted.a\0user.b", 17);
    assert_int_equal(tfs_listxattr(fixture->volume, inode, list, 16), -ERANGE);
}

static void the_list_of_names_has_a_limit(void **state)
{
    enum { NAME_SIZE = TFS_XATTR_NAME_SIZE_MAX, COUNT = TFS_XATTR_LIST_SIZE_MAX / (NAME_SIZE + 1) };
    char name[NAME_SIZE + 1];
    char *list = malloc(TFS_XATTR_LIST_SIZE_MAX);

    assert_non_null(list);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof(name), "user.%0*d", NAME_SIZE - 5, i);
        assert_int_equal(set(name, "value"), 0);
    }
    assert_int_equal(tfs_listxattr(fixture->volume, inode, list, TFS_XATTR_LIST_SIZE_MAX),
                     TFS_XATTR_LIST_SIZE_MAX);
    assert_int_equal(set("user.a", "one too many"), -ENOSPC);
    assert_int_equal(get("user.a", NULL, 0), -ENODATA);
    assert_int_equal(set(name, "another value"), 0);
    assert_text(inode, name, "another value");
    assert_int_equal(tfs_removexattr(fixture->volume, inode, name), 0);
    assert_int_equal(set("user.a", "fits"), 0);
    free(list);
}

static void long_name(int i, char name[TFS_XATTR_NAME_SIZE_MAX + 1])
{
    memset(name, 'n', TFS_XATTR_NAME_SIZE_MAX);
    memcpy(name, "user.", 5);
    (void)snprintf(name + TFS_XATTR_NAME_SIZE_MAX - 4, 5, "%04d", i);
}

/* Each of them would pass over all values, with every change of a name waiting. */
static void setting_one_does_not_read_the_others(void **state)
{
    enum { COUNT = TFS_XATTR_LIST_SIZE_MAX / (TFS_XATTR_NAME_SIZE_MAX + 1) };
    char name[TFS_XATTR_NAME_SIZE_MAX + 1];
    unsigned before;

    long_name(0, name);
    assert_int_equal(set(name, "first"), 0);
    before = atomic_load(&xattr_scans);
    for (int i = 1; i < COUNT; i++) {
        long_name(i, name);
        assert_int_equal(set(name, "value"), 0);
    }
    long_name(COUNT, name);
    assert_int_equal(set(name, "too many"), -ENOSPC);
    long_name(7, name);
    assert_int_equal(set(name, "replaced"), 0);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, name), 0);
    long_name(COUNT, name);
    assert_int_equal(set(name, "one for another"), 0);
    long_name(7, name);
    assert_int_equal(set(name, "too many"), -ENOSPC);
    assert_int_equal(atomic_load(&xattr_scans), before);
    fixture_reopen(fixture); /* counted again, once */
    assert_int_equal(fixture_lookup(fixture, directory, "file"), inode);
    before = atomic_load(&xattr_scans);
    assert_int_equal(set(name, "too many"), -ENOSPC);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, "user.none"), -ENODATA);
    long_name(8, name);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, name), 0);
    assert_int_equal(set(name, "again"), 0);
    assert_int_equal(atomic_load(&xattr_scans), before + 1);
}

static void attributes_go_with_their_file(void **state)
{
    char value[8];

    assert_int_equal(set("user.a", "1"), 0);
    assert_int_equal(tfs_unlink(fixture->volume, directory, "file"), 0);
    fixture_reopen(fixture); /* purges it */
    fixture_reopen(fixture);
    assert_int_equal(get("user.a", value, sizeof(value)), -ESTALE);
}

static void a_write_by_others_drops_the_capability(void **state)
{
    struct tfs_setattr kill = {.fields = TFS_SET_KILL_PRIVILEGES};
    struct tfs_attr attr;
    char value[8];

    assert_int_equal(set("security.capability", "cap"), 0);
    assert_text(inode, "security.capability", "cap");
    assert_int_equal(tfs_setattr(fixture->volume, inode, &kill, &attr), 0);
    assert_int_equal(get("security.capability", value, sizeof(value)), -ENODATA);
    assert_int_equal(tfs_listxattr(fixture->volume, inode, value, sizeof(value)), 0);
}

/* ---- ACLs ---- */

struct acl {
    uint8_t bytes[64];
    size_t size;
};

static void add(struct acl *acl, uint16_t tag, uint16_t permissions, uint32_t id)
{
    if (acl->size == 0) {
        tfs_put_le32(acl->bytes, 2);
        acl->size = 4;
    }
    tfs_put_le16(acl->bytes + acl->size, tag);
    tfs_put_le16(acl->bytes + acl->size + 2, permissions);
    tfs_put_le32(acl->bytes + acl->size + 4, id);
    acl->size += 8;
}

/* user::rwx user:1000:rw group::r mask::rw other::- */
static struct acl sample(void)
{
    struct acl acl = {.size = 0};

    add(&acl, ACL_USER_OBJ, 7, UINT32_MAX);
    add(&acl, ACL_USER, 6, 1000);
    add(&acl, ACL_GROUP_OBJ, 4, UINT32_MAX);
    add(&acl, ACL_MASK, 6, UINT32_MAX);
    add(&acl, ACL_OTHER, 0, UINT32_MAX);
    return acl;
}

static uint32_t mode_of(uint64_t number)
{
    return fixture_attr(fixture, number).mode & 07777;
}

static void an_access_acl_sets_the_mode_and_follows_it(void **state)
{
    struct tfs_setattr change = {.fields = TFS_SET_MODE, .mode = 0640};
    struct acl acl = sample();
    struct tfs_attr attr;
    struct acl again;

    assert_int_equal(set_of(inode, ACCESS, acl.bytes, acl.size, 0), 0);
    assert_int_equal(mode_of(inode), 0760);
    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    assert_int_equal(get(ACCESS, again.bytes, sizeof(again.bytes)), acl.size);
    assert_int_equal(tfs_get_le16(again.bytes + 4 + 2), 6);      /* the owner ... */
    assert_int_equal(tfs_get_le16(again.bytes + 4 + 24 + 2), 4); /* ... and the mask */
    assert_int_equal(tfs_get_le16(again.bytes + 4 + 16 + 2), 4); /* the group stays */
    assert_int_equal(tfs_removexattr(fixture->volume, inode, ACCESS), 0);
    assert_int_equal(get(ACCESS, NULL, 0), -ENODATA);
}

static void an_acl_that_is_only_a_mode_is_not_stored(void **state)
{
    struct acl acl = {.size = 0};

    add(&acl, ACL_USER_OBJ, 6, UINT32_MAX);
    add(&acl, ACL_GROUP_OBJ, 2, UINT32_MAX);
    add(&acl, ACL_OTHER, 1, UINT32_MAX);
    assert_int_equal(set_of(inode, ACCESS, acl.bytes, acl.size, 0), 0);
    assert_int_equal(mode_of(inode), 0621);
    assert_int_equal(get(ACCESS, NULL, 0), -ENODATA);
}

static void acls_are_refused_where_they_do_not_belong(void **state)
{
    uint64_t link = fixture_make(fixture, directory, "link", S_IFLNK);
    struct acl acl = sample();

    assert_int_equal(set_of(inode, DEFAULT, acl.bytes, acl.size, 0), -EACCES);
    assert_int_equal(set_of(link, ACCESS, acl.bytes, acl.size, 0), -EOPNOTSUPP);
    assert_int_equal(set_of(inode, ACCESS, acl.bytes, acl.size - 1, 0), -EINVAL);
    assert_int_equal(set_of(inode, ACCESS, "", 0, 0), -EINVAL);
    assert_int_equal(mode_of(inode), 0644);
    assert_int_equal(get(ACCESS, NULL, 0), -ENODATA);
}

static void a_default_acl_is_inherited_and_the_umask_is_not_applied(void **state)
{
    struct tfs_make what = {.mode = S_IFREG | 0666, .umask = 077};
    struct acl acl = sample();
    struct tfs_attr file;
    struct tfs_attr sub;

    assert_int_equal(set_of(directory, DEFAULT, acl.bytes, acl.size, 0), 0);
    assert_int_equal(tfs_make(fixture->volume, directory, "new", &what, &file), 0);
    assert_int_equal(file.mode & 0777, 0660);
    assert_int_equal(tfs_getxattr(fixture->volume, file.inode, ACCESS, NULL, 0), acl.size);
    assert_int_equal(tfs_getxattr(fixture->volume, file.inode, DEFAULT, NULL, 0), -ENODATA);
    what.mode = S_IFDIR | 0777;
    assert_int_equal(tfs_make(fixture->volume, directory, "sub", &what, &sub), 0);
    assert_int_equal(sub.mode & 0777, 0760);
    assert_int_equal(tfs_getxattr(fixture->volume, sub.inode, DEFAULT, NULL, 0), acl.size);
    what.mode = S_IFLNK;
    what.target = "t";
    assert_int_equal(tfs_make(fixture->volume, directory, "l", &what, &file), 0);
    assert_int_equal(file.mode & 0777, 0777);
}

/* ---- virtual ones ---- */

#define CHUNK_SIZE  "user.tensorfs.chunk_size"
#define COMPRESSION "user.tensorfs.compression"

static int set_setting(const char *name, const char *value)
{
    return set_of(directory, name, value, strlen(value), 0);
}

static void a_directory_says_what_its_files_inherit(void **state)
{
    uint64_t file;

    assert_text(directory, CHUNK_SIZE, "4194304"); /* the mount's */
    assert_text(directory, COMPRESSION, "auto");
    assert_int_equal(set_setting(CHUNK_SIZE, "64K"), 0);
    assert_int_equal(set_setting(COMPRESSION, "zstd:7"), 0);
    file = fixture_make(fixture, fixture_make(fixture, directory, "sub", S_IFDIR), "f", S_IFREG);
    assert_text(file, CHUNK_SIZE, "65536");
    assert_text(file, COMPRESSION, "zstd:7");
    assert_text(inode, CHUNK_SIZE, "4194304"); /* what is there stays */
    assert_int_equal(tfs_removexattr(fixture->volume, directory, CHUNK_SIZE), 0);
    assert_int_equal(tfs_removexattr(fixture->volume, directory, CHUNK_SIZE), -ENODATA);
    assert_text(directory, CHUNK_SIZE, "4194304");
    assert_text(directory, COMPRESSION, "zstd:7");
    fixture_reopen(fixture);
    assert_text(directory, COMPRESSION, "zstd:7");
}

static void assert_listed(uint64_t number, const char *names, size_t size)
{
    char list[256];

    assert_int_equal(tfs_listxattr(fixture->volume, number, NULL, 0), size);
    assert_int_equal(tfs_listxattr(fixture->volume, number, list, sizeof(list)), size);
    assert_memory_equal(list, names, size);
    if (size > 0)
        assert_int_equal(tfs_listxattr(fixture->volume, number, list, size - 1),
                         size > 1 ? -ERANGE : (int64_t)size);
}

static void settings_are_listed_where_they_were_set(void **state)
{
    static const char first[] = "user.tensorfs.compression";
    static const char all[] = "user.a\0user.tensorfs.chunk_size\0user.tensorfs.compression";
    uint64_t sub;

    assert_listed(directory, "", 0);
    assert_int_equal(set_setting(COMPRESSION, "zstd:7"), 0);
    assert_listed(directory, first, sizeof(first));
    assert_int_equal(set_setting(CHUNK_SIZE, "64K"), 0);
    assert_int_equal(set_setting("user.a", "x"), 0);
    assert_listed(directory, all, sizeof(all));
    sub = fixture_make(fixture, directory, "sub", S_IFDIR); /* has its own copies from now on */
    assert_listed(sub, all + sizeof("user.a"), sizeof(all) - sizeof("user.a"));
    assert_listed(fixture_make(fixture, directory, "f", S_IFREG), "", 0);
    assert_int_equal(tfs_removexattr(fixture->volume, directory, CHUNK_SIZE), 0);
    assert_int_equal(tfs_removexattr(fixture->volume, directory, "user.a"), 0);
    assert_listed(directory, first, sizeof(first));
}

/* Of one name that the kernel could not pass on none could be seen. */
static void settings_are_left_out_where_the_list_is_full(void **state)
{
    enum { NAME_SIZE = TFS_XATTR_NAME_SIZE_MAX, COUNT = TFS_XATTR_LIST_SIZE_MAX / (NAME_SIZE + 1) };
    char name[NAME_SIZE + 1];

    assert_int_equal(set_setting(COMPRESSION, "zstd:7"), 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof(name), "user.%0*d", NAME_SIZE - 5, i);
        assert_int_equal(set_setting(name, "x"), 0);
    }
    assert_int_equal(tfs_listxattr(fixture->volume, directory, NULL, 0), TFS_XATTR_LIST_SIZE_MAX);
    assert_text(directory, COMPRESSION, "zstd:7");
}

static void settings_take_their_limits_and_nothing_else(void **state)
{
    static const char *const good[] = {"256", "1k", "4M", "4MiB", "64M", "67108864"};
    static const char *const bad[] = {"",     "0",      "255",  "128",      "3000",
                                      "256x", "64Kx",   "128M", "-1",       " 256",
                                      "4 M",  "1e6",    "0x10", "67108865", "18446744073709551616",
                                      "1G",   "65536K0"};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(good); i++)
        assert_int_equal(set_setting(CHUNK_SIZE, good[i]), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++) {
        if (set_setting(CHUNK_SIZE, bad[i]) != -EINVAL)
            fail_msg("accepted: '%s'", bad[i]);
    }
    assert_text(directory, CHUNK_SIZE, "67108864");
    assert_int_equal(set_setting(COMPRESSION, "lzma"), -EINVAL);
    assert_int_equal(set_setting(COMPRESSION, "zstd:20"), -EINVAL);
    assert_int_equal(set_setting(COMPRESSION, "0123456789012345678901234567890123456789"), -EINVAL);
    assert_text(directory, COMPRESSION, "auto");
}

static void settings_belong_to_directories(void **state)
{
    assert_int_equal(set(CHUNK_SIZE, "4M"), -EPERM);
    assert_int_equal(tfs_removexattr(fixture->volume, inode, CHUNK_SIZE), -EPERM);
    assert_int_equal(set_setting("user.tensorfs.new", "x"), -EOPNOTSUPP);
    assert_int_equal(get("user.tensorfs.new", NULL, 0), -ENODATA);
    assert_int_equal(tfs_getxattr(fixture->volume, fixture_make(fixture, directory, "l", S_IFLNK),
                                  CHUNK_SIZE, NULL, 0),
                     -ENODATA);
}

#define XATTR_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        XATTR_TEST(a_value_comes_back_of_any_size),
        XATTR_TEST(names_have_prefixes_and_limits),
        XATTR_TEST(create_and_replace_look_before_they_set),
        XATTR_TEST(a_removed_attribute_is_gone),
        XATTR_TEST(a_list_has_all_names_and_its_size),
        XATTR_TEST(the_list_of_names_has_a_limit),
        XATTR_TEST(setting_one_does_not_read_the_others),
        XATTR_TEST(attributes_go_with_their_file),
        XATTR_TEST(a_write_by_others_drops_the_capability),
        XATTR_TEST(an_access_acl_sets_the_mode_and_follows_it),
        XATTR_TEST(an_acl_that_is_only_a_mode_is_not_stored),
        XATTR_TEST(acls_are_refused_where_they_do_not_belong),
        XATTR_TEST(a_default_acl_is_inherited_and_the_umask_is_not_applied),
        XATTR_TEST(a_directory_says_what_its_files_inherit),
        XATTR_TEST(settings_are_listed_where_they_were_set),
        XATTR_TEST(settings_are_left_out_where_the_list_is_full),
        XATTR_TEST(settings_take_their_limits_and_nothing_else),
        XATTR_TEST(settings_belong_to_directories),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
