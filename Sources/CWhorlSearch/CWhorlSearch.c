#define _GNU_SOURCE
#include "CWhorlSearch.h"
#include <string.h>

const void *whorl_find(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length) {
    return memmem(haystack, haystack_length, needle, needle_length);
}

static int fits(const char *part, size_t length, const char *text) {
    for (size_t i = 0; i < length; i++) {
        if (part[i] != '?' && part[i] != text[i]) return 0;
    }
    return 1;
}

// Returns the first occurrence of a part in a text, or NULL.
static const char *find_part(const char *part, size_t length, const char *text, size_t text_length) {
    if (length > text_length) return NULL;
    if (memchr(part, '?', length) == NULL) return memmem(text, text_length, part, length);
    for (size_t at = 0; at + length <= text_length; at++) {
        if (fits(part, length, text + at)) return text + at;
    }
    return NULL;
}

int whorl_glob(const char *pattern, size_t pattern_length, const char *text, size_t text_length) {
    char folded[WHORL_GLOB_TEXT];
    if (text_length > WHORL_GLOB_TEXT) text_length = WHORL_GLOB_TEXT;
    for (size_t i = 0; i < text_length; i++) {
        char byte = text[i];
        folded[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    const char *at = folded, *end = folded + text_length;
    const char *part = pattern, *pattern_end = pattern + pattern_length;
    int is_first = 1;
    for (;;) {
        const char *star = memchr(part, '*', (size_t)(pattern_end - part));
        size_t length = (size_t)((star ? star : pattern_end) - part);
        if (star == NULL) {
            // The last part must match the end of the text. A pattern without `*` must match the whole text.
            if (length > (size_t)(end - at) || (is_first && length != (size_t)(end - at))) return 0;
            return fits(part, length, end - length);
        }
        if (is_first) {
            if (length > (size_t)(end - at) || !fits(part, length, at)) return 0;
            at += length;
        } else if (length > 0) {
            const char *found = find_part(part, length, at, (size_t)(end - at));
            if (found == NULL) return 0;
            at = found + length;
        }
        is_first = 0;
        part = star + 1;
    }
}
