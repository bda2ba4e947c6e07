#pragma once
#include <stddef.h>

/// The dictionary that payloads are compressed with until an installation trains one of its own; its number on rows is 1.
///
/// It never changes: rows are unreadable without it. A better one gets another number and stands beside it. Writes to
/// `size` how many bytes it has.
const unsigned char *whorl_dictionary_1(size_t *size);
