// Loaded into a process by LD_PRELOAD: reports each operation that changes files below FAULTS_FOLDERS to the tracer.
//
// Before an operation, one message goes to the Unix socket FAULTS_SOCKET, and the process waits for a byte in answer:
// 'c' continue, 's' write half of the bytes and report again, 'b' continue with the clock set back. The tracer may kill
// the process instead of an answer. A message is "KIND\0PATH\0SECOND PATH". Libraries are covered too, since they call
// the same functions of the C library; a FILE* is reported when it is opened, written to, flushed and closed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ({ static __typeof__(&name) next; if (!next) next = dlsym(RTLD_NEXT, #name); next; })
#define MAX_FD 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int tracer = -1;
static pid_t owner;  // the process that has connected; a fork connects anew
static char *paths[MAX_FD];  // of the open descriptors of traced files
static volatile int clock_is_back;

static int connect_tracer(void) {
    const char *name = getenv("FAULTS_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!name || strlen(name) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 900);  // out of the way of the program's own descriptors
    if (high >= 0) { NEXT(close)(fd); fd = high; }
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) { NEXT(close)(fd); return -1; }
    return fd;
}

// Report an operation and wait for the answer; 'c' where there is no tracer.
static char report(const char *kind, const char *path, const char *second) {
    char message[3 * PATH_MAX], answer = 'c';
    int saved = errno;
    pthread_mutex_lock(&lock);
    if (owner != getpid()) { owner = getpid(); tracer = connect_tracer(); }
    if (tracer >= 0) {
        int length = snprintf(message, sizeof message, "%s%c%s%c%s", kind, 0, path, 0, second ? second : "");
        if (send(tracer, message, length, MSG_NOSIGNAL) != length || recv(tracer, &answer, 1, 0) != 1) {
            NEXT(close)(tracer);
            tracer = -1;
            answer = 'c';
        }
    }
    if (answer == 'b') clock_is_back = 1;
    pthread_mutex_unlock(&lock);
    errno = saved;
    return answer;
}

// Write the absolute path into `absolute` and return whether it lies below one of the traced folders.
static int is_traced(int folder, const char *path, char *absolute) {
    const char *folders = getenv("FAULTS_FOLDERS");
    if (!folders || !path) return 0;
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX) return 0;
        strcpy(absolute, path);
    } else {
        char base[PATH_MAX], link[64];
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
        if (snprintf(absolute, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    }
    for (const char *start = folders; *start;) {
        size_t length = strcspn(start, ":");
        if (length && !strncmp(absolute, start, length) && (absolute[length] == '/' || !absolute[length])) return 1;
        start += length + (start[length] == ':');
    }
    return 0;
}

static int exists(const char *path) {
    struct stat status;
    return !lstat(path, &status);
}

static void forget(int fd) {
    if (owner != getpid()) return;  // between vfork and exec, which shares the parent's memory
    if (fd >= 0 && fd < MAX_FD && paths[fd]) { free(paths[fd]); paths[fd] = NULL; }
}

static void note(int fd, const char *absolute) {
    if (fd < 0 || fd >= MAX_FD) return;
    forget(fd);
    paths[fd] = strdup(absolute);
}

static const char *path_of(int fd) { return fd >= 0 && fd < MAX_FD ? paths[fd] : NULL; }

// Report the opening of a file, before it is opened, if that creates or truncates it.
static int before_open(int folder, const char *path, int flags, char *absolute) {
    if ((flags & O_TMPFILE) == O_TMPFILE || !is_traced(folder, path, absolute)) return 0;
    int is_there = exists(absolute);
    if ((flags & O_CREAT) && !is_there) report("create", absolute, NULL);
    else if ((flags & O_TRUNC) && is_there) report("truncate", absolute, NULL);
    return 1;
}

#define OPEN(name, folder, ...)                                                     \
    char absolute[PATH_MAX];                                                        \
    mode_t mode = 0;                                                                \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {                    \
        va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); \
    }                                                                               \
    int traced = before_open(folder, path, flags, absolute);                        \
    int fd = NEXT(name)(__VA_ARGS__, flags, mode);                                  \
    if (fd >= 0) forget(fd);                                                        \
    if (traced && fd >= 0) note(fd, absolute);                                      \
    return fd;

