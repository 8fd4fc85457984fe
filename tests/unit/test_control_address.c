/*
 * Goal: sockets are found at paths of any length, replaced when a crash left them, and nothing else
 * of that name is touched.
 * Method: a folder of its own; abstract names with this process's number.
 */
#include "control/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char path[300];
    char socket[320];
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    assert_non_null(folder);
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/tfs-address-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->socket, sizeof(folder->socket), "%s/control", folder->path);
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    int err = rmdir(folder->path); /* nothing is left in it */

    free(folder);
    return err;
}

static void assert_reaches(const char *address)
{
    int fd = control_address_connect(address);
    uid_t peer;

    assert_true(fd >= 0);
    assert_int_equal(control_address_peer(fd, &peer), 0);
    assert_int_equal(peer, geteuid());
    (void)close(fd);
}

static void a_socket_is_its_owners_alone_and_goes_when_it_is_removed(void **state)
{
    const struct folder *folder = *state;
    struct control_address address;
    struct stat status;
    int fd = control_address_listen(folder->path, &address);

    assert_true(fd >= 0);
    assert_string_equal(address.text, folder->socket);
    assert_int_equal(stat(folder->socket, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_reaches(address.text);
    control_address_remove(&address);
    assert_int_equal(control_address_connect(address.text), -ENOENT);
    (void)close(fd);
}

/* sockaddr_un has 107 bytes. */
static void a_path_may_be_longer_than_an_address(void **state)
{
    const struct folder *folder = *state;
    struct control_address address;
    char path[600];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%0200d", folder->path, 7);
    assert_int_equal(mkdir(path, 0700), 0);
    fd = control_address_listen(path, &address);
    assert_true(fd >= 0);
    assert_true(strlen(address.text) > 200);
    assert_reaches(address.text);
    control_address_remove(&address);
    (void)close(fd);
    assert_int_equal(rmdir(path), 0);
}

static void what_a_crash_left_refuses_and_is_replaced(void **state)
{
    const struct folder *folder = *state;
    struct control_address address;
    int fd = control_address_listen(folder->path, &address);

    assert_true(fd >= 0);
    (void)close(fd); /* the file stays */
    assert_int_equal(control_address_connect(address.text), -ECONNREFUSED);
    fd = control_address_listen(folder->path, &address);
    assert_true(fd >= 0);
    assert_reaches(address.text);
    control_address_remove(&address);
    (void)close(fd);
}

static void what_is_no_socket_stays_and_is_not_connected_to(void **state)
{
    const struct folder *folder = *state;
    struct control_address address = {.text = ""};
    FILE *file = fopen(folder->socket, "w");

    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(control_address_listen(folder->path, &address), -EEXIST);
    assert_string_equal(address.text, "");
    assert_int_equal(control_address_connect(folder->socket), -ECONNREFUSED);
    (void)snprintf(address.text, sizeof(address.text), "%s", folder->socket);
    control_address_remove(&address);
    assert_int_equal(access(folder->socket, F_OK), 0);
    assert_int_equal(unlink(folder->socket), 0);
}

static void a_link_in_place_of_the_socket_is_not_followed(void **state)
{
    const struct folder *folder = *state;
    struct control_address address;
    char link[340];
    int fd = control_address_listen(folder->path, &address);

    assert_true(fd >= 0);
    (void)snprintf(link, sizeof(link), "%s/link", folder->path);
    assert_int_equal(symlink(address.text, link), 0);
    assert_int_equal(control_address_connect(link), -ECONNREFUSED);
    assert_int_equal(unlink(link), 0);
    control_address_remove(&address);
    (void)close(fd);
}

static void what_is_nowhere_is_an_error(void **state)
{
    struct control_address address = {.text = ""};
    char path[PATH_MAX + 10];

    (void)state;
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(control_address_listen("/absent/store", &address), -ENOENT);
    assert_int_equal(control_address_listen(path, &address), -ENAMETOOLONG);
    assert_int_equal(control_address_listen("/dev/null", &address), -ENOTDIR);
    assert_int_equal(control_address_connect("/absent/store/control"), -ENOENT);
    assert_int_equal(control_address_connect(path), -ENAMETOOLONG);
    assert_int_equal(control_address_connect("control"), -ENAMETOOLONG); /* a path is absolute */
    assert_int_equal(control_address_connect(""), -ENAMETOOLONG);
    control_address_remove(&address); /* of none there is nothing to be removed */
}

static void an_abstract_address_has_one_listener(void **state)
{
    struct control_address first;
    struct control_address second = {.text = "as it was"};
    char name[64];
    int fd;

    (void)state;
    (void)snprintf(name, sizeof(name), "tensorfs-test/%d", (int)getpid());
    fd = control_address_listen_abstract(name, &first);
    assert_true(fd >= 0);
    assert_int_equal(first.text[0], '@');
    assert_string_equal(first.text + 1, name);
    assert_reaches(first.text);
    assert_int_equal(control_address_listen_abstract(name, &second), -EADDRINUSE);
    assert_string_equal(second.text, "as it was");
    control_address_remove(&first); /* it is no file */
    assert_reaches(first.text);
    (void)close(fd);
    assert_int_equal(control_address_connect(first.text), -ECONNREFUSED);
}

static void an_abstract_name_may_be_so_long_and_no_longer(void **state)
{
    struct control_address address;
    char name[109];
    int fd;

    (void)state;
    memset(name, 'n', sizeof(name));
    name[108] = '\0';
    assert_int_equal(control_address_listen_abstract(name, &address), -ENAMETOOLONG);
    name[107] = '\0';
    (void)snprintf(name, 20, "%d", (int)getpid()); /* ours alone */
    name[strlen(name)] = 'n';
    fd = control_address_listen_abstract(name, &address);
    assert_true(fd >= 0);
    assert_reaches(address.text);
    (void)close(fd);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_socket_is_its_owners_alone_and_goes_when_it_is_removed),
        FOLDER_TEST(a_path_may_be_longer_than_an_address),
        FOLDER_TEST(what_a_crash_left_refuses_and_is_replaced),
        FOLDER_TEST(what_is_no_socket_stays_and_is_not_connected_to),
        FOLDER_TEST(a_link_in_place_of_the_socket_is_not_followed),
        cmocka_unit_test(what_is_nowhere_is_an_error),
        cmocka_unit_test(an_abstract_address_has_one_listener),
        cmocka_unit_test(an_abstract_name_may_be_so_long_and_no_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
