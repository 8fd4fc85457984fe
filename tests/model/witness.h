/*
 * Witness: two writers change one file, each in a way of its own, while readers of all kinds look.
 *
 * Every 8 bytes of the file say what they are: the slot that they belong to and its version. A slot
 * has one writer, who notes in shared memory when a version is started and when it is completed. So
 * a reader who noted what was completed before he read, and what is started after, knows which
 * versions he may find. Anything else is a failure: an older version, zeros where none were
 * written, other bytes, less than the size that fstat(2) has told, a signal.
 */
#ifndef TFS_TESTS_WITNESS_H
#define TFS_TESTS_WITNESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    WITNESS_SLOT_COUNT = 96,
    WITNESS_SLOT_SIZE_MAX = 4096,
    WITNESS_APPEND_SIZE_MAX = 3000,
    WITNESS_PATH_MAX = 4096,
};

/* How a writer writes. */
enum witness_kind {
    WITNESS_WRONLY,
    WITNESS_RDWR,
    WITNESS_DIRECT,
    WITNESS_DIRECT_WRONLY,
    WITNESS_MMAP,
    WITNESS_AIO,
    WITNESS_URING,
    WITNESS_PUNCH,
    WITNESS_ZERO,
    WITNESS_COPY,
    WITNESS_KIND_COUNT,
    WITNESS_RESIZE = WITNESS_KIND_COUNT, /* cuts and grows behind the slots */
};

enum witness_scene {
    WITNESS_SLOTS,   /* both write slots, growing the file at first */
    WITNESS_APPENDS, /* both append records; kinds up to WITNESS_DIRECT_WRONLY */
};

struct witness_round {
    enum witness_scene scene;
    enum witness_kind kinds[2];
    size_t slot_size; /* 4096 where O_DIRECT wants it, else one that straddles pages */
    bool grows;       /* the slots are not there when it begins */
    const char *path; /* of the file; the writers' own files begin with it */
    uint64_t seed;
};

/* In memory that all processes of a round share. */
struct witness_notes {
    atomic_bool is_over;
    atomic_uint started[WITNESS_SLOT_COUNT];
    atomic_uint completed[WITNESS_SLOT_COUNT];
    atomic_uint cuts_started; /* of WITNESS_RESIZE */
    atomic_uint cuts_completed;
    atomic_ullong size;        /* with all that has completed: nobody is told less */
    atomic_ullong appended[2]; /* bytes of each writer that were acknowledged */
    atomic_uint appends_started[2];
    atomic_ullong write_count;
    atomic_ullong read_count;
};

/* Processes; they return when the round is over, and exit(1) after a line on stderr. */
void witness_write(const struct witness_round *round, struct witness_notes *notes, unsigned number);
void witness_read(const struct witness_round *round, struct witness_notes *notes, unsigned number);
enum { WITNESS_READER_COUNT = 6 };

/* Whether the kernel has io_uring and lets us. */
bool witness_has_uring(void);

/* All of the file, when the writers are gone. */
void witness_check_end(const struct witness_round *round, struct witness_notes *notes);

const char *witness_kind_name(enum witness_kind kind);
bool witness_kind_is_direct(enum witness_kind kind);
bool witness_kind_zeroes(enum witness_kind kind);

/* ---- words ---- */

enum { WITNESS_SLOT_MARK = 0x7457, WITNESS_APPEND_MARK = 0x7458, WITNESS_CUT_MARK = 0x7459 };

static inline uint64_t witness_word(unsigned mark, unsigned owner, unsigned version)
{
    return (uint64_t)mark << 48 | (uint64_t)owner << 32 | version;
}

static inline unsigned witness_mark(uint64_t word)
{
    return (unsigned)(word >> 48);
}

static inline unsigned witness_owner(uint64_t word)
{
    return (unsigned)(word >> 32) & 0xffff;
}

/* The file's size when both writers have written all their slots. */
static inline uint64_t witness_slots_end(const struct witness_round *round)
{
    return (uint64_t)WITNESS_SLOT_COUNT * round->slot_size;
}

/* ---- common ---- */

__attribute__((format(printf, 2, 3), noreturn)) void witness_fail(const struct witness_round *round,
                                                                  const char *format, ...);

/* A call that must not answer -1. */
#define witness_ok(round, call)                                                                    \
    __extension__({                                                                                \
        long result_ = (long)(call);                                                               \
        if (result_ == -1)                                                                         \
            witness_fail(round, "%s: %s", #call, strerror(errno));                                 \
        result_;                                                                                   \
    })

uint64_t witness_random(uint64_t *state);
void *witness_buffer(size_t size); /* aligned for O_DIRECT */

#endif
