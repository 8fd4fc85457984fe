/*
 * Goal: the command line does what the help text says, and what it cannot do is refused in one
 * line. Method: options_parse() on argument vectors; nothing is mounted.
 */
#include "fs/labels.h"
#include "fs/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct options options;
static struct tfs_message message;

/* Parses the arguments, up to NULL, behind the program's name. */
static int parse(const char *first, ...) __attribute__((sentinel));
static int parse(const char *first, ...)
{
    char *argv[16] = {(char[]){"tensorfs"}};
    char texts[15][PATH_MAX + 128];
    int argc = 1;
    va_list rest;

    va_start(rest, first);
    for (const char *text = first; text; text = va_arg(rest, const char *)) {
        assert_true(argc < 16 && strlen(text) < sizeof(texts[0]));
        memcpy(texts[argc - 1], text, strlen(text) + 1);
        argv[argc] = texts[argc - 1];
        argc++;
    }
    va_end(rest);
    memset(&message, 0, sizeof(message));
    return options_parse(argc, argv, &options, &message);
}

static void assert_refused(int err, const char *expected)
{
    assert_int_equal(err, -EINVAL);
    assert_string_equal(message.text, expected);
    assert_null(strchr(message.text, '\n'));
}

static void a_mountpoint_alone_takes_every_default(void **state)
{
    struct options defaults;

    (void)state;
    options_init(&defaults);
    assert_int_equal(parse("/mnt", NULL), 0);
    assert_string_equal(options.mountpoint, "/mnt");
    assert_string_equal(options.store, "");
    assert_int_equal(options.volume.chunk_size, defaults.volume.chunk_size);
    assert_int_equal(options.volume.memory_size, defaults.volume.memory_size);
    assert_int_equal(options.volume.lock_wait_ms, 10000);
    assert_true(options.volume.create);
    assert_false(options.foreground || options.allow_other || options.volume.read_only);
}

static void every_option_with_a_value_is_stored(void **state)
{
    (void)state;
    assert_int_equal(parse("--chunk_size=1M", "--compression=zstd:7", "--concurrency=3",
                           "--threads=5", "--memory=1G", "--cache=100M", "--commit_interval=9",
                           "--read_ahead=2M", "--request_threads=32", "--lock_wait=1",
                           "--fsname=name", "--log-level=warn", "/s", "/m", NULL),
                     0);
    assert_int_equal(options.volume.chunk_size, TFS_MIB);
    assert_int_equal(options.volume.compression.codec, CODEC_ZSTD);
    assert_int_equal(options.volume.compression.level, 7);
    assert_int_equal(options.volume.concurrency, 3);
    assert_int_equal(options.volume.threads, 5);
    assert_int_equal(options.volume.memory_size, TFS_GIB);
    assert_int_equal(options.volume.cache_size, 100 * TFS_MIB);
    assert_int_equal(options.volume.commit_interval_s, 9);
    assert_int_equal(options.read_ahead_size, 2 * TFS_MIB);
    assert_int_equal(options.request_threads, 32);
    assert_int_equal(options.volume.lock_wait_ms, 1000);
    assert_string_equal(options.fsname, "name");
    assert_int_equal(options.log_level, TFS_LOG_WARN);
    assert_string_equal(options.store, "/s");
    assert_string_equal(options.mountpoint, "/m");
}

static void a_list_after_o_is_the_same_as_long_options(void **state)
{
    (void)state;
    assert_int_equal(parse("/s", "/m", "-o", "chunk_size=64K,ro,noatime,allow_other", "-osuid,dev",
                           "-o", "noexec,nodirect,nocreate", "-f", NULL),
                     0);
    assert_int_equal(options.volume.chunk_size, 64 * TFS_KIB);
    assert_true(options.volume.read_only && options.volume.noatime && options.allow_other);
    assert_true(options.allow_suid && options.allow_dev && options.noexec && options.foreground);
    assert_false(options.volume.direct || options.volume.create);
}

static void the_later_of_two_opposites_wins(void **state)
{
    (void)state;
    assert_int_equal(
        parse("-oro,rw,noatime,atime,suid,nosuid,dev,nodev,noexec,exec,nodirect,direct",
              "-onocreate,create", "/m", NULL),
        0);
    assert_false(options.volume.read_only || options.volume.noatime || options.allow_suid);
    assert_false(options.allow_dev || options.noexec);
    assert_true(options.volume.direct && options.volume.create);
}

