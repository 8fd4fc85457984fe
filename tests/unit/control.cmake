# Tests of control. A store in memory stands for the store.
if(NOT TARGET bench_memstore)
    return()
endif()
tfs_add_unit_test(test_control_json SOURCES test_control_json.c LINK tfs_control bench_memstore)
tfs_add_unit_test(test_control_request SOURCES test_control_request.c LINK tfs_control bench_memstore)
tfs_add_unit_test(test_control_server SOURCES test_control_server.c LINK tfs_control bench_memstore)
