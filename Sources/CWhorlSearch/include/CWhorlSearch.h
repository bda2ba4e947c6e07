#ifndef C_WHORL_SEARCH_H
#define C_WHORL_SEARCH_H

#include <stddef.h>

/// Returns the first occurrence of `needle` in `haystack`, or NULL. Calls glibc's memmem, which Swift's Glibc module
/// does not export.
const void *whorl_find(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length);

/// The maximum number of bytes of a text that are matched against a pattern.
#define WHORL_GLOB_TEXT 2048
/// The maximum length of a pattern part that is between two stars and contains a `?`.
#define WHORL_GLOB_LOOSE_PART 32

/// Returns whether a text matches a pattern. `*` matches any number of bytes, and `?` matches one byte. The pattern
/// must be lower case. Letters of the text match case-insensitively. Only the first WHORL_GLOB_TEXT bytes of the text
/// are compared.
///
/// The search for each part between two stars starts at the end of the previous match, so the time is linear in the
/// length of the text. The search uses memmem for parts without `?`. For parts with `?`, it compares at most
/// WHORL_GLOB_LOOSE_PART bytes at each position.
int whorl_glob(const char *pattern, size_t pattern_length, const char *text, size_t text_length);

#endif