static void what_fstab_passes_for_others_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(parse("/s", "/m", "-o",
                           "defaults,auto,noauto,nofail,_netdev,user,users,user=me,group,owner,"
                           "relatime,async,x-systemd.automount,x-gvfs-show,X-mount.mkdir,nouser,"
                           "diratime,,default_permissions,nonempty",
                           NULL),
                     0);
}

static void labels_of_selinux_are_for_the_kernel(void **state)
{
    char *list = NULL;

    (void)state;
    assert_int_equal(parse("/s", "/m", "-o",
                           "fscontext=system_u:object_r:fs_t:s0,ro,"
                           "context=\"system_u:object_r:tmp_t:s0:c127,c456\",nodev",
                           NULL),
                     0);
    assert_string_equal(options.labels.context, "system_u:object_r:tmp_t:s0:c127,c456");
    assert_string_equal(options.labels.fscontext, "system_u:object_r:fs_t:s0");
    assert_true(options.volume.read_only && options_is_given(&options, "nodev"));
    assert_int_equal(labels_add(&options, &list), 0);
    assert_string_equal(list, "context=\"system_u:object_r:tmp_t:s0:c127\\,c456\","
                              "fscontext=\"system_u:object_r:fs_t:s0\"");
    free(list);
    if (access("/sys/fs/selinux/enforce", F_OK) < 0)
        assert_refused(labels_check(&options, &message),
                       "option context needs SELinux, which does not run here");
    else
        assert_int_equal(labels_check(&options, &message), 0);
    assert_int_equal(parse("/s", "/m", NULL), 0);
    assert_int_equal(labels_check(&options, &message), 0);
    assert_int_equal(parse("/s", "/m", "-o", "rootcontext=a\"b", NULL), 0);
    assert_refused(labels_check(&options, &message), "option rootcontext has a quote in its value");
    assert_int_equal(parse("/s", "/m", "-o", "defcontext=\"a,ro", NULL), 0); /* no closing quote */
    assert_string_equal(options.labels.defcontext, "\"a");
    assert_refused(parse("/s", "/m", "-o", "context=\"\"", NULL),
                   "option context: a text of 1 to 1000 bytes is needed");
}

/* FILESYSTEM-INDEPENDENT MOUNT OPTIONS of mount(8), but for those of SELinux and of remounts. */
static void what_every_filesystem_has_is_taken(void **state)
{
    struct options without;

    (void)state;
    assert_int_equal(parse("/s", "/m", NULL), 0);
    without = options;
    assert_int_equal(
        parse("/s", "/m", "-o",
              "async,atime,nodiratime,diratime,dev,nodev,exec,iversion,noiversion,mand,"
              "nomand,norelatime,nostrictatime,lazytime,nolazytime,suid,nosuid,silent,"
              "loud,rw,owner,noowner,group,nogroup,nousers,comment=a text,symfollow",
              NULL),
        0);
    memset(options.given, 0, sizeof(options.given));
    assert_memory_equal(&options, &without, sizeof(options));
    assert_int_equal(parse("/s", "/m", "-o", "sync,dirsync,strictatime,nosymfollow", NULL), 0);
    assert_true(options.sync && options.dirsync && options.nosymfollow);
    assert_true(options.volume.strictatime);
    assert_int_equal(parse("/s", "/m", "-o", "sync,async,nosymfollow,symfollow", NULL), 0);
    assert_false(options.sync || options.nosymfollow);
}

static const char *const nothing[] = {NULL};

static void what_the_kernel_lists_is_for_remounts(void **state)
{
    (void)state;
    assert_refused(parse("-o", "user_id=0,max_read=1048576", "/m", NULL),
                   "options of the kernel's (user_id, ...) are for remounts only");
    assert_int_equal(parse("/m", "-o", "rw,nosuid,remount,user_id=0,group_id=0", NULL), 0);
    assert_true(options.remount && options.remount_has_all);
    assert_true(options_is_given(&options, "nosuid") && options_holds(&options, "nosuid"));
    assert_true(options_holds(&options, "nodev") && !options_is_given(&options, "nodev"));
    assert_false(options_holds(&options, "ro") || options_holds(&options, "memory"));
}

static void take(void *context, const char *name, const char *value)
{
    assert_int_equal(options_take(context, name, value), 0);
}

