// SPDX-License-Identifier: MIT
#pragma once

/* A child on its way: from its clone until it has left our memory, by executing a program or by
 * exiting. */

#include "base/base.h"
#include "sys/child.h"
#include "sys/clone.h"

/* How long that may take. Where it takes long it is asked now and then, on the thread that waits:
 * 0, or the negative errno with which the birth is given up. NULL is for ever. */
struct patience {
        int (*fn)(void *arg);
        void *arg;
};

static inline int patience_ask(const struct patience *patience) {
        return patience ? patience->fn(patience->arg) : 0;
}

/* A stack for a child, and at its upper end what the child shares with us. It serves any number of
 * births in turn. */
struct birth_stack {
        char *base;
        size_t size;
};

#define BIRTH_STACK_NULL                                                                           \
        { .base = NULL, .size = 0 }

#define BIRTH_SHARED 1024

int birth_stack_init(struct birth_stack *stack); /* unless it is there already */
void birth_stack_deinit(struct birth_stack *stack);

static inline void *birth_stack_shared(const struct birth_stack *stack) {
        return stack->base + stack->size - BIRTH_SHARED;
}

/* Lies in what its stack shares. */
struct birth {
        int there; /* 1 until the child has left our memory, see clone_child() */
        int pidfd; /* as the kernel has written it */
        int begun; /* there is a child, or there was one */
        struct child child;
        struct birth *maker; /* who clones it, being in our memory as well; or NULL: we do */
        bool identity;       /* it becomes another user in our memory */
        int stopped;   /* by this signal, as it was seen last; 0: it isn't; -1: nobody knows */
        int postponed; /* the signal that it was last continued from, or 0 */
        struct birth_stack *stack;
        struct birth_stack lost; /* the stack of one that nothing ends */
        struct birth *next;      /* of these */
};

void birth_init(struct birth *birth, struct birth_stack *stack, bool identity);

/* Clone it: by a plan with everything but the stack. */
int birth_begin(struct birth *birth, const struct clone_plan *plan);

/* The same for its maker; see clone_child(). */
int birth_begin_within(struct birth *birth, const struct clone_plan *plan);

/* In the child of a maker, first of all; and in the maker, if there will be no such child. */
void birth_confirm(struct birth *birth);
void birth_cancel(struct birth *birth);

static inline bool birth_is_over(const struct birth *birth) {
        return __atomic_load_n(&birth->there, __ATOMIC_ACQUIRE) == 0;
}

/*
 * Wait until it is over, and continue the child where somebody has stopped it. 0: it is, or it will
 * never be begun; what came of it is for the child to have said. Negative: the patience has come to
 * an end, and the child is stopped before it has executed anything.
 */
int birth_await(struct birth *birth, const struct patience *patience);

/* The child, which is the caller's then. */
struct child birth_take(struct birth *birth);

/* End the child, unless it was taken. One that nothing ends keeps the stack, and another has to be
 * had for the next birth. */
void birth_deinit(struct birth *birth);

/* The number that a process has here, whichever it has for who has cloned it; 0: that is not known
 * (proc_pid_fdinfo(5)). */
pid_t birth_number(int pidfd);
