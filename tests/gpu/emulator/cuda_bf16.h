#ifndef TFS_TESTS_GPU_EMULATOR_CUDA_BF16_H
#define TFS_TESTS_GPU_EMULATOR_CUDA_BF16_H

#include "tests/gpu/emulator/emulator_floats.h"

#endif
