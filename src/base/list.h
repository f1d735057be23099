// SPDX-License-Identifier: MIT
#pragma once

/* An intrusive doubly linked list. An unlinked node points to itself, so unlinking twice is safe.
 */

#include "base/base.h"

struct list {
        struct list *prev;
        struct list *next;
};

#define LIST_INIT(l)                                                                               \
        { .prev = &(l), .next = &(l) }

#define list_entry(ptr, type, member) container_of(ptr, type, member)

#define list_for_each(i, head) for (struct list *i = (head)->next; i != (head); i = i->next)

/* Survives the unlinking of the current node, not of the next one. */
#define list_for_each_safe(i, head)                                                                \
        for (struct list *i = (head)->next, *i##_next_ = i->next; i != (head);                     \
                i = i##_next_, i##_next_ = i->next)

static inline void list_init(struct list *l) {
        l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *l) {
        return l->next == l;
}

static inline bool list_is_linked(const struct list *l) {
        return l->next != l;
}

static inline void list_append(struct list *head, struct list *l) {
        l->prev = head->prev;
        l->next = head;
        head->prev->next = l;
        head->prev = l;
}

static inline void list_unlink(struct list *l) {
        l->prev->next = l->next;
        l->next->prev = l->prev;
        list_init(l);
}

static inline struct list *list_first(const struct list *head) {
        return list_is_empty(head) ? NULL : head->next;
}

/* Move all of `from` to the end of `to`, leaving `from` empty. */
static inline void list_splice(struct list *to, struct list *from) {
        if (list_is_empty(from))
                return;
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        list_init(from);
}
