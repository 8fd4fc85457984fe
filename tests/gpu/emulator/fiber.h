/*
 * Fibers: functions with a stack of their own that take turns on one thread, in a way that the
 * sanitizers follow.
 */
#ifndef TFS_TESTS_GPU_EMULATOR_FIBER_H
#define TFS_TESTS_GPU_EMULATOR_FIBER_H

#include <stdbool.h>

#if defined(__has_feature)
#define FIBER_HAS_FEATURE(feature) __has_feature(feature)
#else
#define FIBER_HAS_FEATURE(feature) 0
#endif

/*
 * FIBER_UNORDERED: a function that works on the fibers themselves. Switching orders no memory
 * accesses for ThreadSanitizer, so it must not look at these functions.
 */
#if defined(__SANITIZE_THREAD__) || FIBER_HAS_FEATURE(thread_sanitizer)
#define FIBER_TSAN      1
#define FIBER_UNORDERED __attribute__((no_sanitize("thread")))
#else
#define FIBER_TSAN 0
#define FIBER_UNORDERED
#endif

#if defined(__SANITIZE_ADDRESS__) || FIBER_HAS_FEATURE(address_sanitizer)
#define FIBER_ASAN 1
#else
#define FIBER_ASAN 0
#endif

struct fiber;

/* Lives as long as the process. NULL: no memory. */
struct fiber *fiber_new(void (*function)(void *argument), void *argument);

/* Run it until it leaves or its function returns; after that the function begins anew. */
void fiber_enter(struct fiber *fiber);
/* From inside: back to who entered it. */
void fiber_leave(struct fiber *fiber);

/* All that came before a release of `order` comes before what follows an acquire of it. */
void fiber_release(char *order);
void fiber_acquire(char *order);

#endif
