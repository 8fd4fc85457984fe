/*
 * Goal: each request is answered once, with the bytes that the kernel's protocol wants and the
 * times to live that keep its caches right. Method: fs_fake_kernel.h; requests and replies are
 * looked at byte for byte.
 */
#include "tests/unit/fs_kernel_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- agreement ---- */

static void init_agrees_on_what_libfuse_cannot_say(void **state)
{
    (void)state;
    assert_true(protocol_has(&kernel.ll.protocol, FUSE_HANDLE_KILLPRIV_V2));
    assert_true(protocol_has(&kernel.ll.protocol, FUSE_SETXATTR_EXT));
    assert_true(protocol_has(&kernel.ll.protocol, PROTOCOL_DIRECT_IO_ALLOW_MMAP));
    assert_true(protocol_has(&kernel.ll.protocol, FUSE_POSIX_ACL | FUSE_DONT_MASK));
    assert_false(protocol_has(&kernel.ll.protocol, FUSE_WRITEBACK_CACHE));
    assert_false(protocol_has(&kernel.ll.protocol, FUSE_AUTO_INVAL_DATA));
    assert_false(protocol_has(&kernel.ll.protocol, FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS));
}

static void init_agrees_on_nothing_that_was_not_offered(void **state)
{
    (void)state;
    assert_int_equal(kernel.ll.protocol.kernel_minor, KERNEL_MINOR_OLD);
    assert_false(protocol_has(&kernel.ll.protocol, FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT |
                                                       PROTOCOL_DIRECT_IO_ALLOW_MMAP |
                                                       FUSE_INIT_EXT));
    assert_int_equal(kernel.ll.protocol.agreed >> 32, 0);
}

static void the_init_reply_is_what_was_agreed(void **state)
{
    struct fuse_init_out out;

    (void)state; /* the reply of kernel_set_up() is still there */
    assert_int_equal(kernel.reply_size, sizeof(out));
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.flags, (uint32_t)kernel.ll.protocol.agreed);
    assert_int_equal(out.flags2, kernel.ll.protocol.agreed >> 32);
    assert_int_equal(out.max_write, LL_IO_SIZE_MAX);
    assert_int_equal(out.max_pages, LL_IO_SIZE_MAX / 4096);
    assert_true(out.max_background >= 64);
    assert_int_equal(out.time_gran, 1);
}

/* ---- names ---- */

static void a_missing_name_may_be_remembered(void **state)
{
    struct fuse_entry_out entry;

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_LOOKUP, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_TEXT("none"))), 0);
    memcpy(&entry, kernel.reply.body, sizeof(entry));
    assert_int_equal(entry.nodeid, 0);
    assert_int_equal(entry.entry_valid, LL_TIMEOUT_S);
}

static void a_name_is_found_with_attributes_that_live_long(void **state)
{
    uint64_t inode = kernel_mkdir(&kernel, FUSE_ROOT_ID, "d");
    struct fuse_entry_out entry;

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_LOOKUP, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_TEXT("d"))), 0);
    assert_int_equal(kernel.reply_size, sizeof(entry));
    memcpy(&entry, kernel.reply.body, sizeof(entry));
    assert_int_equal(entry.nodeid, inode);
    assert_int_equal(entry.attr.ino, inode);
    assert_int_equal(entry.attr.mode, S_IFDIR | 0755);
    assert_int_equal(entry.entry_valid, LL_TIMEOUT_S);
    assert_int_equal(entry.attr_valid, LL_TIMEOUT_S);
}

static void an_unknown_inode_is_stale(void **state)
{
    const struct fuse_getattr_in in = {.fh = 0};

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_GETATTR, 9999, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -ESTALE);
}

static void device_numbers_keep_all_their_bits(void **state)
{
    const struct fuse_mknod_in in = {.mode = S_IFBLK | 0600,
                                     .rdev = (0x12345 & 0xff) | (0xabc << 8) |
                                             ((0x12345 & ~0xff) << 12)};
    struct fuse_entry_out entry;

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_MKNOD, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT("b"))),
                     0);
    memcpy(&entry, kernel.reply.body, sizeof(entry));
    assert_int_equal(entry.attr.rdev, in.rdev);
}

