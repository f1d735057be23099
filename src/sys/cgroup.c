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
 * freezing it: what has been stopped in its tracks forks nothing and doesn't end, so a list of it
 * is complete, and a signal to each is delivered at the thaw, to all at the same time. What a
 * handler forks afterwards is not on the list. Who is meant needs no /proc: a number is opened, and
 * then the list is read once more (proc-list.c). Where freezing doesn't settle (a process in an
 * uninterruptible sleep; more forks than the freezer can follow) it is a step as any other, see
 * sweep.c.
 *
 * To be killed it must not be frozen: a fork storm outruns the freezer. cgroup.kill (Linux 5.14)
 * reaches all at once, but for a fork that begins just then, which has been seen to survive it
 * on 6.18: so who kills looks again, and repeats it until the group is empty. Before 5.14 the list
 * is killed, and the group is told to freeze, and stays so: what is born in it is frozen before it
 * can fork, whether or not the others have settled, and SIGKILL ends what is frozen.
 *
 * Empty is what cgroup.events calls so. From Linux 7.0.9 on a group can be removed as soon as all
 * that is in it has begun to exit, which may have its memory, its locks and its ports for a good
 * while yet; and before that the removal waits for them, where nothing ends the wait, and 7.0 may
 * wait for a process that the caller is to reap. So nothing is removed that hasn't been empty
 * before.
 *
 * The leader alone, which most groups are, has a pidfd already, and nothing has to be looked up. It
 * is frozen all the same: nothing else would keep it from forking between the look and the signal.
 *
 * A group in this one whose name is one of ours is another curfew's, if there is the keeper that
 * guards it; its members are left out of what is signalled, see sweep.c. Nothing here uses errno or
 * the C library's files: the keeper does this, too.
 */

#define MAX_DEPTH   32
#define MAX_WALKS   64
#define FREEZE_TIME (CLOCK_SEC / 4)
#define FIRST_PAUSE (CLOCK_SEC / 20000)
#define LAST_BREATH (CLOCK_SEC / 10)
#define EVENTS      "cgroup.events"

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
        int r = (int)sys_call(SYS_unlinkat, parent, name, AT_REMOVEDIR);

        if (r == -EBUSY) {
                int fd = cgroup_open(parent, name);

                if (fd < 0)
                        return fd;
                remove_below(fd, 0);
                sys_call(SYS_close, fd);
                r = (int)sys_call(SYS_unlinkat, parent, name, AT_REMOVEDIR);
        }
        return r;
}

int cgroup_open_events(int parent, const char *name) {
        char path[CGROUP_NAME_MAX + sizeof(EVENTS)];

        dir_append(dir_append(path, name), "/" EVENTS);
        return open_file(parent, path, O_RDONLY);
}

/* The value of a line "key 0" or "key 1" of the file. To read it is also what makes the next change
 * wake a poll. */
static int read_event(int events, const char *key) {
        char buf[128];
        const char *p;
        long n;

        do {
                n = sys_call(SYS_pread64, events, buf, sizeof(buf) - 1, 0L);
        } while (n == -EINTR);
        if (n < 0)
                return (int)n;
        buf[n] = 0;
        p = strstr(buf, key);
        return p ? p[strlen(key)] == '1' : -ENODATA;
}

int cgroup_is_populated(int events) {
        return events < 0 ? events : read_event(events, "populated ");
}

/* There is a link to a directory from each that is in it, and two more: most groups have none. */
static bool has_folders(int group) {
        struct statx stat = { 0 };

        return sys_call(SYS_statx, group, "", AT_EMPTY_PATH, STATX_NLINK, &stat) < 0 ||
               stat.stx_nlink != 2;
}

static bool is_ours(const char *name) {
        return strncmp(name, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) == 0;
}

bool cgroup_is_name(const char name[CGROUP_NAME_MAX]) {
        size_t n = 0;

        while (n < CGROUP_NAME_MAX && name[n] && name[n] != '/')
                ++n;
        return n < CGROUP_NAME_MAX && !name[n] && is_ours(name);
}

static int add_folders(int group, bool anothers, unsigned depth, struct proc_list *list);

/* A group of threads has no list of processes (EOPNOTSUPP): they are on that of the one above. One
 * that has vanished has none either. */
static int add_members(int group, bool anothers, unsigned depth, struct proc_list *list) {
        size_t first = list->n;
        int r = proc_list_add_file(list, group, "cgroup.procs");

        for (size_t i = first; i < list->n; ++i)
                list->items[i].anothers = anothers;
        if (r < 0 && r != -EOPNOTSUPP && r != -ENODEV && r != -ENOENT)
                return r;
        return depth < MAX_DEPTH ? add_folders(group, anothers, depth, list) : 0;
}

