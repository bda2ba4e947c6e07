#include <brotli/decode.h>
#include <libdeflate.h>
#include <zstd.h>
#include <zstd_errors.h>
