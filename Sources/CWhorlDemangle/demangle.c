#include "whorl_demangle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Both come with libraries that every Swift program is linked with: the standard library's own, and the C++ runtime.
char *swift_demangle(const char *name, size_t length, char *buffer, size_t *size, uint32_t flags);
char *__cxa_demangle(const char *name, char *buffer, size_t *size, int *status);

static size_t take(char *text, char *output, size_t size) {
    if (text == NULL) return 0;
    size_t length = strnlen(text, size - 1);
    memcpy(output, text, length);
    output[length] = 0;
    free(text);
    return length;
}

size_t whorl_demangle_swift(const char *name, size_t length, char *output, size_t size) {
    return take(swift_demangle(name, length, NULL, NULL, 0), output, size);
}

size_t whorl_demangle_cxx(const char *name, char *output, size_t size) {
    int status = 0;
    return take(__cxa_demangle(name, NULL, NULL, &status), output, size);
}
