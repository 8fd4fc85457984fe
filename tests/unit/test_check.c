/*
 * The check finds every kind of damage, repair puts right what can be, a second check is clean, and
 * what could be read before can be read afterwards.
 *
 * Method: a store with something of everything is closed, one thing in its index or segments is
 * changed, and it is checked, repaired, checked again and read.
 */
#include "check_fixture.h"

#include "store/base/bytes.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"
#include "store/tables/row.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The key that `name` has, or should have, in the directory. */
static size_t entry_key(struct fixture *fixture, uint64_t parent, const char *name, uint8_t *key)
{
    uint64_t seed = check_setting_of(fixture, "name_hash_seed");

    return meta_dentry_key(parent, namespace_hash_seeded(seed, name), name, key);
}

static void drop_entry(struct fixture *fixture, uint64_t parent, const char *name)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    size_t size = entry_key(fixture, parent, name, key);

    check_plant(fixture, INDEX_DENTRY, key, size, NULL, 0);
}

static void plant_entry(struct fixture *fixture, uint64_t parent, const char *name, uint64_t inode,
                        uint32_t type)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    uint8_t value[META_DENTRY_VALUE_SIZE];
    struct meta_dentry entry = {inode, type};
    size_t size = entry_key(fixture, parent, name, key);

    meta_dentry_encode(&entry, value);
    check_plant(fixture, INDEX_DENTRY, key, size, value, sizeof(value));
}

static void drop_inode(struct fixture *fixture, uint64_t inode)
{
    uint8_t key[META_INODE_KEY_SIZE];

    meta_inode_key(inode, key);
    check_plant(fixture, INDEX_INODE, key, sizeof(key), NULL, 0);
}

/* ---- nothing is wrong ---- */

static void a_store_that_is_whole_is_clean_and_repair_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = check_sum_of_index(fixture);
    struct found *found;

    check_assert_clean(fixture);
    assert_int_equal(check_run(fixture, true, &found), 0);
    assert_int_equal(found->count, 0);
    assert_int_equal(found->result.files, 3);
    assert_int_equal(found->result.directories, 4);
    assert_int_equal(found->result.others, 1);
    assert_int_equal(found->result.names, 8);
    assert_true(found->result.live_bytes >= 5 * TFS_MIB);
    free(found);
    assert_true(check_sum_of_index(fixture) == before);
    check_assert_content(fixture, NULL);
}

static void a_mounted_store_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct found *found;

    fixture_open(fixture);
    for (int repair = 0; repair < 2; repair++) {
        assert_int_equal(check_run(fixture, repair, &found), -EBUSY);
        assert_true(strlen(fixture->message.text) > 0);
        free(found);
    }
    fixture_close(fixture);
}

static bool stop_at_once(void *context, const struct tfs_check_progress *progress)
{
    (void)context;
    assert_non_null(progress->step);
    return false;
}

static void a_check_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_check_options options = {.path = fixture->path, .progress = stop_at_once};
    struct tfs_check_result result;

    assert_int_equal(tfs_check(&options, NULL, &result), -ECANCELED);
    check_assert_clean(fixture);
}

/* ---- names, links, the tree ---- */

static void a_wrong_link_count_is_counted_again(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "link");
    struct meta_inode record = check_record_of(fixture, inode);

    assert_int_equal(record.nlink, 2);
    record.nlink = 5;
    check_plant_record(fixture, inode, &record);
    check_assert_repairs_all(fixture, TFS_CHECK_LINKS);
    assert_int_equal(check_record_of(fixture, inode).nlink, 2);
}

static void an_entry_that_points_nowhere_is_dropped(void **state)
{
    struct fixture *fixture = *state;

    plant_entry(fixture, check_inode_of(fixture, "dir"), "ghost", 9999, S_IFREG);
    check_assert_repairs_all(fixture, TFS_CHECK_NAME);
    assert_int_equal(check_inode_of(fixture, "dir/ghost"), 0);
}

