/*
 * The worst that a power cut may leave behind, by the letter of POSIX: file content is on disk once that file was
 * fsynced, a folder's entries once that folder was fsynced, and everything else is lost. A killed process loses
 * nothing, because the page cache is the kernel's; so this file remembers how to undo every change that no fsync has
 * covered yet, and `power_cut` undoes them, newest first, just before the process is killed.
 *
 * `data` undoes only content (the names survive: the "empty file after a crash"), `names` only entries, `all` both.
 */
#define _GNU_SOURCE
#include "power.h"
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DATA = 100 };

struct record {
  int kind;            /* enum name_kind, or DATA; 0 once it is on disk */
  int parent;          /* O_PATH descriptor of the folder whose entry changed; stays valid when the folder moves */
  ino_t parent_inode;
  char name[NAME_MAX + 1];
  int from_parent;     /* rename: where it came from */
  char from_name[NAME_MAX + 1];
  int file;            /* what a removal or a rename took away, or the file whose content changed */
  ino_t inode;
  off_t size, offset;  /* content: the size before, and where `bytes` were */
  size_t length;
  char *bytes;
};

static struct record *records;
static int count, room;
static enum power_mode mode;

enum power_mode power_start(const char *given) {
  mode = !given ? POWER_OFF : !strcmp(given, "data") ? POWER_DATA : !strcmp(given, "names") ? POWER_NAMES : POWER_ALL;
  if (mode) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return mode;
}

/* Descriptors are kept far above those of the program. */
static int keep(int fd) {
  if (fd < 0) return -1;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 4096);
  syscall(SYS_close, fd);
  return high;
}
static int raw_open(int dir, const char *path, int flags) { return keep(syscall(SYS_openat, dir, path, flags | O_CLOEXEC, 0)); }

static struct record *append(int kind) {
  if (count == room) records = realloc(records, (room = room ? 2 * room : 1024) * sizeof *records);
  struct record *record = &records[count++];
  memset(record, 0, sizeof *record);
  record->kind = kind;
  record->parent = record->from_parent = record->file = -1;
  return record;
}

static void forget(struct record *record) {
  if (record->parent >= 0) syscall(SYS_close, record->parent);
  if (record->from_parent >= 0) syscall(SYS_close, record->from_parent);
  if (record->file >= 0) syscall(SYS_close, record->file);
  free(record->bytes);
  record->kind = 0;
  record->bytes = NULL;
}