static void forgotten_inodes_are_gone(void **state)
{
    uint64_t inode = kernel_mkdir(&kernel, FUSE_ROOT_ID, "d");
    const struct fuse_forget_in one = {.nlookup = 1};
    const struct fuse_getattr_in in = {.fh = 0};

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_RMDIR, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_TEXT("d"))),
                     0);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.nlink, 0);
    kernel_send(&kernel, FUSE_FORGET, inode, KERNEL_PARTS(KERNEL_STRUCT(one)));
    assert_false(kernel_receive(&kernel, 0)); /* has no reply */
    assert_int_equal(kernel_call(&kernel, FUSE_GETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -ESTALE);
}

/* ---- directories ---- */

static unsigned lookup_count(uint64_t inode)
{
    unsigned count = 0;
    struct tfs_attr attr;

    /* Gives the counts back one by one until the inode is gone; it has to be unlinked. */
    while (tfs_getattr(kernel.volume, inode, &attr) == 0) {
        tfs_forget(kernel.volume, inode, 1);
        count++;
    }
    return count;
}

static void readdirplus_counts_just_the_entries_that_fit(void **state)
{
    struct fuse_read_in in = {.size = 2 * sizeof(struct fuse_direntplus) + 200};
    uint64_t inodes[3];
    unsigned counted = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        inodes[i] = kernel_mkdir(&kernel, FUSE_ROOT_ID, (const char *[]){"a", "b", "c"}[i]);
    in.size = 3 * 160 + 100; /* ".", ".." and one more, each of 160 bytes; not two */
    assert_int_equal(
        kernel_call(&kernel, FUSE_READDIRPLUS, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_int_equal(kernel.reply_size, 3 * 160);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tfs_rmdir(kernel.volume, FUSE_ROOT_ID, (const char *[]){"a", "b", "c"}[i]),
                         0);
        counted += lookup_count(inodes[i]);
    }
    assert_int_equal(counted, 3 + 1); /* one by each mkdir, one by the listing */
}

static void a_listing_goes_on_at_the_cookie_and_ends_empty(void **state)
{
    struct fuse_read_in in = {.size = 100};
    unsigned names = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        (void)kernel_mkdir(&kernel, FUSE_ROOT_ID, (char[]){(char)('a' + i), '\0'});
    do {
        size_t at = 0;

        assert_int_equal(
            kernel_call(&kernel, FUSE_READDIR, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
        while (at < kernel.reply_size) {
            struct fuse_dirent dirent;

            memcpy(&dirent, kernel.reply.body + at, sizeof(dirent));
            assert_int_equal(dirent.type, S_IFDIR >> 12);
            in.offset = dirent.off;
            at += FUSE_DIRENT_ALIGN(sizeof(dirent) + dirent.namelen);
            names++;
        }
    } while (kernel.reply_size > 0);
    assert_int_equal(names, 12);
}

/* ---- open ---- */

static void the_open_policy_is_as_documented(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "w", O_WRONLY | O_CREAT, &out);

    (void)state;
    assert_int_equal(out.open_flags, DIRECT);
    kernel_release(&kernel, inode, out.fh);
    static const struct {
        uint32_t flags;
        uint32_t open_flags;
    } opens[] = {
        {O_RDONLY, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH},
        {O_WRONLY, DIRECT},
        {O_WRONLY | O_APPEND, DIRECT},
        {O_RDWR, FOPEN_KEEP_CACHE},
        {O_RDWR | O_TRUNC, FOPEN_KEEP_CACHE},
    };
    for (size_t i = 0; i < TFS_ARRAY_COUNT(opens); i++) {
        out = kernel_open_file(&kernel, inode, opens[i].flags);
        assert_int_equal(out.open_flags, opens[i].open_flags);
        kernel_release(&kernel, inode, out.fh);
    }
    inode = kernel_create(&kernel, FUSE_ROOT_ID, "rw", O_RDWR | O_CREAT, &out);
    assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE);
    kernel_release(&kernel, inode, out.fh);
    inode = kernel_create(&kernel, FUSE_ROOT_ID, "x", O_RDWR | O_CREAT | O_EXCL, &out);
    assert_int_equal(out.open_flags, DIRECT);
    kernel_release(&kernel, inode, out.fh);
}

