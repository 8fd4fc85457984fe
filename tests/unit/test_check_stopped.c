/*
 * A repair that ends early at any point loses nothing: what it leaves is never written to by a
 * mount, can be read, and is corrected by a repair that runs to its end.
 *
 * Method: one damaged store is copied again and again, and a repair of the copy is stopped at its
 * first call of progress, then at its second, and so on until one is not stopped. All that it has
 * committed until then is in the index, as after a kill.
 */
#include "check_fixture.h"

#include "store/base/log.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"
#include "store/space/reclaim.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { STOPS_MAX = 500 };

static void drop_entry(struct fixture *fixture, uint64_t parent, const char *name)
{
    uint64_t seed = check_setting_of(fixture, "name_hash_seed");
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    size_t size = meta_dentry_key(parent, namespace_hash_seeded(seed, name), name, key);

    check_plant(fixture, INDEX_DENTRY, key, size, NULL, 0);
}

/* Something for each pass to correct: a directory's record and a file's name are lost, counts are
 * wrong, and a removed directory that has something in it is to be purged. */
static void damage(struct fixture *fixture)
{
    uint64_t deep = check_inode_of(fixture, "dir/deep");
    struct meta_inode record = check_record_of(fixture, deep);
    uint8_t key[META_INODE_KEY_SIZE];

    record.nlink = 0;
    check_plant_record(fixture, deep, &record);
    meta_inode_key(deep, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    drop_entry(fixture, check_inode_of(fixture, "dir"), "deep");
    record = check_record_of(fixture, check_inode_of(fixture, "copy"));
    record.nlink = 0;
    check_plant_record(fixture, check_inode_of(fixture, "copy"), &record);
    drop_entry(fixture, TFS_ROOT_INODE, "copy");
    meta_segment_key(1, key);
    check_plant_number(fixture, INDEX_SEGMENT, key, sizeof(key), 4096);
    meta_inode_key(check_inode_of(fixture, "dir"), key);
    check_plant(fixture, INDEX_INODE, key, sizeof(key), NULL, 0);
}

struct stop {
    int calls;
    int calls_max;
};

static bool stop_at(void *context, const struct tfs_check_progress *progress)
{
    struct stop *stop = context;

    (void)progress;
    return ++stop->calls < stop->calls_max;
}

static bool has_mark(struct fixture *fixture)
{
    struct tfs_index *index = check_open_index(fixture);
    struct index_value value;
    int err = index_get(index, INDEX_SUPER, "repairing", 9, &value);

    if (!err)
        index_value_release(&value);
    check_close_index(index);
    return !err;
}

static void copy_store(const struct fixture *original, struct fixture *ret)
{
    char command[1500];

    *ret = *original;
    (void)snprintf(ret->path, sizeof(ret->path), "%s/copy", original->directory);
    ret->options.path = ret->path;
    (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s'", ret->path,
                   original->path, ret->path);
    assert_int_equal(system(command), 0);
}

static void assert_only_readable(struct fixture *fixture)
{
    struct found *found;

    assert_int_equal(fixture_try_open(fixture), -EUCLEAN);
    assert_non_null(strstr(fixture->message.text, "check --repair"));
    assert_null(strchr(fixture->message.text, '\n'));
    fixture->volume = NULL;
    fixture->options.read_only = true;
    fixture->options.create = false;
    fixture_open(fixture);
    fixture_close(fixture);
    fixture->options.read_only = false;
    assert_int_equal(check_run(fixture, false, &found), 0);
    (void)check_expect(found, TFS_CHECK_SETTING, TFS_CHECK_LEFT);
    free(found);
}

static void assert_repaired(struct fixture *fixture, uint64_t copy)
{
    struct found *found;
    struct tfs_file *file;
    char name[32];
    uint64_t lost;

    assert_int_equal(check_run(fixture, true, &found), 0);
    assert_int_equal(found->result.left + found->result.unreadable, 0);
    free(found);
    assert_false(has_mark(fixture));
    check_assert_clean(fixture);
    check_assert_content(fixture, "copy"); /* it has another name now */
    fixture_open(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    lost = fixture_lookup(fixture, TFS_ROOT_INODE, "lost+found");
    (void)snprintf(name, sizeof(name), "#%llu", (unsigned long long)copy);
    assert_int_equal(fixture_lookup(fixture, lost, name), copy);
    assert_int_equal(tfs_file_open(fixture->volume, copy, 0, &file), 0);
    fixture_assert_random(file, 0, 5 * TFS_MIB, 11);
    tfs_file_close(file);
    fixture_close(fixture);
    check_assert_clean(fixture);
}

static void a_repair_that_is_stopped_anywhere_is_run_again_and_loses_nothing(void **state)
{
    struct fixture *original = *state;
    uint64_t copy = check_inode_of(original, "copy");
    int marks = 0;
    int err = -ECANCELED;

    tfs_log_set_level(TFS_LOG_ERROR);
    damage(original);
    for (int stops = 1; err && stops < STOPS_MAX; stops++) {
        struct fixture fixture;
        struct stop stop = {.calls_max = stops};
        struct tfs_check_options options = {.repair = true, .progress = stop_at, .context = &stop};
        struct tfs_check_result result;

        copy_store(original, &fixture);
        options.path = fixture.path;
        err = tfs_check(&options, NULL, &result);
        assert_true(err == 0 || err == -ECANCELED);
        if (has_mark(&fixture)) {
            assert_int_equal(err, -ECANCELED);
            marks++;
            assert_only_readable(&fixture);
        }
        assert_repaired(&fixture, copy);
    }
    assert_int_equal(err, 0);
    assert_true(marks > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_repair_that_is_stopped_anywhere_is_run_again_and_loses_nothing, check_set_up,
            fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
