#include "check_readings.h"

#include "store/base/crc32c.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void read_file(struct fixture *fixture, uint64_t inode, struct reading_unit *units)
{
    struct tfs_file *file;

    if (tfs_file_open(fixture->volume, inode, O_RDONLY, &file) < 0)
        return;
    for (uint64_t i = 0; i < READING_UNITS_MAX; i++) {
        struct tfs_read read;

        if (tfs_file_read(file, i * READING_UNIT_SIZE, READING_UNIT_SIZE, &read) < 0)
            continue;
        units[i].size = (uint32_t)read.size;
        for (int piece = 0; piece < read.piece_count; piece++)
            units[i].crc =
                tfs_crc32c(units[i].crc, read.pieces[piece].iov_base, read.pieces[piece].iov_len);
        tfs_read_release(&read);
    }
    tfs_file_close(file);
}

void reading_take(struct fixture *fixture, const uint64_t *inodes, struct reading *ret)
{
    *ret = (struct reading){0};
    fixture->options.read_only = true;
    fixture->options.create = false;
    ret->opened = fixture_try_open(fixture) == 0;
    for (int i = 0; ret->opened && i < READING_FILES_MAX && inodes[i]; i++)
        read_file(fixture, inodes[i], ret->units[i]);
    if (ret->opened)
        fixture_close(fixture);
    fixture->volume = NULL;
}

void reading_assert_nothing_lost(const struct reading *before, const struct reading *after)
{
    assert_true(after->opened);
    for (int file = 0; before->opened && file < READING_FILES_MAX; file++) {
        for (int i = 0; i < READING_UNITS_MAX; i++) {
            const struct reading_unit *was = &before->units[file][i];
            const struct reading_unit *is = &after->units[file][i];

            if (was->size == 0)
                continue;
            /* A size that hid data may have grown, and the last unit with it. */
            if (is->size < was->size || (is->size == was->size && is->crc != was->crc))
                fail_msg("file %d unit %d: %u bytes of 0x%08x, before %u of 0x%08x", file, i,
                         is->size, is->crc, was->size, was->crc);
        }
    }
}

static void print_found(const struct found *found)
{
    for (size_t i = 0; i < found->count; i++)
        print_error("  %s %s '%s': %s\n", tfs_check_outcome_name(found->problems[i].outcome),
                    tfs_check_kind_name(found->problems[i].kind), found->problems[i].path,
                    found->problems[i].text);
}

void check_assert_converges(struct fixture *fixture)
{
    struct found *found;
    uint64_t unreadable;

    assert_int_equal(check_run(fixture, false, &found), 0);
    free(found);
    assert_int_equal(check_run(fixture, true, &found), 0);
    if (found->result.left)
        print_found(found);
    assert_int_equal(found->result.left, 0);
    unreadable = found->result.unreadable;
    free(found);
    assert_int_equal(check_run(fixture, true, &found), 0);
    if (found->result.left + found->result.fixed)
        print_found(found);
    assert_int_equal(found->result.left + found->result.fixed, 0);
    assert_int_equal(found->result.unreadable, unreadable);
    free(found);
}

void check_copy_store(const struct fixture *original, struct fixture *ret)
{
    char command[1500];

    *ret = *original;
    (void)snprintf(ret->path, sizeof(ret->path), "%s/damaged", original->directory);
    ret->options.path = ret->path;
    (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s'", ret->path,
                   original->path, ret->path);
    assert_int_equal(system(command), 0);
}

int check_set_up_known(void **state)
{
    int err = check_set_up(state);

    if (!err)
        check_plant_setting(*state, "name_hash_seed", 1);
    if (!err)
        check_assert_repairs(*state, TFS_CHECK_NAME);
    return err;
}
