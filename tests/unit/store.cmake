# Tests of store. Volumes are made below the build folder, which must be a real disk's.

# What the programs share, as sources: cmocka's asserts have to be the program's own.
function(tfs_add_store_test name)
    cmake_parse_arguments(arg "FORKS;VOLUME" "" "WRAP;SOURCES" ${ARGN})
    set(sources ${name}.c ${arg_SOURCES})
    set(forks "")
    if(arg_VOLUME)
        list(APPEND sources store_fixture.c)
    endif()
    if(arg_FORKS)
        set(forks FORKS)
    endif()
    tfs_add_unit_test(${name} SOURCES ${sources} LINK tfs_check ${forks})
    if(NOT TARGET ${name})
        return()
    endif()
    target_compile_definitions(${name} PRIVATE "TFS_TEST_DIRECTORY=\"${CMAKE_CURRENT_BINARY_DIR}\"")
    foreach(function ${arg_WRAP})
        # Calls of it go to the test's __wrap_, which may call __real_.
        target_link_options(${name} PRIVATE "-Wl,--wrap=${function}")
    endforeach()
    set_tests_properties(${name} PROPERTIES
        ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
endfunction()

# Parts by themselves.
tfs_add_store_test(test_row SOURCES row_fixture.c)
tfs_add_store_test(test_row_bytes SOURCES row_fixture.c)
tfs_add_store_test(test_row_cache)
tfs_add_store_test(test_meta)
tfs_add_store_test(test_acl)
tfs_add_store_test(test_format)
tfs_add_store_test(test_holder)
tfs_add_store_test(test_memory)
tfs_add_store_test(test_cache)
tfs_add_store_test(test_headers)
tfs_add_store_test(test_dentry_cache)
tfs_add_store_test(test_numbers VOLUME)
tfs_add_store_test(test_refcounts VOLUME)

# The volume through its public calls.
tfs_add_store_test(test_volume VOLUME WRAP fsync)
tfs_add_store_test(test_store_links VOLUME)
tfs_add_store_test(test_store_in_memory VOLUME SOURCES memory_index.c memory_segments.c)
tfs_add_store_test(test_namespace VOLUME)
tfs_add_store_test(test_ns_remove VOLUME SOURCES store_crash.c)
tfs_add_store_test(test_ns_random VOLUME)
tfs_add_store_test(test_rename_limits VOLUME)
tfs_add_store_test(test_readdir VOLUME)
tfs_add_store_test(test_inode_memory VOLUME)
tfs_add_store_test(test_file_model VOLUME)
tfs_add_store_test(test_file VOLUME)
tfs_add_store_test(test_readahead VOLUME)
tfs_add_store_test(test_cached_rows VOLUME)
tfs_add_store_test(test_try_read VOLUME)
tfs_add_store_test(test_stuck VOLUME SOURCES store_crash.c upcall_notes.c)
tfs_add_store_test(test_pages VOLUME)
tfs_add_store_test(test_cache_hits VOLUME SOURCES
    "${PROJECT_SOURCE_DIR}/tools/bench/workload/request_lru.c"
    "${PROJECT_SOURCE_DIR}/tools/bench/workload/request_order.c")
if(TARGET test_cache_hits)
    target_link_libraries(test_cache_hits PRIVATE m)
endif()
tfs_add_store_test(test_report VOLUME)

# The volume with calls of its lower layers wrapped.
tfs_add_store_test(test_commit VOLUME SOURCES store_crash.c)
tfs_add_store_test(test_commit_batches VOLUME SOURCES store_crash.c
    WRAP commit_group_run)
tfs_add_store_test(test_copy VOLUME WRAP commit_inode)
tfs_add_store_test(test_cut VOLUME SOURCES check_fixture.c store_crash.c WRAP cut_purge cut_put)
tfs_add_store_test(test_xattr VOLUME)
tfs_add_store_test(test_path VOLUME)
tfs_add_store_test(test_ns_make VOLUME WRAP data_new)
tfs_add_store_test(test_commit_image VOLUME SOURCES store_crash.c
    WRAP commit_image_take flush_inode flush_inode_start)
tfs_add_store_test(test_chunk_map VOLUME)
tfs_add_store_test(test_flush VOLUME SOURCES store_crash.c)
tfs_add_store_test(test_plain_frames VOLUME WRAP frame_encode)
tfs_add_store_test(test_reclaim VOLUME SOURCES store_crash.c chosen_numbers.c)
tfs_add_store_test(test_superseded VOLUME)
tfs_add_store_test(test_full_disk VOLUME SOURCES small_disk.c upcall_notes.c)

tfs_add_store_test(test_allocation VOLUME SOURCES small_disk.c store_crash.c)

# What stands on top of the store.
tfs_add_store_test(test_check VOLUME SOURCES check_fixture.c)
tfs_add_store_test(test_check_data VOLUME SOURCES check_fixture.c)
tfs_add_store_test(test_check_random VOLUME SOURCES check_fixture.c check_readings.c)
tfs_add_store_test(test_hostile_random VOLUME SOURCES check_fixture.c check_readings.c)
tfs_add_store_test(test_check_stopped VOLUME SOURCES check_fixture.c)
tfs_add_store_test(test_hostile VOLUME SOURCES check_fixture.c)
tfs_add_store_test(test_scrub VOLUME)
tfs_add_store_test(test_compact VOLUME SOURCES store_crash.c chosen_numbers.c)

# The same with more rounds.
foreach(random test_check_random test_hostile_random)
    if(TARGET ${random})
        add_test(NAME ${random}_long COMMAND ${random})
        set_tests_properties(${random}_long PROPERTIES
            LABELS "unit;long" TIMEOUT 3600 ENVIRONMENT "TFS_TEST_LONG=1")
    endif()
endforeach()
