# Tests of gpu.
