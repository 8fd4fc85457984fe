# tfs_add_unit_test(NAME SOURCES file... LINK target...)
#
# Adds a cmocka test program and registers it with ctest under the label "unit".
function(tfs_add_unit_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE tfs_compile ${arg_LINK} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
