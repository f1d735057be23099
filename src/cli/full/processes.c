// SPDX-License-Identifier: MIT
#include "cli/full/processes.h"
#include "cli/full/look.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * Nobody tells an unprivileged program that a process forks, so beginnings are looked for: every 10
 * ms at first, less often while nothing changes. What begins and ends between two looks is missed,
 * which the report says. Looking may take a twentieth of a processor: that fills a budget, of which
 * each look takes what it has cost, so that a crowd which comes at once doesn't blind us.
 * Ends are told by a pidfd for each process; for those beyond a number of descriptors that hurts
 * nobody, the next look says that they are gone.
 *
 * A process is known by its pid and the time of its start. As the library tells that time it is on
 * CLOCK_MONOTONIC, and moves when the machine sleeps; so here it is put back on CLOCK_BOOTTIME,
 * where the kernel has it.
 *
 * A 3-day job may start millions: some thousands are listed, of the others only those who run are
 * kept in mind.
 */

#define INTERVAL_MIN (10 * CURFEW_MSEC)
#define INTERVAL_MAX (100 * CURFEW_MSEC)
#define SHARE        20 /* looks take one of so many parts of the time, at most */
#define BUDGET       (CURFEW_SEC / 2)
#define SETTLED      (10 * CURFEW_MSEC) /* by then, what was just forked has executed its program */
#define MAX_LISTED   10000
#define MAX_FDS      4096
#define MAX_EVENTS   64
#define TIMER        UINT64_MAX /* among the numbers of processes in the epoll */

static int64_t since(const struct processes *processes) {
        return curfew_now() - processes->began;
}

/* A process may have half of the descriptors that this one may have. */
static unsigned allowed_fds(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 0;
        return limit.rlim_cur / 2 < MAX_FDS ? (unsigned)(limit.rlim_cur / 2) : MAX_FDS;
}

int processes_init(struct processes *processes, processes_fn tell, void *arg) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = TIMER };

        processes->tell = tell;
        processes->arg = arg;
        processes->interval = INTERVAL_MIN;
        processes->budget = BUDGET;
        processes->max_fds = allowed_fds();
        processes->poll = epoll_create1(EPOLL_CLOEXEC);
        processes->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (processes->poll < 0 || processes->timer < 0 ||
                epoll_ctl(processes->poll, EPOLL_CTL_ADD, processes->timer, &event) < 0)
                return -errno;
        return 0;
}

/* The same array, or a larger one, with room for one more of `size` bytes each; NULL: no memory,
 * and it stays what it was. */
static void *make_room(void *items, size_t n, size_t *capacity, size_t size) {
        size_t more = *capacity > 0 ? 2 * *capacity : 16;
        void *p;

        if (n < *capacity)
                return items;
        p = realloc(items, more * size);
        if (p)
                *capacity = more;
        return p;
}

static void unwatch(struct processes *processes, struct process *process) {
        if (process->fd < 0)
                return;
        close(process->fd);
        process->fd = -1;
        --processes->n_fds;
}

/* A pidfd is opened by number; should it lead to somebody else, compare() finds out. */
static void watch(struct processes *processes, size_t number) {
        struct process *process = &processes->items[number];
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = number };

        if (processes->n_fds >= processes->max_fds)
                return;
        process->fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
        if (process->fd < 0)
                return;
        ++processes->n_fds;
        if (epoll_ctl(processes->poll, EPOLL_CTL_ADD, process->fd, &event) < 0)
                unwatch(processes, process);
}

/* The number of a place for a new process: a new one, or that of one not listed that is gone. */
static int make_place(struct processes *processes, size_t *ret) {
        struct process *items;

        if (processes->n_spare > 0) {
                *ret = processes->spare[--processes->n_spare];
                return 0;
        }
        items = make_room(
                processes->items, processes->n, &processes->capacity, sizeof(*processes->items));
        if (!items)
                return -ENOMEM;
        processes->items = items;
        *ret = processes->n++;
        return 0;
}

static int add_live(struct processes *processes, size_t number) {
        size_t *live = make_room(processes->live, processes->n_live, &processes->live_capacity,
                sizeof(*processes->live));

        if (!live)
                return -ENOMEM;
        processes->live = live;
        processes->live[processes->n_live++] = number;
        return 0;
}

/* `argv`, or what /proc has. */
static void add(struct processes *processes, const struct curfew_process *seen, int64_t key,
        const char *const argv[]) {
        int64_t started = seen->started - processes->began;
        size_t number;
        struct process *process;

        if (make_place(processes, &number) < 0)
                return;
        process = &processes->items[number];
        *process = (struct process){
                .pid = seen->pid,
                .parent = seen->parent,
                .state = seen->state,
                .key = key,
                .started = started > 0 ? started : 0,
                .ended = PROCESS_RUNS,
                .changed = since(processes),
                .omitted = number >= MAX_LISTED,
                .fd = -1,
        };
        memcpy(process->name, seen->name, sizeof(process->name));
        processes->omitted += process->omitted;
        if (add_live(processes, number) < 0) {
                process->ended = process->started;
                return;
        }
        process->args = argv ? look_argv(argv, &process->args_size)
                             : look_args(process->pid, &process->args_size);
        watch(processes, number);
        ++processes->n_changes;
        processes->tell(processes->arg, PROCESS_SEEN, process, since(processes));
}

