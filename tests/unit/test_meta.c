/*
 * Records of the index: what is encoded comes back, keys sort as their numbers do, and bytes that
 * are no record are refused.
 */
#include "store/tables/meta.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MUTATIONS = 200000 };

static struct meta_inode sample(uint32_t mode)
{
    return (struct meta_inode){
        .version = 1ull << 40,
        .size = TFS_FILE_SIZE_MAX,
        .stored_bytes = 12345678901ull,
        .rdev = 0x0102030405060708ull,
        .parent = 77,
        .mode = mode,
        .uid = UINT32_MAX,
        .gid = 1000,
        .nlink = TFS_LINKS_MAX,
        .flags = META_INODE_HAS_XATTRS | META_INODE_SETS_COMPRESSION,
        .atime = {-1, 999999999}, /* before 1970 */
        .mtime = {1ll << 40, 0},
        .ctime = {3, 4},
        .btime = {5, 6},
        .compression = {CODEC_ZSTD, 19},
        .chunk_size_log2 = 26,
    };
}

static void assert_same_record(const struct meta_inode *a, const struct meta_inode *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->stored_bytes, b->stored_bytes);
    assert_int_equal(a->rdev, b->rdev);
    assert_int_equal(a->parent, b->parent);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->gid, b->gid);
    assert_int_equal(a->nlink, b->nlink);
    assert_int_equal(a->flags, b->flags);
    assert_memory_equal(&a->atime, &b->atime, sizeof(a->atime));
    assert_memory_equal(&a->mtime, &b->mtime, sizeof(a->mtime));
    assert_memory_equal(&a->ctime, &b->ctime, sizeof(a->ctime));
    assert_memory_equal(&a->btime, &b->btime, sizeof(a->btime));
    assert_int_equal(a->compression.codec, b->compression.codec);
    assert_int_equal(a->compression.level, b->compression.level);
    assert_int_equal(a->chunk_size_log2, b->chunk_size_log2);
    assert_int_equal(a->target_size, b->target_size);
}

static void an_inode_comes_back_as_it_was(void **state)
{
    struct meta_inode inode = sample(S_IFREG | 07777);
    struct meta_inode again;
    uint8_t bytes[META_INODE_SIZE_MAX];
    const char *target;

    assert_int_equal(meta_inode_encode(&inode, NULL, bytes), META_INODE_FIXED_SIZE);
    assert_int_equal(meta_inode_decode(bytes, META_INODE_FIXED_SIZE, &again, &target), 0);
    assert_same_record(&inode, &again);
}

static void a_symlink_of_any_length_comes_back(void **state)
{
    static const size_t sizes[] = {1, 60, TFS_SYMLINK_SIZE_MAX};
    struct meta_inode inode = sample(S_IFLNK | 0777);
    char text[TFS_SYMLINK_SIZE_MAX];

    inode.size = 0;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
        uint8_t bytes[META_INODE_SIZE_MAX];
        struct meta_inode again;
        const char *target;
        size_t size;

        inode.target_size = (uint16_t)sizes[i];
        size = meta_inode_encode(&inode, text, bytes);
        assert_int_equal(size, META_INODE_FIXED_SIZE + sizes[i]);
        assert_int_equal(meta_inode_decode(bytes, size, &again, &target), 0);
        assert_same_record(&inode, &again);
        assert_memory_equal(target, text, sizes[i]);
        assert_int_equal(meta_inode_decode(bytes, size - 1, &again, &target), -EUCLEAN);
    }
}

/* A byte of a valid record is set to something impossible. */
struct bad_byte {
    const char *name;
    size_t at;
    uint8_t value;
};

static void impossible_inodes_are_refused(void **state)
{
    static const struct bad_byte bad[] = {
        {"version", 0, 2},
        {"chunk size of 128 bytes", 1, 7},
        {"chunk size of 128 MiB", 1, 27},
        {"codec", 2, CODEC_ID_COUNT},
        {"level", 3, 20},
        {"size", 23, 0xff},
        {"nanoseconds of atime", 75, 0xff},
        {"nanoseconds of mtime", 87, 0xff},
        {"nanoseconds of ctime", 99, 0xff},
        {"nanoseconds of btime", 111, 0xff},
        {"a target of a file", 112, 1},
        {"a target longer than allowed", 113, 0x10},
        {"an unknown flag", 4, 0x80},
        {"no type", 49, 0x01},
        {"bits above the mode", 50, 0x01},
        {"the first reserved byte", 114, 1},
        {"the last reserved byte", 143, 1},
    };
    struct meta_inode inode = sample(S_IFREG | 0644);
    struct meta_inode again = {.uid = 4711};
    uint8_t bytes[META_INODE_SIZE_MAX] = {0};
    const char *target;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++) {
        size_t size = meta_inode_encode(&inode, NULL, bytes);

        bytes[bad[i].at] = bad[i].value;
        if (meta_inode_decode(bytes, size, &again, &target) != -EUCLEAN ||
            meta_inode_decode(bytes, sizeof(bytes), &again, &target) != -EUCLEAN)
            fail_msg("accepted: %s", bad[i].name);
    }
    assert_int_equal(again.uid, 4711); /* outputs stay untouched */
}

