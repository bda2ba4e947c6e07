#pragma once
#include <stddef.h>

/// The readable form of a mangled Swift name, cut to fit `size` bytes with a zero at the end; returns its length, 0 when
/// the name is none.
///
/// Recursive: call it with short names, on a thread with a large stack.
size_t whorl_demangle_swift(const char *name, size_t length, char *output, size_t size);

/// The same for names of the Itanium C++ ABI (`_Z…`); `name` ends with a zero.
size_t whorl_demangle_cxx(const char *name, char *output, size_t size);
