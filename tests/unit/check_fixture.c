#include "check_fixture.h"

#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LARGE_SIZE (5 * TFS_MIB + 12345)
enum { SMALL_SIZE = 1500, LARGE_SEED = 11, SMALL_SEED = 12 };

/*
 * Nothing here is about power cuts, and stores are opened a hundred times: syncs of everything in
 * the process, RocksDB's too, end up here.
 */
__attribute__((visibility("default"))) int fsync(int fd)
{
    return fd < 0 ? -1 : 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return fd < 0 ? -1 : 0;
}

static uint64_t make_in(struct fixture *fixture, uint64_t parent, const char *name, uint32_t mode)
{
    return fixture_make(fixture, parent, name, mode);
}

static struct tfs_file *make_file(struct fixture *fixture, uint64_t parent, const char *name,
                                  size_t size, uint64_t seed)
{
    uint64_t inode = make_in(fixture, parent, name, S_IFREG | 0644);
    struct tfs_file *file;

    assert_int_equal(tfs_file_open(fixture->volume, inode, O_RDWR, &file), 0);
    if (size)
        fixture_write_random(file, 0, size, seed);
    assert_int_equal(tfs_file_sync(file, false), 0);
    return file;
}

static void fill_store(struct fixture *fixture)
{
    struct tfs_make symlink = {.mode = S_IFLNK | 0777, .target = "dir/large"};
    struct tfs_xattr xattr = {.name = "user.step", .value = "17", .size = 2};
    struct tfs_copy copy = {.size = LARGE_SIZE};
    uint64_t dir = make_in(fixture, TFS_ROOT_INODE, "dir", S_IFDIR | 0755);
    uint64_t deep = make_in(fixture, dir, "deep", S_IFDIR | 0755);
    struct tfs_file *small;
    struct tfs_attr attr;

    (void)make_in(fixture, deep, "deeper", S_IFDIR | 0755);
    copy.source = make_file(fixture, dir, "large", LARGE_SIZE, LARGE_SEED);
    copy.target = make_file(fixture, TFS_ROOT_INODE, "copy", 0, 0);
    small = make_file(fixture, dir, "small", SMALL_SIZE, SMALL_SEED);
    assert_int_equal(tfs_file_copy(&copy), LARGE_SIZE);
    assert_int_equal(
        tfs_link(fixture->volume, tfs_file_inode(small), TFS_ROOT_INODE, "link", &attr), 0);
    assert_int_equal(tfs_setxattr(fixture->volume, tfs_file_inode(copy.source), &xattr), 0);
    assert_int_equal(tfs_make(fixture->volume, TFS_ROOT_INODE, "symlink", &symlink, &attr), 0);
    tfs_file_close(copy.source);
    tfs_file_close(copy.target);
    tfs_file_close(small);
}

int check_set_up(void **state)
{
    int err = fixture_set_up(state);

    if (err)
        return err;
    fill_store(*state);
    fixture_close(*state);
    return 0;
}

struct tfs_index *check_open_index(struct fixture *fixture)
{
    char path[480];
    struct index_options options = {.path = path, .memory_size_max = 16 * TFS_MIB};
    struct tfs_index *index;

    (void)snprintf(path, sizeof(path), "%s/index", fixture->path);
    assert_int_equal(index_open(&options, &index), 0);
    return index;
}

void check_close_index(struct tfs_index *index)
{
    assert_int_equal(index_close(index), 0);
}

void check_plant(struct fixture *fixture, enum index_table table, const void *key, size_t key_size,
                 const void *value, size_t value_size)
{
    struct tfs_index *index = check_open_index(fixture);
    struct index_batch *batch;

    assert_int_equal(index_batch_new(&batch), 0);
    if (value)
        index_batch_put(batch, table, key, key_size, value, value_size);
    else
        index_batch_delete(batch, table, key, key_size);
    assert_int_equal(index_commit(index, batch, true), 0);
    index_batch_free(batch);
    check_close_index(index);
}

