/* The rounds of witness.h: all pairs of writers, one after the other, until the time is over. */
#include "tests/model/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PROCESS_COUNT = 2 + WITNESS_READER_COUNT,
    SLOT_SIZE_SMALL = 1000,
    APPEND_KIND_COUNT = WITNESS_DIRECT_WRONLY + 1,
    ROUND_SECONDS_MAX = 60, /* until a process counts as hanging */
};

/* ---- common ---- */

const char *witness_kind_name(enum witness_kind kind)
{
    static const char *const names[] = {
        [WITNESS_WRONLY] = "O_WRONLY",
        [WITNESS_RDWR] = "O_RDWR",
        [WITNESS_DIRECT] = "O_RDWR|O_DIRECT",
        [WITNESS_DIRECT_WRONLY] = "O_WRONLY|O_DIRECT",
        [WITNESS_MMAP] = "mmap",
        [WITNESS_AIO] = "AIO",
        [WITNESS_URING] = "io_uring",
        [WITNESS_PUNCH] = "punch",
        [WITNESS_ZERO] = "zero range",
        [WITNESS_COPY] = "copy_file_range",
        [WITNESS_RESIZE] = "ftruncate",
    };

    return names[kind];
}

bool witness_kind_is_direct(enum witness_kind kind)
{
    return kind == WITNESS_DIRECT || kind == WITNESS_DIRECT_WRONLY || kind == WITNESS_AIO ||
           kind == WITNESS_URING;
}

bool witness_kind_zeroes(enum witness_kind kind)
{
    return kind == WITNESS_PUNCH || kind == WITNESS_ZERO;
}

void witness_fail(const struct witness_round *round, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "%s%s and %s: %s\n", round->scene == WITNESS_APPENDS ? "appends of " : "",
                  witness_kind_name(round->kinds[0]), witness_kind_name(round->kinds[1]), text);
    _exit(EXIT_FAILURE);
}

uint64_t witness_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void *witness_buffer(size_t size)
{
    void *buffer;

    if (posix_memalign(&buffer, WITNESS_SLOT_SIZE_MAX, size) != 0)
        abort();
    memset(buffer, 0, size);
    return buffer;
}

/* ---- a round ---- */

static void sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

static pid_t start(const struct witness_round *round, struct witness_notes *notes, unsigned process)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)alarm(ROUND_SECONDS_MAX);
    if (process < 2)
        witness_write(round, notes, process);
    else
        witness_read(round, notes, process - 2);
    _exit(EXIT_SUCCESS);
}

/* Where the file does not grow in the round all slots are there, with a version that is no zeros.
 */
