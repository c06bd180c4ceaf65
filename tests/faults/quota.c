/* A quota that is used up while the file $QUOTA exists, for all files below $QUOTA_FOLDER: EDQUOT at writing, or, with
 * $QUOTA_AT=fsync, only when it is flushed, as on NFS. Loaded in front of libc by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int used_up(int file, int flushing) {
    const char *full = getenv("QUOTA"), *folder = getenv("QUOTA_FOLDER"), *at = getenv("QUOTA_AT");
    char link[64], path[PATH_MAX];
    if (!full || !folder || flushing != (at && !strcmp(at, "fsync")) || access(full, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return !strncmp(path, folder, strlen(folder));
}

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (used_up(file, 0)) return errno = EDQUOT, -1;
    return real(file, data, size);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = dlsym(RTLD_NEXT, "writev");
    if (used_up(file, 0)) return errno = EDQUOT, -1;
    return real(file, parts, count);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    if (used_up(file, 1)) return errno = EDQUOT, -1;
    return real(file);
}
