// SPDX-License-Identifier: MIT
#include "sys/cgroup.h"
#include "base/clock.h"
#include "sys/call.h"
#include "sys/dir.h"

#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

/*
 * No fork leaves a control group, so what is in it is the tree. It is signalled as a whole by
 * freezing it: what has been stopped in its tracks forks nothing, so a list of it is complete, and
 * a signal to each is delivered at the thaw, to all at the same time. What a handler forks
 * afterwards is not on the list. Where freezing doesn't settle (a process in an uninterruptible
 * sleep; more forks than the freezer can follow) the list is read again until nothing older than
 * the step is new on it.
 *
 * To be killed it must not be frozen: a fork storm outruns the freezer. cgroup.kill (Linux 5.14)
 * reaches all at once, but for a fork that begins just then, which has been seen to survive it
 * on 6.18: so who kills looks again, and repeats it until the group is empty. Before 5.14 the list
 * is killed.
 *
 * A number on the list can be another process by the time that it is opened: so after that it must
 * still be in the group. The leader alone, which most groups are, has a pidfd already, and nothing
 * has to be looked up in /proc. It is frozen all the same: nothing else would keep it from forking
 * between the look and the signal.
 *
 * A group in this one whose name is one of ours is another curfew's, and so is what is below a
 * keeper; these are left out of what is signalled, see sweep.c. Nothing here uses errno or the C
 * library's files: the keeper does this, too.
 */

#define MAX_DEPTH   32
#define MAX_WALKS   64
#define FREEZE_TIME (CLOCK_SEC / 4)
#define FIRST_PAUSE (CLOCK_SEC / 20000)

static int open_file(int group, const char *name, int flags) {
        return (int)sys_call(SYS_openat, group, name, flags | O_CLOEXEC);
}

static int write_file(int group, const char *name, const char *text) {
        int fd = open_file(group, name, O_WRONLY);
        long r;

        if (fd < 0)
                return fd;
        r = sys_call(SYS_write, fd, text, strlen(text));
        sys_call(SYS_close, fd);
        return r < 0 ? (int)r : 0;
}

int cgroup_open(int parent, const char *name) {
        return open_file(parent, name, O_RDONLY | O_DIRECTORY);
}

int cgroup_make(int parent, const char *name) {
        long r = sys_call(SYS_mkdirat, parent, name, 0755);
        int fd;

        if (r < 0)
                return (int)r;

        fd = cgroup_open(parent, name);
        if (fd < 0)
                sys_call(SYS_unlinkat, parent, name, AT_REMOVEDIR);
        return fd;
}

/* What the tree has made in its group goes first, the deepest at first. */
static void remove_below(int group, unsigned depth) {
        struct dir dir;
        const char *name;

        if (depth == MAX_DEPTH || dir_open(&dir, group, ".") < 0)
                return;
        while ((name = dir_next_folder(&dir))) {
                int fd = cgroup_open(group, name);

                if (fd < 0)
                        continue;
                remove_below(fd, depth + 1);
                sys_call(SYS_close, fd);
                sys_call(SYS_unlinkat, group, name, AT_REMOVEDIR);
        }
        dir_close(&dir);
}

int cgroup_remove(int parent, const char *name) {
        return (int)sys_call(SYS_unlinkat, parent, name, AT_REMOVEDIR);
}

static int remove_all(int parent, const char *name) {
        int r = cgroup_remove(parent, name);

        if (r == -EBUSY) {
                int fd = cgroup_open(parent, name);

                if (fd < 0)
                        return fd;
                remove_below(fd, 0);
                sys_call(SYS_close, fd);
                r = cgroup_remove(parent, name);
        }
        return r;
}

int cgroup_open_events(int group) {
        return open_file(group, "cgroup.events", O_RDONLY);
}

/* The value of a line "key 0" or "key 1" of the file. To read it is also what makes the next change
 * wake a poll. */
static int read_event(int events, const char *key) {
        char buf[128];
        const char *p;
        long n = sys_call(SYS_pread64, events, buf, sizeof(buf) - 1, 0L);

        if (n < 0)
                return (int)n;
        buf[n] = 0;
        p = strstr(buf, key);
        return p ? p[strlen(key)] == '1' : -ENODATA;
}

