/*
 * Goal: the rules of docs/decisions/who-caches-what.md: the way of each handle, the pages that are
 * dropped and when, and the size that is told. Method: fs_fake_kernel.h; which message comes first
 * is what matters.
 */
#include "tests/unit/fs_kernel_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A file that is not new and that nobody has open. */
static uint64_t old_file(const char *text)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);

    assert_int_equal(kernel_write(&kernel, inode, out.fh, 0, text), 0);
    kernel_release(&kernel, inode, out.fh);
    return inode;
}

static bool is_direct(const struct fuse_open_out *out)
{
    return (out->open_flags & FOPEN_DIRECT_IO) != 0;
}

/* ---- the way of a handle ---- */

static void who_comes_second_takes_the_way_that_is_in_use(void **state)
{
    static const struct {
        uint32_t first;
        uint32_t second;
        bool first_is_direct;
        bool second_is_direct;
    } pairs[] = {
        {O_RDONLY, O_RDONLY, false, false},
        {O_RDONLY, O_WRONLY, false, false},
        {O_RDONLY, O_WRONLY | O_APPEND, false, false},
        {O_RDONLY, O_WRONLY | O_TRUNC, false, false},
        {O_RDONLY, O_RDWR, false, false},
        {O_RDWR, O_WRONLY, false, false},
        {O_RDWR | O_APPEND, O_WRONLY | O_APPEND, false, false},
        {O_RDWR, O_RDWR, false, false},
        {O_WRONLY, O_RDONLY, true, true},
        {O_WRONLY, O_RDWR, true, true},
        {O_WRONLY, O_WRONLY | O_APPEND, true, true},
        {O_WRONLY | O_APPEND, O_RDWR | O_APPEND, true, true},
        {O_WRONLY | O_DIRECT, O_RDWR | O_DIRECT, true, true},
        {O_RDWR | O_DIRECT, O_WRONLY | O_DIRECT, false, false},
    };
    uint64_t inode = old_file("x");

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(pairs); i++) {
        struct fuse_open_out first = kernel_open_file(&kernel, inode, pairs[i].first);
        struct fuse_open_out second = kernel_open_file(&kernel, inode, pairs[i].second);

        assert_int_equal(is_direct(&first), pairs[i].first_is_direct);
        assert_int_equal(is_direct(&second), pairs[i].second_is_direct);
        assert_int_equal((first.open_flags & FOPEN_KEEP_CACHE) != 0, !pairs[i].first_is_direct);
        assert_int_equal((second.open_flags & FOPEN_KEEP_CACHE) != 0, !pairs[i].second_is_direct);
        kernel_release(&kernel, inode, first.fh);
        kernel_release(&kernel, inode, second.fh);
    }
}

static void a_temporary_file_shares_its_way_with_who_opens_it_again(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "x", O_RDWR | O_CREAT | O_EXCL, &out);
    struct fuse_open_out again = kernel_open_file(&kernel, inode, O_RDWR);

    (void)state;
    assert_int_equal(out.open_flags, DIRECT);
    assert_int_equal(again.open_flags, DIRECT);
    kernel_release(&kernel, inode, out.fh);
    kernel_release(&kernel, inode, again.fh);
}

static void the_way_changes_when_the_last_has_left(void **state)
{
    uint64_t inode = old_file("x");
    struct fuse_open_out writer = kernel_open_file(&kernel, inode, O_WRONLY);
    struct fuse_open_out follower = kernel_open_file(&kernel, inode, O_RDONLY);
    struct fuse_open_out reader;

    (void)state;
    assert_int_equal(follower.open_flags, FOPEN_DIRECT_IO | FOPEN_NOFLUSH);
    kernel_release(&kernel, inode, writer.fh);
    reader = kernel_open_file(&kernel, inode, O_RDONLY);
    assert_int_equal(reader.open_flags, FOPEN_DIRECT_IO | FOPEN_NOFLUSH);
    kernel_release(&kernel, inode, follower.fh);
    kernel_release(&kernel, inode, reader.fh);
    reader = kernel_open_file(&kernel, inode, O_RDONLY);
    assert_int_equal(reader.open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
    writer = kernel_open_file(&kernel, inode, O_WRONLY);
    assert_int_equal(writer.open_flags, FOPEN_KEEP_CACHE);
    kernel_release(&kernel, inode, reader.fh);
    kernel_release(&kernel, inode, writer.fh);
    writer = kernel_open_file(&kernel, inode, O_WRONLY);
    assert_int_equal(writer.open_flags, DIRECT);
    kernel_release(&kernel, inode, writer.fh);
}

/* An open that fails, or a change without a handle, takes no part. */
static void only_handles_that_the_kernel_has_count(void **state)
{
    uint64_t inode = old_file("x");
    const struct fuse_open_in in = {.flags = O_WRONLY};
    const struct fuse_setattr_in cut = {.valid = FATTR_SIZE, .size = 0};
    struct fuse_open_out out;

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_OPEN, 12345, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -ESTALE);
    assert_int_equal(kernel_call(&kernel, FUSE_SETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(cut))),
                     0);
    out = kernel_open_file(&kernel, inode, O_RDWR);
    assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE);
    kernel_release(&kernel, inode, out.fh);
    assert_null(open_inodes_find(&kernel.ll.inodes, inode));
    assert_null(open_inodes_find(&kernel.ll.inodes, 12345));
}

