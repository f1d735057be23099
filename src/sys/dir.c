// SPDX-License-Identifier: MIT
#include "sys/dir.h"
#include "base/ascii.h"
#include "sys/call.h"

#include <string.h>

#define TYPE_FOLDER 4 /* DT_DIR, readdir(3) */

struct entry {
        uint64_t ino;
        int64_t off;
        unsigned short size;
        unsigned char type;
        char name[];
};

int dir_open(struct dir *dir, int at, const char *path) {
        long fd = sys_call(SYS_openat, at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return (int)fd;
        dir->fd = (int)fd;
        dir->used = dir->at = 0;
        return 0;
}

void dir_close(struct dir *dir) {
        sys_call(SYS_close, dir->fd);
}

int dir_error(const struct dir *dir) {
        return dir->used < 0 ? (int)dir->used : 0;
}

static const struct entry *next_entry(struct dir *dir) {
        const struct entry *entry;

        if (dir->at >= dir->used) {
                dir->used = sys_call(SYS_getdents64, dir->fd, dir->buf, sizeof(dir->buf));
                dir->at = 0;
                if (dir->used <= 0)
                        return NULL;
        }

        entry = (const void *)(dir->buf + dir->at);
        dir->at += entry->size;
        return entry;
}

const char *dir_next_folder(struct dir *dir) {
        const struct entry *entry;

        while ((entry = next_entry(dir)))
                if (entry->type == TYPE_FOLDER && entry->name[0] != '.')
                        return entry->name;
        return NULL;
}

static pid_t number_of(const char *name) {
        pid_t number = 0;

        for (; ascii_digit(*name, 10) >= 0; ++name)
                number = 10 * number + ascii_digit(*name, 10);
        return *name ? 0 : number;
}

pid_t dir_next_number(struct dir *dir) {
        const struct entry *entry;

        while ((entry = next_entry(dir)))
                if (number_of(entry->name) > 0)
                        return number_of(entry->name);
        return 0;
}

char *dir_append(char *p, const char *text) {
        size_t n = strlen(text);

        memcpy(p, text, n + 1);
        return p + n;
}

char *dir_append_number(char *p, uint64_t number) {
        char digits[20];
        size_t n = 0;

        do
                digits[n++] = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        while (n > 0)
                *p++ = digits[--n];
        *p = 0;
        return p;
}