/* A mount tells its options with options_visit(), and a remount reads them with options_take(). */
static void an_option_that_differs_from_the_mounts_is_found(void **state)
{
    static const char *const memory[] = {"memory", NULL};
    static struct options now;

    (void)state;
    assert_int_equal(parse("/m", "-o", "memory=1G,nodirect,compression=zstd:7,fsname=a", NULL), 0);
    memset(&now, 0, sizeof(now));
    options_visit(&options, take, &now);
    assert_int_equal(options_check_same(&options, &now, nothing, &message), 0);
    assert_int_equal(parse("/m", "-o", "remount,compression=zstd:7,memory=1024M,ro", NULL), 0);
    assert_int_equal(
        options_check_same(&options, &now, (const char *[]){"ro", "remount", NULL}, &message), 0);
    assert_int_equal(parse("/m", "-o", "memory=2G", NULL), 0);
    assert_refused(options_check_same(&options, &now, nothing, &message),
                   "option memory cannot be changed while '/m' is mounted; it is '1G'");
    assert_int_equal(options_check_same(&options, &now, memory, &message), 0);
    assert_int_equal(parse("/m", "-o", "direct", NULL), 0);
    assert_refused(options_check_same(&options, &now, nothing, &message),
                   "option direct cannot be changed while '/m' is mounted");
    assert_int_equal(options_take(&now, "turbo", "9"), -EINVAL);
    assert_int_equal(options_take(&now, "memory", "x"), -EINVAL);
}

static void a_comma_in_a_value_is_escaped(void **state)
{
    (void)state;
    assert_int_equal(parse("-o", "fsname=a\\,b,ro", "/m", NULL), 0);
    assert_string_equal(options.fsname, "a,b");
    assert_true(options.volume.read_only);
}

static void after_two_dashes_all_is_a_path(void **state)
{
    (void)state;
    assert_int_equal(parse("--", "-store", "--mnt", NULL), 0);
    assert_string_equal(options.store, "-store");
    assert_string_equal(options.mountpoint, "--mnt");
}

static void help_and_version_need_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(parse("-h", NULL), 0);
    assert_true(options.show_help);
    assert_int_equal(parse("--version", NULL), 0);
    assert_true(options.show_version);
    assert_int_equal(parse("-V", NULL), 0);
    assert_true(options.show_version);
}

static void debug_means_foreground_and_the_debug_level(void **state)
{
    (void)state;
    assert_int_equal(parse("-d", "/m", NULL), 0);
    assert_true(options.foreground && options.debug);
    assert_int_equal(options.log_level, TFS_LOG_DEBUG);
}

static void unknown_options_are_refused_by_name(void **state)
{
    (void)state;
    assert_refused(parse("--turbo=9", "/m", NULL), "unknown option 'turbo' (see tensorfs --help)");
    assert_refused(parse("-o", "ro,fast", "/m", NULL),
                   "unknown option 'fast' (see tensorfs --help)");
    assert_refused(parse("-fx", "/m", NULL), "unknown option '-x' (see tensorfs --help)");
    assert_refused(parse("--chunk_siz=1M", "/m", NULL),
                   "unknown option 'chunk_siz' (see tensorfs --help)");
}

static void sizes_outside_of_their_limits_are_refused(void **state)
{
    (void)state;
    assert_refused(parse("--chunk_size=3M", "/m", NULL),
                   "option chunk_size: '3M' is not a power of two from 256 to 64M");
    assert_refused(parse("--chunk_size=128", "/m", NULL),
                   "option chunk_size: '128' is not a power of two from 256 to 64M");
    assert_refused(parse("--chunk_size=128M", "/m", NULL),
                   "option chunk_size: '128M' is not a power of two from 256 to 64M");
    assert_refused(parse("--memory=63M", "/m", NULL),
                   "option memory: '63M' is not a size from 64M to 65536G");
    assert_refused(parse("--memory=lots", "/m", NULL),
                   "option memory: 'lots' is not a size from 64M to 65536G");
    assert_refused(parse("--memory=-1", "/m", NULL),
                   "option memory: '-1' is not a size from 64M to 65536G");
    assert_int_equal(parse("--chunk_size=256", "/m", NULL), 0);
    assert_int_equal(parse("--chunk_size=64M", "/m", NULL), 0);
    assert_int_equal(parse("--memory=64M", "/m", NULL), 0);
}

static void counts_outside_of_their_limits_are_refused(void **state)
{
    (void)state;
    assert_refused(parse("--concurrency=0", "/m", NULL),
                   "option concurrency: '0' is not a number from 1 to 1024");
    assert_refused(parse("--concurrency=1025", "/m", NULL),
                   "option concurrency: '1025' is not a number from 1 to 1024");
    assert_refused(parse("--threads=two", "/m", NULL),
                   "option threads: 'two' is not a number from 0 to 1024");
    assert_refused(parse("--threads=4x", "/m", NULL),
                   "option threads: '4x' is not a number from 0 to 1024");
    assert_refused(
        parse("--commit_interval=99999999999999999999", "/m", NULL),
        "option commit_interval: '99999999999999999999' is not a number from 0 to 86400");
}

