// SPDX-License-Identifier: MIT
#include "sys/forest.h"
#include "sys/call.h"
#include "sys/cgroup.h"
#include "sys/cgroupfs.h"
#include "sys/memfd.h"

#include <string.h>
#include <sys/mman.h>

#define FIRST_WARDS 16

void forest_init(struct forest *forest, struct loop *loop, void (*asked)(struct forest *forest)) {
        *forest = (struct forest){
                .loop = loop,
                .stack = BIRTH_STACK_NULL,
                .kit = KEEPER_KIT_NULL,
                .asked = asked,
        };
        spares_init(&forest->spares, loop->epoll);
        forest->kit.spares = &forest->spares;
}

int forest_check(struct forest *forest) {
        struct child self = CHILD_NULL;
        int r;

        if (forest->checked)
                return 0;

        r = keeper_kit_open_host(&forest->kit);
        if (r == 0)
                r = (int)sys_call(SYS_pidfd_send_signal, forest->kit.host, 0, NULL, 0);
        if (r < 0)
                return r;

        self.pidfd = forest->kit.host;
        forest->pins_groups = child_signal_group(&self, 0) != -EINVAL;
        forest->checked = true;
        return 0;
}

/* Most trees end without ever being searched. */
bool forest_has_proc(struct forest *forest) {
        int r = forest->proc == FOREST_PROC_UNKNOWN ? proc_is_ours() : 0;

        if (r < 0) /* whatever is looked for will say why there is nothing to see */
                return true;
        if (forest->proc == FOREST_PROC_UNKNOWN)
                forest->proc = r > 0 ? FOREST_PROC_IS_OURS : FOREST_PROC_IS_NOT;
        return forest->proc == FOREST_PROC_IS_OURS;
}

void forest_deinit(struct forest *forest) {
        spares_deinit(&forest->spares);
        if (forest->guarded)
                keeper_deinit(&forest->guard);
        if (forest->kit.groups >= 0)
                cgroup_tidy(forest->kit.groups);
        if (forest->wards)
                munmap(forest->wards, forest->n_wards * sizeof(*forest->wards));
        close_fd(forest->kit.wards);
        keeper_kit_deinit(&forest->kit);
        birth_stack_deinit(&forest->stack);
}

static int open_wards(struct forest *forest) {
        if (forest->kit.wards < 0)
                forest->kit.wards = memfd_make("curfew-wards");
        return forest->kit.wards < 0 ? forest->kit.wards : 0;
}

static int map_wards(struct forest *forest, size_t n) {
        size_t old = forest->n_wards * sizeof(struct ward), size = n * sizeof(struct ward);
        int r = memfd_resize(forest->kit.wards, size);
        void *map;

        if (r < 0)
                return r;
        if (forest->wards)
                map = mremap(forest->wards, old, size, MREMAP_MAYMOVE);
        else
                map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, forest->kit.wards, 0);
        if (map == MAP_FAILED)
                return -errno;

        forest->wards = map;
        forest->n_wards = n;
        return 0;
}

static int grow_wards(struct forest *forest) {
        int r = open_wards(forest);

        if (r < 0)
                return r;
        forest->next_ward = forest->n_wards;
        return map_wards(forest, forest->n_wards > 0 ? 2 * forest->n_wards : FIRST_WARDS);
}

static bool find_free_ward(struct forest *forest, size_t *ret_index) {
        for (size_t i = 0; i < forest->n_wards; ++i) {
                size_t index = (forest->next_ward + i) % forest->n_wards;

                if (!forest->wards[index].used) {
                        *ret_index = index;
                        return true;
                }
        }
        return false;
}

int forest_take_ward(struct forest *forest, const struct curfew_cmd *cmd, size_t *ret_index) {
        struct ward *ward;
        size_t index;
        int r;

        if (!find_free_ward(forest, &index)) {
                r = grow_wards(forest);
                if (r < 0)
                        return r;
                index = forest->next_ward;
        }

        ward = &forest->wards[index];
        *ward = (struct ward){
                .due = INT64_MAX,
                .detach = cmd->detach,
                .until = cmd->until,
                .linger = cmd->linger,
        };
        memcpy(ward->plan, cmd->stop, sizeof(ward->plan));
        forest->next_ward = index + 1;
        *ret_index = index;
        return 0;
}

void forest_release_ward(struct forest *forest, size_t index) {
        forest->wards[index].used = 0;
        forest->next_ward = index;
}

static int prepare_any(struct forest *forest) {
        int r = open_wards(forest);

        return r < 0 ? r : keeper_kit_prepare(&forest->kit);
}

int forest_prepare_keeper(struct forest *forest) {
        int r = forest_has_proc(forest) ? prepare_any(forest) : -ENOENT;

        return r < 0 ? r : birth_stack_init(&forest->stack);
}

static void on_guard(struct keeper *guard) {
        struct forest *forest = container_of(guard, struct forest, guard);

        if (guard->asked) {
                guard->asked = false;
                forest->asked(forest);
        }
        if (guard->gone)
                forest->guarded = false;
}

/* What doesn't work here for a lasting reason is not tried again. */
static int open_groups(struct forest *forest) {
        const struct child self = { .pidfd = forest->kit.host };
        int r;

        if (forest->groups_error < 0)
                return forest->groups_error;

        r = cgroupfs_open(child_cgroup(&self));
        if (r >= 0)
                forest->kit.groups = r;
        else if (r != -EMFILE && r != -ENFILE && r != -ENOMEM)
                forest->groups_error = r;
        return r < 0 ? r : 0;
}

/* A guard that was killed is replaced, and takes over all wards there are. */
int forest_prepare_groups(struct forest *forest, const struct patience *patience) {
        int r = 0;

        if (forest->kit.groups < 0)
                r = open_groups(forest);
        if (r == 0)
                r = prepare_any(forest);
        if (forest->guarded && child_has_exited(&forest->guard.process)) {
                keeper_deinit(&forest->guard);
                forest->guarded = false;
        }
        if (r < 0 || forest->guarded)
                return r;

        keeper_init(&forest->guard, forest->loop, on_guard);
        r = keeper_start_guard(&forest->guard, &forest->kit, patience);
        forest->guarded = r == 0;
        return r;
}
