/* The readers of witness.h. */
#include "tests/model/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_SIZE_MAX = 1 << 20, REMAP_EVERY = 16 };

/* What may be found by a read that begins now; the other half is looked at when it has ended. */
struct view {
    unsigned completed[WITNESS_SLOT_COUNT];
    unsigned cuts_completed;
    uint64_t size;
};

struct reader {
    const struct witness_round *round;
    struct witness_notes *notes;
    const char *how;
    char *buffer;
    char *mapping;
    uint64_t tail; /* of WITNESS_APPENDS: all before was read */
    struct view view;
};

static void take_view(struct reader *reader)
{
    const struct witness_notes *notes = reader->notes;

    for (unsigned slot = 0; slot < WITNESS_SLOT_COUNT; slot++)
        reader->view.completed[slot] = atomic_load(&notes->completed[slot]);
    reader->view.cuts_completed = atomic_load(&notes->cuts_completed);
    reader->view.size = atomic_load(&notes->size);
}

/* ---- what was found ---- */

static bool may_be_zeros(const struct witness_round *round, unsigned slot, unsigned completed,
                         unsigned started)
{
    unsigned writer = round->kinds[1] == WITNESS_RESIZE ? 0 : slot % 2;

    if (completed == 0)
        return true;
    return witness_kind_zeroes(round->kinds[writer]) && (completed % 2 == 1 || started > completed);
}

static void check_slot_word(const struct reader *reader, uint64_t offset, uint64_t word)
{
    unsigned slot = (unsigned)(offset / reader->round->slot_size);
    unsigned completed = reader->view.completed[slot];
    unsigned started = atomic_load(&reader->notes->started[slot]);
    unsigned version = (unsigned)word;

    if (word == 0) {
        if (!may_be_zeros(reader->round, slot, completed, started))
            witness_fail(reader->round, "%s: zeros at %llu, version %u was completed", reader->how,
                         (unsigned long long)offset, completed);
        return;
    }
    if (witness_mark(word) != WITNESS_SLOT_MARK || witness_owner(word) != slot ||
        version < completed || version > started)
        witness_fail(reader->round, "%s: %016llx at %llu of slot %u, wanted versions %u to %u",
                     reader->how, (unsigned long long)word, (unsigned long long)offset, slot,
                     completed, started);
}

/* Behind the slots: zeros, or what was written there since the last cut. */
static void check_cut_word(const struct reader *reader, uint64_t offset, uint64_t word)
{
    unsigned started = atomic_load(&reader->notes->cuts_started);

    if (word == 0)
        return;
    if (witness_mark(word) != WITNESS_CUT_MARK || (unsigned)word <= reader->view.cuts_completed ||
        (unsigned)word > started)
        witness_fail(reader->round, "%s: %016llx at %llu came back, cut %u was completed",
                     reader->how, (unsigned long long)word, (unsigned long long)offset,
                     reader->view.cuts_completed);
}

static void check_append_word(const struct reader *reader, uint64_t offset, uint64_t word)
{
    unsigned owner = witness_owner(word);

    if (witness_mark(word) != WITNESS_APPEND_MARK || owner > 1 ||
        (unsigned)word > atomic_load(&reader->notes->appends_started[owner]))
        witness_fail(reader->round, "%s: %016llx at %llu was appended by nobody", reader->how,
                     (unsigned long long)word, (unsigned long long)offset);
}

static void check_word(const struct reader *reader, uint64_t offset, uint64_t word)
{
    if (reader->round->scene == WITNESS_APPENDS)
        check_append_word(reader, offset, word);
    else if (offset < witness_slots_end(reader->round))
        check_slot_word(reader, offset, word);
    else
        check_cut_word(reader, offset, word);
}

static void check(const struct reader *reader, uint64_t offset, const char *data, size_t size)
{
    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t))
        check_word(reader, offset + at,
                   __atomic_load_n((const uint64_t *)(const void *)(data + at), __ATOMIC_RELAXED));
    atomic_fetch_add(&reader->notes->read_count, 1);
}

/* Behind the slots the file may be cut at any time; below, a size that was told holds. */
static uint64_t steady(const struct reader *reader, uint64_t size)
{
    uint64_t end = witness_slots_end(reader->round);

    return reader->round->scene == WITNESS_SLOTS && size > end ? end : size;
}

