#ifndef C_WHORL_PROCESS_H
#define C_WHORL_PROCESS_H

#include <sys/types.h>

/// Starts a program in its own session, with / as its working directory, /dev/null as its input, `output` as its output
/// and error, and no other descriptor except `kept`, which becomes number 3 (-1 for none).
///
/// Returns 0 and stores the process id in `child`, or returns an error number.
int whorl_spawn(pid_t *child, const char *path, char *const arguments[], int output, int kept);

#endif
