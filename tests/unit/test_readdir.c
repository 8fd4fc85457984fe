/*
 * Reading directories: every entry that stays is seen exactly once, wherever a reader stops and
 * whatever comes and goes meanwhile, also where names share a place.
 *
 * Method: names that share a place cannot be found by trying, so their rows are put into the index
 * directly.
 */
#include "store_fixture.h"

#include "store/base/bytes.h"
#include "store/index/index.h"
#include "store/tables/meta.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 500 };

/* A reader: sees up to `room` entries, then stops. */
struct reader {
    unsigned seen[MANY]; /* of the names "0".."499" */
    unsigned dots;
    unsigned others;
    unsigned room;
    uint64_t cookie; /* of the last one that was seen */
    uint64_t lookups;
};

static bool see(void *context, const struct tfs_directory_entry *entry)
{
    struct reader *reader = context;
    unsigned number;
    char rest;

    if (reader->room == 0)
        return false;
    reader->room--;
    reader->cookie = entry->cookie;
    reader->lookups += entry->attr != NULL;
    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
        reader->dots++;
    else if (sscanf(entry->name, "%u%c", &number, &rest) == 1 && number < MANY)
        reader->seen[number]++;
    else
        reader->others++;
    return true;
}

static void make_many(struct fixture *fixture, uint64_t directory, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%u", i);
        (void)fixture_make(fixture, directory, name, i % 2 ? S_IFREG | 0644 : S_IFDIR | 0755);
    }
}

/* One call that may see `room` entries. Returns whether there were any. */
static bool read_some(struct fixture *fixture, uint64_t directory, struct reader *reader,
                      unsigned room)
{
    reader->room = room;
    assert_int_equal(tfs_readdir(fixture->volume, directory, reader->cookie, false, see, reader),
                     0);
    return reader->room < room;
}

static void assert_seen_once(const struct reader *reader, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (reader->seen[i] != 1)
            fail_msg("entry %u was seen %u times", i, reader->seen[i]);
    }
}

static void an_empty_directory_has_its_dots(void **state)
{
    struct fixture *fixture = *state;
    struct reader reader = {0};

    assert_true(read_some(fixture, TFS_ROOT_INODE, &reader, 10));
    assert_int_equal(reader.dots, 2);
    assert_int_equal(reader.others, 0);
    assert_false(read_some(fixture, TFS_ROOT_INODE, &reader, 10));
}

static void every_entry_is_seen_once_wherever_a_reader_stops(void **state)
{
    static const unsigned rooms[] = {1, 2, 3, 63, 64, 65, 66, 129, MANY + 2};
    struct fixture *fixture = *state;

    make_many(fixture, TFS_ROOT_INODE, 0, MANY);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rooms); i++) {
        struct reader reader = {0};

        while (read_some(fixture, TFS_ROOT_INODE, &reader, rooms[i]))
            ;
        assert_int_equal(reader.dots, 2);
        assert_seen_once(&reader, 0, MANY);
    }
}

static void an_entry_that_did_not_fit_comes_again(void **state)
{
    struct fixture *fixture = *state;
    struct reader reader = {0};

    make_many(fixture, TFS_ROOT_INODE, 0, 3);
    assert_false(read_some(fixture, TFS_ROOT_INODE, &reader, 0));
    assert_int_equal(reader.cookie, 0);
    while (read_some(fixture, TFS_ROOT_INODE, &reader, 1))
        ;
    assert_int_equal(reader.dots, 2);
    assert_seen_once(&reader, 0, 3);
}

static void what_stays_is_seen_once_while_others_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    struct reader reader = {0};
    unsigned added = MANY / 2;
    unsigned removed = 0;

    make_many(fixture, TFS_ROOT_INODE, 0, MANY / 2);
    while (read_some(fixture, TFS_ROOT_INODE, &reader, 7)) {
        char name[16];

        if (added < MANY)
            make_many(fixture, TFS_ROOT_INODE, added, added + 1);
        added++;
        (void)snprintf(name, sizeof(name), "%u", 2 * removed + 1); /* odd ones are files */
        if (2 * removed + 1 < MANY / 4)
            assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, name), 0);
        removed++;
    }
    assert_seen_once(&reader, MANY / 4, MANY / 2);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(reader.seen[i] <= 1);
}

static void attributes_come_with_a_lookup_of_what_was_taken(void **state)
{
    struct fixture *fixture = *state;
    uint64_t directory = fixture_make(fixture, TFS_ROOT_INODE, "d", S_IFDIR | 0755);
    struct reader reader = {.room = 4};
    struct tfs_attr attr;
    uint64_t inode;

    inode = fixture_make(fixture, directory, "1", S_IFREG | 0644);
    make_many(fixture, directory, 2, 5);
    assert_int_equal(tfs_readdir(fixture->volume, directory, 0, true, see, &reader), 0);
    assert_int_equal(reader.dots, 2);
    assert_int_equal(reader.lookups, 2); /* two of four; the dots have none */
    reader.room = 10;
    assert_int_equal(tfs_readdir(fixture->volume, directory, reader.cookie, true, see, &reader), 0);
    assert_seen_once(&reader, 1, 5);

    /* make() counted one lookup, readdir the other: the removed inode stays until both are gone. */
    assert_int_equal(tfs_unlink(fixture->volume, directory, "1"), 0);
    tfs_forget(fixture->volume, inode, 1);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    assert_int_equal(tfs_getattr(fixture->volume, inode, &attr), 0);
    assert_int_equal(attr.nlink, 0);
    tfs_forget(fixture->volume, inode, 1);
}

