# Tests of index.
tfs_add_unit_test(test_index SOURCES test_index.c test_index_fixture.c memory_index.c LINK tfs_index)
tfs_add_unit_test(test_index_scan SOURCES test_index_scan.c test_index_fixture.c memory_index.c LINK tfs_index)
tfs_add_unit_test(test_index_open SOURCES test_index_open.c test_index_fixture.c memory_index.c LINK tfs_index)
tfs_add_unit_test(test_index_threads SOURCES test_index_threads.c test_index_fixture.c memory_index.c
    LINK tfs_index)
tfs_add_unit_test(test_index_status
    SOURCES test_index_status.c test_index_fixture.c memory_index.c small_disk.c
    LINK tfs_index PkgConfig::ROCKSDB)
tfs_add_unit_test(test_index_full
    SOURCES test_index_full.c test_index_fixture.c memory_index.c small_disk.c
    LINK tfs_index)
tfs_add_unit_test(test_index_mend SOURCES test_index_mend.c test_index_fixture.c memory_index.c
    LINK tfs_index PkgConfig::ROCKSDB)
tfs_add_unit_test(test_index_engine
    SOURCES test_index_engine.c test_index_fixture.c memory_index.c LINK tfs_index)

# What every engine must do, with the one in memory.
foreach(test test_index test_index_scan test_index_threads)
    if(TARGET ${test})
        add_test(NAME ${test}_in_memory COMMAND ${test})
        set_tests_properties(${test}_in_memory PROPERTIES
            LABELS unit TIMEOUT 300 ENVIRONMENT "TFS_TEST_INDEX_ENGINE=memory")
    endif()
endforeach()