/* ---- pages ---- */

static int call_read(uint64_t inode, uint64_t fh, uint32_t read_flags)
{
    const struct fuse_read_in in = {.fh = fh, .size = 4096, .read_flags = read_flags};

    return kernel_call(&kernel, FUSE_READ, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
}

static void send_write(uint64_t inode, uint64_t fh, uint64_t offset, uint32_t write_flags)
{
    const struct fuse_write_in in = {
        .fh = fh, .offset = offset, .size = 3, .write_flags = write_flags};

    kernel_send(&kernel, FUSE_WRITE, inode, KERNEL_PARTS(KERNEL_STRUCT(in), {"abc", 3}));
}

static void expect_dropped(uint64_t inode, int64_t offset, int64_t size)
{
    struct fuse_notify_inval_inode_out out;

    assert_true(kernel_receive(&kernel, 10000));
    assert_int_equal(kernel.reply.header.unique, 0);
    assert_int_equal(kernel.reply.header.error, FUSE_NOTIFY_INVAL_INODE);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.ino, inode);
    assert_int_equal(out.off, offset);
    assert_int_equal(out.len, size);
}

static void expect_answer(void)
{
    assert_true(kernel_receive(&kernel, 10000));
    assert_int_equal(kernel.reply.header.unique, kernel.unique);
    assert_int_equal(kernel.reply.header.error, 0);
}

static void a_write_past_the_cache_is_answered_when_the_pages_are_gone(void **state)
{
    uint64_t inode = old_file("some text");
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDWR | O_DIRECT);

    (void)state;
    send_write(inode, out.fh, 4096, FUSE_WRITE_LOCKOWNER);
    expect_dropped(inode, 4096, 3);
    expect_answer();
    kernel_release(&kernel, inode, out.fh);
}

static void the_caches_own_writes_drop_nothing(void **state)
{
    uint64_t inode = old_file("some text");
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDWR);

    (void)state;
    send_write(inode, out.fh, 0, 0); /* write(2), through the cache */
    expect_answer();
    send_write(inode, out.fh, 0, FUSE_WRITE_CACHE); /* of a mapping */
    expect_answer();
    kernel_release(&kernel, inode, out.fh);
}

static void a_direct_writer_drops_pages_once_somebody_has_mapped(void **state)
{
    uint64_t inode = old_file("some text");
    struct fuse_open_out writer = kernel_open_file(&kernel, inode, O_WRONLY);
    struct fuse_open_out reader = kernel_open_file(&kernel, inode, O_RDONLY);

    (void)state;
    send_write(inode, writer.fh, 0, FUSE_WRITE_LOCKOWNER);
    expect_answer();
    assert_int_equal(call_read(inode, reader.fh, FUSE_READ_LOCKOWNER), 0); /* read(2) */
    send_write(inode, writer.fh, 0, FUSE_WRITE_LOCKOWNER);
    expect_answer();
    assert_int_equal(call_read(inode, reader.fh, 0), 0); /* a page fault */
    send_write(inode, writer.fh, 1, FUSE_WRITE_LOCKOWNER);
    expect_dropped(inode, 1, 3);
    expect_answer();
    kernel_release(&kernel, inode, reader.fh);
    assert_false(kernel_receive(&kernel, 0)); /* the writer is still there */
    kernel_send(
        &kernel, FUSE_RELEASE, inode,
        KERNEL_PARTS({&(struct fuse_release_in){.fh = writer.fh}, sizeof(struct fuse_release_in)}));
    assert_true(kernel_receive(&kernel, 10000)); /* the answer, and all pages: in any order */
    assert_true(kernel_receive(&kernel, 10000));
}

