/*
 * What the store remembers of names (the table of names, the count of a directory's entries) always
 * agrees with the index.
 *
 * Method: random changes in two directories with few names, so that names come, go, move and are
 * exchanged all the time, while another thread looks for them. After each change every name is
 * looked up, which may be answered from memory, and compared with a listing, which is not; and each
 * directory lets itself be removed when its listing is empty, and only then.
 */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { DIRECTORIES = 2, NAMES = 5, CHANGES = 3000 };

static const char *const directory_names[DIRECTORIES] = {"one", "two"};

struct world {
    struct fixture *fixture;
    _Atomic uint64_t directories[DIRECTORIES];
    uint64_t dice;
    atomic_bool over;
};

/* The inodes by name as the index lists them, 0: none. */
struct listing {
    uint64_t inodes[NAMES];
    unsigned count;
};

static unsigned throw_below(struct world *world, unsigned below)
{
    return (unsigned)fixture_dice_below(&world->dice, below);
}

static void name_of(unsigned number, char name[8])
{
    (void)snprintf(name, 8, "n%u", number);
}

static bool note_entry(void *context, const struct tfs_directory_entry *entry)
{
    struct listing *listing = context;
    unsigned number;

    if (sscanf(entry->name, "n%u", &number) == 1) {
        assert_in_range(number, 0, NAMES - 1);
        listing->inodes[number] = entry->inode;
        listing->count++;
    }
    return true;
}

static void check_directory(struct world *world, unsigned which)
{
    struct tfs_volume *volume = world->fixture->volume;
    uint64_t directory = world->directories[which];
    struct listing listing = {.count = 0};
    int err;

    assert_int_equal(tfs_readdir(volume, directory, 0, false, note_entry, &listing), 0);
    for (unsigned i = 0; i < NAMES; i++) {
        struct tfs_attr attr;
        char name[8];

        name_of(i, name);
        err = tfs_lookup(volume, directory, name, &attr);
        assert_int_equal(err, listing.inodes[i] ? 0 : -ENOENT);
        if (err)
            continue;
        assert_int_equal(attr.inode, listing.inodes[i]);
        tfs_forget(volume, attr.inode, 1);
    }
    err = tfs_rmdir(volume, TFS_ROOT_INODE, directory_names[which]);
    assert_int_equal(err, listing.count ? -ENOTEMPTY : 0);
    if (err)
        return;
    tfs_forget(volume, directory, 1);
    world->directories[which] =
        fixture_make(world->fixture, TFS_ROOT_INODE, directory_names[which], S_IFDIR | 0755);
}

static void make_or_remove(struct world *world, uint64_t directory, const char *name)
{
    struct tfs_volume *volume = world->fixture->volume;
    const struct tfs_make what = {.mode = throw_below(world, 2) ? S_IFREG | 0644 : S_IFDIR | 0755};
    struct tfs_attr attr;
    int err = tfs_make(volume, directory, name, &what, &attr);

    if (err == 0) {
        tfs_forget(volume, attr.inode, 1);
        return;
    }
    assert_int_equal(err, -EEXIST);
    err = tfs_unlink(volume, directory, name);
    if (err == -EISDIR)
        err = tfs_rmdir(volume, directory, name);
    assert_int_equal(err, 0);
}

static void link_or_move(struct world *world, const struct tfs_place *from,
                         const struct tfs_place *to)
{
    static const unsigned flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    struct tfs_volume *volume = world->fixture->volume;
    unsigned way = throw_below(world, TFS_ARRAY_COUNT(flags) + 1);
    struct tfs_attr attr;

    if (way < TFS_ARRAY_COUNT(flags)) {
        (void)!tfs_rename(volume, from, to, flags[way]); /* may be refused: then nothing changes */
        return;
    }
    if (tfs_lookup(volume, from->parent, from->name, &attr) < 0)
        return;
    if (tfs_link(volume, attr.inode, to->parent, to->name, &attr) == 0)
        tfs_forget(volume, attr.inode, 1);
    tfs_forget(volume, attr.inode, 1);
}

static void change(struct world *world)
{
    char names[2][8];
    struct tfs_place from = {world->directories[throw_below(world, DIRECTORIES)], names[0]};
    struct tfs_place to = {world->directories[throw_below(world, DIRECTORIES)], names[1]};

    name_of(throw_below(world, NAMES), names[0]);
    name_of(throw_below(world, NAMES), names[1]);
    if (throw_below(world, 2))
        make_or_remove(world, from.parent, from.name);
    else
        link_or_move(world, &from, &to);
}

/* Another thread's assertions would not reach cmocka, so it makes none. */
static void *look_all_the_time(void *argument)
{
    struct world *world = argument;

    for (unsigned i = 0; !atomic_load(&world->over); i++) {
        struct tfs_attr attr;
        char name[8];

        name_of(i % NAMES, name);
        if (tfs_lookup(world->fixture->volume, world->directories[i / NAMES % DIRECTORIES], name,
                       &attr) == 0)
            tfs_forget(world->fixture->volume, attr.inode, 1);
    }
    return NULL;
}

static void what_is_remembered_of_names_agrees_with_the_index(void **state)
{
    struct world world = {.fixture = *state, .dice = fixture_seed()};
    pthread_t looker;

    for (unsigned i = 0; i < DIRECTORIES; i++)
        world.directories[i] =
            fixture_make(world.fixture, TFS_ROOT_INODE, directory_names[i], S_IFDIR | 0755);
    assert_int_equal(pthread_create(&looker, NULL, look_all_the_time, &world), 0);
    for (unsigned i = 0; i < CHANGES; i++) {
        change(&world);
        for (unsigned which = 0; which < DIRECTORIES; which++)
            check_directory(&world, which);
    }
    atomic_store(&world.over, true);
    (void)pthread_join(looker, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_remembered_of_names_agrees_with_the_index,
                                        fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