static void make_file(const struct witness_round *round, struct witness_notes *notes)
{
    int fd = open(round->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    unsigned version = 2;

    if (fd < 0)
        witness_fail(round, "making the file: %s", strerror(errno));
    for (unsigned slot = 0; !round->grows && slot < WITNESS_SLOT_COUNT; slot++) {
        uint64_t words[WITNESS_SLOT_SIZE_MAX / sizeof(uint64_t)];

        for (size_t i = 0; i < round->slot_size / sizeof(uint64_t); i++)
            words[i] = witness_word(WITNESS_SLOT_MARK, slot, version);
        if (write(fd, words, round->slot_size) != (ssize_t)round->slot_size)
            witness_fail(round, "making the file: %s", strerror(errno));
        atomic_store(&notes->started[slot], version);
        atomic_store(&notes->completed[slot], version);
        atomic_store(&notes->size, (slot + 1) * round->slot_size);
    }
    (void)close(fd);
}

static bool all_ended_well(const struct witness_round *round, const pid_t *pids)
{
    bool is_well = true;

    for (unsigned process = 0; process < PROCESS_COUNT; process++) {
        int status;

        if (waitpid(pids[process], &status, 0) != pids[process])
            abort();
        if (WIFSIGNALED(status))
            (void)fprintf(stderr, "%s and %s: process %u died of signal %d\n",
                          witness_kind_name(round->kinds[0]), witness_kind_name(round->kinds[1]),
                          process, WTERMSIG(status));
        is_well = is_well && status == 0;
    }
    return is_well;
}

static bool is_well_at_the_end(const struct witness_round *round, struct witness_notes *notes)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        witness_check_end(round, notes);
        _exit(EXIT_SUCCESS);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/*
 * From Linux 6.18 on a write through the cache that makes the file longer loses what it has put
 * into a page that is also stored to through a mapping, when that is written back just then: the
 * kernel clears what lies behind the size, which the write has not moved yet. So where one maps,
 * the file grows by whole pages or not at all.
 */
static void choose_sizes(struct witness_round *round)
{
    bool maps = round->kinds[0] == WITNESS_MMAP || round->kinds[1] == WITNESS_MMAP;
    bool is_direct =
        witness_kind_is_direct(round->kinds[0]) || witness_kind_is_direct(round->kinds[1]);

    round->slot_size = is_direct || (maps && round->seed / PROCESS_COUNT % 2 == 0)
                           ? WITNESS_SLOT_SIZE_MAX
                           : SLOT_SIZE_SMALL;
    round->grows =
        round->scene == WITNESS_APPENDS ||
        (round->kinds[1] != WITNESS_RESIZE && (!maps || round->slot_size == WITNESS_SLOT_SIZE_MAX));
}

/* The order of the opens decides who caches: it is another one each time. */
static bool run(struct witness_round *round, unsigned ms)
{
    struct witness_notes *notes =
        mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned first = (unsigned)(round->seed % PROCESS_COUNT);
    pid_t pids[PROCESS_COUNT];
    bool is_well;

    if (notes == MAP_FAILED)
        abort();
    choose_sizes(round);
    make_file(round, notes);
    for (unsigned i = 0; i < PROCESS_COUNT; i++) {
        unsigned process = (first + i) % PROCESS_COUNT;

        pids[process] = start(round, notes, process);
        if (pids[process] < 0)
            abort();
    }
    sleep_ms(ms);
    atomic_store(&notes->is_over, true);
    is_well = all_ended_well(round, pids) && is_well_at_the_end(round, notes);
    (void)printf("%-9s %-17s %-17s %7llu writes %7llu reads%s\n",
                 round->scene == WITNESS_APPENDS ? "appends" : "slots",
                 witness_kind_name(round->kinds[0]), witness_kind_name(round->kinds[1]),
                 (unsigned long long)atomic_load(&notes->write_count),
                 (unsigned long long)atomic_load(&notes->read_count), is_well ? "" : "  FAILED");
    (void)fflush(stdout);
    (void)munmap(notes, sizeof(*notes));
    return is_well;
}

/* ---- all rounds ---- */

static unsigned add_rounds(struct witness_round *rounds)
{
    unsigned count = 0;

    for (unsigned a = 0; a < WITNESS_KIND_COUNT; a++) {
        for (unsigned b = a; b <= WITNESS_RESIZE; b++)
            rounds[count++] = (struct witness_round){.scene = WITNESS_SLOTS, .kinds = {a, b}};
    }
    for (unsigned a = 0; a < APPEND_KIND_COUNT; a++) {
        for (unsigned b = a; b < APPEND_KIND_COUNT; b++)
            rounds[count++] = (struct witness_round){.scene = WITNESS_APPENDS, .kinds = {a, b}};
    }
    return count;
}

struct options {
    const char *directory;
    unsigned seconds;
    uint64_t seed;
    bool goes_on; /* after a failure */
};

static void parse(int count, char **arguments, struct options *ret)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"go-on", no_argument, NULL, 'g'},
                                            {NULL, 0, NULL, 0}};
    int option;

    *ret = (struct options){.directory = ".", .seconds = 60, .seed = (uint64_t)time(NULL)};
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'd')
            ret->directory = optarg;
        else if (option == 't')
            ret->seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 's')
            ret->seed = strtoull(optarg, NULL, 10);
        else if (option == 'g')
            ret->goes_on = true;
        else
            exit(2);
    }
}

int main(int count, char **arguments)
{
    static struct witness_round rounds[WITNESS_KIND_COUNT * (WITNESS_KIND_COUNT + 3)];
    unsigned round_count = add_rounds(rounds);
    bool has_uring = witness_has_uring();
    char path[WITNESS_PATH_MAX];
    struct options options;
    unsigned failed = 0;
    uint64_t seed;
    time_t end;

    parse(count, arguments, &options);
    (void)printf("seed %llu, io_uring %s\n", (unsigned long long)options.seed,
                 has_uring ? "too" : "is not to be had");
    (void)snprintf(path, sizeof(path), "%s/witness", options.directory);
    seed = options.seed;
    end = time(NULL) + (time_t)options.seconds;
    for (unsigned i = 0; i < round_count || time(NULL) < end; i++) {
        struct witness_round *round = &rounds[i % round_count];

        if (!has_uring && (round->kinds[0] == WITNESS_URING || round->kinds[1] == WITNESS_URING))
            continue;
        round->path = path;
        round->seed = witness_random(&seed);
        if (!run(round, options.seconds * 900 / round_count < 2000
                            ? options.seconds * 900 / round_count
                            : 2000))
            failed++;
        if (failed > 0 && !options.goes_on)
            break;
    }
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
