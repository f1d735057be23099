// SPDX-License-Identifier: MIT

/*
 * What it costs to take a command's output: to look at it and drop it, beside a loop of read(2) on
 * a pipe as wide as curfew's; and to keep all of it, beside a command that writes straight into
 * memory, and beside that loop with a buffer that doubles. The start and the end of the command are
 * in it, so that it says what a caller gets.
 *
 *     capture WRITER [MIB] [PEER…]
 *
 * WRITER writes as many bytes as its argument says (gush.c). MIB is how many MiB that are. Peers
 * may need several times the memory, so beside them it is a sixteenth that is kept; all of it
 * without them, where there is memory for it.
 */

#include "bench.h"
#include "peer.h"

#include <curfew.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB        ((size_t)1 << 20)
#define PIECE      ((size_t)64 << 10)
#define TAIL       PIECE
#define MAX_PEERS  8
#define MAX_ROUNDS 64
#define MAX_WAYS   16

static const char *writer;
static struct peer peers[MAX_PEERS];
static size_t n_peers;

/* A table that is still growing, since nobody knows how many peers there are. A taker is what one
 * of its ways measures, and remembers how long that took for the line below the table. */
struct taker {
        int64_t (*take)(const struct taker *taker, size_t size);
        const void *arg; /* curfew's stream, or the peer */
        int64_t times[MAX_ROUNDS];
        size_t n;
};

struct table {
        int64_t (*measure)(const struct bench_way *way, unsigned n);
        struct bench_way ways[MAX_WAYS];
        struct taker takers[MAX_WAYS];
        size_t n;
};

/* Once for the caches comes first, and is 1 MiB. */
static int64_t measure(const struct bench_way *way, unsigned n) {
        struct taker *taker = (struct taker *)way->arg;
        int64_t took = taker->take(taker, n * MIB);

        if (n > 1 && taker->n < MAX_ROUNDS)
                taker->times[taker->n++] = took;
        return took;
}

/* In a virtual machine, memory that nobody has used lately may be the host's to find, which takes
 * longer than all that is measured here. It is touched before and given back, so nobody pays. */
static void warm(size_t size) {
        char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (data == MAP_FAILED)
                bench_fail("mmap");
        madvise(data, size, MADV_HUGEPAGE);
        for (size_t i = 0; i < size; i += 4096)
                data[i] = 1;
        munmap(data, size);
}

static int64_t measure_keeping(const struct bench_way *way, unsigned n) {
        warm(n * MIB * 2);
        return measure(way, n);
}

/* What is still missing in a way that is returned is its floor and its goal. */
static struct bench_way *add(struct table *table, const char *name,
        int64_t (*take)(const struct taker *taker, size_t size), const void *arg) {
        struct taker *taker = &table->takers[table->n];
        struct bench_way *way = &table->ways[table->n++];

        *taker = (struct taker){ .take = take, .arg = arg };
        *way = (struct bench_way){ .name = name, .measure = table->measure, .arg = taker };
        return way;
}

static void print(const struct table *table, const char *title, unsigned rounds, unsigned mib) {
        char line[1024] = "";
        size_t at = 0;

        bench_table(title, table->ways, table->n, rounds, mib);
        for (size_t i = 0; i < table->n && at < sizeof(line); ++i) {
                struct taker taker = table->takers[i];
                int64_t took = taker.n > 0 ? bench_percentile(taker.times, taker.n, 0.5) : 0;

                if (took > 0)
                        at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s %.2f",
                                at > 0 ? ", " : "", table->ways[i].name,
                                (double)(mib * MIB) / (double)took);
        }
        bench_note("GB/s: %s.", line);
}

/* By hand */

static pid_t spawn(size_t size, int out) {
        posix_spawn_file_actions_t actions;
        char number[32];
        char *argv[] = { (char *)writer, number, NULL };
        pid_t pid;
        int r;

        snprintf(number, sizeof(number), "%zu", size);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, out, 1);
        r = posix_spawn(&pid, writer, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(out);
        if (r != 0)
                bench_fail("posix_spawn");
        return pid;
}

static pid_t spawn_piped(size_t size, int *ret_fd) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                bench_fail("pipe2");
        fcntl(fds[0], F_SETPIPE_SZ, 1 << 20);
        *ret_fd = fds[0];
        return spawn(size, fds[1]);
}

static void reap(pid_t pid, size_t size, size_t got) {
        int status;

        if (waitpid(pid, &status, 0) != pid || status != 0 || got != size)
                bench_fail("the writer");
}

static int64_t read_and_drop(const struct taker *taker, size_t size) {
        static char buffer[PIECE];
        int64_t before = bench_now();
        size_t got = 0;
        ssize_t n;
        int fd;
        pid_t pid = spawn_piped(size, &fd);

        (void)taker;
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                got += (size_t)n;
        close(fd);
        reap(pid, size, got);
        return bench_now() - before;
}