static void a_file_without_a_name_comes_to_lost_and_found(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    char path[64];

    drop_entry(fixture, TFS_ROOT_INODE, "copy");
    check_assert_repairs(fixture, TFS_CHECK_LOST);
    (void)snprintf(path, sizeof(path), "lost+found/#%llu", (unsigned long long)inode);
    assert_int_equal(check_inode_of(fixture, path), inode);
    check_assert_content(fixture, "copy");
}

static void a_directory_without_a_name_comes_to_lost_and_found_as_a_whole(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "dir");
    uint64_t deeper = check_inode_of(fixture, "dir/deep/deeper");
    char path[64];

    drop_entry(fixture, TFS_ROOT_INODE, "dir");
    check_assert_repairs(fixture, TFS_CHECK_LOST);
    (void)snprintf(path, sizeof(path), "lost+found/#%llu/deep/deeper", (unsigned long long)inode);
    assert_int_equal(check_inode_of(fixture, path), deeper);
}

static void a_second_lost_inode_uses_the_directory_that_is_there(void **state)
{
    struct fixture *fixture = *state;
    uint64_t directory;

    drop_entry(fixture, TFS_ROOT_INODE, "copy");
    check_assert_repairs(fixture, TFS_CHECK_LOST);
    directory = check_inode_of(fixture, "lost+found");
    drop_entry(fixture, TFS_ROOT_INODE, "symlink");
    check_assert_repairs(fixture, TFS_CHECK_LOST);
    assert_int_equal(check_inode_of(fixture, "lost+found"), directory);
    assert_int_equal(check_inode_of(fixture, "lost+found.1"), 0);
    assert_int_equal(check_record_of(fixture, directory).nlink, 2);
}

static void a_directory_whose_record_is_lost_gets_a_new_one(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "dir");

    drop_inode(fixture, inode);
    check_assert_repairs_all(fixture, TFS_CHECK_INODE);
    assert_int_equal(check_inode_of(fixture, "dir"), inode);
}

static void lost_directories_inside_of_each_other_keep_their_names(void **state)
{
    struct fixture *fixture = *state;
    uint64_t outer;
    uint64_t inner;
    uint64_t file;

    fixture_open(fixture);
    outer = fixture_make(fixture, TFS_ROOT_INODE, "outer", S_IFDIR | 0755);
    inner = fixture_make(fixture, outer, "inner", S_IFDIR | 0755);
    file = fixture_make(fixture, inner, "file", S_IFREG | 0644);
    fixture_close(fixture);
    drop_inode(fixture, outer);
    drop_inode(fixture, inner);
    check_assert_repairs_all(fixture, TFS_CHECK_INODE);
    assert_int_equal(check_inode_of(fixture, "outer"), outer);
    assert_int_equal(check_inode_of(fixture, "outer/inner"), inner);
    assert_int_equal(check_inode_of(fixture, "outer/inner/file"), file);
}

static void a_root_whose_record_is_lost_gets_a_new_one(void **state)
{
    struct fixture *fixture = *state;

    drop_inode(fixture, TFS_ROOT_INODE);
    check_assert_repairs_all(fixture, TFS_CHECK_INODE);
}

static void a_ring_of_directories_is_cut_and_attached(void **state)
{
    struct fixture *fixture = *state;
    uint64_t dir = check_inode_of(fixture, "dir");
    uint64_t deep = check_inode_of(fixture, "dir/deep");
    uint64_t deeper = check_inode_of(fixture, "dir/deep/deeper");
    struct meta_inode record = check_record_of(fixture, deep);

    drop_entry(fixture, dir, "deep");
    plant_entry(fixture, deeper, "deep", deep, S_IFDIR);
    record.parent = deeper;
    check_plant_record(fixture, deep, &record);
    check_assert_repairs_all(fixture, TFS_CHECK_NAME);
    assert_true(check_inode_of(fixture, "lost+found") > 0);
}

