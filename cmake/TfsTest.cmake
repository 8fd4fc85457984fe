# tfs_add_unit_test(NAME SOURCES file... [LINK target...] [FORKS])
#
# Adds a cmocka test program and registers it with ctest under the label "unit". FORKS: it kills children
# that start threads, which ThreadSanitizer does not support after fork(); left out of such builds.
function(tfs_add_unit_test name)
    cmake_parse_arguments(arg "FORKS" "" "SOURCES;LINK" ${ARGN})
    if(arg_FORKS AND TFS_SANITIZE MATCHES "thread")
        return()
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE tfs_compile ${arg_LINK} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
