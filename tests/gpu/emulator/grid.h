/*
 * The threads of a kernel, as fibers of the calling thread. A fiber runs until it needs the others
 * of its warp (a shuffle) or of its block (a barrier), or ends. The warps of a block take turns,
 * and the blocks of a grid follow one another.
 *
 * All 32 lanes of a warp must come to the same shuffle, and all threads of a block to the same
 * barrier: where one comes to another, or has ended, the process ends with one line.
 *
 * Under ThreadSanitizer only shuffles, barriers and the kernel's begin and end order one fiber's
 * accesses before another's, so that it finds races between the threads of a block.
 */
#ifndef TFS_TESTS_GPU_EMULATOR_GRID_H
#define TFS_TESTS_GPU_EMULATOR_GRID_H

#include "tests/gpu/emulator/emulator.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GRID_LANES = 32, GRID_THREADS_MAX = 256 };

struct grid;

/* NULL when there is no memory. One thread at a time may use it. Lives as long as the process. */
struct grid *grid_new(void);
/* Returns when all threads of all blocks have ended. */
void grid_run(struct grid *grid, const struct emulator_kernel *kernel, unsigned block_count,
              unsigned block_size);

/* ---- for device code ---- */

extern __thread struct dim3 threadIdx;
extern __thread struct dim3 blockIdx;

/* Every lane gives a value and gets that of lane `source` (its own when that is beyond the warp).
 */
uint64_t grid_shuffle(uint64_t value, uint32_t source);
void grid_barrier(void);

#ifdef __cplusplus
}
#endif

#endif
