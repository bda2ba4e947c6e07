#include <brotli/decode.h>
#include <libdeflate.h>
#include <zdict.h>
#include <zstd.h>
#include <zstd_errors.h>