static void end(struct processes *processes, struct process *process, int64_t now, bool exact) {
        unwatch(processes, process);
        process->ended = now > process->started ? now : process->started;
        process->exact = exact;
        processes->tell(processes->arg, PROCESS_ENDED, process, since(processes));
}

/* Read its arguments again; whether they are others. */
static bool reread_args(struct process *process) {
        size_t size;
        char *args = look_args(process->pid, &size);
        bool same = !args || (size == process->args_size && memcmp(args, process->args, size) == 0);

        if (same) {
                free(args);
        } else {
                free(process->args);
                process->args = args;
                process->args_size = size;
        }
        return !same;
}

/* It runs another program if its name is another one; right after its fork that can also be one of
 * the same name. The arguments come a moment after the name, so they are read for a while. */
static void update(
        struct processes *processes, struct process *process, const struct curfew_process *seen) {
        int64_t now = since(processes);
        bool changed = false;

        process->state = seen->state;
        if (memcmp(process->name, seen->name, sizeof(seen->name)) != 0) {
                memcpy(process->name, seen->name, sizeof(process->name));
                process->changed = now;
                process->settled = false;
                process->renamed = true;
        }
        if (!process->settled) {
                changed = reread_args(process);
                process->settled = now - process->changed >= SETTLED;
        }
        if (changed || (process->renamed && process->settled)) {
                process->renamed = false;
                processes->tell(processes->arg, PROCESS_EXEC, process, now);
        }
}

static int by_pid(const void *a, const void *b) {
        pid_t x = ((const struct curfew_process *)a)->pid;
        pid_t y = ((const struct curfew_process *)b)->pid;

        return (x > y) - (x < y);
}

static int by_number_of(const void *a, const void *b, void *arg) {
        const struct process *items = arg;
        pid_t x = items[*(const size_t *)a].pid, y = items[*(const size_t *)b].pid;

        return (x > y) - (x < y);
}

/* One that is not listed is forgotten at its end. */
static void forget(struct processes *processes, size_t number) {
        struct process *process = &processes->items[number];
        size_t *spare;

        if (!process->omitted)
                return;
        spare = make_room(processes->spare, processes->n_spare, &processes->spare_capacity,
                sizeof(*processes->spare));
        if (!spare)
                return;
        free(process->args);
        process->args = NULL;
        processes->spare = spare;
        processes->spare[processes->n_spare++] = number;
}

/* Those who have ended go out, and those who were added get where they belong. */
static void sort_live(struct processes *processes) {
        size_t n = 0;

        for (size_t i = 0; i < processes->n_live; ++i)
                if (processes->items[processes->live[i]].ended == PROCESS_RUNS)
                        processes->live[n++] = processes->live[i];
                else
                        forget(processes, processes->live[i]);
        processes->n_live = n;
        qsort_r(processes->live, n, sizeof(*processes->live), by_number_of, processes->items);
}

static pid_t pid_of(const struct processes *processes, size_t live) {
        return processes->items[processes->live[live]].pid;
}

/* How many are in the list now, or a negative errno. */
static int read_list(struct processes *processes) {
        int n = curfew_run_processes(processes->run, processes->list, processes->list_capacity);

        while (n > 0 && (size_t)n > processes->list_capacity) {
                size_t more = 2 * (size_t)n;
                struct curfew_process *list = reallocarray(
                        processes->list, more, sizeof(*processes->list));

                if (!list)
                        return -ENOMEM;
                processes->list = list;
                processes->list_capacity = more;
                n = curfew_run_processes(processes->run, list, more);
        }
        if (n > 0)
                qsort(processes->list, (size_t)n, sizeof(*processes->list), by_pid);
        return n;
}

/* Who has no pidfd, and isn't in the list any more, has ended; with one, that tells it. */
static void miss(struct processes *processes, size_t number, int64_t now) {
        struct process *process = &processes->items[number];

        if (process->fd < 0)
                end(processes, process, now, false);
}

/* Both are in the order of their pids. Who is there under the same pid, but was started at another
 * time, is somebody else. */
static void compare(struct processes *processes, size_t n) {
        int64_t now = since(processes), offset = look_boot_offset();
        size_t n_live = processes->n_live, next = 0;

        for (size_t i = 0; i < n; ++i) {
                const struct curfew_process *seen = &processes->list[i];
                int64_t key = seen->started + offset;
                struct process *known;

                while (next < n_live && pid_of(processes, next) < seen->pid)
                        miss(processes, processes->live[next++], now);
                if (next == n_live || pid_of(processes, next) != seen->pid) {
                        add(processes, seen, key, NULL);
                        continue;
                }
                known = &processes->items[processes->live[next++]];
                if (look_is_key(known->key, key)) {
                        update(processes, known, seen);
                } else {
                        end(processes, known, now, false);
                        add(processes, seen, key, NULL);
                }
        }
        while (next < n_live)
                miss(processes, processes->live[next++], now);
}

