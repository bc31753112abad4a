/* What a power cut can lose: see power.c. Every function is called with the lock of shim.c held. */
#include <sys/types.h>

enum power_mode { POWER_OFF, POWER_ALL, POWER_DATA, POWER_NAMES };
enum name_kind { NAME_NONE, NAME_CREATE, NAME_LINK, NAME_MKDIR, NAME_UNLINK, NAME_RMDIR, NAME_RENAME };

/* A change of a folder's entries that is about to be made. */
struct name_change {
  enum name_kind kind;
  int index;
};

enum power_mode power_start(const char *mode);
struct name_change power_before_create(const char *path, enum name_kind kind);
struct name_change power_before_remove(const char *path, int is_directory);
struct name_change power_before_rename(const char *from, const char *to);
/* The change took effect (0) or failed. */
void power_after(struct name_change change, int result);
/* Bytes [offset, offset + length) are about to be written (offset -1: at the file position), or the file cut to `offset`. */
void power_before_write(int fd, off_t offset, size_t length, int truncates);
void power_before_truncating_open(const char *path);
/* fsync returned: everything about this inode is on disk, and for a folder its entries. */
void power_synced(int fd);
/* Undo what is not on disk. */
void power_cut(enum power_mode mode);