int cgroup_is_populated(int events) {
        return read_event(events, "populated ");
}

/* There is a link to a directory from each that is in it, and two more: most groups have none. */
static bool has_folders(int group) {
        struct statx stat = { 0 };

        return sys_call(SYS_statx, group, "", AT_EMPTY_PATH, STATX_NLINK, &stat) < 0 ||
               stat.stx_nlink != 2;
}

static bool is_foreign(const char *name) {
        return strncmp(name, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) == 0;
}

static int list_below(int group, bool all, unsigned depth, struct proc_list *list);

/* Each group in it that is not another curfew's, unless these are wanted as well. */
static int list_folders(int group, bool all, unsigned depth, struct proc_list *list) {
        struct dir dir;
        const char *name;
        int r = 0;

        if (!has_folders(group) || dir_open(&dir, group, ".") < 0)
                return 0;
        while (r >= 0 && (name = dir_next_folder(&dir))) {
                int fd = all || !is_foreign(name) ? cgroup_open(group, name) : -1;

                if (fd < 0)
                        continue;
                r = list_below(fd, all, depth + 1, list);
                sys_call(SYS_close, fd);
        }
        dir_close(&dir);
        return r;
}

static int list_below(int group, bool all, unsigned depth, struct proc_list *list) {
        int r = proc_list_add_file(list, group, "cgroup.procs", 0);

        return r < 0 || depth == MAX_DEPTH ? r : list_folders(group, all, depth, list);
}

int cgroup_list(int group, struct proc_list *ret) {
        return list_below(group, true, 0, ret);
}

static const struct proc_stat *find_parent(
        const struct proc_list *list, const struct proc_stat *stat) {
        for (size_t i = 0; i < list->n; ++i)
                if (list->items[i].pid == stat->parent)
                        return &list->items[i];
        return NULL;
}

/* As a keeper adopts its orphans, what it keeps is below it always. */
static bool is_kept(const struct proc_list *list, const struct proc_stat *stat) {
        const struct proc_stat *parent = find_parent(list, stat);

        for (size_t i = 0; parent && i < list->n; ++i) {
                if (proc_is_keeper(parent))
                        return true;
                parent = find_parent(list, parent);
        }
        return false;
}

static bool has_keeper(const struct proc_list *list) {
        for (size_t i = 0; i < list->n; ++i)
                if (proc_is_keeper(&list->items[i]))
                        return true;
        return false;
}

static void sweep_from(
        struct sweep *sweep, const char *name, const struct proc_list *list, size_t first) {
        bool kept = has_keeper(list);

        for (size_t i = first; i < list->n; ++i)
                if (!(kept && is_kept(list, &list->items[i])) &&
                        proc_is_in_cgroup(list->items[i].pid, name))
                        sweep_process(sweep, &list->items[i]);
}

/* The kernel tells of a change at once, but not of a second one within 10 ms, such as the freezing
 * of a group that has just been filled (cgroup_file_notify()); which is done in microseconds. So it
 * is also asked for, at growing distances; at first after who has this CPU to share.
 *
 * The descriptor that has frozen it thaws it again: one that would have to be opened for that might
 * not be had, and the tree would hear nothing any more but SIGKILL. */
static bool freeze(int group, int *ret_freezer) {
        int64_t until = clock_after(clock_now(), FREEZE_TIME), left = FREEZE_TIME;
        struct pollfd fd = { .fd = cgroup_open_events(group), .events = POLLPRI };
        int64_t pause = FIRST_PAUSE;
        int frozen = -EBADF;

        *ret_freezer = open_file(group, "cgroup.freeze", O_WRONLY);
        if (fd.fd >= 0 && *ret_freezer >= 0 && sys_call(SYS_write, *ret_freezer, "1", 1) == 1)
                frozen = read_event(fd.fd, "frozen ");
        if (frozen == 0) {
                sys_call(SYS_sched_yield);
                frozen = read_event(fd.fd, "frozen ");
        }

        while (frozen == 0 && left > 0) {
                struct timespec timeout = clock_timespec(clock_min(pause, left));

                sys_call(SYS_ppoll, &fd, 1, &timeout, NULL, 0);
                frozen = read_event(fd.fd, "frozen ");
                left = until - clock_now();
                pause *= 2;
        }
        if (fd.fd >= 0)
                sys_call(SYS_close, fd.fd);
        return frozen > 0;
}