static void a_directory_keeps_the_name_that_its_record_knows(void **state)
{
    struct fixture *fixture = *state;
    uint64_t deep = check_inode_of(fixture, "dir/deep");

    /* In the table this entry comes before the right one. */
    plant_entry(fixture, TFS_ROOT_INODE, "second", deep, S_IFDIR);
    check_assert_repairs_all(fixture, TFS_CHECK_NAME);
    assert_int_equal(check_inode_of(fixture, "dir/deep"), deep);
    assert_int_equal(check_inode_of(fixture, "second"), 0);
}

static void a_wrong_parent_is_corrected(void **state)
{
    struct fixture *fixture = *state;
    uint64_t dir = check_inode_of(fixture, "dir");
    uint64_t deep = check_inode_of(fixture, "dir/deep");
    struct meta_inode record = check_record_of(fixture, deep);

    record.parent = TFS_ROOT_INODE;
    check_plant_record(fixture, deep, &record);
    check_assert_repairs_all(fixture, TFS_CHECK_PARENT);
    assert_int_equal(check_record_of(fixture, deep).parent, dir);
}

static void an_entry_under_a_wrong_hash_is_found_again(void **state)
{
    struct fixture *fixture = *state;
    uint64_t dir = check_inode_of(fixture, "dir");
    uint64_t large = check_inode_of(fixture, "dir/large");
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    uint8_t value[META_DENTRY_VALUE_SIZE];
    struct meta_dentry entry = {large, S_IFREG};
    size_t size = meta_dentry_key(dir, 4711, "large", key);

    drop_entry(fixture, dir, "large");
    meta_dentry_encode(&entry, value);
    check_plant(fixture, INDEX_DENTRY, key, size, value, sizeof(value));
    check_assert_repairs_all(fixture, TFS_CHECK_NAME);
}

static void without_the_seed_all_names_get_new_hashes(void **state)
{
    struct fixture *fixture = *state;

    check_plant(fixture, INDEX_SUPER, "name_hash_seed", 14, NULL, 0);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
}

static void a_wrong_type_in_an_entry_is_corrected(void **state)
{
    struct fixture *fixture = *state;

    plant_entry(fixture, check_inode_of(fixture, "dir"), "large",
                check_inode_of(fixture, "dir/large"), S_IFIFO);
    check_assert_repairs_all(fixture, TFS_CHECK_NAME);
}

/* ---- inodes and their attributes ---- */

static void impossible_values_in_a_record_are_replaced(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    struct meta_inode record = check_record_of(fixture, inode);

    record.mtime.tv_nsec = 2000000000;
    record.compression.codec = (enum codec_id)77;
    check_plant_record(fixture, inode, &record);
    check_assert_repairs_all(fixture, TFS_CHECK_INODE);
}

static void a_file_whose_record_is_no_record_is_listed_and_kept(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    uint8_t key[META_INODE_KEY_SIZE];
    uint64_t before;
    struct found *found;

    meta_inode_key(inode, key);
    check_plant(fixture, INDEX_INODE, key, sizeof(key), "nonsense", 8);
    before = check_sum_of_index(fixture);
    for (int i = 0; i < 2; i++) {
        size_t at;

        assert_int_equal(check_run(fixture, true, &found), 0);
        at = check_expect(found, TFS_CHECK_INODE, TFS_CHECK_UNREADABLE);
        assert_string_equal(found->problems[at].path, "/copy");
        (void)check_expect(found, TFS_CHECK_ROW, TFS_CHECK_UNREADABLE);
        assert_int_equal(found->result.fixed + found->result.left, 0);
        free(found);
    }
    assert_true(check_sum_of_index(fixture) == before);
    check_assert_content(fixture, "copy");
}

static void wrong_sizes_are_corrected_and_hide_no_data(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "dir/large");
    struct meta_inode record = check_record_of(fixture, inode);

    record.size = TFS_MIB;
    record.stored_bytes = 1;
    check_plant_record(fixture, inode, &record);
    check_assert_repairs_all(fixture, TFS_CHECK_SIZE);
}

