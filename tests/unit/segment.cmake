# Tests of segment.
tfs_add_unit_test(test_segment SOURCES test_segment.c test_segment_fixture.c LINK tfs_segment)
tfs_add_unit_test(test_segment_threads SOURCES test_segment_threads.c test_segment_fixture.c
    LINK tfs_segment)
tfs_add_unit_test(test_segment_full
    SOURCES test_segment_full.c test_segment_fixture.c small_disk.c
    LINK tfs_segment)
tfs_add_unit_test(test_segment_faults SOURCES test_segment_faults.c test_segment_fixture.c
    LINK tfs_segment)
tfs_add_unit_test(test_segment_engine
    SOURCES test_segment_engine.c test_segment_fixture.c memory_segments.c LINK tfs_segment)
