// SPDX-License-Identifier: MIT
#include "sys/birth.h"
#include "base/clock.h"
#include "sys/call.h"
#include "sys/proc.h"
#include "sys/signals.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/*
 * A child on its way is in our memory, and so are we: nobody sleeps until it has left (clone.c).
 * What makes that safe:
 *
 *  - It has a stack of its own, so that nothing we return to is overwritten.
 *  - Every signal is blocked while it is cloned, and in it until its dispositions are its
 * program's: no handler of the host runs in it. In us they do, from then on. What they find is a
 * process with one child more.
 *  - It makes bare system calls: errno, and all else that is the thread's, is ours. (Where there
 * are none, see call.h, a start that takes long could tell of a wrong error, and no more.)
 *  - It reads what was prepared for it, and writes to its stack and to what lies above that, for us
 *    to read when it has left. It calls nothing that locks, allocates, or waits for another thread.
 *  - Our thread can't be cancelled meanwhile. Another that starts something has other stacks. One
 *    that forks makes a process with a copy of all this, where nobody ever leaves, and nobody may
 *    wait; one that executes ends us, and the child goes on with what was our memory to itself.
 *
 * The child has left when the word is 0. The wait for that has a time, and is mostly one call.
 * Where the time runs out, or a signal cuts it short, three things are looked at:
 *
 *  - Has the patience of who waits come to an end? Then the child is stopped, and looked for once
 *    more. What is stopped executes no instruction of its own: one that is still there will never
 *    run its program, and is killed. One that has left in this very moment runs it, and could have
 *    started others by now: that is for the stop plan, and it is continued.
 *  - Has it been stopped? SIGSTOP can't be blocked; and what a terminal sends to the group that it
 *    is born in waits for the mask to be lifted, and stops it just before it executes. Nobody else
 *    knows of it, so whoever has stopped it, it is continued, and what it was stopped by is put off
 *    until it is a program. Who may signal it can so delay a start, but not hold it. It must have
 *    been found stopped twice: if we were stopped with it, and continued with it, it may not have
 *    got to going on yet, and to put that stop off would stop a job that has just been continued.
 *  - Has it exited, and the word says nothing of it?
 *
 * What not even SIGKILL ends, in a call that can't be interrupted, is left behind after a second.
 * It will execute no instruction any more, so all that it was to read can go. But when that call is
 * over the kernel may write its result to the stack, and clears the word. So the stack is not given
 * back, nor used again; whoever starts something next looks whether it can be. If it can't be
 * signalled either (it has become another user, and we may not signal that), nothing is safe but to
 * wait.
 */

#define STACK_SIZE (64 << 10)
#define SLICE      (CLOCK_SEC / 50)
#define END_TIME   CLOCK_SEC /* for SIGKILL to show */

