# Tests of index.
tfs_add_unit_test(test_index SOURCES test_index.c LINK tfs_index)
