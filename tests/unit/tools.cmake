# Tests of tools.

tfs_add_unit_test(test_tool_lines SOURCES test_tool_lines.c said.c LINK tfs_tool)

# tensorfs-bench
foreach(module stats text sweep_config model formats results workers mount json plot system target workload sweep_run measurement)
    tfs_add_unit_test(test_bench_${module} SOURCES test_bench_${module}.c bench_fixture.c said.c
        LINK tfs_bench PkgConfig::ZLIB m)
endforeach()

# tensorfsctl
tfs_add_unit_test(test_ctl SOURCES test_ctl.c LINK tfs_ctl)
foreach(name usage answers program)
    tfs_add_unit_test(test_ctl_${name}
        SOURCES test_ctl_${name}.c ctl_fixture.c said.c store_fixture.c
        LINK tfs_ctl)
    target_compile_definitions(test_ctl_${name} PRIVATE
        "TFS_TEST_DIRECTORY=\"${CMAKE_CURRENT_BINARY_DIR}\"")
    set_tests_properties(test_ctl_${name} PROPERTIES
        ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
endforeach()
target_compile_definitions(test_ctl_program PRIVATE
    "TFS_TEST_TENSORFSCTL=\"$<TARGET_FILE:tensorfsctl>\"")
add_dependencies(test_ctl_program tensorfsctl)
