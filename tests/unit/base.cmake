# Tests of base.
tfs_add_unit_test(test_bytes SOURCES test_bytes.c)
tfs_add_unit_test(test_defs SOURCES test_defs.c)
tfs_add_unit_test(test_list SOURCES test_list.c)
tfs_add_unit_test(test_lock SOURCES test_lock.c LINK tfs_base)
tfs_add_unit_test(test_log SOURCES test_log.c LINK tfs_base)
tfs_add_unit_test(test_median SOURCES test_median.c LINK tfs_base)
tfs_add_unit_test(test_size SOURCES test_size.c LINK tfs_base)
tfs_add_unit_test(test_standard_files SOURCES test_standard_files.c LINK tfs_base)