static void expect_text(uint64_t inode, const char *text)
{
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDONLY);

    assert_int_equal(call_read(inode, out.fh, FUSE_READ_LOCKOWNER), 0);
    assert_int_equal(kernel.reply_size, strlen(text));
    assert_memory_equal(kernel.reply.body, text, strlen(text));
    kernel_release(&kernel, inode, out.fh);
}

static void a_page_that_is_written_back_leaves_what_is_claimed(void **state)
{
    uint64_t inode = old_file("0123456789");
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDWR);
    struct open_inode *open = ((struct ll_file *)(uintptr_t)out.fh)->open;
    const struct fuse_write_in in = {.fh = out.fh, .size = 10, .write_flags = FUSE_WRITE_CACHE};
    struct open_claim claims[] = {
        {.offset = 2, .end = 4}, {.offset = 3, .end = 5}, {.offset = 9, .end = 20}};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(claims); i++)
        open_inode_claim(open, &claims[i]);
    assert_int_equal(kernel_call(&kernel, FUSE_WRITE, inode,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), {"abcdefghij", 10})),
                     0);
    expect_text(inode, "ab234fghi9");
    for (size_t i = 0; i < TFS_ARRAY_COUNT(claims); i++)
        open_inode_unclaim(open, &claims[i]);
    assert_int_equal(kernel_call(&kernel, FUSE_WRITE, inode,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), {"abcdefghij", 10})),
                     0);
    expect_text(inode, "abcdefghij");
    kernel_release(&kernel, inode, out.fh);
}