/* A write that fails for want of memory, or is interrupted, is worth another. */
static int thaw(int freezer) {
        long r = 0;

        if (freezer < 0)
                return 0;
        for (unsigned i = 0; i < MAX_WALKS; ++i) {
                r = sys_call(SYS_write, freezer, "0", 1);
                if (r == 1 || r == -ENODEV)
                        break;
        }
        sys_call(SYS_close, freezer);
        return r < 0 && r != -ENODEV ? (int)r : 0;
}

void cgroup_thaw(int group) {
        thaw(open_file(group, "cgroup.freeze", O_WRONLY));
}

/* Whether the leader is all there is. */
static bool is_alone(int group, const struct sweep *sweep) {
        char wanted[32], procs[32];
        long n;
        int fd;

        if (!sweep->leader || sweep->group > 0 || has_folders(group))
                return false;
        fd = open_file(group, "cgroup.procs", O_RDONLY);
        n = fd < 0 ? fd : sys_call(SYS_read, fd, procs, sizeof(procs) - 1);
        if (fd >= 0)
                sys_call(SYS_close, fd);

        dir_append(dir_append_number(wanted, (uint64_t)sweep->leader->pid), "\n");
        procs[n > 0 ? n : 0] = 0;
        return strcmp(procs, wanted) == 0;
}

/* All that is listed; and if it is not frozen, until nothing new is. */
static int sweep_listed(int group, const char *name, struct sweep *sweep, bool frozen) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct proc_moment began = { 0 };
        size_t done = 0;
        int r = 0;

        if (!frozen)
                began = proc_now();
        for (unsigned i = 0; i < (frozen ? 1 : MAX_WALKS) && r >= 0; ++i) {
                r = list_below(group, false, 0, &list);
                if (i > 0) /* what is younger may be a clean-up */
                        proc_list_keep_older(&list, done, &began);
                if (list.n == done)
                        break;
                sweep_from(sweep, name, &list, done);
                done = list.n;
        }
        return r < 0 ? r : list.error;
}

int cgroup_sweep(int group, const char *name, struct sweep *sweep) {
        int freezer, thawed, r = 0;
        bool frozen = freeze(group, &freezer);

        if (frozen && is_alone(group, sweep))
                sweep_signal_leader(sweep);
        if (!sweep->reached_leader) /* there are more, or somebody else has its number */
                r = sweep_listed(group, name, sweep, frozen);
        thawed = thaw(freezer);
        return r < 0 ? r : thawed;
}

/* All of it, other curfews' as well. */
static int kill_listed(int group, const char *name) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct sweep sweep = { .signal = SIGKILL };
        int freezer, r;

        freeze(group, &freezer);
        r = cgroup_list(group, &list);
        for (size_t i = 0; i < list.n; ++i)
                if (proc_is_in_cgroup(list.items[i].pid, name))
                        sweep_process(&sweep, &list.items[i]);
        thaw(freezer);
        return r < 0 ? r : list.n > 0;
}

int cgroup_kill(int group, const char *name) {
        int r = write_file(group, "cgroup.kill", "1");

        if (r != -ENOENT)
                return r;
        r = 1;
        for (unsigned i = 0; i < MAX_WALKS && r > 0; ++i)
                r = kill_listed(group, name);
        return r < 0 ? r : 0;
}

static int release_some(int parent, int group) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        int r = list_below(group, false, 0, &list);

        for (size_t i = 0; i < list.n && r >= 0; ++i) {
                char text[24];

                dir_append_number(text, (uint64_t)list.items[i].pid);
                r = write_file(parent, "cgroup.procs", text);
                if (r == -ESRCH)
                        r = 0;
        }
        return r < 0 ? r : list.n > 0;
}

static int release(int parent, int group) {
        int r = 1;

        for (unsigned i = 0; i < MAX_WALKS && r > 0; ++i)
                r = release_some(parent, group);
        return r;
}

void cgroup_end(int parent, const char *name) {
        int group = remove_all(parent, name) == -EBUSY ? cgroup_open(parent, name) : -1;

        if (group < 0)
                return;
        release(parent, group);
        sys_call(SYS_close, group);
        remove_all(parent, name);
}
