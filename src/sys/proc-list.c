// SPDX-License-Identifier: MIT
#include "sys/proc-list.h"
#include "sys/call.h"
#include "sys/dir.h"
#include "sys/numbers.h"

#include <linux/stat.h>
#include <string.h>

/*
 * What the kernel lists are numbers, and who has one may have got it since. So a number that has
 * been read is opened, and then it is looked whether who was opened is who was meant. A child says
 * so itself, by its parent, as long as that is still there and so still has its number. Where there
 * is nothing to say so, the list is read once more, after opening: who is on both is meant.
 *
 * Descent is read from task/TID/children, where the kernel keeps it anyway: the cost is that of the
 * tree, not of the machine. It may leave out a sibling of one that ends at that moment, so whoever
 * needs them all reads it until nothing is new. Without that file (CONFIG_PROC_CHILDREN) nothing is
 * found below a process. Only the members of a group need a look at every process there is.
 */

#define MAX_HELD 128 /* by one list; the others are known by their numbers and times */

static void let_go(struct proc_list *list, struct proc *proc) {
        list->n_held -= proc->fd >= 0;
        proc_release(proc);
}

void proc_list_truncate(struct proc_list *list, size_t n) {
        while (list->n > n)
                let_go(list, &list->items[--list->n].proc);
}

void proc_list_deinit(struct proc_list *list) {
        proc_list_truncate(list, 0);
        free(list->items);
        *list = (struct proc_list)PROC_LIST_NULL;
}

int proc_list_shortage(const struct proc_list *list) {
        return proc_is_shortage(list->error) ? list->error : 0;
}

static void note_error(struct proc_list *list, int r) {
        if (list->error == 0 || proc_is_shortage(r))
                list->error = r;
}

/* A number that is listed again is the same process as long as that one is there to have it. */
bool proc_list_has(const struct proc_list *list, pid_t pid) {
        for (size_t i = 0; i < list->n; ++i)
                if (list->items[i].proc.pid == pid && !list->items[i].gone &&
                        proc_is_there(&list->items[i].proc))
                        return true;
        return false;
}

/* Who is hidden has a group that can be asked for. */
size_t proc_list_count(const struct proc_list *list, pid_t leader, bool group) {
        size_t n = 0;

        for (size_t i = 0; i < list->n; ++i) {
                pid_t pid = list->items[i].proc.pid;

                n += pid == leader || (group && sys_call(SYS_getpgid, pid) == leader);
        }
        return n;
}

static int make_room(struct proc_list *list) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 16;
        struct proc_item *items;

        if (list->n < list->capacity)
                return 0;
        items = realloc(list->items, capacity * sizeof(*items));
        if (!items)
                return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
        return 0;
}

static int append(struct proc_list *list, struct proc *proc, bool unsure) {
        int r = make_room(list);

        if (r < 0) {
                proc_release(proc);
                return r;
        }
        if (!proc->hidden && list->n_held >= MAX_HELD)
                proc_release(proc);
        list->n_held += proc->fd >= 0;
        list->items[list->n++] = (struct proc_item){ .proc = *proc, .unsure = unsure };
        *proc = (struct proc)PROC_NULL;
        return 0;
}

int proc_list_add(struct proc_list *list, struct proc *proc) {
        if (!proc_list_has(list, proc->pid))
                return append(list, proc, false);
        proc_release(proc);
        return 0;
}

static int hold(const struct proc_list *list, pid_t pid, struct proc *ret) {
        return list->blind ? proc_hold_hidden(pid, ret) : proc_hold(pid, ret);
}

/* To look at more is worth more than to hold those that have been looked at. */
static int hold_or_let_go(struct proc_list *list, pid_t pid, struct proc *ret) {
        int r = hold(list, pid, ret);

        if (!proc_is_shortage(r) || list->n_held == 0)
                return r;
        for (size_t i = 0; i < list->n; ++i)
                if (!list->items[i].proc.hidden)
                        let_go(list, &list->items[i].proc);
        return hold(list, pid, ret);
}

/* Somebody who has this number, and if `parent` is not 0, that parent. */
static int add_number(struct proc_list *list, pid_t pid, pid_t parent) {
        struct proc proc = PROC_NULL;
        int r = hold_or_let_go(list, pid, &proc);

        list->n_dead += r > 0;
        list->n_gone += r == -ESRCH;
        if (r < 0 && r != -ESRCH)
                note_error(list, r);
        if (r != 0)
                return 0;
        if (parent > 0 && !proc.hidden && proc.parent != parent) {
                proc_release(&proc);
                return 0;
        }
        return append(list, &proc, parent == 0 || proc.hidden);
}

static int add_from(struct proc_list *list, int dir, const char *path, pid_t parent) {
        struct numbers numbers;
        pid_t pid;
        int r = numbers_read(&numbers, dir, path);

        if (r < 0)
                return r;
        while (r >= 0 && (pid = numbers_next(&numbers)) > 0)
                if (!proc_list_has(list, pid))
                        r = add_number(list, pid, parent);
        numbers_deinit(&numbers);
        return r;
}

