/*
 * Goal: requests that libfuse does not handle for us are answered right, and none of a wrong length
 * makes us read behind it.
 * Method: fs_fake_kernel.h; each message is exactly as long as it says, so that ASan sees more.
 */
#include "control/attribute.h"
#include "fs/ioctl.h"
#include "tests/unit/fs_kernel_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void make_setuid(uint64_t inode)
{
    const struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = S_IFREG | 06755};

    assert_int_equal(kernel_call(&kernel, FUSE_SETATTR, inode, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
}

/* ---- ioctl ---- */

static int call_block_crcs(uint64_t inode, uint64_t fh, const struct tfs_block_crcs *crcs)
{
    const struct fuse_ioctl_in in = {
        .fh = fh, .cmd = TFS_IOC_BLOCK_CRCS, .in_size = sizeof(*crcs), .out_size = sizeof(*crcs)};

    return kernel_call(&kernel, FUSE_IOCTL, inode,
                       KERNEL_PARTS(KERNEL_STRUCT(in), {crcs, sizeof(*crcs)}));
}

static void block_checksums_are_given_to_readers(void **state)
{
    struct tfs_block_crcs crcs = {.count_max = 4};
    struct fuse_open_out writer;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &writer);
    struct fuse_open_out reader = kernel_open_file(&kernel, inode, O_RDONLY);

    (void)state;
    assert_int_equal(call_block_crcs(inode, writer.fh, &crcs), -EBADF);
    assert_int_equal(kernel_write(&kernel, inode, writer.fh, 0, "123456789"), 0);
    assert_int_equal(call_block_crcs(inode, reader.fh, &crcs), 0);
    assert_int_equal(kernel.reply_size, sizeof(struct fuse_ioctl_out) + sizeof(crcs));
    memcpy(&crcs, kernel.reply.body + sizeof(struct fuse_ioctl_out), sizeof(crcs));
    assert_int_equal(crcs.count, 1);
    assert_int_equal(crcs.crc[0], 0xE3069283);
    assert_true(tfs_is_power_of_two(crcs.block_size));
    kernel_release(&kernel, inode, reader.fh);
    kernel_release(&kernel, inode, writer.fh);
}

static void bad_questions_for_block_checksums_are_refused(void **state)
{
    struct tfs_block_crcs crcs = {.count_max = 0};
    struct fuse_ioctl_in in = {.cmd = 4711};
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_RDWR, &out);

    (void)state;
    assert_int_equal(call_block_crcs(inode, out.fh, &crcs), -EINVAL);
    crcs.count_max = TFS_BLOCK_CRCS_MAX + 1;
    assert_int_equal(call_block_crcs(inode, out.fh, &crcs), -EINVAL);
    crcs.count_max = 1;
    crcs.flags = 1;
    assert_int_equal(call_block_crcs(inode, out.fh, &crcs), -EINVAL);
    in.fh = out.fh;
    assert_int_equal(kernel_call(&kernel, FUSE_IOCTL, inode, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -ENOTTY);
    in.cmd = TFS_IOC_BLOCK_CRCS;
    assert_int_equal(kernel_call(&kernel, FUSE_IOCTL, inode, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -EINVAL);
    in.in_size = 1;
    assert_int_equal(kernel_call(&kernel, FUSE_IOCTL, inode, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -EINVAL); /* not as long as it says */
    kernel_release(&kernel, inode, out.fh);
}

/* ---- what libfuse 3.14 does not know ---- */

static void interrupts_are_not_wanted(void **state)
{
    const struct fuse_interrupt_in in = {.unique = 1};

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_INTERRUPT, 0, KERNEL_PARTS(KERNEL_STRUCT(in))),
                     -ENOSYS);
}

static void syncfs_is_answered(void **state)
{
    const struct fuse_syncfs_in in = {.padding = 0};

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_SYNCFS, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
}

