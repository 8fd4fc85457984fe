/*
 * The time of a job, by phases: wall time, CPU time of this process, calls. Whatever runs outside
 * of PHASE_TIMED shows up as unaccounted, so that a phase cannot be forgotten.
 */
#ifndef TENSORFS_BENCH_PHASES_H
#define TENSORFS_BENCH_PHASES_H

#include "store/base/clock.h"
#include "store/base/defs.h"

struct phase {
    uint64_t wall_ns;
    uint64_t cpu_ns;
    uint64_t calls;
};

struct phase_mark {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

static inline struct phase_mark phase_begin(void)
{
    struct timespec cpu;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu); /* cannot fail */
    return (struct phase_mark){
        .wall_ns = tfs_clock_ns(),
        .cpu_ns = (uint64_t)cpu.tv_sec * TFS_NS_PER_S + (uint64_t)cpu.tv_nsec,
    };
}

static inline void phase_end(struct phase *phase, struct phase_mark begin, uint64_t calls)
{
    struct phase_mark end = phase_begin();

    phase->wall_ns += end.wall_ns - begin.wall_ns;
    phase->cpu_ns += end.cpu_ns - begin.cpu_ns;
    phase->calls += calls;
}

/* Evaluate `expression`, an int, as `count` calls of *phase, and give its value. */
#define PHASE_TIMED(phase, count, expression)                                                      \
    __extension__({                                                                                \
        struct phase_mark phase_mark_ = phase_begin();                                             \
        int phase_result_ = (expression);                                                          \
        phase_end((phase), phase_mark_, (count));                                                  \
        phase_result_;                                                                             \
    })

#endif