static uint64_t told_size(const struct reader *reader, int fd)
{
    struct stat status;

    (void)witness_ok(reader->round, fstat(fd, &status));
    if ((uint64_t)status.st_size < reader->view.size)
        witness_fail(reader->round, "%s: fstat told %lld bytes, %llu were completed", reader->how,
                     (long long)status.st_size, (unsigned long long)reader->view.size);
    return (uint64_t)status.st_size;
}

/* ---- ways to read ---- */

static uint64_t start_of(const struct reader *reader)
{
    return reader->round->scene == WITNESS_APPENDS ? reader->tail : 0;
}

static void go_on_at(struct reader *reader, uint64_t end)
{
    if (reader->round->scene == WITNESS_APPENDS)
        reader->tail = end & ~7ull;
}

/* As much as fstat has told, which must be there. */
static void read_told(struct reader *reader, int fd)
{
    uint64_t start = start_of(reader);
    uint64_t size;
    ssize_t got;

    take_view(reader);
    size = told_size(reader, fd) - start;
    if (size > TAIL_SIZE_MAX)
        size = TAIL_SIZE_MAX;
    got = pread(fd, reader->buffer, size, (off_t)start);
    if (got < 0 || start + (uint64_t)got < steady(reader, start + size))
        witness_fail(reader->round, "%s: %zd of %llu told bytes at %llu", reader->how, got,
                     (unsigned long long)size, (unsigned long long)start);
    check(reader, start, reader->buffer, (size_t)got);
    go_on_at(reader, start + (uint64_t)got);
}

/* Whatever comes; at least what had been completed. */
static void read_on(struct reader *reader, int fd)
{
    uint64_t start = start_of(reader);
    uint64_t least;
    ssize_t got;

    take_view(reader);
    least = steady(reader, reader->view.size);
    if (least > start + TAIL_SIZE_MAX)
        least = start + TAIL_SIZE_MAX;
    got = pread(fd, reader->buffer, TAIL_SIZE_MAX, (off_t)start);
    if (got < 0 || start + (uint64_t)got < least)
        witness_fail(reader->round, "%s: %zd bytes at %llu, %llu were completed", reader->how, got,
                     (unsigned long long)start, (unsigned long long)reader->view.size);
    check(reader, start, reader->buffer, (size_t)got);
    go_on_at(reader, start + (uint64_t)got);
}

static void read_through_a_pipe(struct reader *reader, int fd)
{
    uint64_t start = start_of(reader);
    int pipe_fds[2];
    off_t offset = (off_t)start;
    ssize_t moved;

    (void)witness_ok(reader->round, pipe(pipe_fds));
    take_view(reader);
    moved = sendfile(pipe_fds[1], fd, &offset, 60000);
    if (moved < 0)
        witness_fail(reader->round, "%s: %s", reader->how, strerror(errno));
    (void)close(pipe_fds[1]);
    /* The pages are in the pipe: what they hold is looked at now. */
    for (ssize_t got = 0; got < moved;) {
        ssize_t more = read(pipe_fds[0], reader->buffer + got, (size_t)(moved - got));

        if (more <= 0)
            witness_fail(reader->round, "%s: the pipe ended early", reader->how);
        got += more;
    }
    (void)close(pipe_fds[0]);
    check(reader, start, reader->buffer, (size_t)moved & ~7ul);
    go_on_at(reader, start + (uint64_t)moved);
}

static void on_sigbus(int signal)
{
    static const char text[] = "mapping: SIGBUS below the size that was told\n";

    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_FAILURE);
}

static void unmap(struct reader *reader, size_t size)
{
    if (reader->mapping)
        (void)witness_ok(reader->round, munmap(reader->mapping, size));
    reader->mapping = NULL;
}

/* Up to the size that was told, the last byte included. */
static void read_mapped(struct reader *reader, int fd, bool is_new)
{
    static size_t mapped;
    uint64_t start = start_of(reader);
    uint64_t size;

    take_view(reader);
    size = steady(reader, told_size(reader, fd));
    if (size == 0)
        return;
    if (is_new || size > mapped)
        unmap(reader, mapped);
    if (!reader->mapping) {
        mapped = size;
        reader->mapping = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, 0);
        if (reader->mapping == MAP_FAILED)
            witness_fail(reader->round, "%s: mmap: %s", reader->how, strerror(errno));
    }
    check(reader, start, reader->mapping + start, size - start);
    go_on_at(reader, size);
}

