/*
 * Interposes the libc calls by which a process changes files below $CHAOS_HOME, for `npm run chaos`.
 *
 * A *boundary* is a call after which a crash can find the disk in a new state: fsync, fdatasync, rename, link,
 * unlink, truncate, mkdir, rmdir, and every write to a SQLite database or its write-ahead log (the commit itself is such
 * a write). Boundaries are counted over the whole process; all threads share the counter.
 *
 *   CHAOS_HOME        only paths below it count; it must be an existing folder
 *   CHAOS_ALSO        paths below this folder count, too
 *   CHAOS_LOG         append one line a call to this file (see log_begin)
 *   CHAOS_KILL_AT=n   SIGKILL the process at boundary n …
 *   CHAOS_WHEN        … `before` the call is made or `after` it returned
 *   CHAOS_POWER       at the kill, first undo what a power cut could lose: `all`, `data` or `names` (power.c)
 *   CHAOS_FAIL_AT=n   fail boundary n …
 *   CHAOS_FAIL_FROM=n … or every boundary from n on that needs room, as a full disk does …
 *   CHAOS_ERRNO       … with EIO or ENOSPC
 *   CHAOS_WIDE=1      count writes to every file and the creation of files as boundaries as well, and calls that change
 *                     nothing, or only who may do what: opening and reading files and folders, asking for stats, chmod. Those of
 *                     SQLite's own files do not count.
 *
 * Calls are serialised by one lock, so that the log is the order in which they took effect.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "power.h"

static char home[PATH_MAX], also[PATH_MAX];
static size_t home_length, also_length;
static int log_fd = -1;
static long kill_at, fail_at, fail_from;
static int kill_after, fail_errno = EIO, wide;
static enum power_mode power;
static long counter;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static long number(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

/* CHAOS_HOME may lie behind a symlink; descriptors resolve to the real path. Reading it here, before main, needs no lock. */
__attribute__((constructor)) static void start(void) {
  const char *given = getenv("CHAOS_HOME");
  if (!given || !realpath(given, home)) return;
  home_length = strlen(home);
  const char *besides = getenv("CHAOS_ALSO");
  if (besides && realpath(besides, also)) also_length = strlen(also);
  kill_at = number("CHAOS_KILL_AT");
  fail_at = number("CHAOS_FAIL_AT");
  fail_from = number("CHAOS_FAIL_FROM");
  wide = number("CHAOS_WIDE") != 0;
  const char *when = getenv("CHAOS_WHEN"), *code = getenv("CHAOS_ERRNO"), *log = getenv("CHAOS_LOG");
  kill_after = when && !strcmp(when, "after");
  if (code && !strcmp(code, "ENOSPC")) fail_errno = ENOSPC;
  power = power_start(getenv("CHAOS_POWER"));
  if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int below(const char *path, const char *folder, size_t length) {
  return length && !strncmp(path, folder, length) && (path[length] == '/' || path[length] == 0);
}
static int below_home(const char *path) {
  return below(path, home, home_length) || below(path, also, also_length);
}
/* As the log names it: relative to the home, or whole. */
static const char *shown(const char *path) { return below(path, home, home_length) ? path + home_length : path; }

static int fd_path(int fd, char *out) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, out, PATH_MAX - 1);
  if (length < 0) return 0;
  out[length] = 0;
  return 1;
}

/* The path that a call names, absolute: relative to `dirfd`, or through /proc/self/fd/N, which Benchtop uses to stay below a folder. */
static int full_path(int dirfd, const char *path, char *out) {
  char base[PATH_MAX];
  const char *rest = path;
  int fd = -1, used = 0;
  if (!home_length || !path) return 0;
  if (sscanf(path, "/proc/self/fd/%d%n", &fd, &used) == 1) {
    if (!fd_path(fd, base)) return 0;
    rest = path + used;
    return snprintf(out, PATH_MAX, "%s%s", base, rest) < PATH_MAX && below_home(out);
  }
  if (path[0] == '/') return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX && below_home(out);
  if (dirfd == AT_FDCWD ? !getcwd(base, sizeof base) : !fd_path(dirfd, base)) return 0;
  return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX && below_home(out);
}

