# Tests of codec, and of the checksum that it brought.
tfs_add_unit_test(test_crc32c SOURCES test_crc32c.c LINK tfs_base)
