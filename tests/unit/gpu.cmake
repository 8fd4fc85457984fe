# Tests of gpu, and of tools/validate.
tfs_add_unit_test(test_gpu_arithmetic
    SOURCES test_gpu_arithmetic.c gpu_reference.c
    LINK tfs_gpu m)
tfs_add_unit_test(test_gpu_device
    SOURCES test_gpu_device.c gpu_reference.c
    LINK tfs_gpu m)
tfs_add_unit_test(test_validate_complete
    SOURCES test_validate_complete.c validate_command.c formats_fixture.c
    LINK tfs_validate)
tfs_add_unit_test(test_validate_refused
    SOURCES test_validate_refused.c formats_fixture.c
    LINK tfs_validate)
tfs_add_unit_test(test_validate_blocks
    SOURCES test_validate_blocks.c
    LINK tfs_validate)
target_link_options(test_validate_blocks PRIVATE -Wl,--wrap=ioctl -Wl,--wrap=fsync)
tfs_add_unit_test(test_validate_command
    SOURCES test_validate_command.c validate_command.c formats_fixture.c
    LINK tfs_validate)
tfs_add_unit_test(test_validate_files
    SOURCES test_validate_files.c validate_command.c formats_fixture.c
    LINK tfs_validate)
