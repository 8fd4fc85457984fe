#include "control/log_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Not a struct tfs_mutex: a line may be logged with any lock held, so this one has no rank. Nothing
 * is called while it is held. */
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_ring_line ring_lines[LOG_RING_LINES]; /* guarded by ring_lock */
static uint64_t ring_count;                             /* guarded by ring_lock; ever */

static void take(enum tfs_log_level level, const char *message)
{
    struct log_ring_line *line;

    (void)pthread_mutex_lock(&ring_lock);
    line = &ring_lines[ring_count++ % LOG_RING_LINES];
    line->time = (int64_t)time(NULL);
    line->level = level;
    (void)snprintf(line->text, sizeof(line->text), "%s", message); /* a longer one is cut */
    (void)pthread_mutex_unlock(&ring_lock);
}

void log_ring_install(void)
{
    tfs_log_set_tap(take);
}

/* "file 'a/b' chunk 3" becomes "file '...' chunk 3". A quote that was cut off is open to the end.
 */
static void hide_names(char text[LOG_RING_TEXT_SIZE])
{
    char *first = strchr(text, '\'');
    char *last = strrchr(text, '\'');
    char rest[LOG_RING_TEXT_SIZE] = "";

    if (!first)
        return;
    if (last > first && strlen(text) + 1 < LOG_RING_TEXT_SIZE)
        (void)snprintf(rest, sizeof(rest), "%s", last + 1);
    (void)snprintf(first, LOG_RING_TEXT_SIZE - (size_t)(first - text), "'...'%s", rest);
}

int log_ring_visit(bool names, int (*visit)(void *context, const struct log_ring_line *line),
                   void *context)
{
    struct log_ring_line *lines = malloc(sizeof(ring_lines));
    uint64_t count;
    int err = 0;

    if (!lines)
        return -ENOMEM;
    (void)pthread_mutex_lock(&ring_lock);
    memcpy(lines, ring_lines, sizeof(ring_lines));
    count = ring_count;
    (void)pthread_mutex_unlock(&ring_lock);
    for (uint64_t i = count > LOG_RING_LINES ? count - LOG_RING_LINES : 0; i < count && !err; i++) {
        struct log_ring_line *line = &lines[i % LOG_RING_LINES];

        if (!names)
            hide_names(line->text);
        err = visit(context, line);
    }
    free(lines);
    return err;
}
