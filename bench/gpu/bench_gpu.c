/*
 * How fast a device checks tensors that are already in its memory, beside a copy inside that
 * memory.
 *
 * usage: bench_gpu [--device auto|gpu|cpu] [--bytes N] [--rounds N]
 *        Prints one JSON object; speeds are medians in bytes per second. `share` is the check's
 * speed over the copy's, which counts bytes read and bytes written: what the memory can do.
 */
#include "gpu/gpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int dtype_measure(struct gpu *gpu, uint64_t byte_count, unsigned round_count,
                         enum dtype dtype)
{
    struct gpu_speed speed;
    int err = gpu_measure(gpu, byte_count, dtype, round_count, &speed);

    if (err < 0)
        return err;
    (void)printf("%s\"%s\":{\"check\":%.4g,\"copy\":%.4g,\"transfer\":%.4g,\"share\":%.3f}",
                 dtype == DTYPE_BYTES ? "" : ",", dtype_name(dtype), speed.check, speed.copy,
                 speed.transfer, speed.check / speed.copy);
    return 0;
}

static enum gpu_choice choice_of(const char *name)
{
    return strcmp(name, "gpu") == 0   ? GPU_CHOICE_CUDA
           : strcmp(name, "cpu") == 0 ? GPU_CHOICE_CPU
                                      : GPU_CHOICE_AUTO;
}

int main(int argc, char **argv)
{
    enum gpu_choice choice = GPU_CHOICE_AUTO;
    uint64_t byte_count = TFS_GIB;
    unsigned round_count = 21;
    struct gpu *gpu;
    int err;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--device") == 0)
            choice = choice_of(argv[i + 1]);
        else if (strcmp(argv[i], "--bytes") == 0)
            byte_count = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0)
            round_count = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    err = gpu_open(choice, &gpu);
    if (err < 0) {
        (void)fprintf(stderr, "bench_gpu: no GPU: %s\n", gpu_absence() ? gpu_absence() : "error");
        return 2;
    }
    (void)printf("{\"device\":\"%s\",\"bytes\":%" PRIu64 ",\"rounds\":%u,\"dtypes\":{",
                 gpu_description(gpu), byte_count, round_count);
    for (int dtype = DTYPE_BYTES; dtype < DTYPE_ARITHMETIC_COUNT && err == 0; dtype++)
        err = dtype_measure(gpu, byte_count, round_count, (enum dtype)dtype);
    (void)printf("}}\n");
    gpu_close(gpu);
    return err < 0 ? 1 : 0;
}
