/*
 * The bar is drawn by a thread of its own, so that what is measured only pays an atomic addition.
 * It is erased before any other line is printed and comes back with the next tick.
 */
#include "tools/common/console.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/lock.h"
#include "store/base/text.h"
#include "tools/common/options.h"
#include "tools/common/units.h"

#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Two paths and what is said of them fit into a line. */
enum {
    STAGE_BYTES_MAX = 48,
    STAGE_COLUMNS = 36,
    LINE_BYTES_MAX = 3 * PATH_MAX,
    BAR_CELLS = 20,
    TICK_MS = 200
};

static struct {
    bool quiet;                  /* immutable after console_init */
    bool terminal;               /* immutable after console_init */
    atomic_uint_least64_t done;  /* relaxed: only shown */
    struct tfs_mutex lock;       /* rank TFS_RANK_LEAF */
    struct tfs_cond stop;        /* with lock: drawing is over */
    bool drawing;                /* guarded by lock */
    bool visible;                /* guarded by lock: the bar is on the screen */
    char stage[STAGE_BYTES_MAX]; /* guarded by lock */
    enum console_unit unit;      /* guarded by lock */
    uint64_t total;              /* guarded by lock */
    uint64_t start_ns;           /* guarded by lock */
    pthread_t drawer;
} console;

void console_init(bool quiet)
{
    const char *terminal = getenv("TERM");
    static bool once;

    if (!once) {
        tfs_mutex_init(&console.lock, TFS_RANK_LEAF);
        tfs_cond_init(&console.stop);
        once = true;
    }
    console.quiet = quiet;
    console.terminal = isatty(STDERR_FILENO) == 1 && terminal && *terminal != '\0' &&
                       strcmp(terminal, "dumb") != 0; /* a dumb one cannot erase a line */
}

static void console_erase_locked(void)
{
    if (console.visible)
        (void)fputs("\r\033[K", stderr);
    console.visible = false;
}

/* What fits beside the cursor: a bar that wraps cannot be drawn over. */
static int console_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
        return 99; /* unknown: as wide as tables */
    return size.ws_col - 1;
}

/* The rate and the time left, from the mean rate since the bar began. */
static void console_draw_locked(void)
{
    uint64_t done = atomic_load_explicit(&console.done, memory_order_relaxed);
    double seconds = (double)(tfs_clock_ns() - console.start_ns) / 1e9;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    double share = console.total ? (double)done / (double)console.total : 0;
    char bar[BAR_CELLS + 1];
    char speed[48];
    char left[48] = "";
    char line[240];
    int columns = console_columns();
    unsigned cells;
    int room;

    if (share > 1)
        share = 1;
    cells = (unsigned)(share * BAR_CELLS);
    for (unsigned i = 0; i < BAR_CELLS; i++)
        bar[i] = i < cells ? '#' : '.';
    bar[BAR_CELLS] = '\0';
    if (console.unit == CONSOLE_BYTES)
        (void)snprintf(speed, sizeof(speed), "%s", units_rate(rate).text);
    else
        (void)snprintf(speed, sizeof(speed), "%.0f op/s", rate);
    if (rate > 0 && share < 1)
        (void)snprintf(left, sizeof(left), "  %s left",
                       units_seconds((double)(console.total - done) / rate).text);
    (void)snprintf(line, sizeof(line), " [%s] %3.0f %%  %s%s", bar, share * 100, speed, left);
    room = columns - (int)strlen(line); /* what moves counts more than the stage's whole name */
    room = room < 0 ? 0 : room > STAGE_COLUMNS ? STAGE_COLUMNS : room;
    (void)fprintf(stderr, "\r\033[K%-*.*s%.*s", room, room, console.stage, columns - room, line);
    (void)fflush(stderr);
    console.visible = true;
}

static void *console_drawer(void *unused)
{
    tfs_mutex_lock(&console.lock);
    while (console.drawing) {
        console_draw_locked();
        (void)tfs_cond_wait_until(&console.stop, &console.lock,
                                  tfs_clock_ns() + TICK_MS * TFS_NS_PER_MS);
    }
    tfs_mutex_unlock(&console.lock);
    return unused;
}

void console_begin(enum console_unit unit, uint64_t total)
{
    if (console.quiet || !console.terminal)
        return;
    tfs_mutex_lock(&console.lock);
    atomic_store_explicit(&console.done, 0, memory_order_relaxed);
    console.unit = unit;
    console.total = total;
    console.start_ns = tfs_clock_ns();
    console.stage[0] = '\0';
    console.drawing = true;
    tfs_mutex_unlock(&console.lock);
    if (pthread_create(&console.drawer, NULL, console_drawer, NULL) == 0)
        return;
    tfs_mutex_lock(&console.lock);
    console.drawing = false; /* no thread, no bar: nothing measured is lost */
    tfs_mutex_unlock(&console.lock);
}

void console_end(void)
{
    bool drawing;

    if (console.quiet || !console.terminal)
        return;
    tfs_mutex_lock(&console.lock);
    drawing = console.drawing;
    console.drawing = false;
    tfs_cond_signal(&console.stop);
    tfs_mutex_unlock(&console.lock);
    if (!drawing)
        return;
    (void)pthread_join(console.drawer, NULL);
    tfs_mutex_lock(&console.lock);
    console_erase_locked();
    tfs_mutex_unlock(&console.lock);
}

void console_stage(const char *format, ...)
{
    va_list arguments;
    char stage[STAGE_BYTES_MAX];

    if (console.quiet)
        return;
    va_start(arguments, format);
    (void)vsnprintf(stage, sizeof(stage), format, arguments); /* a longer one is cut */
    va_end(arguments);
    tfs_mutex_lock(&console.lock);
    (void)memcpy(console.stage, stage, sizeof(stage));
    if (!console.terminal)
        (void)fprintf(stderr, "%s\n", stage);
    tfs_mutex_unlock(&console.lock);
}

void console_advance(uint64_t count)
{
    (void)atomic_fetch_add_explicit(&console.done, count, memory_order_relaxed);
}

static void console_line(bool with_name, const char *suffix, const char *format, va_list arguments)
    TFS_PRINTF(3, 0);

/* One line, whatever a name in it holds: a terminal obeys what control characters say. */
static void console_line(bool with_name, const char *suffix, const char *format, va_list arguments)
{
    char line[LINE_BYTES_MAX];

    (void)vsnprintf(line, sizeof(line), format, arguments); /* a longer one is cut */
    tfs_make_one_line(line);
    tfs_mutex_lock(&console.lock);
    console_erase_locked();
    if (with_name)
        (void)fprintf(stderr, "%s: ", options_tool.name);
    (void)fprintf(stderr, "%s%s\n", line, suffix);
    tfs_mutex_unlock(&console.lock);
}

void console_complain(int error, const char *format, ...)
{
    va_list arguments;
    char suffix[160] = "";

    if (error == -EINTR)
        return;
    if (error != 0)
        (void)snprintf(suffix, sizeof(suffix), ": %s", tfs_error_text(error));
    va_start(arguments, format);
    console_line(true, suffix, format, arguments);
    va_end(arguments);
}

void console_note(const char *format, ...)
{
    va_list arguments;

    if (console.quiet)
        return;
    va_start(arguments, format);
    console_line(false, "", format, arguments);
    va_end(arguments);
}