static int is_database(const char *path) {
  size_t length = strlen(path);
  const char *ends[] = {".db", ".db-wal", ".db-journal"};
  for (int i = 0; i < 3; i++) {
    size_t end = strlen(ends[i]);
    if (length > end && !strcmp(path + length - end, ends[i])) return 1;
  }
  return 0;
}

static void log_line(const char *format, ...) {
  if (log_fd < 0) return;
  char line[3 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > 0) syscall(SYS_write, log_fd, line, (size_t)length);
}

static void die(void) {
  power_cut(power);
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

struct boundary {
  long n; /* 0: not a boundary, only logged */
  int fail;
};

/* Takes the lock. `> n call path path2` is logged before the call, n = 0 where it is no boundary. */
static struct boundary enter(int counts, int allocates, const char *call, const char *path, const char *path2) {
  pthread_mutex_lock(&lock);
  struct boundary at = {counts ? ++counter : 0, 0};
  log_line(">\t%ld\t%s\t%s\t%s\n", at.n, call, shown(path), path2 ? shown(path2) : "");
  if (at.n && at.n == kill_at && !kill_after) die();
  at.fail = at.n && (at.n == fail_at || (fail_from && at.n >= fail_from && allocates));
  return at;
}

/* Releases the lock. `< n result inode` after the call. */
static void leave(struct boundary at, const char *call, long result, ino_t inode) {
  int saved = errno;
  log_line("<\t%ld\t%s\t%ld\t%lu\n", at.n, call, result, (unsigned long)inode);
  if (at.n && at.n == kill_at && kill_after) die();
  pthread_mutex_unlock(&lock);
  errno = saved;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* An injected failure, or the real call. */
#define ATTEMPT(at, call) ((at).fail ? (errno = fail_errno, -1) : (call))

static ino_t inode_of(int fd) {
  struct stat info;
  return fstat(fd, &info) ? 0 : info.st_ino;
}

/* fsync and fdatasync */
#define SYNC(name) \
  int name(int fd) { \
    REAL(name); \
    char path[PATH_MAX]; \
    if (!home_length || !fd_path(fd, path) || !below_home(path)) return real(fd); \
    struct boundary at = enter(1, 0, #name, path, NULL); \
    int result = ATTEMPT(at, real(fd)); \
    if (result == 0) power_synced(fd); \
    leave(at, #name, result, inode_of(fd)); \
    return result; \
  }
SYNC(fsync)
SYNC(fdatasync)

static int rename_at(const char *call, int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  char source[PATH_MAX], target[PATH_MAX];
  if (!full_path(from_dir, from, source) || !full_path(to_dir, to, target))
    return syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
  /* A full disk still renames: the entry that goes makes room for the one that comes. */
  struct boundary at = enter(1, 0, call, source, target);
  struct name_change change = power_before_rename(source, target);
  int result = ATTEMPT(at, (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
  power_after(change, result);
  leave(at, call, result, 0);
  return result;
}
int rename(const char *from, const char *to) { return rename_at("rename", AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_at("rename", a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  return rename_at("rename", a, from, b, to, flags);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  char source[PATH_MAX] = "", target[PATH_MAX];
  if (!full_path(to_dir, to, target)) return syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
  full_path(from_dir, from, source);
  struct boundary at = enter(1, 1, "link", below_home(source) ? source : home, target);
  struct name_change change = power_before_create(target, NAME_LINK);
  int result = ATTEMPT(at, (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags));
  power_after(change, result);
  leave(at, "link", result, 0);
  return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int dir, const char *name, int flags) {
  char path[PATH_MAX];
  if (!full_path(dir, name, path)) return syscall(SYS_unlinkat, dir, name, flags);
  const char *call = flags & AT_REMOVEDIR ? "rmdir" : "unlink";
  struct boundary at = enter(1, 0, call, path, NULL);
  struct name_change change = power_before_remove(path, flags & AT_REMOVEDIR);
  int result = ATTEMPT(at, (int)syscall(SYS_unlinkat, dir, name, flags));
  power_after(change, result);
  leave(at, call, result, 0);
  return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
/* libc's own remove() would not come by here; libstdc++, which removes trees for Node, calls it. */
int remove(const char *path) {
  int result = unlink(path);
  return result && errno == EISDIR ? rmdir(path) : result;
}

int mkdirat(int dir, const char *name, mode_t mode) {
  char path[PATH_MAX];
  if (!full_path(dir, name, path)) return syscall(SYS_mkdirat, dir, name, mode);
  struct stat info;
  /* `mkdir -p` asks for folders that exist: nothing changes, so nothing to kill at. */
  struct boundary at = enter(lstat(path, &info) != 0, 1, "mkdir", path, NULL);
  struct name_change change = power_before_create(path, NAME_MKDIR);
  int result = ATTEMPT(at, (int)syscall(SYS_mkdirat, dir, name, mode));
  power_after(change, result);
  leave(at, "mkdir", result, 0);
  return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int truncate_fd(int fd, off_t length) {
  char path[PATH_MAX];
  if (!home_length || !fd_path(fd, path) || !below_home(path)) return syscall(SYS_ftruncate, fd, length);
  struct boundary at = enter(!strstr(path, "-shm"), 0, "ftruncate", path, NULL);
  power_before_write(fd, length, 0, 1);
  int result = ATTEMPT(at, (int)syscall(SYS_ftruncate, fd, length));
  leave(at, "ftruncate", result, inode_of(fd));
  return result;
}
int ftruncate(int fd, off_t length) { return truncate_fd(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncate_fd(fd, length); }

/* Every way to write. `offset` -1: at the file position. */
#define WRITE(call, fd, length, offset, real_call) \
  char path[PATH_MAX]; \
  if (!home_length || fd == log_fd || !fd_path(fd, path) || !below_home(path)) return real_call; \
  struct boundary at = enter(is_database(path) || wide, 1, call, path, NULL); \
  power_before_write(fd, offset, length, 0); \
  ssize_t result = ATTEMPT(at, real_call); \
  leave(at, call, result, inode_of(fd)); \
  return result;

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  WRITE("write", fd, length, -1, real(fd, bytes, length))
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  REAL(pwrite);
  WRITE("pwrite", fd, length, offset, real(fd, bytes, length, offset))
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  WRITE("pwrite", fd, length, offset, real(fd, bytes, length, offset))
}
static size_t total(const struct iovec *parts, int count) {
  size_t sum = 0;
  for (int i = 0; i < count; i++) sum += parts[i].iov_len;
  return sum;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  WRITE("writev", fd, total(parts, count), -1, real(fd, parts, count))
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  REAL(pwritev);
  WRITE("pwritev", fd, total(parts, count), offset, real(fd, parts, count, offset))
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  REAL(pwritev64);
  WRITE("pwritev", fd, total(parts, count), offset, real(fd, parts, count, offset))
}
ssize_t sendfile(int fd, int from, off_t *position, size_t length) {
  REAL(sendfile);
  WRITE("sendfile", fd, length, -1, real(fd, from, position, length))
}
ssize_t sendfile64(int fd, int from, off64_t *position, size_t length) {
  REAL(sendfile64);
  WRITE("sendfile", fd, length, -1, real(fd, from, position, length))
}

/* A call that no crash can tell from its absence; it can only fail. SQLite reads its files in its own ways. */
#define QUIET(call, path, real_call) \
  if (!is_database(path) && !strstr(path, "-shm")) { \
    struct boundary at = enter(1, 0, call, path, NULL); \
    long result = ATTEMPT(at, real_call); \
    leave(at, call, result, 0); \
    return result; \
  }
#define QUIET_FD(call, fd, real_call) \
  char path[PATH_MAX]; \
  if (wide && home_length && fd != log_fd && fd_path(fd, path) && below_home(path)) { QUIET(call, path, real_call) } \
  return real_call;
#define QUIET_AT(call, dir, name, real_call) \
  char path[PATH_MAX]; \
  if (wide && full_path(dir, name, path)) { QUIET(call, path, real_call) } \
  return real_call;

/* libuv copies files by copy_file_range, and asks for stats, through syscall(). */
long syscall(long call, ...) {
  static long (*real)(long, ...);
  if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  long a[6];
  va_list arguments;
  va_start(arguments, call);
  for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (call == SYS_statx && !(a[2] & AT_EMPTY_PATH)) {
    QUIET_AT("stat", (int)a[0], (const char *)a[1], real(call, a[0], a[1], a[2], a[3], a[4], a[5]))
  }
  if (call == SYS_copy_file_range) {
    WRITE("copy_file_range", (int)a[2], (size_t)a[4], -1, real(call, a[0], a[1], a[2], a[3], a[4], a[5]))
  }
  return real(call, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t read(int fd, void *bytes, size_t length) {
  REAL(read);
  QUIET_FD("read", fd, real(fd, bytes, length))
}
ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
  REAL(pread);
  QUIET_FD("read", fd, real(fd, bytes, length, offset))
}
ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
  REAL(pread64);
  QUIET_FD("read", fd, real(fd, bytes, length, offset))
}
int fchmod(int fd, mode_t mode) {
  REAL(fchmod);
  QUIET_FD("chmod", fd, real(fd, mode))
}
int fchown(int fd, uid_t uid, gid_t gid) {
  REAL(fchown);
  QUIET_FD("chown", fd, real(fd, uid, gid))
}
int chmod(const char *name, mode_t mode) {
  REAL(chmod);
  QUIET_AT("chmod", AT_FDCWD, name, real(name, mode))
}
int utimensat(int dir, const char *name, const struct timespec times[2], int flags) {
  REAL(utimensat);
  QUIET_AT("utimes", dir, name, real(dir, name, times, flags))
}
int statx(int dir, const char *restrict name, int flags, unsigned mask, struct statx *restrict out) {
  REAL(statx);
  if (flags & AT_EMPTY_PATH) return real(dir, name, flags, mask, out);
  QUIET_AT("stat", dir, name, real(dir, name, flags, mask, out))
}
typedef int (*chooser)(const struct dirent *);
typedef int (*sorter)(const struct dirent **, const struct dirent **);
int scandir(const char *name, struct dirent ***out, chooser choose, sorter sort) {
  REAL(scandir);
  QUIET_AT("scandir", AT_FDCWD, name, real(name, out, choose, sort))
}
typedef int (*chooser64)(const struct dirent64 *);
typedef int (*sorter64)(const struct dirent64 **, const struct dirent64 **);
int scandir64(const char *name, struct dirent64 ***out, chooser64 choose, sorter64 sort) {
  REAL(scandir64);
  QUIET_AT("scandir", AT_FDCWD, name, real(name, out, choose, sort))
}

static int open_at(int dir, const char *name, int flags, mode_t mode) {
  char path[PATH_MAX];
  struct stat info;
  int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
  if (!writes && wide && full_path(dir, name, path)) {
    QUIET("open-read", path, (int)syscall(SYS_openat, dir, name, flags, mode))
  }
  if (!writes || !full_path(dir, name, path)) return syscall(SYS_openat, dir, name, flags, mode);
  int creates = flags & O_CREAT && lstat(path, &info) != 0;
  if (!creates && !(flags & O_TRUNC)) return syscall(SYS_openat, dir, name, flags, mode);
  struct boundary at = enter(creates && wide, 1, creates ? "create" : "open-truncate", path, NULL);
  struct name_change change = {0};
  if (creates) change = power_before_create(path, NAME_CREATE);
  else power_before_truncating_open(path);
  int result = ATTEMPT(at, (int)syscall(SYS_openat, dir, name, flags, mode));
  if (creates) power_after(change, result < 0 ? -1 : 0);
  leave(at, "open", result, result < 0 ? 0 : inode_of(result));
  return result;
}
#define MODE(flags, last) \
  mode_t mode = 0; \
  if (flags & (O_CREAT | __O_TMPFILE)) { \
    va_list arguments; \
    va_start(arguments, last); \
    mode = va_arg(arguments, mode_t); \
    va_end(arguments); \
  }
int open(const char *path, int flags, ...) {
  MODE(flags, flags)
  return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE(flags, flags)
  return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int dir, const char *path, int flags, ...) {
  MODE(flags, flags)
  return open_at(dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) {
  MODE(flags, flags)
  return open_at(dir, path, flags | O_LARGEFILE, mode);
}