/* ---- the readers ---- */

/* Also disturbs: pages go, are read ahead, and are written back. */
static void disturb(int fd, uint64_t *random)
{
    switch (witness_random(random) % 4) {
    case 0:
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        break;
    case 1:
        (void)readahead(fd, 0, 1 << 20);
        break;
    case 2:
        (void)fsync(fd);
        break;
    default:
        break;
    }
}

enum { BY_TOLD_SIZE, BY_READING_ON, BY_NEW_HANDLES, BY_O_DIRECT, BY_MAPPING, BY_PIPE };

static void read_once(struct reader *reader, unsigned number, int fd, unsigned count)
{
    switch (number) {
    case BY_TOLD_SIZE:
        read_told(reader, fd);
        break;
    case BY_MAPPING:
        read_mapped(reader, fd, count % REMAP_EVERY == 0);
        break;
    case BY_PIPE:
        read_through_a_pipe(reader, fd);
        break;
    default:
        read_on(reader, fd);
    }
}

static int open_to_read(const struct reader *reader, unsigned number)
{
    return (int)witness_ok(reader->round, open(reader->round->path,
                                               O_RDONLY | (number == BY_O_DIRECT ? O_DIRECT : 0)));
}

void witness_read(const struct witness_round *round, struct witness_notes *notes, unsigned number)
{
    static const char *const names[WITNESS_READER_COUNT] = {
        "fstat and pread", "pread", "open and pread", "O_DIRECT", "mapping", "sendfile"};
    struct reader reader = {
        .round = round,
        .notes = notes,
        .how = names[number],
        .buffer = witness_buffer(TAIL_SIZE_MAX),
    };
    uint64_t random = round->seed + 100 + number;
    int fd = open_to_read(&reader, number);

    (void)signal(SIGBUS, on_sigbus);
    for (unsigned count = 1; !atomic_load(&notes->is_over); count++) {
        if (number == BY_NEW_HANDLES || (number == BY_PIPE && count % 8 == 0)) {
            (void)close(fd); /* only read */
            fd = open_to_read(&reader, number);
        }
        read_once(&reader, number, fd, count);
        if (number == BY_NEW_HANDLES)
            disturb(fd, &random);
    }
    (void)close(fd); /* only read */
}

/* ---- the end ---- */

static void count_appended(const struct witness_round *round, const struct witness_notes *notes,
                           const char *data, size_t size)
{
    uint64_t found[2] = {0, 0};

    for (size_t at = 0; at < size; at += sizeof(uint64_t))
        found[witness_owner(*(const uint64_t *)(const void *)(data + at)) & 1] += sizeof(uint64_t);
    for (unsigned writer = 0; writer < 2; writer++) {
        if (found[writer] != atomic_load(&notes->appended[writer]))
            witness_fail(round, "of writer %u there are %llu bytes, acknowledged %llu", writer,
                         (unsigned long long)found[writer],
                         (unsigned long long)atomic_load(&notes->appended[writer]));
    }
}

static void check_end(struct reader *reader, int flags)
{
    struct stat status;
    char *data;
    int fd = (int)witness_ok(reader->round, open(reader->round->path, O_RDONLY | flags));
    size_t got = 0;

    take_view(reader);
    (void)witness_ok(reader->round, fstat(fd, &status));
    data = witness_buffer((size_t)status.st_size + WITNESS_SLOT_SIZE_MAX);
    while (got < (size_t)status.st_size) {
        ssize_t more = read(fd, data + got, (size_t)status.st_size + WITNESS_SLOT_SIZE_MAX - got);

        if (more <= 0)
            witness_fail(reader->round, "%s: %zu of %lld bytes are there", reader->how, got,
                         (long long)status.st_size);
        got += (size_t)more;
    }
    check(reader, 0, data, got);
    if (reader->round->scene == WITNESS_APPENDS)
        count_appended(reader->round, reader->notes, data, got);
    free(data);
    (void)close(fd); /* only read */
}

void witness_check_end(const struct witness_round *round, struct witness_notes *notes)
{
    struct reader reader = {.round = round, .notes = notes, .how = "at the end, by read"};

    check_end(&reader, 0);
    reader.how = "at the end, by O_DIRECT";
    check_end(&reader, O_DIRECT);
}