/* The memory that all children on their way are in. */
static struct {
        pthread_mutex_t lock;
        struct birth *lost;
        unsigned n_identities; /* of those there are */
        bool dumpable;         /* it was, before the first of them */
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * A change of identity makes the memory that it happens in undumpable (commit_creds() in the
 * kernel; PR_SET_DUMPABLE in prctl(2)). That memory is the host's, which would have no core dumps
 * any more and no access to its own files in /proc; but as long as the child is in there it must
 * stay so, since else the new user could trace the child and with it change the host. So it is
 * undone when the last such child has left. As the flag is the process's, so is the count.
 */
static void begin_identity(void) {
        pthread_mutex_lock(&memory.lock);
        if (memory.n_identities++ == 0)
                memory.dumpable = prctl(PR_GET_DUMPABLE) == 1;
        pthread_mutex_unlock(&memory.lock);
}

/* Under the lock. */
static void end_identity(void) {
        if (--memory.n_identities == 0 && memory.dumpable)
                prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* What nothing could end keeps its stack, and the host's memory hidden, until it has ended after
 * all. */
static void lose(struct birth *birth) {
        birth->lost = *birth->stack;
        *birth->stack = (struct birth_stack)BIRTH_STACK_NULL;
        pthread_mutex_lock(&memory.lock);
        birth->next = memory.lost;
        __atomic_store_n(&memory.lost, birth, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&memory.lock);
}

static void forget(struct birth *birth) {
        struct birth_stack stack = birth->lost;

        if (birth->identity)
                end_identity();
        close_fd(birth->child.pidfd);
        birth_stack_deinit(&stack);
}

static void look_for_lost(void) {
        struct birth **p = &memory.lost;

        if (!__atomic_load_n(p, __ATOMIC_RELAXED))
                return;
        pthread_mutex_lock(&memory.lock);
        while (*p) {
                struct birth *birth = *p;

                if (birth_is_over(birth) && child_reap(&birth->child) == 0) {
                        *p = birth->next;
                        forget(birth);
                } else {
                        p = &birth->next;
                }
        }
        pthread_mutex_unlock(&memory.lock);
}

void birth_init(struct birth *birth, struct birth_stack *stack, bool identity) {
        *birth = (struct birth){
                .pidfd = -1,
                .child = CHILD_NULL,
                .identity = identity,
                .stack = stack,
        };
        look_for_lost();
        if (identity)
                begin_identity();
}

_in_child_ void birth_confirm(struct birth *birth) {
        __atomic_store_n(&birth->begun, 1, __ATOMIC_RELEASE);
}

_in_child_ void birth_cancel(struct birth *birth) {
        __atomic_store_n(&birth->there, 0, __ATOMIC_RELEASE);
        sys_call(SYS_futex, &birth->there, FUTEX_WAKE, 1, NULL, NULL, 0);
}

_in_child_ int birth_begin_within(struct birth *birth, const struct clone_plan *plan) {
        struct clone_plan how = *plan;
        int r;

        how.stack = birth->stack->base;
        how.size = birth->stack->size - BIRTH_SHARED;
        r = clone_child(&how, &birth->there, &birth->pidfd);
        if (r < 0) {
                birth->pidfd = -1;
                return r;
        }
        birth->child.pid = r;
        birth_confirm(birth);
        return 0;
}

/* Now, and where its maker has begun it as soon as that is known. */
static void adopt(struct birth *birth) {
        if (birth->pidfd < 0 || !__atomic_load_n(&birth->begun, __ATOMIC_ACQUIRE))
                return;
        birth->child.pidfd = clone_raise(birth->pidfd);
        birth->child.reaped = false;
        birth->pidfd = -1;
}

int birth_begin(struct birth *birth, const struct clone_plan *plan) {
        struct signals_mask mask;
        int r;

        signals_block(&mask);
        r = birth_begin_within(birth, plan);
        signals_restore(&mask);
        if (r == 0)
                adopt(birth);
        return r;
}

/* Its times are as wide as a long, whatever those of the C library are. */
static void sleep_a_slice(const struct birth *birth) {
        static const long slice[] = { 0, SLICE };

        sys_call(SYS_futex, &birth->there, FUTEX_WAIT, 1, slice, NULL, 0);
}

pid_t birth_number(int pidfd) {
        char path[32], buf[512] = "";
        const char *p;
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        p = read(fd, buf, sizeof(buf) - 1) > 0 ? strstr(buf, "\nPid:") : NULL;
        close_fd(fd);
        return p ? (pid_t)strtol(p + 5, NULL, 10) : 0;
}

/* The signal that it is stopped by, 0: it isn't, or -1: nobody knows. Of a maker's child, or one
 * whose stop another's wait has taken, only /proc tells, and not the signal: it is taken for one
 * from a terminal. */
static int stop_signal(const struct child *child) {
        struct proc proc = PROC_NULL;
        int r = child_stopped(child);
        bool is_shown;

        if (r > 0)
                return r;
        is_shown = proc_hold(birth_number(child->pidfd), &proc) == 0 && !proc.hidden;
        proc_release(&proc);
        if (is_shown)
                return proc.state == 'T' ? SIGTSTP : 0;
        return r < 0 ? -1 : 0;
}

/* Where nobody knows it can do no harm: but for a stop that is just coming, which is lost. */
static void continue_if_stopped(struct birth *birth) {
        int signal = stop_signal(&birth->child);

        if (signal != 0 && birth->stopped != 0) {
                birth->postponed = signal > 0 ? signal : 0;
                child_signal(&birth->child, SIGCONT);
        }
        birth->stopped = signal;
}

/* False: it has left, or can't be kept from that. */
static bool give_up(const struct birth *birth) {
        if (child_signal(&birth->child, SIGSTOP) < 0)
                return false;
        if (!birth_is_over(birth))
                return true;
        child_signal(&birth->child, SIGCONT);
        return false;
}

/* Then the word, which not every kernel clears in a process that dumps core, is not to be believed.
 */
static bool has_exited(struct birth *birth) {
        if (!child_has_exited(&birth->child))
                return false;
        birth->there = 0;
        return true;
}

static int look(struct birth *birth, const struct patience *patience) {
        int r;

        if (has_exited(birth))
                return 0;
        r = patience_ask(patience);
        if (r < 0 && give_up(birth))
                return r;
        if (!birth_is_over(birth))
                continue_if_stopped(birth);
        return 0;
}

/* As long as its maker is on its way it only waits for that. */
int birth_await(struct birth *birth, const struct patience *patience) {
        struct birth *maker = birth->maker;
        int r = 0;

        while (r == 0 && !birth_is_over(birth)) {
                bool is_made = !maker || birth_is_over(maker);

                sleep_a_slice(birth);
                if (birth_is_over(birth))
                        break;
                adopt(birth);
                if (is_made && birth->child.pidfd < 0)
                        break;
                r = look(is_made ? birth : maker, patience);
        }
        return r;
}

struct child birth_take(struct birth *birth) {
        struct child child;

        adopt(birth);
        child = birth->child;
        birth->child = (struct child)CHILD_NULL;
        return child;
}

/* Until it is over, but not for ever. */
static void end(struct birth *birth) {
        int64_t until = clock_after(clock_now(), END_TIME);

        while (!birth_is_over(birth) && clock_now() < until) {
                adopt(birth);
                if (!has_exited(birth)) {
                        child_signal(&birth->child, SIGKILL);
                        sleep_a_slice(birth);
                }
        }
}

void birth_deinit(struct birth *birth) {
        adopt(birth);
        if (!birth->begun && birth->pidfd < 0)
                birth->there = 0; /* its maker has not come to that */
        if (!birth_is_over(birth))
                end(birth);
        if (!birth_is_over(birth)) {
                lose(birth);
                return;
        }

        child_deinit(&birth->child);
        if (birth->identity) {
                pthread_mutex_lock(&memory.lock);
                end_identity();
                pthread_mutex_unlock(&memory.lock);
        }
}

/* The lowest page is no memory: what runs off the stack faults instead of writing to the host's. */
int birth_stack_init(struct birth_stack *stack) {
        size_t guard = (size_t)sysconf(_SC_PAGESIZE);
        size_t size = guard + STACK_SIZE;
        void *base;

        if (stack->base)
                return 0;

        base = mmap(
                NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (base == MAP_FAILED)
                return -errno;
        if (mprotect(base, guard, PROT_NONE) < 0) {
                int r = -errno;

                munmap(base, size);
                return r;
        }

        stack->base = base;
        stack->size = size;
        return 0;
}

void birth_stack_deinit(struct birth_stack *stack) {
        if (stack->base)
                munmap(stack->base, stack->size);
        *stack = (struct birth_stack)BIRTH_STACK_NULL;
}
