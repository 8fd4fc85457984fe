# Tests of index.
tfs_add_unit_test(test_index SOURCES test_index.c test_index_fixture.c LINK tfs_index)
tfs_add_unit_test(test_index_scan SOURCES test_index_scan.c test_index_fixture.c LINK tfs_index)
tfs_add_unit_test(test_index_open SOURCES test_index_open.c test_index_fixture.c LINK tfs_index FORKS)
