/*
 * What a frame can be made with and what the codec found in the data.
 *
 * The numbers of every enum here are on disk (docs/FORMAT.md): never renumber, only append.
 * The codec layer is pure functions of bytes: no I/O, no locks. Its only global state is which
 * instruction set was found, resolved once.
 */
#ifndef TFS_CODEC_CODEC_H
#define TFS_CODEC_CODEC_H

#include "store/base/defs.h"

/* What the caller asks for, and what a frame's header records. */
enum codec_id {
    CODEC_NONE = 0, /* stored as it is, with checksums */
    CODEC_GZIP = 1, /* each block one raw deflate stream (RFC 1951) */
    CODEC_ZSTD = 2, /* each block one zstd frame (RFC 8878) */
    CODEC_AUTO = 3, /* by what the data is, see docs/FORMAT.md */
    CODEC_ID_COUNT
};

/* How the bytes of one block are stored. Decoding needs this, not the codec_id. */
enum codec_method {
    CODEC_METHOD_RAW = 0,      /* the bytes themselves */
    CODEC_METHOD_CONSTANT = 1, /* one word of 1, 2, 4 or 8 bytes, repeated; no bytes: zeros */
    CODEC_METHOD_DEFLATE = 2,  /* RFC 1951 */
    CODEC_METHOD_ZSTD = 3,     /* RFC 8878 */
    CODEC_METHOD_PLANES = 4,   /* parts, each split into byte planes */
    CODEC_METHOD_COUNT
};

/* What the probe took a block for. Information only: nothing in decoding depends on it. */
enum codec_kind {
    CODEC_KIND_UNKNOWN = 0, /* not looked at, because the codec was not `auto` */
    CODEC_KIND_ZERO = 1,
    CODEC_KIND_CONSTANT = 2,
    CODEC_KIND_BF16 = 3,
    CODEC_KIND_FP16 = 4,
    CODEC_KIND_FP32 = 5,
    CODEC_KIND_FP32_SHORT = 6, /* fp32 whose low bytes are constant: it holds a shorter float */
    CODEC_KIND_FP64 = 7,
    CODEC_KIND_BYTES = 8, /* 8-bit elements: fp8, int8, uint8 */
    CODEC_KIND_INT16 = 9,
    CODEC_KIND_INT32 = 10,
    CODEC_KIND_INT64 = 11,
    CODEC_KIND_SPARSE = 12, /* runs, mostly zeros */
    CODEC_KIND_TEXT = 13,   /* text, JSON, pickle: bytes with repeated strings */
    CODEC_KIND_INCOMPRESSIBLE = 14,
    CODEC_KIND_MIXED = 15, /* several kinds in one block */
    CODEC_KIND_COUNT
};

/* `level` is 1..9 for gzip, 1..19 for zstd, 0 otherwise. */
struct codec_spec {
    enum codec_id codec;
    int level;
};

enum { CODEC_GZIP_LEVEL_DEFAULT = 6, CODEC_ZSTD_LEVEL_DEFAULT = 3, CODEC_SPEC_TEXT_SIZE = 16 };

/*
 * Parse "auto", "none", "gzip", "gzip:1".."gzip:9", "zstd", "zstd:1".."zstd:19".
 *
 * Errors: -EINVAL for anything else.
 */
TFS_MUST_CHECK int codec_spec_parse(const char *text, struct codec_spec *ret);

/* Write what codec_spec_parse reads, always with the level. CODEC_SPEC_TEXT_SIZE bytes are enough.
 */
void codec_spec_format(const struct codec_spec *spec, char *dst, size_t size);

/* Whether codec and level are inside their limits. */
bool codec_spec_is_valid(const struct codec_spec *spec);

/* Static lower-case names, for JSON and messages; "unknown" outside of the enum. */
const char *codec_id_name(enum codec_id codec);
const char *codec_method_name(enum codec_method method);
const char *codec_kind_name(enum codec_kind kind);

/*
 * Scratch memory and the libraries' contexts for one thread: about 3 MiB. Frames are encoded and
 * decoded without further allocation, except that zstd grows its own workspace when a level is
 * first used.
 *
 * Ownership: returned; codec_ctx_free, which accepts NULL.
 * Errors:    -ENOMEM.
 * Threads:   one at a time may use a context.
 */
struct codec_ctx;
TFS_MUST_CHECK int codec_ctx_new(struct codec_ctx **ret);
void codec_ctx_free(struct codec_ctx *ctx);

#endif
