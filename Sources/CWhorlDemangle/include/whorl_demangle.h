#pragma once
#include <stddef.h>
#include <sys/types.h>

// Demangling in a child process.
//
// The demanglers of the C++ runtime and of Swift expand substitutions without a bound: a name of 140 bytes becomes 8 MB,
// one of 265 bytes takes gigabytes. They are recursive, too. So they run in a child of their own, each name with a limit
// of processor time and heap; a name over its limits ends only the worker, which is replaced.

/// The longest name that is sent.
#define WHORL_DEMANGLE_NAME 512
/// The longest result; longer ones are cut.
#define WHORL_DEMANGLE_RESULT 4096

/// Starts the child: this program once more, which becomes a demangler before it does anything else. Returns a socket, or
/// -1 when it cannot be started.
int whorl_demangle_start(pid_t *child);

/// Asks for one name of a scheme ('s' Swift, 'c' C++) and waits at most so long; `output` holds WHORL_DEMANGLE_RESULT
/// bytes. Returns the length of the result, 0 when the name is none, -1 when it is over its limits, and -2 when the child
/// does not answer and has to be stopped.
int whorl_demangle_name(int socket, char scheme, const char *name, size_t length, char *output, int milliseconds);

/// Ends the child.
void whorl_demangle_stop(int socket, pid_t child);
