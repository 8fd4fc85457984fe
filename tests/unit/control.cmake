# Tests of control. A store in memory stands for the store.
if(NOT TARGET bench_memstore)
    return()
endif()
foreach(name address client commands json metrics request server wire)
    tfs_add_unit_test(test_control_${name}
        SOURCES test_control_${name}.c control_fixture.c
        LINK tfs_control bench_memstore)
endforeach()
