/*
 * The emulated device's state that its parts share: whether it is well, and whose memory is what.
 * Threads: any may call any of these.
 */
#ifndef TFS_TESTS_GPU_EMULATOR_DEVICE_H
#define TFS_TESTS_GPU_EMULATOR_DEVICE_H

#include "tests/gpu/emulator/emulator.h"

/* The caller did what a GPU would not survive: say so, and end the process. */
_Noreturn void device_misused(const char *what);

/* As emulator_admit, of a call that allocates. */
cudaError_t device_admit_allocation(const char *call);
/* May a piece of work on a stream be done? false: it fails, or one has failed before it. */
bool device_admit_work(void);
/* What cudaGetLastError will say; returns the error. */
cudaError_t device_report(cudaError_t error);

/* Something was made that has to be given back (1), or was given back (-1). */
void device_count_live(int change);

enum memory_side { MEMORY_PAGEABLE, MEMORY_PINNED, MEMORY_DEVICE };

/* Whose memory the bytes are; ends the process where they reach beyond an allocation. */
enum memory_side memory_side(const void *pointer, size_t size);

#endif
