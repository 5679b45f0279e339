/*
 * Kills its process at one named point: loaded by LD_PRELOAD, it passes every call on, counts those that the
 * environment names, and at the wanted one writes a line to KANHE_AIM_LOG and sends SIGKILL to its own process.
 *
 *   KANHE_AIM_FILE   pattern of the file's absolute path, as fnmatch(3) has it (`*` crosses folders)
 *   KANHE_AIM_CALL   write, sync (fsync, fdatasync) or rename (the file is the new name)
 *   KANHE_AIM_WHEN   before the call, after it, or half: a write that gets only the first half of its bytes on its way
 *   KANHE_AIM_COUNT  which of the calls, from 1
 *   KANHE_AIM_BYTES  optional: only writes that hold these bytes count, `offset=hex` or `offset!hex` for others than
 *                    these; a sync counts if the last write to the file did
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { NONE, WRITE, SYNC, RENAME };
enum when { BEFORE, HALF, AFTER };

static enum call aim_call;
static enum when aim_when;
static long aim_count;
static const char *aim_file, *aim_log;
static unsigned char aim_bytes[16];
static size_t aim_bytes_length, aim_bytes_at;
static int aim_bytes_differ;
static atomic_long counted;
static atomic_int armed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void read_bytes(const char *text)
{
    char *end;
    unsigned int byte;
    aim_bytes_at = strtoul(text, &end, 10);
    if (*end != '=' && *end != '!')
        abort();
    aim_bytes_differ = *end == '!';
    for (end++; *end != 0; end += 2) {
        if (aim_bytes_length == sizeof aim_bytes || sscanf(end, "%2x", &byte) != 1 || end[1] == 0)
            abort();
        aim_bytes[aim_bytes_length++] = (unsigned char)byte;
    }
}

static void begin(void)
{
    const char *call = getenv("KANHE_AIM_CALL"), *when = getenv("KANHE_AIM_WHEN");
    const char *count = getenv("KANHE_AIM_COUNT"), *bytes = getenv("KANHE_AIM_BYTES");
    aim_file = getenv("KANHE_AIM_FILE");
    aim_log = getenv("KANHE_AIM_LOG");
    if (call == NULL || when == NULL || count == NULL || aim_file == NULL || aim_log == NULL)
        return;
    if (bytes != NULL)
        read_bytes(bytes);
    aim_count = strtol(count, NULL, 10);
    aim_when = strcmp(when, "before") == 0 ? BEFORE : strcmp(when, "half") == 0 ? HALF : AFTER;
    aim_call = strcmp(call, "write") == 0 ? WRITE : strcmp(call, "sync") == 0 ? SYNC : RENAME;
}

static enum call aimed_at(void)
{
    pthread_once(&once, begin);
    return aim_call;
}

static int is_aim(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t length;
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length < 0)
        return 0;
    path[length] = 0;
    return fnmatch(aim_file, path, 0) == 0;
}

/* Whether a write holds the wanted bytes; what the next sync of the file counts by. */
static int holds(const unsigned char *data, size_t length)
{
    int found;
    if (aim_bytes_length == 0)
        return 1;
    found = length >= aim_bytes_at + aim_bytes_length &&
            (memcmp(data + aim_bytes_at, aim_bytes, aim_bytes_length) == 0) != aim_bytes_differ;
    atomic_store(&armed, found);
    return found;
}

static int is_wanted(void)
{
    return atomic_fetch_add(&counted, 1) + 1 == aim_count;
}

static void die(void)
{
    static const char line[] = "struck\n";
    int fd = open(aim_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ssize_t (*write_next)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))next("write");
    if (fd < 0 || write_next(fd, line, sizeof line - 1) != (ssize_t)(sizeof line - 1))
        abort();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static int write_is_wanted(int fd, const void *data, size_t length)
{
    return aimed_at() != NONE && aim_call != RENAME && is_aim(fd) && holds(data, length) && aim_call == WRITE &&
           is_wanted();
}

ssize_t write(int fd, const void *data, size_t length)
{
    static ssize_t (*write_next)(int, const void *, size_t);
    int wanted = write_is_wanted(fd, data, length);
    ssize_t done;
    if (write_next == NULL)
        write_next = (ssize_t (*)(int, const void *, size_t))next("write");
    if (wanted && aim_when == BEFORE)
        die();
    done = write_next(fd, data, wanted && aim_when == HALF ? length / 2 : length);
    if (wanted)
        die();
    return done;
}

static ssize_t pwrite_any(const char *name, int fd, const void *data, size_t length, off64_t at)
{
    ssize_t (*pwrite_next)(int, const void *, size_t, off64_t) =
        (ssize_t (*)(int, const void *, size_t, off64_t))next(name);
    int wanted = write_is_wanted(fd, data, length);
    ssize_t done;
    if (wanted && aim_when == BEFORE)
        die();
    done = pwrite_next(fd, data, wanted && aim_when == HALF ? length / 2 : length, at);
    if (wanted)
        die();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
    return pwrite_any("pwrite", fd, data, length, at);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
    return pwrite_any("pwrite64", fd, data, length, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t (*writev_next)(int, const struct iovec *, int) = (ssize_t (*)(int, const struct iovec *, int))next("writev");
    int wanted = count > 0 && write_is_wanted(fd, parts[0].iov_base, parts[0].iov_len);
    ssize_t done;
    if (wanted && aim_when == BEFORE)
        die();
    done = writev_next(fd, parts, wanted && aim_when == HALF ? (count + 1) / 2 : count);
    if (wanted)
        die();
    return done;
}

static int sync_any(const char *name, int fd)
{
    int (*sync_next)(int) = (int (*)(int))next(name);
    int wanted = aimed_at() == SYNC && is_aim(fd) && (aim_bytes_length == 0 || atomic_exchange(&armed, 0)) && is_wanted();
    int done;
    if (wanted && aim_when == BEFORE)
        die();
    done = sync_next(fd);
    if (wanted)
        die();
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

static int names_aim(const char *name)
{
    char folder[PATH_MAX], path[2 * PATH_MAX];
    if (name[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        return fnmatch(aim_file, name, 0) == 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fnmatch(aim_file, path, 0) == 0;
}

int rename(const char *from, const char *to)
{
    int (*rename_next)(const char *, const char *) = (int (*)(const char *, const char *))next("rename");
    int wanted = aimed_at() == RENAME && names_aim(to) && is_wanted(), done;
    if (wanted && aim_when == BEFORE)
        die();
    done = rename_next(from, to);
    if (wanted)
        die();
    return done;
}
