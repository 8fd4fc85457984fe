/*
 * Constants of ZIP archives: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3. Offsets are from the
 * record's start.
 */
#ifndef TFS_FORMATS_ZIP_LAYOUT_H
#define TFS_FORMATS_ZIP_LAYOUT_H

#define ZIP_LOCAL_SIGNATURE      0x04034b50u
#define ZIP_DESCRIPTOR_SIGNATURE 0x08074b50u
#define ZIP_CENTRAL_SIGNATURE    0x02014b50u
#define ZIP_END_SIGNATURE        0x06054b50u
#define ZIP_END64_SIGNATURE      0x06064b50u
#define ZIP_LOCATOR64_SIGNATURE  0x07064b50u
#define ZIP_LIMIT_32             0xffffffffu /* the value that says "see the zip64 record" */

enum {
    ZIP_LOCAL_BYTES = 30,
    ZIP_LOCAL_NAME_SIZE = 26,
    ZIP_LOCAL_EXTRA_SIZE = 28,

    ZIP_CENTRAL_BYTES = 46,
    ZIP_CENTRAL_FLAGS = 8,
    ZIP_CENTRAL_METHOD = 10,
    ZIP_CENTRAL_CRC = 16,
    ZIP_CENTRAL_SIZE = 20,     /* as stored */
    ZIP_CENTRAL_RAW_SIZE = 24, /* before compression */
    ZIP_CENTRAL_NAME_SIZE = 28,
    ZIP_CENTRAL_EXTRA_SIZE = 30,
    ZIP_CENTRAL_COMMENT_SIZE = 32,
    ZIP_CENTRAL_OFFSET = 42,

    ZIP_END_BYTES = 22,
    ZIP_LOCATOR64_BYTES = 20,
    ZIP_LOCATOR64_OFFSET = 8,
    ZIP_END64_BYTES = 56,
    ZIP_END64_ENTRY_COUNT = 32,
    ZIP_END64_DIRECTORY_SIZE = 40,
    ZIP_END64_DIRECTORY_OFFSET = 48,

    ZIP_EXTRA_ZIP64 = 0x0001,
    ZIP_FLAGS_TORCH = 0x0808, /* sizes behind the data, names in UTF-8 */
    ZIP_VERSION_ZIP64 = 45,
};

#endif
