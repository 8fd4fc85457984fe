/* The writers of witness.h. */
#include "tests/model/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REOPEN_EVERY = 40, ENTRIES = 4 };

struct ring {
    int fd; /* -1: not there */
    char *submissions;
    char *completions;
    struct io_uring_sqe *entries;
    struct io_uring_params params;
};

struct writer {
    const struct witness_round *round;
    struct witness_notes *notes;
    unsigned number;
    enum witness_kind kind;
    int fd;
    int source; /* of WITNESS_COPY */
    char *buffer;
    char *mapping; /* of WITNESS_MMAP */
    aio_context_t aio;
    struct ring ring;
    uint64_t random;
};

/* ---- asynchronous I/O, by its system calls ---- */

static void ring_open(struct ring *ring)
{
    size_t size;

    memset(&ring->params, 0, sizeof(ring->params));
    ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
    if (ring->fd < 0)
        return;
    size = ring->params.sq_off.array + ring->params.sq_entries * sizeof(uint32_t);
    ring->submissions = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                             ring->fd, IORING_OFF_SQ_RING);
    size = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
    ring->completions = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                             ring->fd, IORING_OFF_CQ_RING);
    size = ring->params.sq_entries * sizeof(struct io_uring_sqe);
    ring->entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
                         IORING_OFF_SQES);
    if (ring->submissions == MAP_FAILED || ring->completions == MAP_FAILED ||
        (void *)ring->entries == MAP_FAILED) {
        (void)close(ring->fd);
        ring->fd = -1;
    }
}

bool witness_has_uring(void)
{
    struct ring ring;

    ring_open(&ring);
    if (ring.fd >= 0)
        (void)close(ring.fd);
    return ring.fd >= 0;
}

static unsigned *word_at(char *base, uint32_t offset)
{
    return (unsigned *)(void *)(base + offset);
}

