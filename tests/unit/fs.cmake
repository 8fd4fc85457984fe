# Tests of fs. Most need no kernel: a socket stands for /dev/fuse, and a store in memory for the store.
if(NOT TARGET bench_memstore)
    return()
endif()
add_library(tfs_test_store ALIAS bench_memstore)
tfs_add_unit_test(test_fs_options SOURCES test_fs_options.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_mountinfo SOURCES test_fs_mountinfo.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_mountpoint SOURCES test_fs_mountpoint.c LINK tfs_fs tfs_test_store)
if(TARGET test_fs_mountpoint)
    target_link_options(test_fs_mountpoint PRIVATE "-Wl,--wrap=fsync")
endif()
tfs_add_unit_test(test_fs_default_store SOURCES test_fs_default_store.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_short_cookies SOURCES test_fs_short_cookies.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_daemonize SOURCES test_fs_daemonize.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_loop SOURCES test_fs_loop.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_ll SOURCES test_fs_ll.c fs_fake_kernel.c fs_kernel_fixture.c
    LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_cache SOURCES test_fs_cache.c fs_fake_kernel.c fs_kernel_fixture.c
    LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_upcalls SOURCES test_fs_upcalls.c fs_fake_kernel.c fs_kernel_fixture.c
    LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_raw SOURCES test_fs_raw.c fs_fake_kernel.c fs_kernel_fixture.c
    LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_counters SOURCES test_fs_counters.c LINK tfs_fs tfs_test_store)
tfs_add_unit_test(test_fs_mount SOURCES test_fs_mount.c)
target_compile_definitions(test_fs_mount PRIVATE TFS_TEST_MEMFS="$<TARGET_FILE:memfs>")
add_dependencies(test_fs_mount memfs)
tfs_add_unit_test(test_fs_notifier SOURCES test_fs_notifier.c LINK tfs_fs tfs_test_store)
