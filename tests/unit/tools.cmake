# Tests of tools.

tfs_add_unit_test(test_tool_lines SOURCES test_tool_lines.c LINK tfs_tool)

# tensorfs-bench
foreach(module stats text sweep_config model formats results workers mount)
    tfs_add_unit_test(test_bench_${module} SOURCES test_bench_${module}.c LINK tfs_bench PkgConfig::ZLIB m)
endforeach()

# tensorfsctl
tfs_add_unit_test(test_ctl SOURCES test_ctl.c LINK tfs_ctl)