static void make_sure(struct proc_list *list, size_t first, pid_t pid) {
        for (size_t i = first; i < list->n; ++i)
                if (list->items[i].proc.pid == pid)
                        list->items[i].unsure = false;
}

static void forget_unsure(struct proc_list *list, size_t first) {
        size_t n = first;

        for (size_t i = first; i < list->n; ++i) {
                struct proc_item item = list->items[i];

                list->items[i] = list->items[n];
                list->items[n] = item;
                n += !item.unsure;
        }
        proc_list_truncate(list, n);
}

/* Read it once more, for those who need that. */
static int confirm(struct proc_list *list, size_t first, int dir, const char *path) {
        struct numbers numbers;
        bool unsure = false;
        pid_t pid;
        int r;

        for (size_t i = first; i < list->n; ++i)
                unsure = unsure || list->items[i].unsure;
        if (!unsure)
                return 0;

        r = numbers_read(&numbers, dir, path);
        if (r >= 0) {
                while ((pid = numbers_next(&numbers)) > 0)
                        make_sure(list, first, pid);
                numbers_deinit(&numbers);
        }
        forget_unsure(list, first);
        return r;
}

static int add_listed(struct proc_list *list, int dir, const char *path, pid_t parent) {
        size_t first = list->n;
        int r = add_from(list, dir, path, parent);

        return r < 0 ? r : confirm(list, first, dir, path);
}

int proc_list_add_file(struct proc_list *list, int dir, const char *path) {
        return add_listed(list, dir, path, 0);
}

/* A process or thread that is gone has no children any more; they have another parent by now. */
static int forgive_gone(int r) {
        return r == -ENOENT || r == -ESRCH ? 0 : r;
}

/* "TID/children" from `dir`, with something before it. */
static int add_children_of(
        struct proc_list *list, int dir, const char *before, pid_t tid, pid_t parent) {
        char path[48];

        dir_append(dir_append_number(dir_append(path, before), (uint64_t)tid), "/children");
        return forgive_gone(add_listed(list, dir, path, parent));
}

/* There is a link to task/ from each thread's directory, and two more. -ESRCH: there is none. */
static int count_threads(int fd) {
        struct statx stat = { 0 };
        long r = sys_call(SYS_statx, fd, "task", 0, STATX_NLINK, &stat);

        return r < 0 ? (int)r : (int)stat.stx_nlink - 2;
}

static int add_threads_children(struct proc_list *list, int fd, pid_t parent) {
        struct dir dir;
        pid_t tid;
        int r = dir_open(&dir, fd, "task");

        if (r < 0)
                return forgive_gone(r);
        while (r >= 0 && (tid = dir_next_number(&dir)) > 0)
                r = add_children_of(list, dir.fd, "", tid, parent);
        if (r >= 0)
                r = forgive_gone(dir_error(&dir));
        dir_close(&dir);
        return r;
}

static bool is_gone(int fd) {
        return sys_call(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -ESRCH;
}

/* What has been read of a process that is gone by now may have been read of who came after it. */
int proc_list_add_children(struct proc_list *list, const struct proc *parent) {
        const struct proc proc = *parent; /* which may be in the list, and the list may move */
        size_t first = list->n;
        bool gone;
        int fd = proc.hidden ? -EACCES : proc_borrow(&proc), n, r;

        if (fd < 0)
                return fd == -ESRCH ? 1 : proc.hidden ? 0 : fd;
        n = count_threads(fd);
        gone = n == -ESRCH || n == -ENOENT;
        r = gone     ? 0
            : n == 1 ? add_children_of(list, fd, "task/", proc.pid, proc.pid)
                     : add_threads_children(list, fd, proc.pid);
        if (list->n > first && is_gone(fd)) {
                proc_list_truncate(list, first);
                gone = true;
        }
        proc_give_back(&proc, fd);
        return r < 0 ? r : gone;
}

/* The list grows behind the index that walks it, so this is the whole tree, level by level. */
int proc_list_add_descendants(struct proc_list *list) {
        int r = 0;

        for (size_t i = 0; i < list->n && r >= 0; ++i) {
                if (list->items[i].spared || list->items[i].gone)
                        continue;
                r = proc_list_add_children(list, &list->items[i].proc);
                list->items[i].gone = r > 0;
        }
        return r < 0 ? r : 0;
}

/* Most processes are not in the group, and what can't be looked at is taken not to be. */
int proc_list_add_group(struct proc_list *list, pid_t group) {
        struct dir dir;
        pid_t pid;
        int r = dir_open(&dir, AT_FDCWD, "/proc");

        if (r < 0)
                return r;

        while (r >= 0 && (pid = dir_next_number(&dir)) > 0) {
                struct proc proc = PROC_NULL;
                int error;

                if (sys_call(SYS_getpgid, pid) != group || proc_list_has(list, pid))
                        continue;
                error = proc_hold(pid, &proc);
                if (error == 0 && proc.group == group)
                        r = append(list, &proc, false);
                else if (proc_is_shortage(error))
                        note_error(list, error);
                proc_release(&proc);
        }
        if (r >= 0)
                r = dir_error(&dir);
        dir_close(&dir);
        return r;
}