static void tmpfile_gives_an_open_file_without_a_name(void **state)
{
    const struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0666, .umask = 0027};
    struct fuse_entry_out entry;
    struct fuse_open_out out;

    (void)state;
    kernel.uid = 33;
    assert_int_equal(kernel_call(&kernel, FUSE_TMPFILE, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT("#1"))),
                     0);
    assert_int_equal(kernel.reply_size, sizeof(entry) + sizeof(out));
    memcpy(&entry, kernel.reply.body, sizeof(entry));
    memcpy(&out, kernel.reply.body + sizeof(entry), sizeof(out));
    assert_int_equal(entry.attr.nlink, 0);
    assert_int_equal(entry.attr.mode, S_IFREG | 0640);
    assert_int_equal(entry.attr.uid, 33);
    assert_int_equal(out.open_flags, DIRECT);
    assert_int_equal(kernel_write(&kernel, entry.nodeid, out.fh, 0, "abc"), 0);
    kernel_release(&kernel, entry.nodeid, out.fh);
}

static void statx_has_the_time_of_birth(void **state)
{
    const uint32_t in[6] = {0};
    struct tfs_attr attr;
    uint32_t mask;
    int64_t born;

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, PROTOCOL_OPCODE_STATX, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))),
        0);
    assert_int_equal(kernel.reply_size, 288);
    memcpy(&mask, kernel.reply.body + 32, sizeof(mask)); /* struct fuse_statx starts at 32 */
    assert_int_equal(mask, STATX_BASIC_STATS | STATX_BTIME);
    memcpy(&born, kernel.reply.body + 32 + 80, sizeof(born));
    assert_int_equal(tfs_getattr(kernel.volume, FUSE_ROOT_ID, &attr), 0);
    assert_int_equal(born, attr.btime.tv_sec);
    assert_true(born > 0);
}

static void setxattr_is_understood_in_both_lengths_of_its_header(void **state)
{
    const struct fuse_setxattr_in in = {.size = 5};
    bool is_extended = protocol_has(&kernel.ll.protocol, FUSE_SETXATTR_EXT);
    char value[16];

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_SETXATTR, FUSE_ROOT_ID,
                    KERNEL_PARTS({&in, is_extended ? 16 : 8}, KERNEL_TEXT("user.a"), {"value", 5})),
        0);
    assert_int_equal(tfs_getxattr(kernel.volume, FUSE_ROOT_ID, "user.a", value, sizeof(value)), 5);
    assert_memory_equal(value, "value", 5);
}

static void setting_an_acl_may_take_setgid_away(void **state)
{
    const struct fuse_setxattr_in in = {.size = 1, .setxattr_flags = FUSE_SETXATTR_ACL_KILL_SGID};
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);

    (void)state;
    make_setuid(inode);
    assert_int_equal(kernel_call(&kernel, FUSE_SETXATTR, inode,
                                 KERNEL_PARTS(KERNEL_STRUCT(in),
                                              KERNEL_TEXT("system.posix_acl_access"), {"x", 1})),
                     0);
    assert_int_equal(kernel_getattr(&kernel, inode).attr.mode, S_IFREG | 04755);
    kernel_release(&kernel, inode, out.fh);
}

static void getxattr_tells_the_size_and_refuses_what_does_not_fit(void **state)
{
    const struct tfs_xattr xattr = {.name = "user.a", .value = "12345678", .size = 8};
    struct fuse_getxattr_in in = {.size = 0};
    struct fuse_getxattr_out out;

    (void)state;
    assert_int_equal(tfs_setxattr(kernel.volume, FUSE_ROOT_ID, &xattr), 0);
    assert_int_equal(kernel_call(&kernel, FUSE_GETXATTR, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT("user.a"))),
                     0);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.size, 8);
    in.size = 7;
    assert_int_equal(kernel_call(&kernel, FUSE_GETXATTR, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT("user.a"))),
                     -ERANGE);
    assert_int_equal(kernel_call(&kernel, FUSE_GETXATTR, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT("user.b"))),
                     -ENODATA);
    in.size = 0;
    assert_int_equal(
        kernel_call(&kernel, FUSE_LISTXATTR, FUSE_ROOT_ID, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.size, sizeof("user.a"));
}

/* ---- hostile requests ---- */