static int open_parent(const char *path, char *name) {
  char copy[PATH_MAX], copy2[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  snprintf(copy2, sizeof copy2, "%s", path);
  snprintf(name, NAME_MAX + 1, "%s", basename(copy2));
  return raw_open(AT_FDCWD, dirname(copy), O_PATH | O_DIRECTORY);
}

static struct record *entry(int kind, const char *path) {
  struct record *record = append(kind);
  record->parent = open_parent(path, record->name);
  struct stat info;
  record->parent_inode = record->parent >= 0 && !fstat(record->parent, &info) ? info.st_ino : 0;
  return record;
}

static struct name_change change_of(struct record *record) {
  return (struct name_change){record->kind, (int)(record - records)};
}

struct name_change power_before_create(const char *path, enum name_kind kind) {
  if (!mode) return (struct name_change){0};
  return change_of(entry(kind, path));
}

struct name_change power_before_remove(const char *path, int is_directory) {
  if (!mode) return (struct name_change){0};
  struct record *record = entry(is_directory ? NAME_RMDIR : NAME_UNLINK, path);
  record->file = raw_open(AT_FDCWD, path, is_directory ? O_PATH : O_RDONLY | O_NOFOLLOW);
  struct stat info;
  if (record->file >= 0 && !fstat(record->file, &info)) record->inode = info.st_ino;
  return change_of(record);
}

struct name_change power_before_rename(const char *from, const char *to) {
  if (!mode) return (struct name_change){0};
  struct record *record = entry(NAME_RENAME, to);
  record->from_parent = open_parent(from, record->from_name);
  struct stat info;
  if (!lstat(to, &info) && S_ISREG(info.st_mode)) record->file = raw_open(AT_FDCWD, to, O_RDONLY | O_NOFOLLOW);
  return change_of(record);
}

void power_after(struct name_change change, int result) {
  if (mode && change.kind && result != 0) forget(&records[change.index]);
}

static void content(int file, off_t offset, size_t length, int truncates) {
  struct stat info;
  if (file < 0 || fstat(file, &info) || !S_ISREG(info.st_mode)) return;
  struct record *record = append(DATA);
  char self[64];
  snprintf(self, sizeof self, "/proc/self/fd/%d", file);
  record->file = raw_open(AT_FDCWD, self, O_RDWR);
  record->inode = info.st_ino;
  record->size = info.st_size;
  record->offset = offset;
  off_t end = truncates ? info.st_size : offset + (off_t)length;
  if (end > info.st_size) end = info.st_size;
  if (record->file >= 0 && end > offset) {
    record->bytes = malloc(end - offset);
    ssize_t got = syscall(SYS_pread64, record->file, record->bytes, (size_t)(end - offset), offset);
    record->length = got > 0 ? (size_t)got : 0;
  }
}

void power_before_write(int fd, off_t offset, size_t length, int truncates) {
  if (!mode) return;
  char path[64], target[PATH_MAX];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(path, target, sizeof target - 1);
  /* The shared memory of the write-ahead log is rebuilt after a power cut. */
  if (size > 4 && !memcmp(target + size - 4, "-shm", 4)) return;
  if (offset < 0) {
    offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    struct stat info;
    if (syscall(SYS_fcntl, fd, F_GETFL, 0) & O_APPEND && !fstat(fd, &info)) offset = info.st_size;
  }
  content(fd, offset, length, truncates);
}

void power_before_truncating_open(const char *path) {
  if (!mode) return;
  int file = raw_open(AT_FDCWD, path, O_RDONLY);
  content(file, 0, 0, 1);
  if (file >= 0) syscall(SYS_close, file);
}

void power_synced(int fd) {
  struct stat info;
  if (!mode || fstat(fd, &info)) return;
  for (int i = 0; i < count; i++) {
    struct record *record = &records[i];
    if (record->kind == DATA ? record->inode == info.st_ino : record->kind && record->parent_inode == info.st_ino) forget(record);
  }
  while (count && !records[count - 1].kind) count--;
}

/* Gives a removed file back under its name, with the content that its descriptor still has. */
static void give_back(int file, int parent, const char *name) {
  struct stat info;
  if (file < 0 || fstat(file, &info)) return;
  int copy = syscall(SYS_openat, parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, info.st_mode & 07777);
  char buffer[65536];
  ssize_t got;
  off_t at = 0;
  while (copy >= 0 && (got = syscall(SYS_pread64, file, buffer, sizeof buffer, at)) > 0) {
    if (syscall(SYS_write, copy, buffer, (size_t)got) != got) break;
    at += got;
  }
  if (copy >= 0) syscall(SYS_close, copy);
}

/* A folder that comes back is a new inode: later undoings of entries in the old one go there. */
static void give_back_directory(struct record *record, int index) {
  if (syscall(SYS_mkdirat, record->parent, record->name, 0700)) return;
  int fresh = raw_open(record->parent, record->name, O_PATH | O_DIRECTORY);
  for (int i = 0; i < index; i++) {
    if (records[i].kind && records[i].kind != DATA && records[i].parent_inode == record->inode) {
      if (records[i].parent >= 0) syscall(SYS_dup3, fresh, records[i].parent, O_CLOEXEC);
    }
  }
}

static void undo(struct record *r, int index) {
  switch (r->kind) {
    case DATA:
      if (r->length) syscall(SYS_pwrite64, r->file, r->bytes, r->length, r->offset);
      syscall(SYS_ftruncate, r->file, r->size);
      return;
    case NAME_CREATE:
    case NAME_LINK:
      syscall(SYS_unlinkat, r->parent, r->name, 0);
      return;
    case NAME_MKDIR:
      syscall(SYS_unlinkat, r->parent, r->name, AT_REMOVEDIR);
      return;
    case NAME_UNLINK:
      give_back(r->file, r->parent, r->name);
      return;
    case NAME_RMDIR:
      give_back_directory(r, index);
      return;
    case NAME_RENAME:
      syscall(SYS_renameat2, r->parent, r->name, r->from_parent, r->from_name, 0);
      give_back(r->file, r->parent, r->name);
  }
}

void power_cut(enum power_mode lost) {
  if (!lost) return;
  for (int i = count - 1; i >= 0; i--) {
    if (!records[i].kind) continue;
    if (records[i].kind == DATA ? lost != POWER_NAMES : lost != POWER_DATA) undo(&records[i], i);
  }
}