static int64_t read_and_keep(const struct taker *taker, size_t size) {
        int64_t took, before = bench_now();
        size_t got = 0, room = PIECE;
        char *data = malloc(room);
        ssize_t n;
        int fd;
        pid_t pid = spawn_piped(size, &fd);

        (void)taker;
        while (data && (n = read(fd, data + got, room - got)) > 0) {
                got += (size_t)n;
                if (room - got < PIECE)
                        data = realloc(data, room *= 2);
        }
        close(fd);
        reap(pid, size, got);
        took = bench_now() - before;
        free(data);
        return took;
}

static int64_t write_to_null(const struct taker *taker, size_t size) {
        int64_t before = bench_now();

        (void)taker;
        reap(spawn(size, open("/dev/null", O_WRONLY | O_CLOEXEC)), size, size);
        return bench_now() - before;
}

static int64_t write_to_memory(const struct taker *taker, size_t size) {
        int64_t took, before = bench_now();
        int fd = memfd_create("output", MFD_CLOEXEC);
        pid_t pid = spawn(size, fcntl(fd, F_DUPFD_CLOEXEC, 3));
        void *data;

        (void)taker;
        reap(pid, size, size);
        data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                bench_fail("mmap");
        took = bench_now() - before;
        munmap(data, size);
        close(fd);
        return took;
}

/* By curfew */

static int count(void *arg, const void *data, size_t size) {
        (void)data;
        *(size_t *)arg += size;
        return 0;
}

static int64_t by_curfew(const struct taker *taker, size_t size) {
        char number[32];
        size_t called = 0;
        struct curfew_cmd cmd = { .argv = (const char *[]){ writer, number, NULL } };
        struct curfew_result res;
        int64_t took, before = bench_now();

        snprintf(number, sizeof(number), "%zu", size);
        cmd.out = *(const struct curfew_stream *)taker->arg;
        cmd.out.arg = &called;
        if (curfew_run(NULL, &cmd, &res) < 0)
                bench_fail("curfew_run");
        took = bench_now() - before;
        if (res.code != 0 ||
                (cmd.out.kind != CURFEW_NULL && res.out.size + res.out.cut + called != size))
                bench_fail("curfew_run's output");
        curfew_result_deinit(&res);
        return took;
}

/* By others */

static int64_t drop_by_peer(const struct taker *taker, size_t size) {
        return peer_ask(taker->arg, "discard %zu %s", size, writer);
}

static int64_t keep_by_peer(const struct taker *taker, size_t size) {
        return peer_ask(taker->arg, "keep %zu %s", size, writer);
}

static void bench_drop(unsigned mib) {
        static const struct curfew_stream null = { .kind = CURFEW_NULL };
        static const struct curfew_stream callback = { .kind = CURFEW_CALLBACK, .fn = count };
        static const struct curfew_stream tail = {
                .kind = CURFEW_CAPTURE,
                .limit = TAIL,
                .keep = CURFEW_KEEP_TAIL,
        };
        struct table table = { .measure = measure };

        add(&table, "read(2) of 64 KiB", read_and_drop, NULL);
        add(&table, "curfew, callback", by_curfew, &callback)->goal = 1.05;
        add(&table, "curfew, last 64 KiB", by_curfew, &tail)->goal = 1.05;
        add(&table, "to /dev/null", write_to_null, NULL);
        add(&table, "curfew, to /dev/null", by_curfew, &null)->floor = "to /dev/null";
        for (size_t i = 0; i < n_peers; ++i) {
                struct bench_way *way = add(&table, peers[i].name, drop_by_peer, &peers[i]);

                way->floor = "curfew, callback";
                way->goal = -1;
        }
        print(&table, "Take output and drop it, a MiB", bench_rounds(2), mib);
}

static void bench_keep(const char *title, unsigned mib, size_t n) {
        const struct curfew_stream all = { .kind = CURFEW_CAPTURE, .limit = mib * MIB };
        struct table table = { .measure = measure_keeping };

        add(&table, "writes to a memfd", write_to_memory, NULL);
        add(&table, "read(2), doubling", read_and_keep, NULL);
        add(&table, "curfew", by_curfew, &all)->goal = 1.1;
        for (size_t i = 0; i < n; ++i) {
                struct bench_way *way = add(&table, peers[i].name, keep_by_peer, &peers[i]);

                way->floor = "curfew";
                way->goal = -1;
        }
        print(&table, title, bench_rounds(3), mib);
}

static bool is_free(size_t size) {
        return (size_t)sysconf(_SC_AVPHYS_PAGES) > size / (size_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv) {
        unsigned mib = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
        char **programs = argv + (mib > 0 ? 3 : 2);

        if (argc < 2) {
                fprintf(stderr, "usage: %s WRITER [MIB] [NAME=PEER...]\n", argv[0]);
                return 2;
        }
        mib = mib > 0 ? mib : 4096;
        writer = argv[1];
        n_peers = peers_open(peers, MAX_PEERS, programs);
        bench_drop(mib);
        bench_keep("Keep all output, a MiB", (mib + 15) / 16, n_peers);
        if (is_free(mib * MIB * 3))
                bench_keep("The same, much of it", mib, 0);
        for (size_t i = 0; i < n_peers; ++i)
                peer_close(&peers[i]);
        return 0;
}
