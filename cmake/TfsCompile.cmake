# The interface target tfs_compile carries what every target of ours is compiled with. Targets link it
# PRIVATE; nothing global is set, so that an imported library never inherits our warnings.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

include(CheckPIESupported)
check_pie_supported()

find_package(Threads REQUIRED)

# _FORTIFY_SOURCE replaces the functions that the sanitizers want to intercept, and is nothing (but a
# warning) without optimisation, which a debug build has by our presets only.
set(tfs_fortify ON)
if(TFS_SANITIZE OR (CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT CMAKE_C_FLAGS_DEBUG MATCHES "-O[123gs]"))
    set(tfs_fortify OFF)
endif()

add_library(tfs_compile INTERFACE)
target_link_libraries(tfs_compile INTERFACE Threads::Threads)
target_include_directories(tfs_compile INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(tfs_compile INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(tfs_compile INTERFACE
    "$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Wstrict-prototypes;-Wmissing-prototypes;-Wold-style-definition;-Wvla;-Wundef;-Wformat=2;-Wpointer-arith;-Wwrite-strings;-Wcast-qual;-Wnull-dereference;-Wno-unused-parameter;-fno-strict-aliasing;-fno-common;-fstack-protector-strong;-fvisibility=hidden>"
    "$<$<COMPILE_LANG_AND_ID:C,Clang>:-Wthread-safety>"
    "$<$<AND:$<BOOL:${TFS_WERROR}>,$<COMPILE_LANGUAGE:C,CXX>>:-Werror>"
    "$<$<AND:$<COMPILE_LANGUAGE:C>,$<BOOL:${tfs_fortify}>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
target_link_options(tfs_compile INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(TFS_SANITIZE)
    target_compile_options(tfs_compile INTERFACE
        "$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${TFS_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
    target_link_options(tfs_compile INTERFACE "-fsanitize=${TFS_SANITIZE}")
endif()
