#include "tests/gpu/emulator/fiber.h"

#include <stdlib.h>
#include <ucontext.h>

#if FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_BYTES = 128 * 1024 };

struct fiber {
    ucontext_t context;
    ucontext_t enterer;
    void (*function)(void *argument);
    void *argument;
    void *stack;
    bool is_begun;
#if FIBER_ASAN
    const void *enterer_stack;
    size_t enterer_stack_size;
#endif
#if FIBER_TSAN
    void *tsan;
    void *tsan_enterer;
#endif
};

static __thread struct fiber *entering; /* makecontext passes no pointer */

/* Back to who entered; is_last: never to come back here. */
FIBER_UNORDERED static void fiber_switch_back(struct fiber *fiber, bool is_last)
{
#if FIBER_ASAN
    void *fake_stack;

    __sanitizer_start_switch_fiber(is_last ? NULL : &fake_stack, fiber->enterer_stack,
                                   fiber->enterer_stack_size);
#endif
#if FIBER_TSAN
    __tsan_switch_to_fiber(fiber->tsan_enterer, __tsan_switch_to_fiber_no_sync);
#endif
    (void)swapcontext(&fiber->context, &fiber->enterer);
#if FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, &fiber->enterer_stack, &fiber->enterer_stack_size);
#endif
}

FIBER_UNORDERED static void fiber_main(void)
{
    struct fiber *self = entering;

#if FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &self->enterer_stack, &self->enterer_stack_size);
#endif
    self->function(self->argument);
    self->is_begun = false;
    fiber_switch_back(self, true);
    abort();
}

/* On its own, since compilers distrust the variables of a function that getcontext returns to. */
FIBER_UNORDERED static void fiber_begin(struct fiber *fiber)
{
    if (getcontext(&fiber->context) != 0)
        abort(); /* it only reads registers and the signal mask */
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->context, fiber_main, 0);
    fiber->is_begun = true;
}

FIBER_UNORDERED void fiber_enter(struct fiber *fiber)
{
#if FIBER_ASAN
    void *fake_stack;
#endif

    if (!fiber->is_begun)
        fiber_begin(fiber);
#if FIBER_ASAN
    __sanitizer_start_switch_fiber(&fake_stack, fiber->stack, STACK_BYTES);
#endif
#if FIBER_TSAN
    fiber->tsan_enterer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan, __tsan_switch_to_fiber_no_sync);
#endif
    entering = fiber;
    (void)swapcontext(&fiber->enterer, &fiber->context);
#if FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
}

FIBER_UNORDERED void fiber_leave(struct fiber *fiber)
{
    fiber_switch_back(fiber, false);
}

struct fiber *fiber_new(void (*function)(void *argument), void *argument)
{
    struct fiber *fiber = calloc(1, sizeof(*fiber));

    if (!fiber)
        return NULL;
    fiber->function = function;
    fiber->argument = argument;
    fiber->stack = malloc(STACK_BYTES);
    if (!fiber->stack) {
        free(fiber);
        return NULL;
    }
#if FIBER_TSAN
    fiber->tsan = __tsan_create_fiber(0);
#endif
    return fiber;
}

FIBER_UNORDERED void fiber_release(char *order)
{
#if FIBER_TSAN
    __tsan_release(order);
#else
    (void)order;
#endif
}

FIBER_UNORDERED void fiber_acquire(char *order)
{
#if FIBER_TSAN
    __tsan_acquire(order);
#else
    (void)order;
#endif
}