static void without_shared_mappings_of_direct_files_temporary_files_are_cached(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "x", O_RDWR | O_CREAT | O_EXCL, &out);

    (void)state;
    assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE);
    kernel_release(&kernel, inode, out.fh);
}

static void what_the_kernel_left_open_is_closed_at_the_end(void **state)
{
    struct fuse_open_out out;

    (void)state;
    (void)kernel_create(&kernel, FUSE_ROOT_ID, "left", O_WRONLY, &out);
    /* kernel_tear_down() closes the volume; the leak checker would tell. */
    assert_false(list_is_empty(&kernel.ll.files));
}

/* ---- reading and writing ---- */

static void what_was_written_is_read(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_RDWR, &out);
    struct fuse_read_in in = {.fh = out.fh, .offset = 6, .size = 4096};

    (void)state;
    assert_int_equal(kernel_write(&kernel, inode, out.fh, 0, "hello world"), 0);
    assert_int_equal(kernel_call(&kernel, FUSE_READ, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_int_equal(kernel.reply_size, 5);
    assert_memory_equal(kernel.reply.body, "world", 5);
    in.offset = 11;
    assert_int_equal(kernel_call(&kernel, FUSE_READ, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_int_equal(kernel.reply_size, 0);
    in.size = LL_IO_SIZE_MAX + 1;
    assert_int_equal(kernel_call(&kernel, FUSE_READ, inode, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -EINVAL);
    kernel_release(&kernel, inode, out.fh);
}

static void attributes_live_0_seconds_while_a_written_handle_is_open(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);
    struct fuse_entry_out entry;

    (void)state;
    assert_int_equal(kernel_getattr(&kernel, inode).attr_valid, LL_TIMEOUT_S);
    assert_int_equal(kernel_write(&kernel, inode, out.fh, 0, "x"), 0);
    assert_int_equal(kernel_getattr(&kernel, inode).attr_valid, 0);
    assert_int_equal(
        kernel_call(&kernel, FUSE_LOOKUP, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_TEXT("f"))), 0);
    memcpy(&entry, kernel.reply.body, sizeof(entry));
    assert_int_equal(entry.attr_valid, 0);
    assert_int_equal(entry.entry_valid, LL_TIMEOUT_S);
    kernel_release(&kernel, inode, out.fh);
    assert_int_equal(kernel_getattr(&kernel, inode).attr_valid, LL_TIMEOUT_S);
}

static void attributes_fetched_across_the_end_of_a_writer_live_0_seconds(void **state)
{
    struct inode_hints *hints = calloc(1, sizeof(*hints));
    uint64_t stamp;

    (void)state;
    assert_non_null(hints);
    inode_hints_writer_add(hints, 5);
    stamp = inode_hints_stamp(hints);
    assert_false(inode_hints_is_quiet(hints, 5, stamp));
    inode_hints_writer_remove(hints, 5);
    assert_false(inode_hints_is_quiet(hints, 5, stamp));
    assert_true(inode_hints_is_quiet(hints, 5, inode_hints_stamp(hints)));
    free(hints);
}

/* The offset and size of the invalidation that is the next message. */
static void assert_invalidation(uint64_t inode, int64_t offset, int64_t size)
{
    struct fuse_notify_inval_inode_out out;

    assert_int_equal(kernel.reply.header.unique, 0);
    assert_int_equal(kernel.reply.header.error, FUSE_NOTIFY_INVAL_INODE);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.ino, inode);
    assert_int_equal(out.off, offset);
    assert_int_equal(out.len, size);
}

static void holes_are_looked_for_when_mapped_pages_are_written_back(void **state)
{
    struct fuse_open_out mapper;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_RDWR, &mapper);
    struct fuse_open_out reader = kernel_open_file(&kernel, inode, O_RDONLY);
    const struct fuse_lseek_in in = {.fh = reader.fh, .offset = 5, .whence = SEEK_DATA};
    struct fuse_lseek_out out;

    (void)state;
    assert_int_equal(kernel_write(&kernel, inode, mapper.fh, 0, "some data"), 0);
    kernel_send(&kernel, FUSE_LSEEK, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
    assert_true(kernel_receive(&kernel, 10000));
    assert_invalidation(inode, 5, 0);
    assert_true(kernel_receive(&kernel, 10000));
    assert_int_equal(kernel.reply.header.unique, kernel.unique);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.offset, 5);
    kernel_release(&kernel, inode, mapper.fh);
    assert_int_equal(kernel_call(&kernel, FUSE_LSEEK, inode, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     0); /* nobody can have mapped it: at once */
    kernel_release(&kernel, inode, reader.fh);
}

static void make_setuid(uint64_t inode)
{
    const struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = S_IFREG | 06755};

    assert_int_equal(kernel_call(&kernel, FUSE_SETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
}

static void a_write_that_drops_setuid_tells_the_kernel_first(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);
    const struct fuse_write_in in = {
        .fh = out.fh, .size = 1, .write_flags = FUSE_WRITE_KILL_SUIDGID};

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_WRITE, inode, KERNEL_PARTS(KERNEL_STRUCT(in), {"a", 1})),
        0); /* it never had setuid: nothing to tell */
    make_setuid(inode);
    kernel_send(&kernel, FUSE_WRITE, inode, KERNEL_PARTS(KERNEL_STRUCT(in), {"a", 1}));
    assert_true(kernel_receive(&kernel, 0));
    assert_invalidation(inode, -1, 0);
    assert_true(kernel_receive(&kernel, 0));
    assert_int_equal(kernel.reply.header.unique, kernel.unique);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.mode, S_IFREG | 0755);
    kernel_release(&kernel, inode, out.fh);
}

