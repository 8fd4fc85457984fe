/*
 * Goal: commands find the file that a request names and no other, refuse what makes no sense with a
 * sentence, and end when nobody waits for them.
 * Method: a small tree in memory; commands run as a server runs them.
 */
#include "tests/unit/control_fixture.h"

#include "control/log_ring.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static double number(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    assert_true(cJSON_IsNumber(member));
    return member->valuedouble;
}

static const char *text(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* ---- progress ---- */

static void progress_is_not_sent_more_often_than_anybody_looks(void **state)
{
    struct listener listener = {.count = 0};
    const struct control_sink sink = {listener_emit, listener_is_gone, &listener};
    struct control_call call = {.sink = &sink};
    struct control_progress progress = {.stage = "test", .total = 1000};

    (void)state;
    for (; progress.done < 999; progress.done++)
        assert_int_equal(control_emit_progress(&call, &progress), 0);
    assert_true(listener.count < 999); /* it took less than three minutes */
    listener.count = 0;
    progress.done = 1000; /* the end is always told */
    assert_int_equal(control_emit_progress(&call, &progress), 0);
    assert_int_equal(listener.count, 1);
}

static void progress_ends_the_command_whose_asker_is_gone(void **state)
{
    struct listener listener = {.is_gone = true};
    const struct control_sink sink = {listener_emit, listener_is_gone, &listener};
    struct control_call call = {.sink = &sink};

    (void)state;
    assert_int_equal(control_emit_progress(&call, &(struct control_progress){.stage = "test"}),
                     -ECANCELED);
    assert_int_equal(listener.count, 0);
}

/* ---- which file ---- */

/* file, link -> file, folder, folder/file */
static void make_tree(struct control_fixture *fixture, uint64_t *ret_folder)
{
    uint64_t folder = control_make(fixture, TFS_ROOT_INODE, "folder", S_IFDIR);

    (void)control_make(fixture, TFS_ROOT_INODE, "file", S_IFREG);
    (void)control_make(fixture, TFS_ROOT_INODE, "link", S_IFLNK);
    (void)control_make(fixture, folder, "file", S_IFREG);
    *ret_folder = folder;
}

static void assert_file_found(struct control_fixture *fixture, const char *request, uint64_t inode)
{
    cJSON *info = control_result(fixture, request);

    assert_int_equal((uint64_t)number(info, "inode"), inode);
    cJSON_Delete(info);
}

static void a_file_is_named_by_path_or_by_inode(void **state)
{
    static const char *const paths[] = {"folder/file",           "/folder/file",
                                        "//folder///file/",      "./folder/./file",
                                        "folder/../folder/file", "../../folder/file"};
    struct control_fixture *fixture = *state;
    struct tfs_attr attr;
    uint64_t folder;
    char request[200];

    make_tree(fixture, &folder);
    assert_int_equal(tfs_lookup(fixture->volume, folder, "file", &attr), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(paths); i++) {
        (void)snprintf(request, sizeof(request), "{\"command\":\"info\",\"path\":\"%s\"}",
                       paths[i]);
        assert_file_found(fixture, request, attr.inode);
    }
    (void)snprintf(request, sizeof(request), "{\"command\":\"info\",\"inode\":%llu}",
                   (unsigned long long)attr.inode);
    assert_file_found(fixture, request, attr.inode);
}

static void a_file_that_is_not_there_is_told_by_its_name(void **state)
{
    static const struct {
        const char *request;
        int error;
        const char *sentence;
    } cases[] = {
        {"{\"command\":\"info\",\"path\":\"absent\"}", -ENOENT,
         "'absent' in the store: No such file or directory"},
        {"{\"command\":\"info\",\"path\":\"folder/absent/deeper\"}", -ENOENT,
         "'folder/absent/deeper' in the store: No such file or directory"},
        {"{\"command\":\"info\",\"path\":\"file/below\"}", -ENOTDIR,
         "'file/below' in the store: Not a directory"},
        {"{\"command\":\"info\",\"path\":\"link/below\"}", -ENOTDIR,
         "'link/below' in the store: Not a directory"},
        {"{\"command\":\"info\",\"inode\":4711}", -ESTALE, "inode 4711: Stale file handle"},
        {"{\"command\":\"info\",\"path\":\"folder\"}", -EINVAL, "that is no regular file"},
        {"{\"command\":\"info\",\"path\":\"link\"}", -EINVAL, "that is no regular file"},
        {"{\"command\":\"info\"}", -EINVAL, "that is no regular file"},
        {"{\"command\":\"info\",\"path\":\"\"}", -EINVAL, "that is no regular file"},
    };
    struct control_fixture *fixture = *state;
    uint64_t folder;

    make_tree(fixture, &folder);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++)
        assert_control_fails(fixture, cases[i].request, cases[i].error, cases[i].sentence);
}

