#ifndef C_WHORL_SEARCH_H
#define C_WHORL_SEARCH_H

#include <stddef.h>

/// Where `needle` first stands in `haystack`, or NULL: glibc's memmem, which Swift's Glibc module does not show.
const void *whorl_find(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length);

#endif