static int add_folders(int group, bool anothers, unsigned depth, struct proc_list *list) {
        struct dir dir;
        const char *name;
        int r = 0;

        if (!has_folders(group) || dir_open(&dir, group, ".") < 0)
                return 0;
        while (r >= 0 && (name = dir_next_folder(&dir))) {
                int fd = cgroup_open(group, name);

                if (fd < 0)
                        continue;
                r = add_members(fd, anothers || is_ours(name), depth + 1, list);
                sys_call(SYS_close, fd);
        }
        dir_close(&dir);
        return r;
}

int cgroup_list(int group, struct proc_list *ret) {
        return add_members(group, false, 0, ret);
}

/* The kernel tells of a change at once, but not of a second one within 10 ms, such as the freezing
 * of a group that has just been filled (cgroup_file_notify()); which is done in microseconds. So it
 * is also asked for, at growing distances; at first after who has this CPU to share.
 *
 * The descriptor that has frozen it thaws it again: one that would have to be opened for that might
 * not be had, and the tree would hear nothing any more but SIGKILL. */
static bool freeze(int group, int *ret_freezer) {
        int64_t until = clock_after(clock_now(), FREEZE_TIME), left = FREEZE_TIME;
        struct pollfd fd = { .fd = open_file(group, EVENTS, O_RDONLY), .events = POLLPRI };
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

struct place {
        struct sweep_place place;
        int group;
};

static int find(const struct sweep_place *place, struct proc_list *list) {
        return cgroup_list(container_of(place, struct place, place)->group, list);
}

int cgroup_sweep(int group, struct sweep *sweep, bool blind) {
        struct place place = { .place = { .find = find, .blind = blind }, .group = group };
        int freezer, thawed, r = 0;

        place.place.sealed = freeze(group, &freezer);
        if (place.place.sealed && is_alone(group, sweep))
                sweep_leader(sweep);
        else /* there are more, or somebody else has its number */
                r = sweep_take(sweep, &place.place);
        thawed = thaw(freezer);
        return r < 0 ? r : thawed;
}

int cgroup_kill(int group) {
        const struct place place = { .place = { .find = find, .blind = true }, .group = group };
        int r = write_file(group, "cgroup.kill", "1");

        if (r != -ENOENT)
                return r;
        write_file(group, "cgroup.freeze", "1");
        return sweep_kill(&place.place);
}

/* How many there were. */
static int release_some(int parent, int group) {
        _cleanup_(proc_list_deinit) struct proc_list list = { .blind = true };
        int r = cgroup_list(group, &list), n = 0;

        for (size_t i = 0; i < list.n && r >= 0; ++i) {
                char text[24];

                if (list.items[i].anothers)
                        continue;
                dir_append_number(text, (uint64_t)list.items[i].proc.pid);
                r = write_file(parent, "cgroup.procs", text);
                if (r == -ESRCH)
                        r = 0;
                ++n;
        }
        return r < 0 ? r : n;
}

static int release(int parent, int group) {
        int r = 1;

        for (unsigned i = 0; i < MAX_WALKS && r > 0; ++i)
                r = release_some(parent, group);
        return r;
}

/* Who is exiting can't be moved, and isn't listed (Linux 7.0); it is there until it is through. */
static bool is_left(int events) {
        int64_t until = clock_after(clock_now(), LAST_BREATH), left = LAST_BREATH;
        struct pollfd fd = { .fd = events, .events = POLLPRI };
        int64_t pause = FIRST_PAUSE;

        while (cgroup_is_populated(events) > 0 && left > 0) {
                struct timespec timeout = clock_timespec(clock_min(pause, left));

                sys_call(SYS_ppoll, &fd, 1, &timeout, NULL, 0);
                left = until - clock_now();
                pause *= 2;
        }
        return cgroup_is_populated(events) != 0;
}

void cgroup_end(int parent, const char *name) {
        int events = cgroup_open_events(parent, name), group = -1;

        if (events < 0 && events != -ENOENT) /* what was short for a moment */
                events = cgroup_open_events(parent, name);
        if (cgroup_is_populated(events) > 0)
                group = cgroup_open(parent, name);
        if (group >= 0) {
                release(parent, group);
                sys_call(SYS_close, group);
        }
        if (!is_left(events))
                cgroup_remove(parent, name);
        if (events >= 0)
                sys_call(SYS_close, events);
}

static bool is_populated(int group) {
        int events = open_file(group, EVENTS, O_RDONLY);
        int r = cgroup_is_populated(events);

        if (events >= 0)
                sys_call(SYS_close, events);
        return r != 0;
}

/* Its own name only the path tells. */
void cgroup_tidy(int parent) {
        char link[32], path[512];
        const char *name;
        long above, n;

        dir_append_number(dir_append(link, "/proc/self/fd/"), (uint64_t)parent);
        n = sys_call(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = 0;
        name = strrchr(path, '/');
        if (!name || !is_ours(name + 1) || is_populated(parent))
                return;
        above = sys_call(SYS_openat, parent, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above < 0)
                return;
        sys_call(SYS_unlinkat, above, name + 1, AT_REMOVEDIR);
        sys_call(SYS_close, above);
}