int open(const char *path, int flags, ...) { OPEN(open, AT_FDCWD, path) }
int open64(const char *path, int flags, ...) { OPEN(open64, AT_FDCWD, path) }
int openat(int folder, const char *path, int flags, ...) { OPEN(openat, folder, folder, path) }
int openat64(int folder, const char *path, int flags, ...) { OPEN(openat64, folder, folder, path) }

static FILE *opened(const char *path, const char *mode, FILE *(*next)(const char *, const char *)) {
    char absolute[PATH_MAX];
    int flags = mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT : 0;
    int traced = before_open(AT_FDCWD, path, flags, absolute);
    FILE *file = next(path, mode);
    if (file) forget(fileno(file));
    if (traced && file) note(fileno(file), absolute);
    return file;
}

FILE *fopen(const char *path, const char *mode) { return opened(path, mode, NEXT(fopen)); }
FILE *fopen64(const char *path, const char *mode) { return opened(path, mode, NEXT(fopen64)); }

int close(int fd) {
    forget(fd);
    return NEXT(close)(fd);
}

int fclose(FILE *file) {
    int fd = fileno(file);
    if (path_of(fd)) { report("flush", path_of(fd), NULL); forget(fd); }
    return NEXT(fclose)(file);
}

int fflush(FILE *file) {
    if (file && path_of(fileno(file))) report("flush", path_of(fileno(file)), NULL);
    return NEXT(fflush)(file);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    if (path_of(fileno(file)) && report("write", path_of(fileno(file)), NULL) == 's' && count > 1) {
        size_t half = NEXT(fwrite)(data, size, count / 2, file);
        NEXT(fflush)(file);
        report("half", path_of(fileno(file)), NULL);
        if (half < count / 2) return half;
        return half + NEXT(fwrite)((const char *)data + half * size, size, count - half, file);
    }
    return NEXT(fwrite)(data, size, count, file);
}

// Write in two halves, with a report between them, where the tracer asks for it.
#define WRITE(whole, first, rest)                                                \
    if (path_of(fd) && report("write", path_of(fd), NULL) == 's' && size > 1) {  \
        size_t half = size / 2;                                                  \
        ssize_t written = first;                                                 \
        report("half", path_of(fd), NULL);                                       \
        if (written != (ssize_t)half) return written;                            \
        ssize_t more = rest;                                                     \
        return more < 0 ? written : written + more;                              \
    }                                                                            \
    return whole;

ssize_t write(int fd, const void *data, size_t size) {
    WRITE(NEXT(write)(fd, data, size), NEXT(write)(fd, data, half),
          NEXT(write)(fd, (const char *)data + half, size - half))
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    WRITE(NEXT(pwrite)(fd, data, size, at), NEXT(pwrite)(fd, data, half, at),
          NEXT(pwrite)(fd, (const char *)data + half, size - half, at + half))
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    WRITE(NEXT(pwrite64)(fd, data, size, at), NEXT(pwrite64)(fd, data, half, at),
          NEXT(pwrite64)(fd, (const char *)data + half, size - half, at + half))
}

// Copies within the kernel may be short: their callers go on with the rest.
ssize_t sendfile(int fd, int from, off_t *at, size_t size) {
    WRITE(NEXT(sendfile)(fd, from, at, size), NEXT(sendfile)(fd, from, at, half), 0)
}

ssize_t sendfile64(int fd, int from, off64_t *at, size_t size) {
    WRITE(NEXT(sendfile64)(fd, from, at, size), NEXT(sendfile64)(fd, from, at, half), 0)
}

ssize_t copy_file_range(int from, off64_t *at, int fd, off64_t *to, size_t size, unsigned flags) {
    WRITE(NEXT(copy_file_range)(from, at, fd, to, size, flags), NEXT(copy_file_range)(from, at, fd, to, half, flags), 0)
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (path_of(fd)) report("write", path_of(fd), NULL);
    return NEXT(writev)(fd, parts, count);
}