static void punching_drops_pages_before_the_answer(void **state)
{
    uint64_t inode = old_file("0123456789");
    struct fuse_open_out reader = kernel_open_file(&kernel, inode, O_RDONLY);
    struct fuse_open_out writer = kernel_open_file(&kernel, inode, O_WRONLY);
    struct fuse_fallocate_in in = {.fh = writer.fh,
                                   .offset = 2,
                                   .length = 3,
                                   .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};

    (void)state;
    kernel_send(&kernel, FUSE_FALLOCATE, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
    expect_dropped(inode, 2, 3);
    expect_answer();
    in.mode = 0;
    in.length = 100;
    kernel_send(&kernel, FUSE_FALLOCATE, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
    expect_dropped(inode, 2, 0); /* grown: all from there on */
    expect_answer();
    kernel_release(&kernel, inode, reader.fh);
    kernel_release(&kernel, inode, writer.fh);
}

static void only_whole_pages_are_copied_over_pages(void **state)
{
    static const struct {
        uint64_t offset;
        uint64_t size;
        int64_t copied;
    } copies[] = {
        {0, 5000, 4096},          /* the rest comes as a call of its own */
        {4096, 904, -EOPNOTSUPP}, /* that is the kernel's */
        {100, 4096, -EOPNOTSUPP},
        {16384, 5000, 5000}, /* behind the end nobody has stored */
    };
    char *text = calloc(1, 20001);
    struct fuse_open_out source;
    struct fuse_open_out target;
    struct fuse_copy_file_range_in in;
    struct fuse_write_out out;
    uint64_t inode;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 20000);
    inode = old_file(text);
    source = kernel_open_file(&kernel, inode, O_RDONLY);
    in = (struct fuse_copy_file_range_in){.fh_in = source.fh};
    in.nodeid_out = kernel_create(&kernel, FUSE_ROOT_ID, "to", O_RDWR, &target);
    in.fh_out = target.fh;
    assert_int_equal(kernel_write(&kernel, in.nodeid_out, target.fh, 0, text), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(copies); i++) {
        in.off_out = copies[i].offset;
        in.len = copies[i].size;
        kernel_send(&kernel, FUSE_COPY_FILE_RANGE, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
        if (copies[i].copied > 0)
            expect_dropped(in.nodeid_out, (int64_t)copies[i].offset, copies[i].copied);
        assert_true(kernel_receive(&kernel, 10000));
        assert_int_equal(kernel.reply.header.error, copies[i].copied < 0 ? copies[i].copied : 0);
        memcpy(&out, kernel.reply.body, sizeof(out));
        if (copies[i].copied > 0)
            assert_int_equal(out.size, copies[i].copied);
    }
    kernel_release(&kernel, inode, source.fh);
    kernel_release(&kernel, in.nodeid_out, target.fh);
    free(text);
}

/* Opens to read. Returns whether all pages were dropped since `send`, before the answer. */
static bool reopening_drops(uint64_t inode, uint64_t release_fh)
{
    const struct fuse_release_in release = {.fh = release_fh};
    const struct fuse_open_in in = {.flags = O_RDONLY};
    struct fuse_open_out out;
    bool is_dropped = false;

    kernel_send(&kernel, FUSE_RELEASE, inode, KERNEL_PARTS(KERNEL_STRUCT(release)));
    kernel_send(&kernel, FUSE_OPEN, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
    do {
        assert_true(kernel_receive(&kernel, 10000));
        is_dropped = is_dropped || kernel.reply.header.unique == 0;
    } while (kernel.reply.header.unique != kernel.unique);
    assert_int_equal(kernel.reply.header.error, 0);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
    kernel_release(&kernel, inode, out.fh);
    return is_dropped;
}

static void pages_of_direct_times_are_gone_before_a_cached_handle_is_answered(void **state)
{
    uint64_t inode = old_file("some text");
    struct fuse_open_out writer = kernel_open_file(&kernel, inode, O_WRONLY);
    struct fuse_open_out reader = kernel_open_file(&kernel, inode, O_RDONLY);

    (void)state;
    assert_int_equal(call_read(inode, reader.fh, 0), 0); /* a page fault */
    send_write(inode, writer.fh, 0, FUSE_WRITE_LOCKOWNER);
    expect_dropped(inode, 0, 3);
    expect_answer();
    kernel_release(&kernel, inode, reader.fh);
    assert_true(reopening_drops(inode, writer.fh));
}

static void without_pages_or_writes_none_are_dropped(void **state)
{
    uint64_t inode = old_file("some text");
    struct fuse_open_out writer = kernel_open_file(&kernel, inode, O_WRONLY);
    struct fuse_open_out reader;

    (void)state;
    send_write(inode, writer.fh, 0, FUSE_WRITE_LOCKOWNER);
    expect_answer();
    assert_false(reopening_drops(inode, writer.fh));
    writer = kernel_open_file(&kernel, inode, O_WRONLY);
    reader = kernel_open_file(&kernel, inode, O_RDONLY);
    assert_int_equal(call_read(inode, reader.fh, 0), 0);
    kernel_release(&kernel, inode, reader.fh);
    assert_false(reopening_drops(inode, writer.fh));
}

/* ---- sizes ---- */

static void a_change_shows_when_it_is_answered(void **state)
{
    uint64_t inode = old_file("12345");
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDWR);
    struct ll_file *file = (struct ll_file *)(uintptr_t)out.fh;
    struct open_inodes *inodes = &kernel.ll.inodes;

    (void)state;
    ll_file_mark_written(&kernel.ll, file);
    assert_int_equal(open_inode_change_begin(inodes, file->open), 5);
    assert_int_equal(tfs_file_write(file->file, 5, "678", 3, 0), 3);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.size, 5);
    assert_int_equal(open_inode_change_begin(inodes, file->open), 5); /* of another writer */
    open_inode_change_end(inodes, file->open, OPEN_CHANGE_WRITTEN, 7);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.size, 7);
    open_inode_change_end(inodes, file->open, OPEN_CHANGE_WRITTEN, 8);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.size, 8);
    kernel_release(&kernel, inode, out.fh);
}

/* Asks for attributes. Returns to what size the kernel was told to grow the file before, or 0. */
static uint64_t grown_by_getattr(uint64_t inode, uint64_t size)
{
    const struct fuse_getattr_in in = {.fh = 0};
    struct fuse_notify_store_out store;
    struct fuse_attr_out out;
    uint64_t grown = 0;

    kernel_send(&kernel, FUSE_GETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in)));
    assert_true(kernel_receive(&kernel, 10000));
    if (kernel.reply.header.unique == 0) {
        assert_int_equal(kernel.reply.header.error, FUSE_NOTIFY_STORE);
        memcpy(&store, kernel.reply.body, sizeof(store));
        assert_int_equal(store.nodeid, inode);
        assert_int_equal(store.size, 1);
        grown = store.offset + 1;
        assert_true(kernel_receive(&kernel, 10000));
    }
    assert_int_equal(kernel.reply.header.unique, kernel.unique);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.attr.size, size);
    return grown;
}

