#include "tests/gpu/emulator/grid.h"

#include "tests/gpu/emulator/fiber.h"

#include <stdio.h>
#include <stdlib.h>

enum thread_state { THREAD_READY, THREAD_AT_SHUFFLE, THREAD_AT_BARRIER, THREAD_ENDED };

struct thread {
    struct fiber *fiber;
    struct grid *grid;
    unsigned index;
    enum thread_state state;
    /* of a shuffle */
    uint64_t given;
    uint64_t received;
    uint32_t source;
};

struct grid {
    const struct emulator_kernel *kernel;
    unsigned thread_count; /* of a block */
    unsigned block;
    struct thread threads[GRID_THREADS_MAX];
    /* what orders the threads' accesses, for ThreadSanitizer */
    char warp_order[GRID_THREADS_MAX / GRID_LANES];
    char block_order;
};

__thread struct dim3 threadIdx;
__thread struct dim3 blockIdx;
static __thread struct thread *current;

static _Noreturn void die(const struct grid *grid, unsigned thread, const char *what)
{
    (void)fprintf(stderr, "emulated GPU: block %u, thread %u: %s\n", grid->block, thread, what);
    abort();
}

/* ---- in a kernel's thread ---- */

/* Waits for the scheduler; what orders this with the other threads is the caller's affair. */
FIBER_UNORDERED static void thread_stop(enum thread_state state)
{
    struct thread *self = current;

    self->state = state;
    fiber_leave(self->fiber);
}

FIBER_UNORDERED uint64_t grid_shuffle(uint64_t value, uint32_t source)
{
    struct thread *self = current;
    char *order = &self->grid->warp_order[self->index / GRID_LANES];

    self->given = value;
    self->source = source < GRID_LANES ? source : self->index % GRID_LANES;
    fiber_release(order);
    thread_stop(THREAD_AT_SHUFFLE);
    fiber_acquire(order);
    return self->received;
}

FIBER_UNORDERED void grid_barrier(void)
{
    struct thread *self = current;

    fiber_release(&self->grid->block_order);
    thread_stop(THREAD_AT_BARRIER);
    fiber_acquire(&self->grid->block_order);
}

/* One thread of one block. */
FIBER_UNORDERED static void thread_main(void *argument)
{
    struct thread *self = argument;

    fiber_acquire(&self->grid->block_order);
    self->grid->kernel->call(self->grid->kernel);
    fiber_release(&self->grid->block_order);
    self->state = THREAD_ENDED;
}

/* ---- the scheduler ---- */

/* Odd blocks run their threads backwards: an order that no kernel may count on. */
FIBER_UNORDERED static unsigned turn(const struct grid *grid, unsigned i, unsigned count)
{
    return grid->block % 2 ? count - 1 - i : i;
}

FIBER_UNORDERED static void warp_step(struct grid *grid, struct thread *warp)
{
    for (unsigned i = 0; i < GRID_LANES; i++) {
        struct thread *thread = &warp[turn(grid, i, GRID_LANES)];

        current = thread;
        threadIdx = (struct dim3){thread->index, 0, 0};
        blockIdx = (struct dim3){grid->block, 0, 0};
        thread->state = THREAD_READY;
        fiber_enter(thread->fiber);
    }
    for (unsigned i = 1; i < GRID_LANES; i++) {
        if (warp[i].state != warp[0].state)
            die(grid, warp[i].index, "its warp's lanes do not come to the same place");
    }
}

/* Until all of its lanes are at a barrier or have ended. */
FIBER_UNORDERED static void warp_run(struct grid *grid, struct thread *warp)
{
    for (;;) {
        warp_step(grid, warp);
        if (warp[0].state != THREAD_AT_SHUFFLE)
            return;
        for (unsigned i = 0; i < GRID_LANES; i++)
            warp[i].received = warp[warp[i].source].given;
    }
}

FIBER_UNORDERED static void block_run(struct grid *grid)
{
    const unsigned warp_count = grid->thread_count / GRID_LANES;

    do {
        for (unsigned i = 0; i < warp_count; i++)
            warp_run(grid, &grid->threads[turn(grid, i, warp_count) * GRID_LANES]);
        for (unsigned i = 1; i < warp_count; i++) {
            if (grid->threads[i * GRID_LANES].state != grid->threads[0].state)
                die(grid, i * GRID_LANES, "its block's warps do not come to the same barrier");
        }
    } while (grid->threads[0].state != THREAD_ENDED);
}

void grid_run(struct grid *grid, const struct emulator_kernel *kernel, unsigned block_count,
              unsigned block_size)
{
    grid->kernel = kernel;
    grid->thread_count = block_size;
    if (block_size == 0 || block_size > GRID_THREADS_MAX || block_size % GRID_LANES != 0)
        die(grid, 0, "blocks of this size are not emulated");
    fiber_release(&grid->block_order);
    for (grid->block = 0; grid->block < block_count; grid->block++)
        block_run(grid);
    fiber_acquire(&grid->block_order);
}

struct grid *grid_new(void)
{
    struct grid *grid = calloc(1, sizeof(*grid));

    if (!grid)
        return NULL;
    for (unsigned i = 0; i < GRID_THREADS_MAX; i++) {
        struct thread *thread = &grid->threads[i];

        thread->grid = grid;
        thread->index = i;
        thread->fiber = fiber_new(thread_main, thread);
        if (!thread->fiber)
            return NULL; /* and with it the process ends */
    }
    return grid;
}
