# Tests of codec, and of the checksum that it brought.
tfs_add_unit_test(test_crc32c SOURCES test_crc32c.c LINK tfs_base)
tfs_add_unit_test(test_codec SOURCES test_codec.c LINK tfs_codec)
tfs_add_unit_test(test_frame SOURCES test_frame.c frame_data.c LINK tfs_codec)
tfs_add_unit_test(test_codec_planes SOURCES test_codec_planes.c frame_data.c LINK tfs_codec)