static void a_size_that_the_kernel_may_not_have_is_given_to_it_first(void **state)
{
    static char readable[1];
    void *unreadable = kernel.ll.unreadable;
    const struct fuse_setattr_in cut = {.valid = FATTR_SIZE, .size = 100};
    uint64_t inode = old_file("12345");
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDWR);

    (void)state;
    kernel.ll.unreadable = readable; /* a socket would send nothing */
    assert_int_equal(grown_by_getattr(inode, 5), 0);
    send_write(inode, out.fh, 5, 0);
    expect_answer();
    assert_int_equal(grown_by_getattr(inode, 8), 8);
    assert_int_equal(grown_by_getattr(inode, 8), 0); /* once */
    send_write(inode, out.fh, 0, 0);
    expect_answer();
    assert_int_equal(grown_by_getattr(inode, 8), 0);
    /* The kernel takes a size that is set over by itself, and has to find the old one then. */
    assert_int_equal(kernel_call(&kernel, FUSE_SETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(cut))),
                     0);
    assert_int_equal(grown_by_getattr(inode, 100), 0);
    kernel_release(&kernel, inode, out.fh);
    kernel.ll.unreadable = unreadable;
}

static void where_nobody_reads_nothing_is_told_first(void **state)
{
    static char readable[1];
    void *unreadable = kernel.ll.unreadable;
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "new", O_WRONLY, &out);

    (void)state;
    kernel.ll.unreadable = readable;
    send_write(inode, out.fh, 0, FUSE_WRITE_LOCKOWNER);
    expect_answer();
    assert_int_equal(grown_by_getattr(inode, 3), 0);
    kernel_release(&kernel, inode, out.fh);
    kernel.ll.unreadable = unreadable;
}

static void what_was_cut_meanwhile_is_not_grown_again(void **state)
{
    uint64_t inode = old_file("12345");
    struct fuse_open_out out = kernel_open_file(&kernel, inode, O_RDWR);
    struct ll_file *file = (struct ll_file *)(uintptr_t)out.fh;
    struct open_inodes *inodes = &kernel.ll.inodes;
    struct open_size size;

    (void)state;
    send_write(inode, out.fh, 5, 0);
    expect_answer();
    size = open_inode_size_to_tell(inodes, file->open);
    assert_int_equal(size.size, 8);
    assert_false(size.is_known);
    (void)open_inode_change_begin(inodes, file->open);
    open_inode_cut_begin(file->open);
    assert_false(open_inode_tell_begin(file->open, &size));
    assert_true(open_inode_size_to_tell(inodes, file->open).is_known);
    open_inode_change_end(inodes, file->open, OPEN_CHANGE_CUT, 0);
    assert_false(open_inode_tell_begin(file->open, &size));
    kernel_release(&kernel, inode, out.fh);
}

#define NEW_KERNEL(name) cmocka_unit_test_setup_teardown(name, kernel_set_up, kernel_tear_down)
#define OLD_KERNEL(name) cmocka_unit_test_setup_teardown(name, kernel_set_up_old, kernel_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW_KERNEL(who_comes_second_takes_the_way_that_is_in_use),
        OLD_KERNEL(who_comes_second_takes_the_way_that_is_in_use),
        NEW_KERNEL(a_temporary_file_shares_its_way_with_who_opens_it_again),
        NEW_KERNEL(the_way_changes_when_the_last_has_left),
        NEW_KERNEL(only_handles_that_the_kernel_has_count),
        NEW_KERNEL(a_write_past_the_cache_is_answered_when_the_pages_are_gone),
        OLD_KERNEL(a_write_past_the_cache_is_answered_when_the_pages_are_gone),
        NEW_KERNEL(the_caches_own_writes_drop_nothing),
        NEW_KERNEL(a_direct_writer_drops_pages_once_somebody_has_mapped),
        NEW_KERNEL(a_page_that_is_written_back_leaves_what_is_claimed),
        NEW_KERNEL(punching_drops_pages_before_the_answer),
        NEW_KERNEL(only_whole_pages_are_copied_over_pages),
        NEW_KERNEL(pages_of_direct_times_are_gone_before_a_cached_handle_is_answered),
        NEW_KERNEL(without_pages_or_writes_none_are_dropped),
        NEW_KERNEL(a_change_shows_when_it_is_answered),
        NEW_KERNEL(a_size_that_the_kernel_may_not_have_is_given_to_it_first),
        NEW_KERNEL(where_nobody_reads_nothing_is_told_first),
        NEW_KERNEL(what_was_cut_meanwhile_is_not_grown_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
