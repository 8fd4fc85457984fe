/*
 * What all savers are made of: threads that work until a call fails.
 *
 * After a crash they go on with what the record says. A version number is never used twice.
 */
#ifndef TFS_TESTS_CRASH_SAVER_H
#define TFS_TESTS_CRASH_SAVER_H

#include "tests/crash/crash.h"

enum { saver_piece_bytes = 300007 };

/* Of one thread. */
struct saver {
    const char *name;
    struct crash_record *record;
    enum crash_death death;
    uint64_t dice;
    uint8_t *buffer; /* saver_piece_bytes */
    int error;       /* what ended it */
    bool unexpected; /* and not because its filesystem is gone */
};

/* save: one round; false when a call has failed. */
struct saver_kind {
    const char *name;
    bool (*save)(struct saver *saver);
};

/* Less than `below`; the sequence follows from the seed. */
uint64_t saver_roll(struct saver *saver, uint64_t below);

/* Notes why a call failed; false, so that callers can pass it on. */
bool saver_failed(struct saver *saver, const char *call);

/* Notes that the filesystem gave a wrong answer; false likewise. */
bool saver_is_told_wrong(struct saver *saver, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes this part of a version. */
bool saver_write_range(struct saver *saver, int fd, uint64_t file, uint64_t version,
                       uint64_t offset, size_t size);

/* One thread a kind, until all have ended. True when all ended with their filesystem. */
bool saver_run_all(const struct saver_kind *kinds, size_t count, struct crash_record *record,
                   uint64_t seed, enum crash_death death);

/* Kinds of savers that change files together. */
bool sharers_save(struct saver *saver);
bool cutters_save(struct saver *saver);

#endif
