/*
 * Goal: what the store changes by itself reaches the kernel, while there is a mount and not
 * otherwise. Method: the test takes the store's place and makes the upcalls, a fake kernel reads
 * what it is told.
 */
#include "fs/upcalls.h"
#include "tests/unit/fs_kernel_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TOLD_MS = 10000, FILE_SIZE = 8192, CUT_SIZE = 5000 };

static struct upcalls upcalls;

static int set_up(void **state)
{
    upcalls_init(&upcalls);
    return kernel_set_up(state);
}

static int tear_down(void **state)
{
    int err = kernel_tear_down(state);

    upcalls_release(&upcalls);
    return err;
}

static void change(uint64_t inode, uint64_t from, uint64_t to, bool is_cut)
{
    struct tfs_upcalls table = upcalls_table(&upcalls);

    table.inode_changed(
        table.context,
        &(struct tfs_inode_change){.inode = inode, .from = from, .to = to, .is_cut = is_cut});
}

static struct fuse_notify_inval_inode_out receive_inval(void)
{
    struct fuse_notify_inval_inode_out out;

    assert_true(kernel_receive(&kernel, TOLD_MS));
    assert_int_equal(kernel.reply.header.unique, 0);
    assert_int_equal(kernel.reply.header.error, FUSE_NOTIFY_INVAL_INODE);
    assert_int_equal(kernel.reply_size, sizeof(out));
    memcpy(&out, kernel.reply.body, sizeof(out));
    return out;
}

static void the_kernel_drops_what_has_changed(void **state)
{
    struct fuse_notify_inval_inode_out told;

    (void)state;
    upcalls_attach(&upcalls, &kernel.ll);
    change(77, 4096, 12288, false);
    told = receive_inval();
    assert_int_equal(told.ino, 77);
    assert_int_equal(told.off, 4096);
    assert_int_equal(told.len, 8192);
    change(78, 100, UINT64_MAX, false);
    told = receive_inval();
    assert_int_equal(told.ino, 78);
    assert_int_equal(told.off, 100);
    assert_int_equal(told.len, 0); /* to the end */
    assert_false(kernel_receive(&kernel, 0));
    upcalls_detach(&upcalls);
}

/* In the order of the notifier's queue: what was told before is read first, and nothing else. */
static void without_a_mount_nobody_is_told(void **state)
{
    (void)state;
    change(1, 0, 1, false);
    upcalls_attach(&upcalls, &kernel.ll);
    change(2, 0, 1, false);
    assert_int_equal(receive_inval().ino, 2);
    upcalls_detach(&upcalls);
    change(3, 0, 1, false);
    upcalls_attach(&upcalls, &kernel.ll);
    change(4, 0, 1, false);
    assert_int_equal(receive_inval().ino, 4);
    ll_stop(&kernel.ll);
    change(5, 0, 1, false); /* the mount is ending: dropped by who tells */
    assert_false(kernel_receive(&kernel, 0));
    upcalls_detach(&upcalls);
}

/* Else the kernel would not be told when the file grows again. */
static void of_an_open_file_that_was_cut_the_size_is_known_anew(void **state)
{
    const struct tfs_setattr cut = {.fields = TFS_SET_SIZE, .size = CUT_SIZE};
    struct fuse_open_out opened;
    uint64_t inode = kernel_create(&kernel, TFS_ROOT_INODE, "file", O_RDWR, &opened);
    struct open_inode *open;
    struct tfs_attr attr;
    char bytes[FILE_SIZE + 1];

    (void)state;
    memset(bytes, 'x', FILE_SIZE);
    bytes[FILE_SIZE] = '\0';
    assert_int_equal(kernel_write(&kernel, inode, opened.fh, 0, bytes), 0);
    kernel_release(&kernel, inode, opened.fh);
    opened = kernel_open_file(&kernel, inode, O_RDWR);
    open = open_inodes_find(&kernel.ll.inodes, inode);
    assert_non_null(open);
    assert_int_equal(open->size_known, FILE_SIZE);

    assert_int_equal(tfs_setattr(kernel.volume, inode, &cut, &attr), 0); /* as the store itself */
    upcalls_attach(&upcalls, &kernel.ll);
    change(inode, CUT_SIZE, UINT64_MAX, true);
    assert_int_equal(receive_inval().off, CUT_SIZE);
    ll_stop(&kernel.ll); /* waits for the task's end */
    assert_int_equal(open->size_known, CUT_SIZE);
    assert_int_equal(open->change_count, 0);
    assert_int_equal(open->cut_count, 0);
    upcalls_detach(&upcalls);
    open_inode_put(&kernel.ll.inodes, open);
    kernel_release(&kernel, inode, opened.fh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_kernel_drops_what_has_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_mount_nobody_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_an_open_file_that_was_cut_the_size_is_known_anew, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