static void other_bad_values_are_refused(void **state)
{
    char long_list[PATH_MAX + 100];

    (void)state;
    assert_refused(parse("--compression=lz77", "/m", NULL),
                   "option compression: 'lz77' is not auto, none, gzip[:1-9] or zstd[:1-19]");
    assert_refused(parse("--compression=zstd:20", "/m", NULL),
                   "option compression: 'zstd:20' is not auto, none, gzip[:1-9] or zstd[:1-19]");
    assert_refused(parse("--log_level=loud", "/m", NULL),
                   "option log_level: 'loud' is not error, warn, info or debug");
    assert_refused(parse("--memory", "/m", NULL), "option memory needs a value");
    assert_refused(parse("--ro=1", "/m", NULL), "option ro takes no value");
    assert_refused(parse("--fsname=", "/m", NULL),
                   "option fsname: a text of 1 to 4095 bytes is needed");
    assert_refused(parse("--memory=64M", "--cache=65M", "/m", NULL),
                   "option cache: more than the whole budget of option memory");
    assert_refused(parse("/m", "-o", NULL), "-o needs a list of options");
    memset(long_list, 'a', sizeof(long_list) - 1);
    long_list[sizeof(long_list) - 1] = '\0';
    assert_refused(parse("-o", long_list, "/m", NULL),
                   "an option after -o is longer than 4159 bytes");
}

static void the_number_of_paths_is_checked(void **state)
{
    char long_path[PATH_MAX + 1];

    (void)state;
    assert_refused(parse("-f", NULL), "no mountpoint given (see tensorfs --help)");
    assert_refused(parse("a", "b", "c", NULL),
                   "'c' is one argument too many (see tensorfs --help)");
    assert_refused(parse("", NULL), "the mountpoint is an empty text");
    assert_refused(parse("", "/m", NULL), "the store is an empty text");
    memset(long_path, 'a', PATH_MAX);
    long_path[PATH_MAX] = '\0';
    assert_refused(parse(long_path, NULL), "the mountpoint is longer than 4095 bytes");
}

static void a_refusal_leaves_the_result_untouched(void **state)
{
    (void)state;
    memset(&options, 0x5a, sizeof(options));
    assert_int_equal(parse("--nonsense", "/m", NULL), -EINVAL);
    assert_int_equal(((unsigned char *)&options)[0], 0x5a);
    assert_int_equal(((unsigned char *)&options)[sizeof(options) - 1], 0x5a);
}

static void the_help_names_every_documented_option_and_its_default(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    (void)state;
    assert_non_null(stream);
    options_print_help(stream);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(text, "usage: tensorfs [OPTIONS] [STORE] MOUNTPOINT"));
    assert_non_null(strstr(text, "commit_interval"));
    assert_non_null(strstr(text, "[512M]"));
    assert_null(strstr(text, "_netdev"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mountpoint_alone_takes_every_default),
        cmocka_unit_test(every_option_with_a_value_is_stored),
        cmocka_unit_test(a_list_after_o_is_the_same_as_long_options),
        cmocka_unit_test(the_later_of_two_opposites_wins),
        cmocka_unit_test(what_fstab_passes_for_others_is_dropped),
        cmocka_unit_test(labels_of_selinux_are_for_the_kernel),
        cmocka_unit_test(what_every_filesystem_has_is_taken),
        cmocka_unit_test(what_the_kernel_lists_is_for_remounts),
        cmocka_unit_test(an_option_that_differs_from_the_mounts_is_found),
        cmocka_unit_test(a_comma_in_a_value_is_escaped),
        cmocka_unit_test(after_two_dashes_all_is_a_path),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(debug_means_foreground_and_the_debug_level),
        cmocka_unit_test(unknown_options_are_refused_by_name),
        cmocka_unit_test(sizes_outside_of_their_limits_are_refused),
        cmocka_unit_test(counts_outside_of_their_limits_are_refused),
        cmocka_unit_test(other_bad_values_are_refused),
        cmocka_unit_test(the_number_of_paths_is_checked),
        cmocka_unit_test(a_refusal_leaves_the_result_untouched),
        cmocka_unit_test(the_help_names_every_documented_option_and_its_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
