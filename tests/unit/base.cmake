# Tests of base.
tfs_add_unit_test(test_bytes SOURCES test_bytes.c)
tfs_add_unit_test(test_defs SOURCES test_defs.c)
tfs_add_unit_test(test_list SOURCES test_list.c)
tfs_add_unit_test(test_lock SOURCES test_lock.c LINK tfs_base)
tfs_add_unit_test(test_log SOURCES test_log.c LINK tfs_base)