static void truncating_by_open_drops_setuid(void **state)
{
    const struct fuse_open_in in = {.flags = O_WRONLY | O_TRUNC,
                                    .open_flags = FUSE_OPEN_KILL_SUIDGID};
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);

    (void)state;
    kernel_release(&kernel, inode, out.fh);
    make_setuid(inode);
    kernel_send(&kernel, FUSE_OPEN, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
    assert_true(kernel_receive(&kernel, 0));
    assert_invalidation(inode, -1, 0);
    assert_true(kernel_receive(&kernel, 0));
    memcpy(&out, kernel.reply.body, sizeof(out));
    kernel_release(&kernel, inode, out.fh);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.mode, S_IFREG | 0755);
}

static void a_changed_size_is_answered_with_attributes_to_be_asked_again(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);
    const struct fuse_setattr_in in = {.valid = FATTR_SIZE, .size = 5000};
    struct fuse_attr_out attr;

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_SETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    memcpy(&attr, kernel.reply.body, sizeof(attr));
    assert_int_equal(attr.attr.size, 5000);
    assert_int_equal(attr.attr_valid, 0);
    kernel_release(&kernel, inode, out.fh);
}

static void a_truncated_handle_counts_as_a_writer(void **state)
{
    struct fuse_setattr_in in = {.valid = FATTR_SIZE | FATTR_FH, .size = 10};
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);

    (void)state;
    in.fh = out.fh;
    assert_int_equal(kernel_call(&kernel, FUSE_SETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_int_equal(kernel_getattr(&kernel, inode).attr_valid, 0);
    kernel_release(&kernel, inode, out.fh);
    assert_int_equal(kernel_getattr(&kernel, inode).attr_valid, LL_TIMEOUT_S);
    out = kernel_open_file(&kernel, inode, O_WRONLY | O_TRUNC);
    assert_int_equal(kernel_getattr(&kernel, inode).attr_valid, 0);
    kernel_release(&kernel, inode, out.fh);
}

/* ---- extended attributes ---- */

static void trusted_attributes_are_listed_for_root_alone(void **state)
{
    static const char *const names[] = {"trusted.a", "user.b", "trusted.c"};
    const struct fuse_getxattr_in in = {.size = 100};
    const struct fuse_getxattr_in how_long = {.size = 0};
    struct fuse_getxattr_out out;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++)
        assert_int_equal(tfs_setxattr(kernel.volume, FUSE_ROOT_ID,
                                      &(struct tfs_xattr){.name = names[i], .value = ""}),
                         0);
    assert_int_equal(
        kernel_call(&kernel, FUSE_LISTXATTR, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_int_equal(kernel.reply_size, 27);
    kernel.uid = 1000;
    assert_int_equal(
        kernel_call(&kernel, FUSE_LISTXATTR, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    assert_int_equal(kernel.reply_size, 7);
    assert_memory_equal(kernel.reply.body, "user.b", 7);
    assert_int_equal(
        kernel_call(&kernel, FUSE_LISTXATTR, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(how_long))),
        0);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.size, 7);
}

#define NEW_KERNEL(name) cmocka_unit_test_setup_teardown(name, kernel_set_up, kernel_tear_down)
#define OLD_KERNEL(name) cmocka_unit_test_setup_teardown(name, kernel_set_up_old, kernel_tear_down)

static bool try_read(uint64_t inode, uint64_t fh, struct fuse_in_header *header, size_t size)
{
    struct fuse_read_in *in = (struct fuse_read_in *)(void *)(header + 1);

    *header = (struct fuse_in_header){
        .len = (uint32_t)size, .opcode = FUSE_READ, .unique = 77, .nodeid = inode};
    *in = (struct fuse_read_in){.fh = fh, .size = 5};
    return !ll_is_data(&kernel.ll, header, size);
}

/* The answer is what was there when the read was tried. */
static void a_read_that_was_tried_is_answered_with_what_it_found(void **state)
{
    struct {
        struct fuse_in_header header;
        struct fuse_read_in in;
    } request;
    struct fuse_open_out opened;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "tried", O_RDWR, &opened);

    (void)state;
    assert_int_equal(kernel_write(&kernel, inode, opened.fh, 0, "first"), 0);
    assert_true(try_read(inode, opened.fh, &request.header, sizeof(request)));
    assert_int_equal(
        tfs_file_write(((struct ll_file *)(uintptr_t)opened.fh)->file, 0, "other", 5, 0), 5);
    ll_process(&kernel.ll, &request.header, sizeof(request));
    assert_true(kernel_receive(&kernel, 10000));
    assert_int_equal(kernel.reply.header.unique, 77);
    assert_int_equal(kernel.reply_size, 5);
    assert_memory_equal(kernel.reply.body, "first", 5);

    /* What nobody takes is dropped behind the next request, whatever that is. */
    assert_true(try_read(inode, opened.fh, &request.header, sizeof(request)));
    (void)kernel_getattr(&kernel, inode);
    ll_process(&kernel.ll, &request.header, sizeof(request));
    assert_true(kernel_receive(&kernel, 10000));
    assert_memory_equal(kernel.reply.body, "other", 5);
    kernel_release(&kernel, inode, opened.fh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW_KERNEL(init_agrees_on_what_libfuse_cannot_say),
        OLD_KERNEL(init_agrees_on_nothing_that_was_not_offered),
        NEW_KERNEL(the_init_reply_is_what_was_agreed),
        OLD_KERNEL(the_init_reply_is_what_was_agreed),
        NEW_KERNEL(a_missing_name_may_be_remembered),
        NEW_KERNEL(a_name_is_found_with_attributes_that_live_long),
        NEW_KERNEL(an_unknown_inode_is_stale),
        NEW_KERNEL(device_numbers_keep_all_their_bits),
        NEW_KERNEL(forgotten_inodes_are_gone),
        NEW_KERNEL(readdirplus_counts_just_the_entries_that_fit),
        NEW_KERNEL(a_listing_goes_on_at_the_cookie_and_ends_empty),
        NEW_KERNEL(the_open_policy_is_as_documented),
        OLD_KERNEL(without_shared_mappings_of_direct_files_temporary_files_are_cached),
        NEW_KERNEL(what_the_kernel_left_open_is_closed_at_the_end),
        NEW_KERNEL(what_was_written_is_read),
        NEW_KERNEL(a_read_that_was_tried_is_answered_with_what_it_found),
        NEW_KERNEL(attributes_live_0_seconds_while_a_written_handle_is_open),
        cmocka_unit_test(attributes_fetched_across_the_end_of_a_writer_live_0_seconds),
        NEW_KERNEL(holes_are_looked_for_when_mapped_pages_are_written_back),
        NEW_KERNEL(a_write_that_drops_setuid_tells_the_kernel_first),
        NEW_KERNEL(truncating_by_open_drops_setuid),
        NEW_KERNEL(a_changed_size_is_answered_with_attributes_to_be_asked_again),
        NEW_KERNEL(a_truncated_handle_counts_as_a_writer),
        NEW_KERNEL(trusted_attributes_are_listed_for_root_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