static void set_timer(struct processes *processes) {
        int64_t interval = processes->interval;
        struct itimerspec spec;

        if (interval < -processes->budget * SHARE)
                interval = -processes->budget * SHARE;
        spec = (struct itimerspec){
                .it_value = { interval / CURFEW_SEC, interval % CURFEW_SEC },
        };
        timerfd_settime(processes->timer, 0, &spec, NULL);
}

static void adapt(struct processes *processes, bool changed) {
        int64_t interval = processes->interval;

        interval = changed ? interval / 2 : interval * 3 / 2;
        if (interval < INTERVAL_MIN)
                interval = INTERVAL_MIN;
        if (interval > INTERVAL_MAX)
                interval = INTERVAL_MAX;
        processes->interval = interval;
}

/* Of the processor, since that is what there is only so much of. */
static int64_t time_used(void) {
        struct timespec ts;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
        return ts.tv_sec * CURFEW_SEC + ts.tv_nsec;
}

static void look(struct processes *processes) {
        unsigned n_changes = processes->n_changes;
        int64_t now = since(processes), passed = now - processes->last, used = time_used();
        int n = read_list(processes);

        if (n < 0)
                return;
        processes->last = now;
        if (passed > processes->longest)
                processes->longest = passed;
        ++processes->looks;

        compare(processes, (size_t)n);
        sort_live(processes);
        adapt(processes, processes->n_changes != n_changes);

        processes->budget += passed / SHARE;
        if (processes->budget > BUDGET)
                processes->budget = BUDGET;
        processes->budget -= time_used() - used;
        set_timer(processes);
}

void processes_look(struct processes *processes) {
        int64_t passed = since(processes) - processes->last;

        if (passed >= CURFEW_MSEC && processes->budget + passed / SHARE >= 0)
                look(processes);
}

void processes_hurry(struct processes *processes) {
        processes->interval = INTERVAL_MIN;
        processes_look(processes);
        set_timer(processes);
}

/* The leader is there from the beginning, even if it has ended before anybody could look. What it
 * is called is known: the kernel may not have got so far. */
void processes_start(struct processes *processes, struct curfew_run *run, int64_t began,
        const char *const argv[]) {
        const char *slash = strrchr(argv[0], '/');
        struct curfew_process leader = {
                .pid = curfew_run_pid(run),
                .started = began,
                .state = 'X', /* if it is gone already */
        };
        int64_t key = 0;

        processes->run = run;
        processes->began = began;
        look_stat(leader.pid, &leader, &key);
        memset(leader.name, 0, sizeof(leader.name));
        strncpy(leader.name, slash ? slash + 1 : argv[0], sizeof(leader.name) - 1);
        add(processes, &leader, key, argv);
        look(processes);
}

/* Whether it is time to look. */
static bool dispatch_one(struct processes *processes, uint64_t number) {
        uint64_t expirations;

        if (number == TIMER)
                return read(processes->timer, &expirations, sizeof(expirations)) > 0;
        end(processes, &processes->items[number], since(processes), true);
        return false;
}

void processes_dispatch(struct processes *processes) {
        struct epoll_event events[MAX_EVENTS];
        bool due = false;
        int n;

        /* Ends first: a look would give their places away. */
        do {
                n = epoll_wait(processes->poll, events, MAX_EVENTS, 0);
                for (int i = 0; i < n; ++i)
                        due = dispatch_one(processes, events[i].data.u64) || due;
        } while (n == MAX_EVENTS);
        sort_live(processes);
        if (due)
                look(processes);
}

static bool has_ended(const struct process *process) {
        struct pollfd poller = { .fd = process->fd, .events = POLLIN };

        if (process->fd >= 0)
                return poll(&poller, 1, 0) > 0;
        return !look_is_same(process->pid, process->key);
}

void processes_finish(struct processes *processes, const struct curfew_result *result) {
        processes_dispatch(processes);
        for (size_t i = 0; i < processes->n; ++i) {
                struct process *process = &processes->items[i];

                if (process->ended == PROCESS_RUNS && has_ended(process))
                        end(processes, process, result->wall, process->fd >= 0);
                if (process->ended > result->wall)
                        process->ended = result->wall;
        }
        if (processes->n > 0 && result->status != CURFEW_STATUS_UNKNOWN) {
                processes->items[0].ended = result->exited;
                processes->items[0].exact = true;
        }
}

void processes_deinit(struct processes *processes) {
        for (size_t i = 0; i < processes->n; ++i) {
                unwatch(processes, &processes->items[i]);
                free(processes->items[i].args);
        }
        free(processes->items);
        free(processes->live);
        free(processes->spare);
        free(processes->list);
        if (processes->timer >= 0)
                close(processes->timer);
        if (processes->poll >= 0)
                close(processes->poll);
        *processes = (struct processes)PROCESSES_NULL;
}
