#include "tools/common/output.h"

#include "tools/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* U+FFFD, the character that stands for what is none. */
static const char replacement[] = "\xef\xbf\xbd";

void output_begin(void)
{
    /* open() takes the lowest number that is free. Closed for writing, so that printing fails. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", O_RDONLY); /* without it we are where we were */
    }
}

int output_end(int status, int failed)
{
    bool lost = ferror(stdout) != 0; /* a failure that an earlier flush has met */
    int error = fflush(stdout) == 0 ? 0 : -errno;

    if (status != 0 || (!lost && error == 0))
        return status;
    /* Whoever closes a pipe has read what was wanted, and shells say nothing of it either. */
    if (error != -EPIPE)
        console_complain(error, "standard output: not all could be written");
    return failed;
}

/* The least character that needs so many bytes. */
static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

size_t output_utf8_size(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t character = bytes[0];

    if (bytes[0] == '\0')
        return 0;
    if (size == 1)
        return 1;
    if (bytes[0] < 0xc0 || bytes[0] > 0xf4)
        return 0;
    character &= 0x7fu >> size;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0; /* the end of the string too */
        character = character << 6 | (bytes[i] & 0x3f);
    }
    if (character < least[size] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    return size;
}

char *output_utf8(const char *text)
{
    char *out = malloc((sizeof(replacement) - 1) * strlen(text) + 1);
    size_t used = 0;

    while (out && *text != '\0') {
        size_t size = output_utf8_size(text);

        (void)memcpy(out + used, size ? text : replacement, size ? size : sizeof(replacement) - 1);
        used += size ? size : sizeof(replacement) - 1;
        text += size ? size : 1;
    }
    if (out)
        out[used] = '\0';
    return out;
}

int output_json(char *text)
{
    char *clean = text ? output_utf8(text) : NULL;
    int err = 0;

    free(text);
    if (!clean)
        return console_fail(-ENOMEM, "printing the results");
    if (puts(clean) < 0 || fflush(stdout) != 0)
        err = console_fail(-errno, "standard output");
    free(clean);
    return err;
}
