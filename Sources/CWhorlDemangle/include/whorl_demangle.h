#pragma once
#include <stddef.h>
#include <sys/types.h>

// Demangling in a child process.
//
// The demanglers of the C++ runtime and of Swift expand substitutions without a limit: a 140-byte name expands to 8 MB,
// and a 265-byte name needs gigabytes. They are also recursive. Therefore they run in a separate child process, with
// limits on CPU time and heap for each name. A name that exceeds a limit ends only the worker process, and the child
// starts a new worker.

/// The maximum length of a name in bytes.
#define WHORL_DEMANGLE_NAME 512
/// The maximum length of a result in bytes. Longer results are truncated.
#define WHORL_DEMANGLE_RESULT 4096

/// Starts the child process. The child runs the same executable and switches to demangling before `main`. Returns a
/// socket, or -1 when the child cannot be started.
int whorl_demangle_start(pid_t *child);

/// Demangles one name of a scheme ('s' Swift, 'c' C++) and waits at most `milliseconds`. `output` holds
/// WHORL_DEMANGLE_RESULT bytes. Returns the length of the result, 0 when the name is not a valid mangled name, -1 when
/// it exceeds its limits, and -2 when the child does not answer and must be stopped.
int whorl_demangle_name(int socket, char scheme, const char *name, size_t length, char *output, int milliseconds);

/// Stops the child process.
void whorl_demangle_stop(int socket, pid_t child);