/* The size in an answer to a question without room, or the error. */
static int64_t computed_size(uint64_t inode, const char *name, uint32_t room)
{
    const struct fuse_getxattr_in in = {.size = room};
    struct fuse_getxattr_out out;
    int err = kernel_call(&kernel, FUSE_GETXATTR, inode,
                          KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT(name)));

    if (err)
        return err;
    if (room > 0)
        return (int64_t)kernel.reply_size;
    memcpy(&out, kernel.reply.body, sizeof(out));
    return out.size;
}

static void what_is_computed_is_read_like_what_is_stored(void **state)
{
    static char address[] = "/a/store/control";
    struct fuse_open_out out;
    uint64_t file = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);
    const struct {
        uint64_t inode;
        const char *name;
        const char *begin;
    } cases[] = {
        {file, "user.tensorfs.info", "{\"logical_bytes\":0,"},
        {FUSE_ROOT_ID, "user.tensorfs.stats", "{\"cache\":{"},
        {file, "user.tensorfs.control", "/a/store/control"},
    };

    (void)state;
    kernel.ll.control_address = address;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        int64_t size = computed_size(cases[i].inode, cases[i].name, 0);

        assert_true(size > 0);
        assert_int_equal(computed_size(cases[i].inode, cases[i].name, (uint32_t)size - 1), -ERANGE);
        assert_int_equal(computed_size(cases[i].inode, cases[i].name, (uint32_t)size), size);
        assert_memory_equal(kernel.reply.body, cases[i].begin, strlen(cases[i].begin));
    }
    assert_int_equal(computed_size(FUSE_ROOT_ID, "user.tensorfs.info", 0), -ENODATA);
    assert_int_equal(computed_size(file, "user.tensorfs.stats", 0), -ENODATA);
    assert_int_equal(computed_size(file, "user.tensorfs.control.abstract", 0), -ENODATA);
    kernel_release(&kernel, file, out.fh);
}

static void what_is_computed_can_only_be_read(void **state)
{
    static const char *const names[] = {"user.tensorfs.info", "user.tensorfs.stats",
                                        "user.tensorfs.control", "user.tensorfs.control.abstract"};
    const struct fuse_setxattr_in in = {.size = 1};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        assert_int_equal(
            kernel_call(&kernel, FUSE_SETXATTR, FUSE_ROOT_ID,
                        KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT(names[i]), {"x", 1})),
            -EPERM);
        assert_int_equal(kernel_call(&kernel, FUSE_REMOVEXATTR, FUSE_ROOT_ID,
                                     KERNEL_PARTS(KERNEL_TEXT(names[i]))),
                         -EPERM);
    }
}

static void requests_that_are_too_short_are_refused(void **state)
{
    static const uint32_t opcodes[] = {
        FUSE_READ,      FUSE_WRITE,      FUSE_OPEN,     FUSE_RELEASE,         FUSE_FSYNC,
        FUSE_FLUSH,     FUSE_READDIR,    FUSE_FSYNCDIR, FUSE_READDIRPLUS,     FUSE_OPENDIR,
        FUSE_SETATTR,   FUSE_SETXATTR,   FUSE_TMPFILE,  FUSE_COPY_FILE_RANGE, FUSE_FALLOCATE,
        FUSE_LSEEK,     FUSE_RELEASEDIR, FUSE_GETATTR,  FUSE_MKNOD,           FUSE_MKDIR,
        FUSE_RENAME,    FUSE_RENAME2,    FUSE_LINK,     FUSE_CREATE,          FUSE_GETXATTR,
        FUSE_LISTXATTR,
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(opcodes); i++) {
        const struct fuse_in_header header = {.len = sizeof(header) + 4, .opcode = opcodes[i]};

        (void)ll_is_data(&kernel.ll, &header, sizeof(header));
        assert_int_equal(kernel_call(&kernel, opcodes[i], FUSE_ROOT_ID, KERNEL_PARTS({"abc", 4})),
                         -EINVAL);
    }
}

