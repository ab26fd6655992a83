// Loaded into a server and its children by LD_PRELOAD, this makes each flush take as long as on a slower disk, and notes
// when the server flushes, and when it receives from its client and from PostgreSQL or sends to them. It adds a few
// microseconds to a flush, and less than one to a message. Calls that do not go through libc are not seen; strace, which
// sees all, counts as many flushes (the row `flushes, publish of a new crate`).

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

// As interposed.py reads it.
enum { FLUSHED = 1, FROM_CLIENT, TO_CLIENT, TO_DATABASE, FROM_DATABASE };
struct note {
    uint64_t begin, end;
    int32_t pid, thread, what, descriptor;
    char path[96];
};
struct shared {
    uint64_t flush_ns, is_noting, count, capacity;
    struct note notes[];
};

static struct shared *shared;
static char preload[4096], file[4096];

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("BENCH_INTERPOSED"), *library = getenv("LD_PRELOAD");
    struct stat status;
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0 || !library) return;
    if (fstat(descriptor, &status) == 0) {
        void *mapped = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        if (mapped != MAP_FAILED) shared = mapped;
    }
    close(descriptor);
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
    snprintf(file, sizeof file, "BENCH_INTERPOSED=%s", path);
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void note(int what, int descriptor, uint64_t begin) {
    uint64_t place = __atomic_fetch_add(&shared->count, 1, __ATOMIC_RELAXED);
    if (place >= shared->capacity) return;
    struct note *note = &shared->notes[place];
    note->begin = begin;
    note->end = now();
    note->pid = getpid();
    note->thread = (int32_t)syscall(SYS_gettid);
    note->what = what;
    note->descriptor = descriptor;
    if (what != FLUSHED) return;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) length = 0;
    path[length] = 0;
    // The end says what it is.
    size_t most = sizeof note->path - 1;
    size_t kept = (size_t)length > most ? most : (size_t)length;
    memcpy(note->path, path + length - kept, kept + 1);
}

// ---- Flushes

static int flush(int (*next)(int), int descriptor) {
    if (!shared) return next(descriptor);
    uint64_t begin = now();
    int result = next(descriptor), error = errno;
    uint64_t end = begin + __atomic_load_n(&shared->flush_ns, __ATOMIC_RELAXED);
    struct timespec until = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};
    while (now() < end && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {}
    if (shared->is_noting) note(FLUSHED, descriptor, begin);
    errno = error;
    return result;
}

int fsync(int descriptor) {
    NEXT(fsync);
    return flush(next, descriptor);
}

int fdatasync(int descriptor) {
    NEXT(fdatasync);
    return flush(next, descriptor);
}

// ---- Sockets

// Of the two ends that a registry speaks with, PostgreSQL has a socket in the file system.
static ssize_t moved(ssize_t result, int descriptor, uint64_t begin, int of_client, int of_database) {
    int error = errno, family = 0;
    socklen_t length = sizeof family;
    if (shared && shared->is_noting && result > 0
        && getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0) {
        if (family == AF_UNIX) note(of_database, descriptor, begin);
        else if (family == AF_INET) note(of_client, descriptor, begin);
    }
    errno = error;
    return result;
}

ssize_t recv(int descriptor, void *buffer, size_t size, int flags) {
    NEXT(recv);
    uint64_t begin = now();
    return moved(next(descriptor, buffer, size, flags), descriptor, begin, FROM_CLIENT, FROM_DATABASE);
}

ssize_t send(int descriptor, const void *buffer, size_t size, int flags) {
    NEXT(send);
    uint64_t begin = now();
    return moved(next(descriptor, buffer, size, flags), descriptor, begin, TO_CLIENT, TO_DATABASE);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    NEXT(sendmsg);
    uint64_t begin = now();
    return moved(next(descriptor, message, flags), descriptor, begin, TO_CLIENT, TO_DATABASE);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    NEXT(writev);
    uint64_t begin = now();
    return moved(next(descriptor, parts, count), descriptor, begin, TO_CLIENT, TO_DATABASE);
}

// ---- Children, whose environment may be another

#define MOST_VARIABLES 1024

static char **with_this(char *const *environment, char **with) {
    int count = 0;
    for (; environment && *environment && count < MOST_VARIABLES - 3; environment++)
        if (strncmp(*environment, "LD_PRELOAD=", 11) != 0 && strncmp(*environment, "BENCH_INTERPOSED=", 17) != 0)
            with[count++] = *environment;
    with[count++] = preload;
    with[count++] = file;
    with[count] = NULL;
    return with;
}

int execvp(const char *program, char *const arguments[]) {
    char *with[MOST_VARIABLES];
    return execvpe(program, arguments, shared ? with_this(environ, with) : environ);
}

int posix_spawnp(pid_t *pid, const char *program, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    NEXT(posix_spawnp);
    char *with[MOST_VARIABLES];
    return next(pid, program, actions, attributes, arguments, shared ? with_this(environment, with) : environment);
}
