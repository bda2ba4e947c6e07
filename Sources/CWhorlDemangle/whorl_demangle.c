// For posix_spawn_file_actions_addclosefrom_np.
#define _GNU_SOURCE
#include "whorl_demangle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// Both functions are in libraries that every Swift program links: the Swift standard library and the C++ runtime.
char *swift_demangle(const char *name, size_t length, char *buffer, size_t *size, uint32_t flags);
char *__cxa_demangle(const char *name, char *buffer, size_t *size, int *status);

// The `argv[0]` that selects the demangler mode.
static const char child_name[] = "whorl-demangle";

enum { read_name = 0, limit_exceeded = 1, no_name = 2 };

// The limits for one name. Normal names take microseconds and kilobytes.
enum { name_microseconds = 20000, name_heap_bytes = 64 << 20 };

static size_t demangle(char scheme, const char *name, char *output) {
    int status = 0;
    char *text = scheme == 's' ? swift_demangle(name, strlen(name), NULL, NULL, 0)
                               : __cxa_demangle(name, NULL, NULL, &status);
    if (text == NULL) return 0;
    size_t length = strnlen(text, WHORL_DEMANGLE_RESULT);
    memcpy(output, text, length);
    free(text);
    return length;
}

// Limits heap growth beyond the current size, so that a name that expands without limit fails to allocate memory.
static void limit_heap(void) {
    unsigned long total, resident, shared, text, library, data = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) _exit(1);
    int count = fscanf(file, "%lu %lu %lu %lu %lu %lu", &total, &resident, &shared, &text, &library, &data);
    fclose(file);
    if (count != 6) _exit(1);
    rlim_t bytes = (rlim_t)data * (rlim_t)sysconf(_SC_PAGESIZE) + name_heap_bytes;
    struct rlimit limit = {bytes, bytes};
    setrlimit(RLIMIT_DATA, &limit);
}

static void set_timer(int microseconds) {
    // The timer measures CPU time, so that system load does not change the result. The default action of the signal
    // ends the process.
    struct itimerval timer = {{0, 0}, {0, microseconds}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

// Demangles names until the peer closes the socket. A name that exceeds its limits ends the process.
static void work(void) {
    char request[WHORL_DEMANGLE_NAME + 2];
    char reply[WHORL_DEMANGLE_RESULT + 1];
    limit_heap();
    for (;;) {
        ssize_t count = recv(0, request, sizeof request - 1, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) _exit(0);
        request[count] = 0;
        set_timer(name_microseconds);
        size_t length = demangle(request[0], request + 1, reply + 1);
        set_timer(0);
        reply[0] = length > 0 ? read_name : no_name;
        if (send(0, reply, length + 1, MSG_NOSIGNAL) < 0) _exit(0);
    }
}

// Keeps one worker running. When a worker ends while it processes a name, this sends the reply and starts a new worker.
static void supervise(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t all;
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_NAME, child_name);
    for (;;) {
        pid_t worker = fork();
        if (worker < 0) _exit(1);
        if (worker == 0) work();
        int status = 0;
        while (waitpid(worker, &status, 0) < 0 && errno == EINTR) {}
        if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
        char reply = limit_exceeded;
        if (send(0, &reply, 1, MSG_NOSIGNAL) < 0) _exit(0);
    }
}

// Runs before `main`, so that the demangler process starts no threads, initialises no runtime and reads no settings.
__attribute__((constructor)) static void become_demangler(int count, char **arguments) {
    if (count == 1 && strcmp(arguments[0], child_name) == 0) supervise();
}

int whorl_demangle_start(pid_t *child) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    char *arguments[] = {(char *)child_name, NULL};
    // The child gets only the library path, because other environment variables may contain secrets.
    char path[4096] = "LD_LIBRARY_PATH=";
    const char *libraries = getenv("LD_LIBRARY_PATH");
    if (libraries != NULL) strncat(path, libraries, sizeof path - strlen(path) - 1);
    char *environment[] = {path, NULL};
    int failure = posix_spawn(child, "/proc/self/exe", &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failure == 0) return ends[0];
    close(ends[0]);
    return -1;
}

int whorl_demangle_name(int socket, char scheme, const char *name, size_t length, char *output, int milliseconds) {
    char request[WHORL_DEMANGLE_NAME + 1];
    char reply[WHORL_DEMANGLE_RESULT + 1];
    if (length > WHORL_DEMANGLE_NAME) return 0;
    request[0] = scheme;
    memcpy(request + 1, name, length);
    if (send(socket, request, length + 1, MSG_NOSIGNAL) < 0) return -2;
    struct pollfd wait = {socket, POLLIN, 0};
    int ready;
    do ready = poll(&wait, 1, milliseconds); while (ready < 0 && errno == EINTR);
    if (ready <= 0) return -2;
    ssize_t count = recv(socket, reply, sizeof reply, 0);
    if (count < 1) return -2;
    if (reply[0] == limit_exceeded) return -1;
    if (reply[0] == no_name) return 0;
    memcpy(output, reply + 1, (size_t)count - 1);
    return (int)count - 1;
}

void whorl_demangle_stop(int socket, pid_t child) {
    close(socket);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
}
