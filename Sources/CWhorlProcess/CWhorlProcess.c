// Starting a program cleanly needs GNU extensions that Swift's Glibc module does not provide.
#define _GNU_SOURCE
#include "CWhorlProcess.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

extern char **environ;

int whorl_spawn(pid_t *child, const char *path, char *const arguments[], int output, int kept) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) return result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return result;
    }
    sigemptyset(&none);
    if ((result = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (result = posix_spawn_file_actions_adddup2(&actions, output, 1)) == 0 &&
        (result = posix_spawn_file_actions_adddup2(&actions, output, 2)) == 0 &&
        (result = posix_spawn_file_actions_addchdir_np(&actions, "/")) == 0 &&
        (kept < 0 || (result = posix_spawn_file_actions_adddup2(&actions, kept, 3)) == 0) &&
        (result = posix_spawn_file_actions_addclosefrom_np(&actions, kept < 0 ? 3 : 4)) == 0 &&
        (result = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK)) == 0 &&
        (result = posix_spawnattr_setsigmask(&attributes, &none)) == 0) {
        result = posix_spawn(child, path, &actions, &attributes, arguments, environ);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}
