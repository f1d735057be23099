// SPDX-License-Identifier: MIT
#include "peer.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool open_one(struct peer *peer, const char *program) {
        posix_spawn_file_actions_t actions;
        char *argv[] = { (char *)program, NULL };
        int to[2], from[2], r;

        if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
                bench_fail("pipe2");
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, to[0], 0);
        posix_spawn_file_actions_adddup2(&actions, from[1], 1);
        r = posix_spawn(&peer->pid, program, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(to[0]);
        close(from[1]);
        peer->to = fdopen(to[1], "w");
        peer->from = fdopen(from[0], "r");
        if (r != 0 || !peer->to || !peer->from) {
                peer->pid = 0;
                return false;
        }
        return true;
}

size_t peers_open(struct peer *peers, size_t max, char **programs) {
        size_t n = 0;

        for (; *programs && n < max; ++programs) {
                char *equals = strchr(*programs, '=');

                if (!equals)
                        continue;
                *equals = '\0';
                peers[n].name = *programs;
                n += open_one(&peers[n], equals + 1);
        }
        return n;
}

void peer_close(struct peer *peer) {
        if (peer->pid == 0)
                return;
        fclose(peer->to);
        fclose(peer->from);
        waitpid(peer->pid, NULL, 0);
        peer->pid = 0;
}

int64_t peer_ask(const struct peer *peer, const char *format, ...) {
        char line[64];
        va_list args;

        if (peer->pid == 0)
                return BENCH_MISSING;
        va_start(args, format);
        vfprintf(peer->to, format, args); /* NOLINT(clang-analyzer-valist.Uninitialized) */
        va_end(args);
        putc('\n', peer->to);
        if (fflush(peer->to) != 0 || !fgets(line, sizeof(line), peer->from) || line[0] == '-')
                return BENCH_MISSING;
        return strtoll(line, NULL, 10);
}
