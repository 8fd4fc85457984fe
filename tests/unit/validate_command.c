#include "validate_command.h"

#include "tools/common/options.h"
#include "tools/validate/validate.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

const struct options_tool options_tool = {.name = "validate"};

enum { ARGUMENT_COUNT_MAX = 16 };

static char directory[64];
char output[1 << 20];
char errors[1 << 16];
char device_option[32] = "--device=cpu";

int directory_make(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/test_validate_XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

int directory_remove(void)
{
    return nftw(directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

const char *in_directory(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, PATH_MAX, "%s%s%s", directory, *name ? "/" : "", name);
    return path;
}

static void folders_make(const char *path)
{
    char folder[PATH_MAX];

    for (const char *slash = strchr(path + strlen(directory) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        (void)mkdir(folder, 0700); /* it may be there */
    }
}

void file_write(const char *name, const void *data, size_t size)
{
    FILE *stream;

    folders_make(in_directory(name));
    stream = fopen(in_directory(name), "we");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

/* A standard stream, put into a file without a name. */
struct capture {
    int stream;
    int saved;
    int fd;
};

static struct capture capture_begin(int stream)
{
    struct capture capture = {.stream = stream, .saved = dup(stream)};
    FILE *file = tmpfile();

    assert_non_null(file);
    capture.fd = dup(fileno(file));
    (void)fclose(file); /* the descriptor is kept */
    assert_true(capture.saved >= 0 && dup2(capture.fd, stream) >= 0);
    return capture;
}

static void capture_end(const struct capture *capture, char *text, size_t size_max)
{
    ssize_t size;

    assert_true(dup2(capture->saved, capture->stream) >= 0);
    (void)close(capture->saved);
    size = pread(capture->fd, text, size_max - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    (void)close(capture->fd);
}

int command(const char *first, ...)
{
    static char name[] = "validate";
    char *argv[ARGUMENT_COUNT_MAX] = {name, device_option};
    struct capture captures[2];
    int argc = 2;
    va_list arguments;
    int status;

    va_start(arguments, first);
    for (const char *at = first; at; at = va_arg(arguments, const char *))
        argv[argc++] = strdup(at);
    va_end(arguments);
    assert_int_equal(fflush(stdout), 0);
    captures[0] = capture_begin(STDOUT_FILENO);
    captures[1] = capture_begin(STDERR_FILENO);
    status = validate_main(argc, argv);
    capture_end(&captures[0], output, sizeof(output));
    capture_end(&captures[1], errors, sizeof(errors));
    for (int i = 2; i < argc; i++)
        free(argv[i]);
    return status;
}

static void assert_text(const char *text, const char *wanted, bool is_there)
{
    if ((strstr(text, wanted) != NULL) == is_there)
        return;
    print_error("'%s' is%s in:\n%s\n%s", wanted, is_there ? " not" : "", output, errors);
    fail();
}

void assert_output_has(const char *wanted)
{
    assert_text(output, wanted, true);
}

void assert_output_lacks(const char *unwanted)
{
    assert_text(output, unwanted, false);
}

void assert_errors_have(const char *wanted)
{
    assert_text(errors, wanted, true);
}