/* One write, waited for. Returns what pwrite(2) would, with a negative errno. */
static long ring_write(struct ring *ring, int fd, size_t size, uint64_t offset, const char *data)
{
    unsigned *tail = word_at(ring->submissions, ring->params.sq_off.tail);
    unsigned mask = *word_at(ring->submissions, ring->params.sq_off.ring_mask);
    unsigned *head = word_at(ring->completions, ring->params.cq_off.head);
    unsigned completion_mask = *word_at(ring->completions, ring->params.cq_off.ring_mask);
    const struct io_uring_cqe *done;
    unsigned index = *tail & mask;
    long result;

    ring->entries[index] = (struct io_uring_sqe){
        .opcode = IORING_OP_WRITE,
        .fd = fd,
        .addr = (uint64_t)(uintptr_t)data,
        .len = (uint32_t)size,
        .off = offset,
    };
    word_at(ring->submissions, ring->params.sq_off.array)[index] = index;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    do {
        result = syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    } while (result < 0 && errno == EINTR);
    if (result < 0)
        return -errno;
    done = (const struct io_uring_cqe *)(void *)(ring->completions + ring->params.cq_off.cqes);
    result = done[*head & completion_mask].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

static long aio_write(aio_context_t aio, int fd, size_t size, uint64_t offset, const char *data)
{
    struct iocb block = {
        .aio_lio_opcode = IOCB_CMD_PWRITE,
        .aio_fildes = (uint32_t)fd,
        .aio_buf = (uint64_t)(uintptr_t)data,
        .aio_nbytes = size,
        .aio_offset = (int64_t)offset,
    };
    struct iocb *blocks[] = {&block};
    struct io_event event;

    if (syscall(SYS_io_submit, aio, 1, blocks) != 1)
        return -errno;
    if (syscall(SYS_io_getevents, aio, 1, 1, &event, NULL) != 1)
        return -errno;
    return (long)event.res;
}

/* ---- handles ---- */

static int flags_of(enum witness_kind kind)
{
    switch (kind) {
    case WITNESS_WRONLY:
    case WITNESS_PUNCH:
    case WITNESS_COPY:
        return O_WRONLY;
    case WITNESS_DIRECT:
    case WITNESS_AIO:
    case WITNESS_URING:
        return O_RDWR | O_DIRECT;
    case WITNESS_DIRECT_WRONLY:
        return O_WRONLY | O_DIRECT;
    default:
        return O_RDWR;
    }
}

static void reopen(struct writer *writer)
{
    const struct witness_round *round = writer->round;
    int flags = flags_of(writer->kind);

    if (writer->mapping)
        (void)witness_ok(round, munmap(writer->mapping, witness_slots_end(round)));
    if (writer->fd >= 0)
        (void)witness_ok(round, close(writer->fd));
    if (round->scene == WITNESS_APPENDS)
        flags |= O_APPEND;
    writer->fd = (int)witness_ok(round, open(round->path, flags));
    if (writer->kind != WITNESS_MMAP)
        return;
    writer->mapping =
        mmap(NULL, witness_slots_end(round), PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
    if (writer->mapping == MAP_FAILED)
        witness_fail(round, "mmap to write: %s", strerror(errno));
}

static void writer_open(struct writer *writer)
{
    char path[WITNESS_PATH_MAX];

    writer->fd = -1;
    writer->buffer = witness_buffer(WITNESS_SLOT_SIZE_MAX);
    writer->random = writer->round->seed + writer->number;
    if (writer->kind == WITNESS_AIO)
        (void)witness_ok(writer->round, syscall(SYS_io_setup, ENTRIES, &writer->aio));
    if (writer->kind == WITNESS_URING)
        ring_open(&writer->ring);
    if (writer->kind == WITNESS_COPY) {
        (void)snprintf(path, sizeof(path), "%s.%u", writer->round->path, writer->number);
        writer->source =
            (int)witness_ok(writer->round, open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    }
    reopen(writer);
}

/* ---- slots ---- */

/* A mapping ends where the file does, and a punched file does not grow. */
static void grow_to(const struct writer *writer, uint64_t offset, size_t size)
{
    struct stat status;

    (void)witness_ok(writer->round, fstat(writer->fd, &status));
    if ((uint64_t)status.st_size < offset + size)
        (void)witness_ok(writer->round, fallocate(writer->fd, 0, (off_t)offset, (off_t)size));
}

static void store(char *to, const char *from, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t))
        __atomic_store_n((uint64_t *)(void *)(to + at),
                         *(const uint64_t *)(const void *)(from + at), __ATOMIC_RELAXED);
}

static long copy_slot(const struct writer *writer, uint64_t offset, size_t size)
{
    off_t from = (off_t)offset;
    off_t to = (off_t)offset;

    (void)witness_ok(writer->round, pwrite(writer->source, writer->buffer, size, from));
    return copy_file_range(writer->source, &from, writer->fd, &to, size, 0);
}

static void put(struct writer *writer, uint64_t offset, size_t size)
{
    long written = (long)size;

    switch (writer->kind) {
    case WITNESS_MMAP:
        grow_to(writer, offset, size);
        store(writer->mapping + offset, writer->buffer, size);
        break;
    case WITNESS_AIO:
        written = aio_write(writer->aio, writer->fd, size, offset, writer->buffer);
        break;
    case WITNESS_URING:
        written = ring_write(&writer->ring, writer->fd, size, offset, writer->buffer);
        break;
    case WITNESS_COPY:
        written = copy_slot(writer, offset, size);
        break;
    default:
        written = pwrite(writer->fd, writer->buffer, size, (off_t)offset);
    }
    if (written != (long)size)
        witness_fail(writer->round, "writing %zu bytes at %llu answered %ld (%s)", size,
                     (unsigned long long)offset, written, strerror(errno));
}

static void zero(const struct writer *writer, uint64_t offset, size_t size)
{
    int mode = writer->kind == WITNESS_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

    grow_to(writer, offset, size);
    (void)witness_ok(writer->round,
                     fallocate(writer->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size));
}

static void note_size(struct witness_notes *notes, uint64_t end)
{
    unsigned long long size = atomic_load(&notes->size);

    while (size < end && !atomic_compare_exchange_weak(&notes->size, &size, end)) {
    }
}

static void write_slot(struct writer *writer, unsigned slot)
{
    struct witness_notes *notes = writer->notes;
    size_t size = writer->round->slot_size;
    uint64_t offset = slot * size;
    unsigned version = atomic_load(&notes->started[slot]) + 1;

    for (size_t at = 0; at < size; at += sizeof(uint64_t))
        *(uint64_t *)(void *)(writer->buffer + at) = witness_word(WITNESS_SLOT_MARK, slot, version);
    atomic_store(&notes->started[slot], version);
    if (witness_kind_zeroes(writer->kind) && version % 2 == 1)
        zero(writer, offset, size);
    else
        put(writer, offset, size);
    atomic_store(&notes->completed[slot], version);
    note_size(notes, offset + size);
}

static void write_slots(struct writer *writer)
{
    const struct witness_round *round = writer->round;
    unsigned step = round->kinds[1] == WITNESS_RESIZE ? 1 : 2;
    unsigned slot = step == 1 ? 0 : writer->number;

    for (unsigned count = 1; !atomic_load(&writer->notes->is_over); count++) {
        write_slot(writer, slot);
        atomic_fetch_add(&writer->notes->write_count, 1);
        slot += step;
        if (slot >= WITNESS_SLOT_COUNT)
            slot = step == 1 ? 0 : writer->number;
        if (count % REOPEN_EVERY == 0)
            reopen(writer);
    }
}

/* ---- behind the slots ---- */

/* Grows the file, writes there, and cuts it again. All slots are there before the round begins. */
static void resize(struct writer *writer)
{
    const struct witness_round *round = writer->round;
    struct witness_notes *notes = writer->notes;
    uint64_t base = witness_slots_end(round);

    for (unsigned count = 1; !atomic_load(&notes->is_over); count++) {
        uint64_t size = (1 + witness_random(&writer->random) % 1000) * sizeof(uint64_t);
        uint64_t word = witness_word(WITNESS_CUT_MARK, 0, count);
        size_t written = size < WITNESS_SLOT_SIZE_MAX ? size : WITNESS_SLOT_SIZE_MAX;

        atomic_store(&notes->cuts_started, count);
        (void)witness_ok(round, ftruncate(writer->fd, (off_t)(base + size)));
        for (size_t at = 0; at < written; at += sizeof(uint64_t))
            memcpy(writer->buffer + at, &word, sizeof(word));
        if (pwrite(writer->fd, writer->buffer, written, (off_t)base) != (ssize_t)written)
            witness_fail(round, "writing behind the slots: %s", strerror(errno));
        (void)witness_ok(round, ftruncate(writer->fd, (off_t)base));
        atomic_store(&notes->cuts_completed, count);
        atomic_fetch_add(&notes->write_count, 1);
        if (count % REOPEN_EVERY == 0)
            reopen(writer);
    }
}

/* ---- appends ---- */

static void append(struct writer *writer)
{
    const struct witness_round *round = writer->round;
    struct witness_notes *notes = writer->notes;
    unsigned self = writer->number;
    bool is_aligned = round->slot_size == WITNESS_SLOT_SIZE_MAX;

    for (unsigned count = 1; !atomic_load(&notes->is_over); count++) {
        uint64_t word = witness_word(WITNESS_APPEND_MARK, self, count);
        size_t words =
            1 + witness_random(&writer->random) % (WITNESS_APPEND_SIZE_MAX / sizeof(uint64_t));
        size_t size = is_aligned ? WITNESS_SLOT_SIZE_MAX : words * sizeof(uint64_t);

        for (size_t at = 0; at < size; at += sizeof(uint64_t))
            memcpy(writer->buffer + at, &word, sizeof(word));
        atomic_store(&notes->appends_started[self], count);
        if (write(writer->fd, writer->buffer, size) != (ssize_t)size)
            witness_fail(round, "appending: %s", strerror(errno));
        atomic_fetch_add(&notes->appended[self], size);
        atomic_fetch_add(&notes->size, size);
        atomic_fetch_add(&notes->write_count, 1);
        if (count % REOPEN_EVERY == 0)
            reopen(writer);
    }
}

void witness_write(const struct witness_round *round, struct witness_notes *notes, unsigned number)
{
    struct writer writer = {
        .round = round, .notes = notes, .number = number, .kind = round->kinds[number]};

    writer_open(&writer);
    if (round->scene == WITNESS_APPENDS)
        append(&writer);
    else if (writer.kind == WITNESS_RESIZE)
        resize(&writer);
    else
        write_slots(&writer);
    if (writer.mapping)
        (void)witness_ok(round, munmap(writer.mapping, witness_slots_end(round)));
    (void)witness_ok(round, close(writer.fd));
}
