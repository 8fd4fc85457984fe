# Every library comes through pkg-config, as Debian packages it; tests/run.sh and the quick start install them.

find_package(PkgConfig REQUIRED)
pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
pkg_check_modules(ROCKSDB REQUIRED IMPORTED_TARGET rocksdb>=7.8)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.5)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(DEFLATE REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
if(TFS_BUILD_TESTS)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# Metrics over HTTP, if wanted. TFS_HAVE_METRICS says whether.
set(TFS_HAVE_METRICS OFF)
if(TFS_METRICS STREQUAL "ON")
    pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
elseif(NOT TFS_METRICS STREQUAL "OFF")
    pkg_check_modules(MICROHTTPD IMPORTED_TARGET libmicrohttpd)
endif()
if(NOT TFS_METRICS STREQUAL "OFF" AND MICROHTTPD_FOUND) # what was found stays in the cache
    set(TFS_HAVE_METRICS ON)
endif()
