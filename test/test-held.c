// SPDX-License-Identifier: MIT

/*
 * What a command has held is free at the moment that curfew calls it done: a lock, a port and its
 * memory, of a daemon that SIGKILL ends. The kernel lets go of these one after the other, at first
 * of the memory, so a process that has a lot of it holds the lock for a while after it has begun to
 * exit; and until it is through it is there. With an argument of so many MiB its memory is
 * measured, too, which takes a machine that nobody else uses.
 */

#include "villains.h"

#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#define ROUNDS 4

static char lock[] = "/tmp/curfew-lock-XXXXXX";
static const char *size = "64";
static bool measured;

/* What all processes have. (What is free a CPU may keep for itself.) */
static int64_t used_memory(void) {
        FILE *file = fopen("/proc/meminfo", "re");
        char line[128];
        int64_t used = -1;

        assert_true(file);
        while (used < 0 && fgets(line, sizeof(line), file))
                sscanf(line, "AnonPages: %" SCNd64, &used);
        fclose(file);
        assert_ge(used, 0);
        return used >> 10;
}

/* 0, or the errno. */
static int take_lock(void) {
        int fd = open(lock, O_RDONLY | O_CLOEXEC), r;

        assert_ge(fd, 0);
        r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
        close(fd);
        return r;
}

static int take_port(pid_t port) {
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

        assert_ge(fd, 0);
        r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
        close(fd);
        return r;
}

static void held_round(const struct place *place) {
        const struct curfew_result *res;
        struct round round;
        int64_t before;
        pid_t port;

        round_start(&round, place, (struct curfew_cmd){ .argv = VILLAIN("owner", size, lock) });
        assert_gt(round_ready(&round), 0);
        port = round_ready(&round);
        assert_eq(take_lock(), EWOULDBLOCK);
        assert_eq(take_port(port), EADDRINUSE);
        before = used_memory();

        curfew_ctx_cancel(round.ctx);
        curfew_run_skip(round.run);
        res = round_wait(&round);
        assert_eq(take_lock(), 0);
        assert_eq(take_port(port), 0);
        if (measured)
                assert_lt(used_memory(), before - atoi(size) * 3 / 4);
        assert_emptied(res, place);
        assert_nobody(&round);
        round_end(&round, place, false);
}

static void test_backend(
        struct place *place, enum curfew_backend backend, enum curfew_guarantee guarantee) {
        struct curfew_cmd cmd = {
                .argv = VILLAIN("none"),
                .path = villain_path(),
                .err = { CURFEW_CAPTURE },
                .backend = backend,
        };
        struct curfew_result result;

        place->backend = backend;
        place->guarantee = guarantee;
        if (curfew_run(NULL, &cmd, &result) < 0) {
                printf("skipped: %s: %s can't be had\n", place->user, curfew_backend_name(backend));
                return;
        }
        curfew_result_deinit(&result);
        for (unsigned i = 0; i < ROUNDS; ++i)
                held_round(place);
}

static void test_backends(struct place *place) {
        test_backend(place, CURFEW_BACKEND_CGROUP, CURFEW_GUARANTEE_SEALED);
        test_backend(place, CURFEW_BACKEND_KEEPER, CURFEW_GUARANTEE_TRACKED);
        test_backend(place, CURFEW_BACKEND_PID_NAMESPACE, CURFEW_GUARANTEE_SEALED);
}

/* One after the other, since they share the lock. */
static bool test_user(const char *name, uid_t uid) {
        struct part part;

        part_start(&part, name, uid, 0, test_backends);
        parts_wait(&part, 1);
        return parts_end(&part, 1);
}

int main(int argc, char *argv[]) {
        char dir[] = "/tmp/curfew-held-XXXXXX";
        bool good = true;
        int fd;

        measured = argc > 1;
        if (measured)
                size = argv[1];
        setvbuf(stdout, NULL, _IOLBF, 0);
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        fd = mkostemp(lock, O_CLOEXEC);
        assert_ge(fd, 0);
        assert_eq(fchmod(fd, 0644), 0);
        copy_villain(dir);
        if (getuid() == 0)
                good = test_user("root", 0);
        good = test_user("nobody", getuid() == 0 ? 65534 : getuid()) && good;

        close(fd);
        unlink(lock);
        unlink(villain_path());
        rmdir(dir);
        return good ? 0 : 1;
}