static void orphans_without_an_inode_or_with_a_name_are_none(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_INODE_KEY_SIZE];

    meta_inode_key(9999, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    check_assert_repairs_all(fixture, TFS_CHECK_ORPHAN);
    meta_inode_key(check_inode_of(fixture, "copy"), key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    check_assert_repairs_all(fixture, TFS_CHECK_ORPHAN);
}

static void the_root_is_no_orphan(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_INODE_KEY_SIZE];
    uint32_t links = check_record_of(fixture, TFS_ROOT_INODE).nlink;

    meta_inode_key(TFS_ROOT_INODE, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    check_assert_repairs_all(fixture, TFS_CHECK_ORPHAN);
    assert_int_equal(check_record_of(fixture, TFS_ROOT_INODE).nlink, links);
}

static void a_removed_file_that_waits_to_be_purged_is_no_error(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    struct meta_inode record = check_record_of(fixture, inode);
    uint8_t key[META_INODE_KEY_SIZE];

    drop_entry(fixture, TFS_ROOT_INODE, "copy");
    record.nlink = 0;
    check_plant_record(fixture, inode, &record);
    meta_inode_key(inode, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    check_assert_clean(fixture);
    check_assert_content(fixture, "copy");
    check_assert_clean(fixture);
}

static void attributes_of_nobody_go_and_flags_follow_the_rows(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_XATTR_KEY_SIZE_MAX];
    size_t size = meta_xattr_key(9999, "user.x", key);

    check_plant(fixture, INDEX_XATTR, key, size, "y", 1);
    check_assert_repairs_all(fixture, TFS_CHECK_ATTRIBUTE);
    size = meta_xattr_key(check_inode_of(fixture, "copy"), "security.capability", key);
    check_plant(fixture, INDEX_XATTR, key, size, "y", 1);
    check_assert_repairs_all(fixture, TFS_CHECK_ATTRIBUTE);
    assert_true(check_record_of(fixture, check_inode_of(fixture, "copy")).flags &
                META_INODE_HAS_CAPABILITY);
}

#define CHECK_TEST(name) cmocka_unit_test_setup_teardown(name, check_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_store_that_is_whole_is_clean_and_repair_changes_nothing),
        CHECK_TEST(a_mounted_store_is_refused),
        CHECK_TEST(a_check_can_be_stopped),
        CHECK_TEST(a_wrong_link_count_is_counted_again),
        CHECK_TEST(an_entry_that_points_nowhere_is_dropped),
        CHECK_TEST(a_file_without_a_name_comes_to_lost_and_found),
        CHECK_TEST(a_directory_without_a_name_comes_to_lost_and_found_as_a_whole),
        CHECK_TEST(a_second_lost_inode_uses_the_directory_that_is_there),
        CHECK_TEST(a_directory_whose_record_is_lost_gets_a_new_one),
        CHECK_TEST(lost_directories_inside_of_each_other_keep_their_names),
        CHECK_TEST(a_root_whose_record_is_lost_gets_a_new_one),
        CHECK_TEST(a_ring_of_directories_is_cut_and_attached),
        CHECK_TEST(a_directory_keeps_the_name_that_its_record_knows),
        CHECK_TEST(a_wrong_parent_is_corrected),
        CHECK_TEST(an_entry_under_a_wrong_hash_is_found_again),
        CHECK_TEST(without_the_seed_all_names_get_new_hashes),
        CHECK_TEST(a_wrong_type_in_an_entry_is_corrected),
        CHECK_TEST(impossible_values_in_a_record_are_replaced),
        CHECK_TEST(a_file_whose_record_is_no_record_is_listed_and_kept),
        CHECK_TEST(wrong_sizes_are_corrected_and_hide_no_data),
        CHECK_TEST(orphans_without_an_inode_or_with_a_name_are_none),
        CHECK_TEST(the_root_is_no_orphan),
        CHECK_TEST(a_removed_file_that_waits_to_be_purged_is_no_error),
        CHECK_TEST(attributes_of_nobody_go_and_flags_follow_the_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