static void names_without_an_end_are_refused(void **state)
{
    const struct fuse_rename_in rename = {.newdir = FUSE_ROOT_ID};
    const struct fuse_mkdir_in directory = {.mode = 0755};

    (void)state;
    assert_int_equal(kernel_call(&kernel, FUSE_LOOKUP, FUSE_ROOT_ID, KERNEL_PARTS({"name", 4})),
                     -EINVAL);
    assert_int_equal(kernel_call(&kernel, FUSE_MKDIR, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(directory), {"name", 4})),
                     -EINVAL);
    assert_int_equal(kernel_call(&kernel, FUSE_SYMLINK, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_TEXT("name"), {"target", 6})),
                     -EINVAL);
    assert_int_equal(
        kernel_call(&kernel, FUSE_RENAME, FUSE_ROOT_ID,
                    KERNEL_PARTS(KERNEL_STRUCT(rename), KERNEL_TEXT("old"), {"new", 3})),
        -EINVAL);
}

static void forgets_that_promise_more_than_they_have_forget_nothing(void **state)
{
    uint64_t inode = kernel_mkdir(&kernel, FUSE_ROOT_ID, "d");
    const struct fuse_batch_forget_in in = {.count = 2};
    const struct fuse_forget_one one = {.nodeid = inode, .nlookup = 1};

    (void)state;
    kernel_send(&kernel, FUSE_BATCH_FORGET, 0, KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_STRUCT(one)));
    kernel_send(&kernel, FUSE_FORGET, inode, KERNEL_PARTS({"abc", 4}));
    assert_false(kernel_receive(&kernel, 0)); /* to which nothing is answered */
    assert_int_equal(kernel_getattr(&kernel, inode).attr.ino, inode);
}

static bool getxattr_is_data(const char *name, size_t name_size)
{
    struct {
        struct fuse_in_header header;
        struct fuse_getxattr_in in;
        char name[64];
    } request = {.header = {.opcode = FUSE_GETXATTR}};

    memcpy(request.name, name, name_size);
    return ll_is_data(&kernel.ll, &request.header, offsetof(__typeof__(request), name) + name_size);
}

static void only_the_attribute_that_commits_is_a_data_request(void **state)
{
    static const char *const others[] = {"user.tensorfs.inf", "user.tensorfs.info2",
                                         "user.tensorfs.stats", "security.capability"};
    const size_t size = sizeof(CONTROL_ATTRIBUTE_INFO);

    (void)state;
    assert_true(getxattr_is_data(CONTROL_ATTRIBUTE_INFO, size));
    for (size_t i = 0; i < TFS_ARRAY_COUNT(others); i++)
        assert_false(getxattr_is_data(others[i], strlen(others[i]) + 1));
    for (size_t cut = 0; cut < size; cut++) /* what is refused anyway is not looked at further */
        assert_false(getxattr_is_data(CONTROL_ATTRIBUTE_INFO, cut));
}

static void seeking_waits_for_a_place_at_the_gate(void **state)
{
    const struct fuse_in_header header = {.opcode = FUSE_LSEEK};

    (void)state;
    assert_true(ll_is_data(&kernel.ll, &header, sizeof(header)));
}

static void a_write_that_promises_more_than_it_has_is_refused(void **state)
{
    struct fuse_open_out out;
    uint64_t inode = kernel_create(&kernel, FUSE_ROOT_ID, "f", O_WRONLY, &out);
    const struct fuse_write_in in = {.fh = out.fh, .size = 4};

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_WRITE, inode, KERNEL_PARTS(KERNEL_STRUCT(in), {"abc", 3})),
        -EINVAL);
    kernel_release(&kernel, inode, out.fh);
}

static void an_xattr_that_promises_more_than_it_has_is_refused(void **state)
{
    const struct fuse_setxattr_in in = {.size = 6};

    (void)state;
    assert_int_equal(
        kernel_call(&kernel, FUSE_SETXATTR, FUSE_ROOT_ID,
                    KERNEL_PARTS(KERNEL_STRUCT(in), KERNEL_TEXT("user.a"), {"value", 5})),
        -EINVAL);
    assert_int_equal(kernel_call(&kernel, FUSE_SETXATTR, FUSE_ROOT_ID,
                                 KERNEL_PARTS(KERNEL_STRUCT(in), {"user.unterminated", 17})),
                     -EINVAL);
}