static void an_inode_of_another_size_is_refused(void **state)
{
    struct meta_inode inode = sample(S_IFDIR | 0755);
    struct meta_inode again;
    uint8_t bytes[META_INODE_SIZE_MAX];
    const char *target;

    (void)meta_inode_encode(&inode, NULL, bytes); /* its size is known */
    for (size_t size = 0; size < META_INODE_FIXED_SIZE; size++)
        assert_int_equal(meta_inode_decode(bytes, size, &again, &target), -EUCLEAN);
    assert_int_equal(meta_inode_decode(bytes, META_INODE_FIXED_SIZE + 1, &again, &target),
                     -EUCLEAN);
}

static void a_target_with_a_zero_in_it_is_refused(void **state)
{
    struct meta_inode inode = sample(S_IFLNK | 0777);
    struct meta_inode again;
    uint8_t bytes[META_INODE_SIZE_MAX];
    const char *target;
    size_t size;

    inode.size = 0;
    inode.target_size = 3;
    size = meta_inode_encode(&inode, "a\0b", bytes);
    assert_int_equal(meta_inode_decode(bytes, size, &again, &target), -EUCLEAN);
    size = meta_inode_encode(&inode, "a/b", bytes);
    assert_int_equal(meta_inode_decode(bytes, size, &again, &target), 0);
}

static void a_symlink_without_a_target_is_refused(void **state)
{
    struct meta_inode inode = sample(S_IFLNK | 0777);
    struct meta_inode again;
    uint8_t bytes[META_INODE_SIZE_MAX];
    const char *target;
    size_t size;

    inode.size = 0;
    size = meta_inode_encode(&inode, NULL, bytes);

    assert_int_equal(meta_inode_decode(bytes, size, &again, &target), -EUCLEAN);
}

static void mutated_inodes_are_refused_or_within_limits(void **state)
{
    struct meta_inode inode = sample(S_IFLNK | 0777);
    uint8_t bytes[META_INODE_SIZE_MAX];
    unsigned int seed = (unsigned int)time(NULL);
    unsigned refused = 0;
    size_t size;

    print_message("seed %u\n", seed);
    inode.target_size = 5;
    for (int i = 0; i < MUTATIONS; i++) {
        struct meta_inode again;
        const char *target;

        size = meta_inode_encode(&inode, "hello", bytes);
        for (int count = 1 + rand_r(&seed) % 3; count > 0; count--)
            bytes[(size_t)rand_r(&seed) % size] ^= (uint8_t)(1u << (rand_r(&seed) % 8));
        if (meta_inode_decode(bytes, size, &again, &target) < 0) {
            refused++;
            continue;
        }
        assert_true(again.size <= TFS_FILE_SIZE_MAX);
        assert_in_range(again.chunk_size_log2, 8, 26);
        assert_true(codec_spec_is_valid(&again.compression));
        assert_true(again.mtime.tv_nsec >= 0 && again.mtime.tv_nsec < 1000000000);
        assert_int_equal(S_ISLNK(again.mode), 1);
        assert_int_equal(again.target_size, 5);
    }
    assert_true(refused > MUTATIONS / 20 && refused < MUTATIONS);
}

static void keys_sort_as_their_numbers_do(void **state)
{
    static const uint64_t numbers[] = {0, 1, 255, 256, 65535, 1ull << 32, INT64_MAX, UINT64_MAX};
    uint8_t before[META_EXTENT_KEY_SIZE];
    uint8_t after[META_EXTENT_KEY_SIZE];

    for (size_t i = 1; i < TFS_ARRAY_COUNT(numbers); i++) {
        meta_inode_key(numbers[i - 1], before);
        meta_inode_key(numbers[i], after);
        assert_true(memcmp(before, after, META_INODE_KEY_SIZE) < 0);
        meta_segment_key(numbers[i - 1], before);
        meta_segment_key(numbers[i], after);
        assert_true(memcmp(before, after, META_SEGMENT_KEY_SIZE) < 0);
        meta_extent_key(7, numbers[i - 1], before);
        meta_extent_key(7, numbers[i], after);
        assert_true(memcmp(before, after, META_EXTENT_KEY_SIZE) < 0);
        meta_share_key(numbers[i - 1], UINT64_MAX, before);
        meta_share_key(numbers[i], 0, after);
        assert_true(memcmp(before, after, META_SHARE_KEY_SIZE) < 0);
    }
}