static void a_file_is_named_once_and_with_the_right_types(void **state)
{
    static const char *const members[] = {
        "\"inode\":1,\"path\":\"file\"",
        "\"inode\":0",
        "\"inode\":-1",
        "\"inode\":1.5",
        "\"inode\":\"1\"",
        "\"inode\":1e300",
        "\"inode\":9007199254740994",
        "\"path\":7",
        "\"path\":null",
        "\"path\":[\"file\"]",
    };
    struct control_fixture *fixture = *state;
    char request[200];

    for (size_t i = 0; i < TFS_ARRAY_COUNT(members); i++) {
        (void)snprintf(request, sizeof(request), "{\"command\":\"du\",%s}", members[i]);
        assert_control_fails(fixture, request, -EINVAL,
                             "the file is named by one of 'inode' and 'path'");
    }
}

static void a_path_may_be_as_long_as_paths_are_and_no_longer(void **state)
{
    struct control_fixture *fixture = *state;
    static char request[5000];
    struct listener listener = {.count = 0};
    struct tfs_message message;
    cJSON *result;
    int head = snprintf(request, sizeof(request), "{\"command\":\"du\",\"path\":\"");

    memset(request + head, '/', 4096);
    (void)snprintf(request + head + 4096, 10, "\"}");
    assert_control_fails(fixture, request, -EINVAL,
                         "the file is named by one of 'inode' and 'path'");
    (void)snprintf(request + head + 4095, 10, "\"}");
    assert_int_equal(control_do(fixture, request, &listener, &result, &message), 0); /* the root */
    cJSON_Delete(result);
    memset(request + head, 'n', 256); /* longer than a name */
    assert_int_equal(control_do(fixture, request, &listener, &result, &message), -ENAMETOOLONG);
}

/* ---- du ---- */

static void du_counts_each_file_once_whatever_its_links(void **state)
{
    enum { FILES = 70, LINKS = 3 }; /* more than the first table of numbers holds */
    struct control_fixture *fixture = *state;
    uint64_t folder = control_make(fixture, TFS_ROOT_INODE, "folder", S_IFDIR);
    struct tfs_attr attr;
    char name[32];
    cJSON *usage;

    (void)control_make(fixture, folder, "fifo", S_IFIFO);
    (void)control_make(fixture, folder, "link", S_IFLNK);
    for (int i = 0; i < FILES; i++) {
        uint64_t file;

        (void)snprintf(name, sizeof(name), "file-%d", i);
        file = control_make(fixture, folder, name, S_IFREG);
        for (int k = 1; k < LINKS; k++) {
            (void)snprintf(name, sizeof(name), "link-%d-%d", i, k);
            assert_int_equal(tfs_link(fixture->volume, file, TFS_ROOT_INODE, name, &attr), 0);
        }
    }
    usage = control_result(fixture, "{\"command\":\"du\"}");
    assert_int_equal(number(usage, "files"), FILES);
    assert_int_equal(number(usage, "directories"), 2);
    assert_int_equal(number(usage, "others"), 2);
    cJSON_Delete(usage);
    usage = control_result(fixture, "{\"command\":\"du\",\"path\":\"folder/file-7\"}");
    assert_int_equal(number(usage, "files"), 1);
    assert_int_equal(number(usage, "directories"), 0);
    cJSON_Delete(usage);
}

static void du_goes_as_deep_as_the_tree(void **state)
{
    enum { DEPTH = 200 };
    struct control_fixture *fixture = *state;
    uint64_t folder = TFS_ROOT_INODE;
    cJSON *usage;

    for (int i = 0; i < DEPTH; i++) {
        (void)control_make(fixture, folder, "file", S_IFREG);
        folder = control_make(fixture, folder, "folder", S_IFDIR);
    }
    usage = control_result(fixture, "{\"command\":\"du\"}");
    assert_int_equal(number(usage, "files"), DEPTH);
    assert_int_equal(number(usage, "directories"), DEPTH + 1);
    cJSON_Delete(usage);
}

static void du_ends_when_nobody_waits_for_it(void **state)
{
    struct listener listener = {.is_gone = true};
    struct tfs_message message;
    cJSON *result;

    assert_int_equal(control_do(*state, "{\"command\":\"du\"}", &listener, &result, &message),
                     -ECANCELED);
}

/* ---- the others ---- */

static void arguments_of_the_wrong_type_are_refused(void **state)
{
    static const struct {
        const char *request;
        const char *sentence;
    } cases[] = {
        {"{\"command\":\"noatime\",\"set\":1}", "'set' is true or false"},
        {"{\"command\":\"noatime\",\"set\":\"true\"}", "'set' is true or false"},
        {"{\"command\":\"loglevel\",\"level\":\"loud\"}", "a level is error, warn, info or debug"},
        {"{\"command\":\"loglevel\",\"level\":3}", "a level is error, warn, info or debug"},
        {"{\"command\":\"loglevel\",\"level\":\"debugdebugdebugdebug\"}",
         "a level is error, warn, info or debug"},
        {"{\"command\":\"scrub\",\"rate\":-1}",
         "scrub takes a rate in bytes a second, deep and restart"},
        {"{\"command\":\"scrub\",\"deep\":\"yes\"}",
         "scrub takes a rate in bytes a second, deep and restart"},
        {"{\"command\":\"scrub\",\"restart\":null}",
         "scrub takes a rate in bytes a second, deep and restart"},
        {"{\"command\":\"info\",\"frames\":\"yes\"}", ""},
        {"{\"command\":\"log\",\"names\":1}", ""},
    };

    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++)
        assert_control_fails(*state, cases[i].request, -EINVAL, cases[i].sentence);
}