#define ON_DESCRIPTOR(name, kind, parameters, ...)             \
    int name parameters {                                      \
        if (path_of(fd)) report(kind, path_of(fd), NULL);      \
        return NEXT(name)(__VA_ARGS__);                        \
    }

ON_DESCRIPTOR(fsync, "fsync", (int fd), fd)
ON_DESCRIPTOR(fdatasync, "fsync", (int fd), fd)
ON_DESCRIPTOR(ftruncate, "resize", (int fd, off_t length), fd, length)
ON_DESCRIPTOR(ftruncate64, "resize", (int fd, off64_t length), fd, length)

// Operations on names; those that are bound to fail, as there is no such file, are not reported.
#define ON_NAME(name, kind, folder, is_due, parameters, ...)                                 \
    int name parameters {                                                                    \
        char absolute[PATH_MAX];                                                             \
        if (is_traced(folder, path, absolute) && (is_due)) report(kind, absolute, NULL);     \
        return NEXT(name)(__VA_ARGS__);                                                      \
    }

ON_NAME(truncate, "resize", AT_FDCWD, exists(absolute), (const char *path, off_t length), path, length)
ON_NAME(truncate64, "resize", AT_FDCWD, exists(absolute), (const char *path, off64_t length), path, length)
ON_NAME(unlink, "unlink", AT_FDCWD, exists(absolute), (const char *path), path)
ON_NAME(remove, "unlink", AT_FDCWD, exists(absolute), (const char *path), path)
ON_NAME(rmdir, "rmdir", AT_FDCWD, exists(absolute), (const char *path), path)
ON_NAME(unlinkat, flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, exists(absolute),
        (int folder, const char *path, int flags), folder, path, flags)
ON_NAME(mkdir, "mkdir", AT_FDCWD, !exists(absolute), (const char *path, mode_t mode), path, mode)
ON_NAME(mkdirat, "mkdir", folder, !exists(absolute), (int folder, const char *path, mode_t mode), folder, path, mode)
ON_NAME(symlinkat, "create", folder, !exists(absolute), (const char *target, int folder, const char *path),
        target, folder, path)
ON_NAME(symlink, "create", AT_FDCWD, !exists(absolute), (const char *target, const char *path), target, path)

static void before_rename(int from_folder, const char *from, int to_folder, const char *to) {
    char source[PATH_MAX], target[PATH_MAX];
    int leaves = is_traced(from_folder, from, source), arrives = is_traced(to_folder, to, target);
    if ((leaves || arrives) && exists(source)) report("rename", source, target);
}

int rename(const char *from, const char *to) {
    before_rename(AT_FDCWD, from, AT_FDCWD, to);
    return NEXT(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    before_rename(from_folder, from, to_folder, to);
    return NEXT(renameat)(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    before_rename(from_folder, from, to_folder, to);
    return NEXT(renameat2)(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *path) {
    char absolute[PATH_MAX];
    if (is_traced(AT_FDCWD, path, absolute) && !exists(absolute)) report("create", absolute, NULL);
    return NEXT(link)(from, path);
}

// The clock of Python alone is set back: the C++ libraries wait for moments of the kernel's own clock.
static time_t shift(const void *caller) {
    static time_t seconds = -1;
    Dl_info info;
    if (!clock_is_back) return 0;
    if (seconds < 0) seconds = atol(getenv("FAULTS_CLOCK_BACK_S") ? getenv("FAULTS_CLOCK_BACK_S") : "0");
    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "python") ? seconds : 0;
}

int clock_gettime(clockid_t kind, struct timespec *now) {
    int result = NEXT(clock_gettime)(kind, now);
    if (!result && kind == CLOCK_REALTIME) now->tv_sec -= shift(__builtin_return_address(0));
    return result;
}

// A hello, so that the tracer gets the processes that do nothing too, and may set their clocks back.
__attribute__((constructor)) static void start(void) {
    if (getenv("FAULTS_SOCKET")) report("start", "", NULL);
}
