/*
 * Records what a power cut would take: loaded by LD_PRELOAD, it passes every call on and writes a line to the file
 * named by KANHE_SHIM_LOG for each that matters to what is on the disk, below the folder named by KANHE_SHIM_ROOT.
 *
 *   C path          a name was made (file or folder)
 *   S length path   a file was synced when it had this length
 *   D path          a folder was synced: the names in it are on the disk
 *   T length path   a file was cut or grown to this length
 *   M from<TAB>to   a file got another, new name
 *   O from<TAB>to   a file took the name of another
 *   U path          a name was removed
 *
 * A line is written after the call succeeded: a kill in between makes the test take away more, never less. Writes that
 * overwrite what was synced before are not recorded; none of the programs does that to what it needs.
 */
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
#include <sys/stat.h>
#include <unistd.h>

static int log_fd = -1;
static char root[PATH_MAX];
static size_t root_length;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void begin(void)
{
    const char *path = getenv("KANHE_SHIM_LOG");
    const char *below = getenv("KANHE_SHIM_ROOT");
    int (*open_next)(const char *, int, ...) = next("open");
    if (path == NULL || below == NULL || strlen(below) >= sizeof root)
        return;
    strcpy(root, below);
    root_length = strlen(root);
    log_fd = open_next(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_ours(const char *path)
{
    pthread_once(&once, begin);
    if (log_fd < 0 || strncmp(path, root, root_length) != 0)
        return 0;
    return path[root_length] == '/' || path[root_length] == 0;
}

static void record(const char *format, ...)
{
    char line[2 * PATH_MAX + 64];
    int kept = errno, length;
    va_list list;
    va_start(list, format);
    length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    /* One write to a file opened for appending: lines of threads do not mix. */
    if (length < 0 || (size_t)length >= sizeof line || write(log_fd, line, (size_t)length) != length)
        abort();
    errno = kept;
}

/* The absolute path of a name relative to a folder; 0 if it cannot be told. */
static int absolute(int dir, const char *path, char *out)
{
    char link[64], base[PATH_MAX];
    ssize_t length;
    if (path[0] == '/')
        return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
    if (dir == AT_FDCWD) {
        if (getcwd(base, sizeof base) == NULL)
            return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        length = readlink(link, base, sizeof base - 1);
        if (length < 0)
            return 0;
        base[length] = 0;
    }
    return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
}

static int of_fd(int fd, char *out)
{
    char link[64];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, out, PATH_MAX - 1);
    if (length < 0)
        return 0;
    out[length] = 0;
    return is_ours(out);
}

typedef int (*openat_type)(int, const char *, int, ...);

static int open_any(int dir, const char *path, int flags, mode_t mode)
{
    static openat_type openat_next;
    char full[PATH_MAX];
    struct stat status;
    int fd, fresh = 0, kept = errno;
    if (openat_next == NULL)
        openat_next = (openat_type)next("openat64");
    if ((flags & O_CREAT) && absolute(dir, path, full) && is_ours(full))
        fresh = lstat(full, &status) != 0;
    errno = kept;
    fd = openat_next(dir, path, flags, mode);
    if (fd >= 0 && fresh)
        record("C %s\n", full);
    else if (fd >= 0 && (flags & O_TRUNC) && absolute(dir, path, full) && is_ours(full))
        record("T 0 %s\n", full);
    return fd;
}

#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    MODE(flags)
    return open_any(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
    MODE(flags)
    return open_any(dir, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int creat64(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static FILE *fopen_any(const char *name, const char *path, const char *mode)
{
    FILE *(*fopen_next)(const char *, const char *) = (FILE * (*)(const char *, const char *)) next(name);
    char full[PATH_MAX];
    struct stat status;
    int fresh = 0, ours = mode[0] != 'r' && absolute(AT_FDCWD, path, full) && is_ours(full);
    FILE *file;
    if (ours)
        fresh = lstat(full, &status) != 0;
    file = fopen_next(path, mode);
    if (file != NULL && fresh)
        record("C %s\n", full);
    else if (file != NULL && ours && mode[0] == 'w')
        record("T 0 %s\n", full);
    return file;
}

FILE *fopen(const char *path, const char *mode)
{
    return fopen_any("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return fopen_any("fopen64", path, mode);
}

static int sync_any(const char *name, int fd)
{
    int (*sync_next)(int) = (int (*)(int))next(name);
    char path[PATH_MAX];
    struct stat status;
    int ours = of_fd(fd, path) && fstat(fd, &status) == 0, done = sync_next(fd);
    if (done == 0 && ours && S_ISDIR(status.st_mode))
        record("D %s\n", path);
    else if (done == 0 && ours)
        record("S %lld %s\n", (long long)status.st_size, path);
    return done;
}

int fsync(int fd)
{
    return sync_any("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_any("fdatasync", fd);
}

static int cut_any(const char *name, int fd, off64_t length)
{
    int (*cut_next)(int, off64_t) = (int (*)(int, off64_t))next(name);
    char path[PATH_MAX];
    int ours = of_fd(fd, path), done = cut_next(fd, length);
    if (done == 0 && ours)
        record("T %lld %s\n", (long long)length, path);
    return done;
}

int ftruncate(int fd, off_t length)
{
    return cut_any("ftruncate", fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return cut_any("ftruncate64", fd, length);
}

static void renamed(int was_there, const char *from, const char *to)
{
    record("%c %s\t%s\n", was_there ? 'O' : 'M', from, to);
}

int rename(const char *from, const char *to)
{
    int (*rename_next)(const char *, const char *) = (int (*)(const char *, const char *))next("rename");
    char old[PATH_MAX], new[PATH_MAX];
    struct stat status;
    int ours = absolute(AT_FDCWD, from, old) && absolute(AT_FDCWD, to, new) && is_ours(old) && is_ours(new);
    int was_there = ours && lstat(new, &status) == 0, done = rename_next(from, to);
    if (done == 0 && ours)
        renamed(was_there, old, new);
    return done;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int (*rename_next)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *))next("renameat");
    char old[PATH_MAX], new[PATH_MAX];
    struct stat status;
    int ours = absolute(from_dir, from, old) && absolute(to_dir, to, new) && is_ours(old) && is_ours(new);
    int was_there = ours && lstat(new, &status) == 0, done = rename_next(from_dir, from, to_dir, to);
    if (done == 0 && ours)
        renamed(was_there, old, new);
    return done;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
    int (*rename_next)(int, const char *, int, const char *, unsigned int) =
        (int (*)(int, const char *, int, const char *, unsigned int))next("renameat2");
    char old[PATH_MAX], new[PATH_MAX];
    struct stat status;
    int ours = absolute(from_dir, from, old) && absolute(to_dir, to, new) && is_ours(old) && is_ours(new);
    int was_there = ours && lstat(new, &status) == 0, done = rename_next(from_dir, from, to_dir, to, flags);
    if (done == 0 && ours)
        renamed(was_there, old, new);
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    int (*mkdir_next)(const char *, mode_t) = (int (*)(const char *, mode_t))next("mkdir");
    char full[PATH_MAX];
    int done = mkdir_next(path, mode);
    if (done == 0 && absolute(AT_FDCWD, path, full) && is_ours(full))
        record("C %s\n", full);
    return done;
}

int link(const char *from, const char *to)
{
    int (*link_next)(const char *, const char *) = (int (*)(const char *, const char *))next("link");
    char full[PATH_MAX];
    int done = link_next(from, to);
    if (done == 0 && absolute(AT_FDCWD, to, full) && is_ours(full))
        record("C %s\n", full);
    return done;
}

static int unlinked(int done, int dir, const char *path)
{
    char full[PATH_MAX];
    if (done == 0 && absolute(dir, path, full) && is_ours(full))
        record("U %s\n", full);
    return done;
}

int unlink(const char *path)
{
    int (*unlink_next)(const char *) = (int (*)(const char *))next("unlink");
    return unlinked(unlink_next(path), AT_FDCWD, path);
}

int unlinkat(int dir, const char *path, int flags)
{
    int (*unlink_next)(int, const char *, int) = (int (*)(int, const char *, int))next("unlinkat");
    return unlinked(unlink_next(dir, path, flags), dir, path);
}

int rmdir(const char *path)
{
    int (*rmdir_next)(const char *) = (int (*)(const char *))next("rmdir");
    return unlinked(rmdir_next(path), AT_FDCWD, path);
}
