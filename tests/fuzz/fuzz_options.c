/*
 * Command lines of any text, one argument a line: refused with one line for the user, or every
 * number is within its limits and every path is terminated.
 */
#include "fs/options.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the text at its ends of lines; returns how many arguments there are. */
static int split(char *text, char *argv[])
{
    int count = 1;

    for (char *next = text; next && count < ARGUMENTS_MAX; count++) {
        argv[count] = next;
        next = strchr(next, '\n');
        if (next)
            *next++ = '\0';
    }
    argv[count] = NULL;
    return count;
}

static void check(const struct options *options)
{
    const struct tfs_volume_options *volume = &options->volume;

    if (options->show_help || options->show_version)
        return;
    assert(options->mountpoint[0]);
    assert(strnlen(options->mountpoint, PATH_MAX) < PATH_MAX);
    assert(strnlen(options->store, PATH_MAX) < PATH_MAX);
    assert(strnlen(options->fsname, PATH_MAX) < PATH_MAX);
    assert(tfs_is_power_of_two(volume->chunk_size) && volume->chunk_size >= TFS_CHUNK_SIZE_MIN &&
           volume->chunk_size <= TFS_CHUNK_SIZE_MAX);
    assert(codec_spec_is_valid(&volume->compression));
    assert(volume->concurrency >= 1 && volume->concurrency <= TFS_CONCURRENCY_MAX);
    assert(volume->threads <= TFS_CONCURRENCY_MAX);
    assert(volume->memory_size >= TFS_MEMORY_SIZE_MIN);
    assert(volume->cache_size <= volume->memory_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char[]){"tensorfs"}};
    struct tfs_message message = {.text = ""};
    struct options options;
    char *text = malloc(size + 1);
    int err;

    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    err = options_parse(split(text, argv), argv, &options, &message);
    if (err == 0)
        check(&options);
    else
        assert(err == -EINVAL && message.text[0] &&
               strnlen(message.text, sizeof(message.text)) < sizeof(message.text));
    free(text);
    return 0;
}
