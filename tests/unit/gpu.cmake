# Tests of gpu, and of tools/validate.
tfs_add_unit_test(test_gpu_arithmetic
    SOURCES test_gpu_arithmetic.c gpu_reference.c
    LINK tfs_gpu m)
tfs_add_unit_test(test_gpu_leaf
    SOURCES test_gpu_leaf.c gpu_reference.c
    LINK tfs_gpu m)
tfs_add_unit_test(test_gpu_device
    SOURCES test_gpu_device.c gpu_reference.c
    LINK tfs_gpu m)
