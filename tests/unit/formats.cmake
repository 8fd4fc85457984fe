# Tests of formats/.
tfs_add_unit_test(test_formats_dtype SOURCES test_formats_dtype.c LINK tfs_dtype)
foreach(module tensors gguf pickle write zip)
    tfs_add_unit_test(test_formats_${module} SOURCES test_formats_${module}.c formats_fixture.c LINK tfs_formats)
endforeach()
