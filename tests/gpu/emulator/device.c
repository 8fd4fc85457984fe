#include "tests/gpu/emulator/device.h"

#include "store/base/defs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counted down; the step from 1 to 0 is the failure. 0: none is asked for. */
static atomic_uint_fast64_t calls_to_failure;
static atomic_uint_fast64_t works_to_failure;
static const char *_Atomic failure; /* its name, once it has come */
static atomic_bool is_lost;
static atomic_bool is_absent;
static atomic_int_fast64_t live_count;
static __thread cudaError_t last_error;

void device_misused(const char *what)
{
    (void)fprintf(stderr, "emulated GPU: %s\n", what);
    abort();
}

void emulator_fail_call(uint64_t number)
{
    atomic_store(&calls_to_failure, number);
    atomic_store(&failure, NULL);
}

const char *emulator_failure(void)
{
    return atomic_load(&failure);
}

void emulator_fail_work(uint64_t number)
{
    atomic_store(&works_to_failure, number);
    atomic_store(&failure, NULL);
    atomic_store(&is_lost, false);
}

void emulator_set_present(bool present)
{
    atomic_store(&is_absent, !present);
}

uint64_t emulator_live_count(void)
{
    return (uint64_t)atomic_load(&live_count);
}

void device_count_live(int change)
{
    atomic_fetch_add(&live_count, change);
}

/* Is this the one that was asked to fail? */
static bool countdown(atomic_uint_fast64_t *left, const char *name)
{
    uint_fast64_t now = atomic_load(left);

    while (now > 0 && !atomic_compare_exchange_weak(left, &now, now - 1))
        continue;
    if (now == 1)
        atomic_store(&failure, name);
    return now == 1;
}

static cudaError_t admit(const char *call, cudaError_t error)
{
    if (atomic_load(&is_lost))
        return device_report(cudaErrorLaunchFailure);
    return device_report(countdown(&calls_to_failure, call) ? error : cudaSuccess);
}

cudaError_t emulator_admit(const char *call)
{
    return admit(call, cudaErrorInvalidValue);
}

cudaError_t device_admit_allocation(const char *call)
{
    return admit(call, cudaErrorMemoryAllocation);
}

bool device_admit_work(void)
{
    if (countdown(&works_to_failure, "work"))
        atomic_store(&is_lost, true);
    return !atomic_load(&is_lost);
}

cudaError_t device_report(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

/* ---- CUDA's functions ---- */

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = atomic_load(&is_lost) ? cudaErrorLaunchFailure : last_error;

    last_error = cudaSuccess;
    return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorInvalidValue:
        return "invalid argument";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    }
    return "unrecognized error code";
}

/* Not among those that fail: gpu/ asks only to tell the reason of a failure that follows. */
cudaError_t cudaDriverGetVersion(int *ret)
{
    *ret = 12000;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *ret)
{
    if (atomic_load(&is_absent))
        return device_report(cudaErrorNoDevice);
    *ret = 1;
    return emulator_admit(__func__);
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? emulator_admit(__func__) : device_report(cudaErrorInvalidValue);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *ret, int device)
{
    if (device != 0)
        return device_report(cudaErrorInvalidValue);
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->name, sizeof(ret->name), "emulated GPU");
    ret->totalGlobalMem = TFS_GIB;
    ret->major = 9;
    return emulator_admit(__func__);
}