static void a_directory_entry_comes_back(void **state)
{
    struct meta_dentry dentry = {.inode = UINT64_MAX - 1, .type = S_IFLNK};
    struct meta_dentry again;
    uint8_t bytes[META_DENTRY_VALUE_SIZE];

    meta_dentry_encode(&dentry, bytes);
    assert_int_equal(meta_dentry_decode(bytes, sizeof(bytes), &again), 0);
    assert_int_equal(again.inode, dentry.inode);
    assert_int_equal(again.type, dentry.type);
    assert_int_equal(meta_dentry_decode(bytes, sizeof(bytes) - 1, &again), -EUCLEAN);
    assert_int_equal(meta_dentry_decode(bytes, 0, &again), -EUCLEAN);
}

static void an_entry_of_no_type_is_refused(void **state)
{
    struct meta_dentry again = {.inode = 4711};
    uint8_t value[META_DENTRY_VALUE_SIZE];

    for (uint32_t type = 0; type < 16; type++) {
        bool known = type == 1 || type == 2 || type == 4 || type == 6 || type == 8 || type == 10 ||
                     type == 12;

        meta_dentry_encode(&(struct meta_dentry){.inode = 4711, .type = type << 12}, value);
        assert_int_equal(meta_dentry_decode(value, sizeof(value), &again), known ? 0 : -EUCLEAN);
    }
    meta_dentry_encode(&(struct meta_dentry){.inode = 5, .type = S_IFREG | 0644}, value);
    assert_int_equal(meta_dentry_decode(value, sizeof(value), &again), -EUCLEAN);
    assert_int_equal(again.inode, 4711); /* outputs stay untouched */
}

static void a_directory_key_gives_its_name_and_hash(void **state)
{
    char name[TFS_NAME_SIZE_MAX + 1];
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    struct meta_dentry_name again;
    size_t size;

    memset(name, 'n', TFS_NAME_SIZE_MAX);
    name[TFS_NAME_SIZE_MAX] = '\0';
    size = meta_dentry_key(3, 0x1122334455667788ull, name, key);
    assert_int_equal(size, META_DENTRY_KEY_SIZE_MAX);
    assert_int_equal(meta_dentry_key_decode(key, size, &again), 0);
    assert_string_equal(again.name, name);
    assert_int_equal(again.hash, 0x1122334455667788ull);
    assert_int_equal(tfs_get_be64(key), 3);
}

static void a_directory_key_without_a_name_is_refused(void **state)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX + 1] = {0};
    struct meta_dentry_name name;

    memset(key + 16, 'a', sizeof(key) - 16);
    assert_int_equal(meta_dentry_key_decode(key, 17, &name), 0);
    assert_int_equal(meta_dentry_key_decode(key, 16, &name), -EUCLEAN);
    assert_int_equal(meta_dentry_key_decode(key, 0, &name), -EUCLEAN);
    assert_int_equal(meta_dentry_key_decode(key, sizeof(key), &name), -EUCLEAN);
    key[17] = '/'; /* no name has one */
    assert_int_equal(meta_dentry_key_decode(key, 20, &name), -EUCLEAN);
    key[17] = '\0'; /* a name ends at a zero */
    assert_int_equal(meta_dentry_key_decode(key, 20, &name), -EUCLEAN);
}

static void an_attribute_key_is_the_inode_and_the_name(void **state)
{
    char name[TFS_XATTR_NAME_SIZE_MAX + 1];
    uint8_t key[META_XATTR_KEY_SIZE_MAX];

    memset(name, 'u', TFS_XATTR_NAME_SIZE_MAX);
    name[TFS_XATTR_NAME_SIZE_MAX] = '\0';
    assert_int_equal(meta_xattr_key(9, name, key), META_XATTR_KEY_SIZE_MAX);
    assert_int_equal(tfs_get_be64(key), 9);
    assert_memory_equal(key + 8, name, TFS_XATTR_NAME_SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inode_comes_back_as_it_was),
        cmocka_unit_test(a_symlink_of_any_length_comes_back),
        cmocka_unit_test(impossible_inodes_are_refused),
        cmocka_unit_test(an_inode_of_another_size_is_refused),
        cmocka_unit_test(a_target_with_a_zero_in_it_is_refused),
        cmocka_unit_test(a_symlink_without_a_target_is_refused),
        cmocka_unit_test(mutated_inodes_are_refused_or_within_limits),
        cmocka_unit_test(keys_sort_as_their_numbers_do),
        cmocka_unit_test(a_directory_entry_comes_back),
        cmocka_unit_test(an_entry_of_no_type_is_refused),
        cmocka_unit_test(a_directory_key_gives_its_name_and_hash),
        cmocka_unit_test(a_directory_key_without_a_name_is_refused),
        cmocka_unit_test(an_attribute_key_is_the_inode_and_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