static uint64_t child_of(struct tfs_index *index, uint64_t parent, const char *name, size_t size)
{
    uint8_t prefix[8];
    struct index_range range = {.table = INDEX_DENTRY, .prefix = prefix, .prefix_size = 8};
    struct index_record record;
    struct index_scan *scan;
    uint64_t inode = 0;

    tfs_put_be64(prefix, parent);
    assert_int_equal(index_scan_open(index, &range, &scan), 0);
    while (!inode && index_scan_next(scan, &record) > 0) {
        if (record.key_size == 16 + size && memcmp(record.key + 16, name, size) == 0)
            inode = tfs_get_le64(record.value);
    }
    index_scan_close(scan);
    return inode;
}

uint64_t check_inode_of(struct fixture *fixture, const char *path)
{
    struct tfs_index *index = check_open_index(fixture);
    uint64_t inode = TFS_ROOT_INODE;

    while (*path && inode) {
        size_t size = strcspn(path, "/");

        inode = child_of(index, inode, path, size);
        path += size + (path[size] == '/');
    }
    check_close_index(index);
    return inode;
}

struct meta_inode check_record_of(struct fixture *fixture, uint64_t inode)
{
    struct tfs_index *index = check_open_index(fixture);
    uint8_t key[META_INODE_KEY_SIZE];
    struct index_value value;
    struct meta_inode record;
    const char *target;

    meta_inode_key(inode, key);
    assert_int_equal(index_get(index, INDEX_INODE, key, sizeof(key), &value), 0);
    assert_int_equal(meta_inode_decode(value.data, value.size, &record, &target), 0);
    index_value_release(&value);
    check_close_index(index);
    return record;
}

void check_plant_record(struct fixture *fixture, uint64_t inode, const struct meta_inode *record)
{
    uint8_t key[META_INODE_KEY_SIZE];
    uint8_t bytes[META_INODE_SIZE_MAX];

    assert_int_equal(record->target_size, 0);
    meta_inode_key(inode, key);
    check_plant(fixture, INDEX_INODE, key, sizeof(key), bytes,
                meta_inode_encode(record, NULL, bytes));
}

static void keep_problem(void *context, const struct tfs_check_problem *problem)
{
    struct found *found = context;
    size_t at = found->count;

    assert_non_null(problem->text);
    if (at == FOUND_MAX)
        return;
    found->count++;
    found->problems[at].kind = problem->kind;
    found->problems[at].outcome = problem->outcome;
    found->problems[at].inode = problem->inode;
    found->problems[at].offset = problem->offset;
    found->problems[at].size = problem->size;
    (void)snprintf(found->problems[at].path, sizeof(found->problems[at].path), "%s",
                   problem->path ? problem->path : "");
    (void)snprintf(found->problems[at].text, sizeof(found->problems[at].text), "%s", problem->text);
}

uint64_t check_frames_size_max;

int check_run(struct fixture *fixture, bool repair, struct found **ret)
{
    struct found *found = calloc(1, sizeof(*found));
    struct tfs_check_options options = {.path = fixture->path,
                                        .repair = repair,
                                        .frames_size_max = check_frames_size_max,
                                        .report = keep_problem,
                                        .context = found};

    assert_non_null(found);
    *ret = found;
    return tfs_check(&options, &fixture->message, &found->result);
}

static void print_found(const struct found *found)
{
    for (size_t i = 0; i < found->count; i++)
        print_error("  %s %s '%s' %llu+%llu: %s\n",
                    tfs_check_outcome_name(found->problems[i].outcome),
                    tfs_check_kind_name(found->problems[i].kind), found->problems[i].path,
                    (unsigned long long)found->problems[i].offset,
                    (unsigned long long)found->problems[i].size, found->problems[i].text);
}

size_t check_expect(const struct found *found, enum tfs_check_kind kind,
                    enum tfs_check_outcome outcome)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->problems[i].kind == kind && found->problems[i].outcome == outcome)
            return i;
    }
    print_found(found);
    fail_msg("no problem of kind %s is %s", tfs_check_kind_name(kind),
             tfs_check_outcome_name(outcome));
    return 0;
}

void check_assert_clean(struct fixture *fixture)
{
    struct found *found;

    assert_int_equal(check_run(fixture, false, &found), 0);
    if (found->result.left + found->result.unreadable + found->result.fixed > 0)
        print_found(found);
    assert_int_equal(found->result.left + found->result.unreadable + found->result.fixed, 0);
    free(found);
}

