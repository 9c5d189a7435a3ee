/* Between a node and the C library: counts the calls that change files below one directory, and lets chosen ones fail.
 *
 * INJECT_BELOW is the directory, INJECT_CONTROL a file of CONTROL_WORDS 64-bit words that whoever starts the node shares
 * with it: it arms, this counts. Nothing is handed on to the node's children. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in injector.rs. */
enum { CALLS, FILES, WHAT, FROM, TIMES, COUNTED, FAILED, AGAIN, CONTROL_WORDS };
enum { CALL_WRITE = 1, CALL_SYNC = 2, CALL_RENAME = 4, CALL_OPEN = 8, CALL_TRUNCATE = 16 };
enum { FILE_MAIN = 1, FILE_WAL = 2, FILE_SHM = 4, FILE_OTHER = 8 };
/* Beyond every errno. */
enum { DIE = 1000, SHORT = 1001 };

#define DESCRIPTORS 4096

static char below[4096];
static size_t below_len;
static _Atomic uint64_t *control;
/* FILE_*, or 0: not below the directory. */
static _Atomic int files[DESCRIPTORS];
/* A sync of this descriptor has failed: what it would say from now on is not to be believed. */
static _Atomic int poisoned[DESCRIPTORS];

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("INJECT_BELOW"), *path = getenv("INJECT_CONTROL");
    if (!directory || !path || strlen(directory) >= sizeof below) return;
    strcpy(below, directory);
    below_len = strlen(below);
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = real_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *shared = mmap(NULL, CONTROL_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED) control = shared;
    unsetenv("LD_PRELOAD");
    unsetenv("INJECT_BELOW");
    unsetenv("INJECT_CONTROL");
}

static int ends(const char *path, const char *with) {
    size_t length = strlen(path), tail = strlen(with);
    return length >= tail && strcmp(path + length - tail, with) == 0;
}

static int file_of(const char *path) {
    if (!control || !path || strncmp(path, below, below_len) != 0) return 0;
    if (path[below_len] != '\0' && path[below_len] != '/') return 0;
    if (ends(path, ".sqlite")) return FILE_MAIN;
    if (ends(path, ".sqlite-wal")) return FILE_WAL;
    if (ends(path, ".sqlite-shm")) return FILE_SHM;
    return FILE_OTHER;
}

/* Of a descriptor that is about to be written or synced. */
static int file_at(int fd) {
    if (fd < 0 || fd >= DESCRIPTORS || !files[fd]) return 0;
    if (poisoned[fd]) atomic_fetch_add(&control[AGAIN], 1);
    return files[fd];
}

/* What is to become of this call: 0, or one of WHAT. */
static int fate(int call, int file) {
    if (!control || !file || !(control[CALLS] & call) || !(control[FILES] & file)) return 0;
    uint64_t from = control[FROM];
    uint64_t count = atomic_fetch_add(&control[COUNTED], 1) + 1;
    if (from == 0 || count < from || count - from >= control[TIMES]) return 0;
    atomic_fetch_add(&control[FAILED], 1);
    int what = (int)control[WHAT];
    if (what == DIE) {
        kill(getpid(), SIGKILL);
        pause();
    }
    return what;
}

#define REAL(result, name, ...)                                          \
    static result (*real)(__VA_ARGS__);                                  \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define FAIL_IF(what) \
    if (what) { errno = (what); return -1; }

/* How much of it is written now: a part, where a short write is wanted. */
static size_t part(int what, size_t length) { return what == SHORT && length > 1 ? length / 2 : length; }

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int what = fate(CALL_WRITE, file_at(fd));
    if (what != SHORT) FAIL_IF(what);
    return real(fd, bytes, part(what, length));
}

#define PWRITE(name, offset)                                                     \
    ssize_t name(int fd, const void *bytes, size_t length, offset at) {          \
        REAL(ssize_t, #name, int, const void *, size_t, offset);                 \
        int what = fate(CALL_WRITE, file_at(fd));                                \
        if (what != SHORT) FAIL_IF(what);                                        \
        return real(fd, bytes, part(what, length), at);                          \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    int what = fate(CALL_WRITE, file_at(fd));
    if (what == SHORT) return write(fd, parts[0].iov_base, parts[0].iov_len);
    FAIL_IF(what);
    return real(fd, parts, count);
}

#define SYNC(name)                                             \
    int name(int fd) {                                         \
        REAL(int, #name, int);                                 \
        int what = fate(CALL_SYNC, file_at(fd));               \
        if (what && what != SHORT) {                           \
            if (what != EINTR) poisoned[fd] = 1;               \
            errno = what;                                      \
            return -1;                                         \
        }                                                      \
        return real(fd);                                       \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, offset)                                 \
    int name(int fd, offset length) {                          \
        REAL(int, #name, int, offset);                         \
        int what = fate(CALL_TRUNCATE, file_at(fd));           \
        if (what != SHORT) FAIL_IF(what);                      \
        return real(fd, length);                               \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define FALLOCATE(name, offset)                                \
    int name(int fd, offset from, offset length) {             \
        REAL(int, #name, int, offset, offset);                 \
        int what = fate(CALL_TRUNCATE, file_at(fd));           \
        if (what && what != SHORT) return what;                \
        return real(fd, from, length);                         \
    }
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    int what = fate(CALL_RENAME, file_of(to));
    if (what != SHORT) FAIL_IF(what);
    return real(from, to);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    int what = fate(CALL_RENAME, file_of(path));
    if (what != SHORT) FAIL_IF(what);
    return real(path);
}

static int opened(int fd, int file) {
    if (fd >= 0 && fd < DESCRIPTORS) {
        files[fd] = file;
        poisoned[fd] = 0;
    }
    return fd;
}

/* Only what may create or write is a call that changes files. */
static int refused(const char *path, int flags) {
    int what = (flags & O_ACCMODE) == O_RDONLY ? 0 : fate(CALL_OPEN, file_of(path));
    return what == SHORT ? 0 : what;
}

#define OPEN(name)                                             \
    int name(const char *path, int flags, ...) {               \
        REAL(int, #name, const char *, int, ...);              \
        va_list rest;                                          \
        va_start(rest, flags);                                 \
        mode_t mode = va_arg(rest, mode_t);                    \
        va_end(rest);                                          \
        int what = refused(path, flags);                       \
        FAIL_IF(what);                                         \
        return opened(real(path, flags, mode), file_of(path)); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                   \
    int name(int directory, const char *path, int flags, ...) {        \
        REAL(int, #name, int, const char *, int, ...);                 \
        va_list rest;                                                  \
        va_start(rest, flags);                                         \
        mode_t mode = va_arg(rest, mode_t);                            \
        va_end(rest);                                                  \
        int what = refused(path, flags);                               \
        FAIL_IF(what);                                                 \
        return opened(real(directory, path, flags, mode), file_of(path)); \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(int, "close", int);
    opened(fd, 0);
    return real(fd);
}