static void unknown_requests_are_answered_enosys(void **state)
{
    (void)state;
    assert_int_equal(kernel_call(&kernel, 63, FUSE_ROOT_ID, KERNEL_PARTS({"abc", 4})), -ENOSYS);
    assert_int_equal(kernel_call(&kernel, 4711, FUSE_ROOT_ID, KERNEL_PARTS({"abc", 4})), -ENOSYS);
}

/* ---- copy_file_range ---- */

static void a_range_is_copied_between_files(void **state)
{
    struct fuse_copy_file_range_in in = {.off_in = 6, .off_out = 4096, .len = 1ull << 40};
    struct fuse_open_out from;
    struct fuse_open_out to;
    uint64_t source = kernel_create(&kernel, FUSE_ROOT_ID, "a", O_RDWR, &from);
    struct fuse_write_out out;

    (void)state;
    in.nodeid_out = kernel_create(&kernel, FUSE_ROOT_ID, "b", O_WRONLY, &to);
    in.fh_in = from.fh;
    in.fh_out = to.fh;
    assert_int_equal(kernel_write(&kernel, source, from.fh, 0, "hello world"), 0);
    assert_int_equal(
        kernel_call(&kernel, FUSE_COPY_FILE_RANGE, source, KERNEL_PARTS(KERNEL_STRUCT(in))), 0);
    memcpy(&out, kernel.reply.body, sizeof(out));
    assert_int_equal(out.size, 5);
    assert_int_equal(kernel_getattr(&kernel, in.nodeid_out).attr.size, 4101);
    assert_int_equal(kernel_getattr(&kernel, in.nodeid_out).attr_valid, 0);
    in.flags = 1;
    assert_int_equal(
        kernel_call(&kernel, FUSE_COPY_FILE_RANGE, source, KERNEL_PARTS(KERNEL_STRUCT(in))),
        -EINVAL);
    kernel_release(&kernel, source, from.fh);
    kernel_release(&kernel, in.nodeid_out, to.fh);
}

#define NEW_KERNEL(name) cmocka_unit_test_setup_teardown(name, kernel_set_up, kernel_tear_down)
#define OLD_KERNEL(name) cmocka_unit_test_setup_teardown(name, kernel_set_up_old, kernel_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW_KERNEL(block_checksums_are_given_to_readers),
        NEW_KERNEL(bad_questions_for_block_checksums_are_refused),
        NEW_KERNEL(interrupts_are_not_wanted),
        NEW_KERNEL(syncfs_is_answered),
        NEW_KERNEL(tmpfile_gives_an_open_file_without_a_name),
        NEW_KERNEL(statx_has_the_time_of_birth),
        NEW_KERNEL(setxattr_is_understood_in_both_lengths_of_its_header),
        OLD_KERNEL(setxattr_is_understood_in_both_lengths_of_its_header),
        NEW_KERNEL(setting_an_acl_may_take_setgid_away),
        NEW_KERNEL(getxattr_tells_the_size_and_refuses_what_does_not_fit),
        NEW_KERNEL(what_is_computed_is_read_like_what_is_stored),
        NEW_KERNEL(what_is_computed_can_only_be_read),
        NEW_KERNEL(requests_that_are_too_short_are_refused),
        NEW_KERNEL(names_without_an_end_are_refused),
        NEW_KERNEL(forgets_that_promise_more_than_they_have_forget_nothing),
        NEW_KERNEL(only_the_attribute_that_commits_is_a_data_request),
        NEW_KERNEL(seeking_waits_for_a_place_at_the_gate),
        NEW_KERNEL(a_write_that_promises_more_than_it_has_is_refused),
        NEW_KERNEL(an_xattr_that_promises_more_than_it_has_is_refused),
        NEW_KERNEL(unknown_requests_are_answered_enosys),
        NEW_KERNEL(a_range_is_copied_between_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