static uint64_t walk(struct fixture *fixture, const char *path)
{
    uint64_t inode = TFS_ROOT_INODE;

    while (*path) {
        char name[64] = {0};
        size_t size = strcspn(path, "/");

        memcpy(name, path, size);
        inode = fixture_lookup(fixture, inode, name);
        path += size + (path[size] == '/');
    }
    return inode;
}

void check_assert_content(struct fixture *fixture, const char *but)
{
    static const struct {
        const char *path;
        size_t size;
        uint64_t seed;
    } files[] = {
        {"dir/large", LARGE_SIZE, LARGE_SEED},
        {"copy", LARGE_SIZE, LARGE_SEED},
        {"dir/small", SMALL_SIZE, SMALL_SEED},
        {"link", SMALL_SIZE, SMALL_SEED},
    };
    char target[TFS_SYMLINK_SIZE_MAX + 1];

    fixture_open(fixture);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(files); i++) {
        struct tfs_file *file;
        uint64_t inode;

        if (but && strcmp(files[i].path, but) == 0)
            continue;
        inode = walk(fixture, files[i].path);
        assert_int_equal(fixture_attr(fixture, inode).size, files[i].size);
        assert_int_equal(tfs_file_open(fixture->volume, inode, O_RDONLY, &file), 0);
        fixture_assert_random(file, 0, files[i].size, files[i].seed);
        tfs_file_close(file);
    }
    if (!but || strcmp(but, "symlink") != 0) {
        assert_int_equal(tfs_readlink(fixture->volume, walk(fixture, "symlink"), target), 0);
        assert_string_equal(target, "dir/large");
    }
    fixture_close(fixture);
}

uint64_t check_sum_of_index(struct fixture *fixture)
{
    struct tfs_index *index = check_open_index(fixture);
    uint64_t sum = 0;

    for (int table = 0; table < INDEX_TABLE_COUNT; table++) {
        struct index_range range = {.table = (enum index_table)table};
        struct index_record record;
        struct index_scan *scan;

        assert_int_equal(index_scan_open(index, &range, &scan), 0);
        while (index_scan_next(scan, &record) > 0) {
            uint32_t crc = tfs_crc32c((uint32_t)table, record.key, record.key_size);

            sum = sum * 31 + tfs_crc32c(crc, record.value, record.value_size);
        }
        index_scan_close(scan);
    }
    check_close_index(index);
    return sum;
}

/* Found without repair, corrected with it, and gone afterwards; all files are as they were. */
void check_assert_repairs(struct fixture *fixture, enum tfs_check_kind kind)
{
    struct found *found;

    assert_int_equal(check_run(fixture, false, &found), 0);
    (void)check_expect(found, kind, TFS_CHECK_LEFT);
    assert_int_equal(found->result.fixed, 0);
    free(found);
    assert_int_equal(check_run(fixture, true, &found), 0);
    (void)check_expect(found, kind, TFS_CHECK_FIXED);
    assert_int_equal(found->result.left, 0);
    assert_int_equal(found->result.unreadable, 0);
    free(found);
    check_assert_clean(fixture);
}

void check_assert_repairs_all(struct fixture *fixture, enum tfs_check_kind kind)
{
    check_assert_repairs(fixture, kind);
    check_assert_content(fixture, NULL);
    check_assert_clean(fixture);
}

void check_plant_number(struct fixture *fixture, enum index_table table, const void *key,
                        size_t key_size, uint64_t number)
{
    uint8_t value[8];

    tfs_put_le64(value, number);
    check_plant(fixture, table, key, key_size, value, sizeof(value));
}

void check_plant_setting(struct fixture *fixture, const char *name, uint64_t number)
{
    check_plant_number(fixture, INDEX_SUPER, name, strlen(name), number);
}

uint64_t check_setting_of(struct fixture *fixture, const char *name)
{
    struct tfs_index *index = check_open_index(fixture);
    struct index_value value;
    uint64_t number;

    assert_int_equal(index_get(index, INDEX_SUPER, name, strlen(name), &value), 0);
    number = tfs_get_le64(value.data);
    index_value_release(&value);
    check_close_index(index);
    return number;
}
