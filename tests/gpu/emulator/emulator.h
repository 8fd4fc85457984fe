/*
 * What the emulated GPU offers beside CUDA's own functions: to tests, failures; to its own parts,
 * the way from a kernel's launch to its threads.
 */
#ifndef TFS_TESTS_GPU_EMULATOR_EMULATOR_H
#define TFS_TESTS_GPU_EMULATOR_EMULATOR_H

#include "cuda_runtime_api.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The number-th of the calls that can fail from now on (1 is the next) fails, once, with
 * cudaErrorMemoryAllocation where it allocates, else with cudaErrorInvalidValue. 0: none.
 */
void emulator_fail_call(uint64_t number);
/* The name of what failed, or NULL when that has not yet come. Static. */
const char *emulator_failure(void);

/*
 * The number-th piece of work on a stream (1 is the next) fails as a kernel does that ran into
 * trouble: it is not done, and every call reports cudaErrorLaunchFailure until this is called
 * again. 0: none, and the device is well again.
 */
void emulator_fail_work(uint64_t number);

/* Is there a device at all? There is, unless this was called with false. */
void emulator_set_present(bool present);

/* Allocations, streams and events that were not given back. */
uint64_t emulator_live_count(void);

/* One call of a kernel, by a function that knows its type. The argument is copied. */
struct emulator_kernel {
    void (*call)(const struct emulator_kernel *kernel);
    void (*entry)(void);
    unsigned char argument[128];
};

cudaError_t emulator_launch(const struct emulator_kernel *kernel, dim3 grid, dim3 block,
                            cudaStream_t stream);
/* cudaSuccess, or the failure that a test asked for. */
cudaError_t emulator_admit(const char *call);

#ifdef __cplusplus
}
#endif

#endif
