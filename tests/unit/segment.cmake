# Tests of segment.
tfs_add_unit_test(test_segment SOURCES test_segment.c test_segment_fixture.c LINK tfs_segment)
