#include "said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void said_begin(struct said *said, int fd)
{
    *said = (struct said){.fd = fd, .file = tmpfile()};
    assert_non_null(said->file);
    (void)fflush(NULL);
    said->saved = dup(fd);
    assert_true(said->saved >= 0);
    assert_int_equal(dup2(fileno(said->file), fd), fd);
}

void said_end(struct said *said)
{
    (void)fflush(NULL);
    assert_int_equal(dup2(said->saved, said->fd), said->fd);
    (void)close(said->saved);
    rewind(said->file);
    (void)!fread(said->text, 1, sizeof(said->text) - 1, said->file);
    (void)fclose(said->file);
}

void said_assert(const struct said *said, const char *part)
{
    if (!strstr(said->text, part))
        fail_msg("said '%s', expected '%s'", said->text, part);
}
