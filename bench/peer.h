// SPDX-License-Identifier: MIT
#pragma once

/* Another language's or library's way of doing the work: a program of bench/peers that is told what
 * to do a round at a time, and says how long that took. It gets a line with a verb and its
 * arguments and answers with one: a time in ns, or "-" for what it can't do.
 *
 *     start N PROGRAM            start it and wait for it, N times; its streams on /dev/null
 *     grow MIB                   have so much more memory, and touch it
 *     discard BYTES PROGRAM      run `PROGRAM BYTES` and read what it writes in pieces of 64 KiB
 *     keep BYTES PROGRAM         the same, and have all of it in memory at the end
 *     cancel N PROGRAM           N times: start it, wait for a line of it, have it ended by SIGTERM
 *                                the way contexts or their like do that; only that is measured,
 * from the cancel to the end of the wait many N PROGRAM             start it N times at once; only
 * that is measured memory                     how many bytes of its own the N take: an answer in
 * bytes end                        end the many: signal all, wait for all derive N a cancellable
 * child of a cancellable context, and cancel it timeout N                  a child with a deadline,
 * and cancel it err N                      ask a live one whether it is done broadcast N cancel one
 * with N children; only the cancel is measured chain N                    cancel the first of a
 * chain of N; only the cancel is measured threads N K                K threads together derive and
 * cancel N under one parent
 */

#include "bench.h"

#include <stdio.h>
#include <sys/types.h>

struct peer {
        const char *name;
        pid_t pid;
        FILE *to, *from;
};

/* Start those whose programs are named, each "NAME=PROGRAM" as the last one is NULL; how many that
 * are. */
size_t peers_open(struct peer *peers, size_t max, char **programs);
void peer_close(struct peer *peer);

/* Printf's arguments are the line. BENCH_MISSING: it can't. */
__attribute__((format(printf, 2, 3))) int64_t peer_ask(
        const struct peer *peer, const char *format, ...);
