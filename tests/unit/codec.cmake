# Tests of codec, and of the checksum that it brought.
add_library(tfs_frame_data STATIC frame_data.c)
target_link_libraries(tfs_frame_data
    PUBLIC tfs_codec
    PRIVATE tfs_compile)
target_sources(tfs_frame_data PRIVATE "${PROJECT_SOURCE_DIR}/bench/codec/data.c")
set_source_files_properties("${PROJECT_SOURCE_DIR}/bench/codec/data.c" PROPERTIES COMPILE_OPTIONS -O2)

tfs_add_unit_test(test_crc32c SOURCES test_crc32c.c LINK tfs_base)
tfs_add_unit_test(test_codec SOURCES test_codec.c LINK tfs_codec)
tfs_add_unit_test(test_deflate SOURCES test_deflate.c LINK tfs_codec PkgConfig::DEFLATE PkgConfig::ZLIB PkgConfig::ZSTD)
tfs_add_unit_test(test_codec_planes SOURCES test_codec_planes.c LINK tfs_frame_data)
tfs_add_unit_test(test_huffman SOURCES test_huffman.c LINK tfs_frame_data PkgConfig::ZSTD)
tfs_add_unit_test(test_huffman_code SOURCES test_huffman_code.c LINK tfs_frame_data)
tfs_add_unit_test(test_frame SOURCES test_frame.c LINK tfs_frame_data)
tfs_add_unit_test(test_frame_plain SOURCES test_frame_plain.c LINK tfs_frame_data)
tfs_add_unit_test(test_codec_auto SOURCES test_codec_auto.c LINK tfs_frame_data)

foreach(name test_frame_golden test_codec_sizes)
    tfs_add_unit_test(${name} SOURCES ${name}.c LINK tfs_frame_data)
    target_compile_definitions(${name} PRIVATE
        "TFS_GOLDEN_DIRECTORY=\"${PROJECT_SOURCE_DIR}/tests/golden\"")
endforeach()

# The golden frames again, read by a program that knows docs/FORMAT.md only.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
    file(GLOB golden_frames CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/golden/frame_*.bin")
    add_test(NAME test_frame_specification COMMAND Python3::Interpreter
        "${PROJECT_SOURCE_DIR}/tests/golden/read_frame.py" ${golden_frames})
    set_tests_properties(test_frame_specification PROPERTIES
        LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()
