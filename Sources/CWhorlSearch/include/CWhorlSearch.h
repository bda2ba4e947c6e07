#ifndef C_WHORL_SEARCH_H
#define C_WHORL_SEARCH_H

#include <stddef.h>

/// Where `needle` first stands in `haystack`, or NULL: glibc's memmem, which Swift's Glibc module does not show.
const void *whorl_find(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length);

/// The most bytes of a text that a pattern is compared with.
#define WHORL_GLOB_TEXT 2048
/// The most bytes of a part of a pattern that stands between two stars and holds a `?`.
#define WHORL_GLOB_LOOSE_PART 32

/// Whether a text matches a pattern in which `*` stands for any bytes and `?` for one; the pattern is in lower case, and
/// letters of the text match in either case. Only the first WHORL_GLOB_TEXT bytes of the text count.
///
/// Each part between two stars is searched once, from where the part before it ended, so the time is linear in the length
/// of the text: a part without `?` by memmem, one with `?` by comparing at most WHORL_GLOB_LOOSE_PART bytes at each place.
int whorl_glob(const char *pattern, size_t pattern_length, const char *text, size_t text_length);

#endif
