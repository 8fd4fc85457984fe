# Tests of tools.

tfs_add_unit_test(test_tool_lines SOURCES test_tool_lines.c said.c LINK tfs_tool)

# tensorfs-bench
foreach(module stats text sweep_config model formats results workers mount json plot)
    tfs_add_unit_test(test_bench_${module} SOURCES test_bench_${module}.c bench_fixture.c said.c
        LINK tfs_bench PkgConfig::ZLIB m)
endforeach()

# tensorfsctl
tfs_add_unit_test(test_ctl SOURCES test_ctl.c LINK tfs_ctl)