static void a_level_is_told_changed_and_told_again(void **state)
{
    enum tfs_log_level before = tfs_log_get_level();
    cJSON *level = control_result(*state, "{\"command\":\"loglevel\",\"level\":\"error\"}");

    assert_string_equal(text(level, "level"), "error");
    assert_string_equal(text(level, "before"), tfs_log_level_name(before));
    cJSON_Delete(level);
    level = control_result(*state, "{\"command\":\"loglevel\"}");
    assert_string_equal(text(level, "level"), "error");
    assert_string_equal(text(level, "before"), "error");
    cJSON_Delete(level);
    assert_int_equal(tfs_log_get_level(), TFS_LOG_ERROR);
    tfs_log_set_level(before);
}

static void status_of_a_store_without_a_mount_has_no_mountpoint(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_call call = {
        .volume = fixture->volume, .store = "/the/store", .result = cJSON_CreateObject()};

    assert_int_equal(control_command_find("status")->run(&call), 0);
    assert_string_equal(text(call.result, "store"), "/the/store");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(call.result, "mounted")));
    assert_null(cJSON_GetObjectItemCaseSensitive(call.result, "mountpoint"));
    /* "in memory only", as bytes */
    assert_string_equal(text(call.result, "uuid"), "696e206d-656d-6f72-7920-6f6e6c790000");
    cJSON_Delete(call.result);
}

static void names_of_commands_are_whole_words(void **state)
{
    static const char *const names[] = {"status", "stats", "metrics", "info",
                                        "du",     "sync",  "layout",  "noatime",
                                        "log",    "gc",    "scrub",   "loglevel"};
    static const char *const others[] = {"", "statu", "statuss", "Status", "check"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++)
        assert_string_equal(control_command_find(names[i])->name, names[i]);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(others); i++)
        assert_null(control_command_find(others[i]));
}

/* ---- the log ---- */

static void say_nothing(enum tfs_log_level level, const char *message)
{
    (void)level;
    (void)message;
}

static void the_log_is_told_line_by_line_and_names_only_when_asked_for(void **state)
{
    struct listener listener = {.items = cJSON_CreateArray()};
    struct tfs_message message;
    const cJSON *last;
    cJSON *result;

    tfs_log_set_sink(say_nothing);
    log_ring_install();
    tfs_warn("file 'secret' is damaged");
    assert_int_equal(control_do(*state, "{\"command\":\"log\"}", &listener, &result, &message), 0);
    cJSON_Delete(result);
    last = cJSON_GetArrayItem(listener.items, cJSON_GetArraySize(listener.items) - 1);
    assert_string_equal(text(last, "text"), "file '...' is damaged");
    assert_string_equal(text(last, "level"), "warn");
    assert_true(number(last, "time") > 1e9);
    assert_int_equal(
        control_do(*state, "{\"command\":\"log\",\"names\":true}", &listener, &result, &message),
        0);
    cJSON_Delete(result);
    last = cJSON_GetArrayItem(listener.items, cJSON_GetArraySize(listener.items) - 1);
    assert_string_equal(text(last, "text"), "file 'secret' is damaged");
    cJSON_Delete(listener.items);
    tfs_log_set_tap(NULL);
    tfs_log_set_sink(NULL);
}

#define VOLUME_TEST(name) cmocka_unit_test_setup_teardown(name, control_set_up, control_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_not_sent_more_often_than_anybody_looks),
        cmocka_unit_test(progress_ends_the_command_whose_asker_is_gone),
        VOLUME_TEST(a_file_is_named_by_path_or_by_inode),
        VOLUME_TEST(a_file_that_is_not_there_is_told_by_its_name),
        VOLUME_TEST(a_file_is_named_once_and_with_the_right_types),
        VOLUME_TEST(a_path_may_be_as_long_as_paths_are_and_no_longer),
        VOLUME_TEST(du_counts_each_file_once_whatever_its_links),
        VOLUME_TEST(du_goes_as_deep_as_the_tree),
        VOLUME_TEST(du_ends_when_nobody_waits_for_it),
        VOLUME_TEST(arguments_of_the_wrong_type_are_refused),
        VOLUME_TEST(a_level_is_told_changed_and_told_again),
        VOLUME_TEST(status_of_a_store_without_a_mount_has_no_mountpoint),
        cmocka_unit_test(names_of_commands_are_whole_words),
        VOLUME_TEST(the_log_is_told_line_by_line_and_names_only_when_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