static void readdir_answers_with_its_errors(void **state)
{
    struct fixture *fixture = *state;
    uint64_t file = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);
    struct reader reader = {.room = 10};

    assert_int_equal(tfs_readdir(fixture->volume, file, 0, false, see, &reader), -ENOTDIR);
    assert_int_equal(tfs_readdir(fixture->volume, UINT64_MAX, 0, false, see, &reader), -ESTALE);
    assert_int_equal(reader.room, 10);
    assert_int_equal(tfs_readdir(fixture->volume, TFS_ROOT_INODE, UINT64_MAX, false, see, &reader),
                     0);
    assert_int_equal(reader.room, 10);
}

/* Puts entries for one inode into a directory, all with the same hash. */
static void put_at_one_place(struct fixture *fixture, uint64_t directory, uint64_t hash,
                             unsigned from, unsigned to)
{
    struct meta_dentry entry = {.inode = directory, .type = S_IFDIR};
    uint8_t value[META_DENTRY_VALUE_SIZE];
    struct index_batch *batch;

    assert_int_equal(index_batch_new(&batch), 0);
    meta_dentry_encode(&entry, value);
    for (unsigned i = from; i < to; i++) {
        uint8_t key[META_DENTRY_KEY_SIZE_MAX];
        char name[16];

        (void)snprintf(name, sizeof(name), "%u", i);
        index_batch_put(batch, INDEX_DENTRY, key, meta_dentry_key(directory, hash, name, key),
                        value, sizeof(value));
    }
    assert_int_equal(index_commit(fixture->volume->index, batch, false), 0);
    index_batch_free(batch);
}

static void names_that_share_a_place_are_never_missed(void **state)
{
    static const unsigned rooms[] = {3, 4, 64, 65, 66, 500};
    struct fixture *fixture = *state;
    uint64_t directory = fixture_make(fixture, TFS_ROOT_INODE, "d", S_IFDIR | 0755);

    /* Two share each place, so that one of them stands at every end of a batch. */
    for (unsigned i = 0; i < 200; i += 2)
        put_at_one_place(fixture, directory, 1000 + i, i, i + 2);
    for (size_t r = 0; r < TFS_ARRAY_COUNT(rooms); r++) {
        struct reader reader = {0};

        while (read_some(fixture, directory, &reader, rooms[r]))
            ;
        for (unsigned i = 0; i < 200; i++)
            assert_in_range(reader.seen[i], 1, 2);
    }
}

static void the_last_place_ends_the_walk(void **state)
{
    struct fixture *fixture = *state;
    uint64_t directory = fixture_make(fixture, TFS_ROOT_INODE, "d", S_IFDIR | 0755);
    struct reader reader = {0};

    put_at_one_place(fixture, directory, INT64_MAX, 0, 1);
    while (read_some(fixture, directory, &reader, 1))
        ;
    assert_seen_once(&reader, 0, 1);
}

/* A directory of a damaged index must not be one without an end. */
static void places_that_no_walk_could_pass_are_refused(void **state)
{
    struct fixture *fixture = *state;
    uint64_t crowded = fixture_make(fixture, TFS_ROOT_INODE, "crowded", S_IFDIR | 0755);
    uint64_t beyond = fixture_make(fixture, TFS_ROOT_INODE, "beyond", S_IFDIR | 0755);
    struct reader reader = {.room = 1000};

    put_at_one_place(fixture, crowded, 1000, 0, 64);
    assert_int_equal(tfs_readdir(fixture->volume, crowded, 0, false, see, &reader), 0);
    assert_seen_once(&reader, 0, 64);
    put_at_one_place(fixture, crowded, 1000, 64, 65);
    assert_int_equal(tfs_readdir(fixture->volume, crowded, 0, false, see, &reader), -EUCLEAN);
    put_at_one_place(fixture, beyond, UINT64_MAX, 0, 1);
    assert_int_equal(tfs_readdir(fixture->volume, beyond, 0, false, see, &reader), -EUCLEAN);
}

static void entries_that_are_none_are_refused(void **state)
{
    struct fixture *fixture = *state;
    uint64_t directory = fixture_make(fixture, TFS_ROOT_INODE, "d", S_IFDIR | 0755);
    struct reader reader = {.room = 10};
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    struct index_batch *batch;

    assert_int_equal(index_batch_new(&batch), 0);
    index_batch_put(batch, INDEX_DENTRY, key, meta_dentry_key(directory, 77, "x", key), "bad", 3);
    assert_int_equal(index_commit(fixture->volume->index, batch, false), 0);
    index_batch_free(batch);
    assert_int_equal(tfs_readdir(fixture->volume, directory, 0, false, see, &reader), -EUCLEAN);
}

#define READDIR_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READDIR_TEST(an_empty_directory_has_its_dots),
        READDIR_TEST(every_entry_is_seen_once_wherever_a_reader_stops),
        READDIR_TEST(an_entry_that_did_not_fit_comes_again),
        READDIR_TEST(what_stays_is_seen_once_while_others_come_and_go),
        READDIR_TEST(attributes_come_with_a_lookup_of_what_was_taken),
        READDIR_TEST(readdir_answers_with_its_errors),
        READDIR_TEST(names_that_share_a_place_are_never_missed),
        READDIR_TEST(the_last_place_ends_the_walk),
        READDIR_TEST(places_that_no_walk_could_pass_are_refused),
        READDIR_TEST(entries_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
