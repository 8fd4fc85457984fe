# Tests of formats/.
tfs_add_unit_test(test_formats_dtype SOURCES test_formats_dtype.c LINK tfs_dtype)
