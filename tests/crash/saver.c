/*
 * Threads of savers, and what each of their calls needs.
 */
#include "tests/crash/saver.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t saver_roll(struct saver *saver, uint64_t below)
{
    saver->dice = saver->dice * 6364136223846793005ull + 1442695040888963407ull;
    return (saver->dice >> 33) % below;
}

bool saver_failed(struct saver *saver, const char *call)
{
    saver->error = errno;
    /* What a process sees when the daemon behind its filesystem is gone. */
    if (errno != ENOTCONN && errno != ECONNABORTED && errno != EIO && errno != EINTR) {
        (void)fprintf(stderr, "%s: %s: %s\n", saver->name, call, strerror(errno));
        saver->unexpected = true;
    }
    return false;
}

bool saver_is_told_wrong(struct saver *saver, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fprintf(stderr, "%s: ", saver->name);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    saver->unexpected = true;
    return false;
}

bool saver_write_range(struct saver *saver, int fd, uint64_t file, uint64_t version,
                       uint64_t offset, size_t size)
{
    while (size > 0) {
        size_t piece = size < saver_piece_bytes ? size : saver_piece_bytes;
        ssize_t count;

        crash_content(file, version, offset, saver->buffer, piece);
        count = pwrite(fd, saver->buffer, piece, (off_t)offset);
        if (count <= 0)
            return saver_failed(saver, "write");
        offset += (uint64_t)count;
        size -= (size_t)count;
    }
    return true;
}

struct thread {
    struct saver saver;
    const struct saver_kind *kind;
    pthread_t id;
};

static void *save_until_it_fails(void *context)
{
    struct thread *thread = context;

    while (thread->kind->save(&thread->saver))
        ;
    return NULL;
}

bool saver_run_all(const struct saver_kind *kinds, size_t count, struct crash_record *record,
                   uint64_t seed, enum crash_death death)
{
    struct thread *threads = calloc(count, sizeof(threads[0]));
    bool expected = true;

    if (!threads) {
        perror("savers");
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < count; i++) {
        threads[i].kind = &kinds[i];
        threads[i].saver = (struct saver){.name = kinds[i].name,
                                          .record = record,
                                          .death = death,
                                          .dice = seed + i,
                                          .buffer = malloc(saver_piece_bytes)};
        if (!threads[i].saver.buffer ||
            pthread_create(&threads[i].id, NULL, save_until_it_fails, &threads[i]) != 0) {
            perror("a saver");
            exit(EXIT_FAILURE);
        }
    }
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(threads[i].id, NULL);
        free(threads[i].saver.buffer);
        expected = expected && !threads[i].saver.unexpected;
    }
    free(threads);
    return expected;
}
