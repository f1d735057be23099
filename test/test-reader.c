// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/reader.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define PIPE_SIZE 65536

/* A reader, the pipe's other end, and what has happened. */
struct rig {
        struct loop loop;
        struct reader reader;
        int fd;
        unsigned n_closed;
        char got[4096]; /* by the callback */
        size_t n_got;
        int answer;
        size_t answer_after; /* the callback answers from so many bytes on */
};

static void on_closed(struct reader *reader) {
        struct rig *rig = reader->owner;

        assert_eq(reader->fd, -1);
        rig->n_closed++;
}

static int on_output(void *arg, const void *data, size_t size) {
        struct rig *rig = arg;

        assert_gt(size, 0);
        for (size_t i = 0; i < size; ++i)
                if (rig->n_got + i < sizeof(rig->got))
                        rig->got[rig->n_got + i] = ((const char *)data)[i];
        rig->n_got += size;
        return rig->n_got > rig->answer_after ? rig->answer : 0;
}

static void attach_new(struct rig *rig, struct reader *reader, int *ret_fd) {
        int ends[2];

        reader->owner = rig;
        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        assert_eq(reader_attach(reader, &rig->loop, ends[0]), 0);
        assert_eq(reader->fd, ends[0]);
        *ret_fd = ends[1];
}

static void rig_init(struct rig *rig, struct curfew_stream stream) {
        *rig = (struct rig){ .loop = LOOP_NULL, .fd = -1 };
        stream.arg = rig;
        assert_eq(loop_init(&rig->loop), 0);
        reader_init(&rig->reader, &stream, on_closed);
        attach_new(rig, &rig->reader, &rig->fd);
}

static void rig_deinit(struct rig *rig) {
        reader_deinit(&rig->reader);
        reader_deinit(&rig->reader);
        close_fd(rig->fd);
        loop_deinit(&rig->loop);
}

static void rig_close(struct rig *rig) {
        rig->fd = close_fd(rig->fd);
}

static int dispatch(struct rig *rig) {
        return loop_dispatch(&rig->loop, INT64_MIN);
}

static void say(int fd, const char *text) {
        assert_eq(write(fd, text, strlen(text)), strlen(text));
}

/* What is written where it doesn't matter how much: a byte's place says what it is. */
static unsigned char byte_at(uint64_t at) {
        return (unsigned char)((uint32_t)at * 2654435761u >> 24);
}

/* Write until the pipe is full, or `size` bytes. */
static size_t fill(int fd, size_t size) {
        char page[4096];
        size_t n = 0;

        assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        while (n < size) {
                size_t more = size - n < sizeof(page) ? size - n : sizeof(page);

                for (size_t i = 0; i < more; ++i)
                        page[i] = (char)byte_at(n + i);
                if (write(fd, page, more) < 0)
                        break;
                n += more;
        }
        assert_eq(fcntl(fd, F_SETFL, 0), 0);
        return n;
}

/* A child that writes without end, or `size` bytes, and then exits. */
static pid_t start_writer(int fd, uint64_t size) {
        pid_t pid = fork();

        assert_ge(pid, 0);
        if (pid > 0)
                return pid;

        /* It must not hold the reading end. */
        dup2(fd, STDOUT_FILENO);
        for (int i = STDERR_FILENO + 1; i < 64; ++i)
                close(i);

        for (uint64_t at = 0; at < size;) {
                unsigned char page[4096];

                for (size_t i = 0; i < sizeof(page); ++i)
                        page[i] = byte_at(at + i);
                if (write(STDOUT_FILENO, page, sizeof(page)) != sizeof(page))
                        break;
                at += sizeof(page);
        }
        _exit(0);
}

static int reap(pid_t pid) {
        int status;

        assert_eq(waitpid(pid, &status, 0), pid);
        return status;
}

static void assert_output(struct rig *rig, const char *text, bool complete) {
        struct curfew_output output;

        reader_finish(&rig->reader, &output);
        assert_str(output.data, text);
        assert_eq(output.size, strlen(text));
        assert_eq(output.cut, 0);
        assert_eq(output.complete, complete);
        assert_eq(output.error, 0);
        capture_free(output.data, output.size);
}

static void test_capture(void) {
        struct rig rig;
        int fd;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        fd = rig.reader.fd;
        assert_eq(fcntl(rig.fd, F_GETFL) & O_NONBLOCK, 0);
        assert_eq(dispatch(&rig), 0);

        say(rig.fd, "one ");
        assert_eq(dispatch(&rig), 1);
        assert_eq(rig.reader.capture.size, 4);
        say(rig.fd, "two");
        rig_close(&rig);
        assert_eq(dispatch(&rig), 1);
        assert_eq(rig.n_closed, 1);
        assert_eq(fcntl(fd, F_GETFD), -1);
        assert_eq(dispatch(&rig), 0);

        reader_drain(&rig.reader);
        assert_output(&rig, "one two", true);
        assert_eq(rig.n_closed, 1);
        rig_deinit(&rig);
}

static void test_empty(void) {
        struct rig rig;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        rig_close(&rig);
        assert_eq(dispatch(&rig), 1);
        assert_output(&rig, "", true);
        rig_deinit(&rig);
}

static void test_limit_and_keep(void) {
        struct rig rig;
        struct curfew_output output;

        rig_init(&rig,
                (struct curfew_stream){ CURFEW_CAPTURE, .limit = 6, .keep = CURFEW_KEEP_BOTH });
        say(rig.fd, "abcdefghij");
        rig_close(&rig);
        assert_eq(dispatch(&rig), 1);
        reader_finish(&rig.reader, &output);
        assert_str(output.data, "abchij");
        assert_eq(output.cut, 4);
        assert_eq(output.cut_at, 3);
        assert_true(output.complete);
        capture_free(output.data, output.size);
        rig_deinit(&rig);
}

/* Somebody still holds the other end: what is there is taken, and it isn't called complete. */
static void test_drain_held(void) {
        struct rig rig;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        say(rig.fd, "said");
        reader_drain(&rig.reader);
        assert_eq(rig.reader.fd, -1);
        assert_eq(rig.n_closed, 0);
        assert_output(&rig, "said", false);
        rig_deinit(&rig);
}

/* The end of file is found behind a pipe that is full to the last byte. */
static void test_drain_full(void) {
        struct rig rig;
        struct curfew_output output;
        size_t n;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        n = fill(rig.fd, SIZE_MAX);
        assert_eq(n, fcntl(rig.fd, F_GETPIPE_SZ));
        rig_close(&rig);
        reader_drain(&rig.reader);
        assert_eq(rig.n_closed, 0);

        reader_finish(&rig.reader, &output);
        assert_eq(output.size, n);
        assert_true(output.complete);
        for (size_t i = 0; i < n; ++i)
                assert_eq((unsigned char)output.data[i], byte_at(i));
        capture_free(output.data, output.size);
        rig_deinit(&rig);
}

static void test_drain_endless(void) {
        struct rig rig;
        struct curfew_output output;
        pid_t pid;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        pid = start_writer(rig.fd, UINT64_MAX);
        assert_eq(loop_dispatch(&rig.loop, CLOCK_NEVER), 1);
        reader_drain(&rig.reader);
        rig_close(&rig);
        assert_eq(WTERMSIG(reap(pid)), SIGPIPE);

        reader_finish(&rig.reader, &output);
        assert_false(output.complete);
        assert_eq(output.error, 0);
        assert_le(output.size, 3 << 20);
        capture_free(output.data, output.size);
        rig_deinit(&rig);
}

/* Whatever is taken comes back at once, so that the pipe is never empty. */
static int refill(void *arg, const void *data, size_t size) {
        struct rig *rig = arg;

        rig->n_got += size;
        assert_eq(write(rig->fd, data, size), size);
        return 0;
}

static void test_drain_bottomless(void) {
        struct rig rig;
        struct curfew_output output;
        size_t n;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CALLBACK, .fn = refill });
        n = fill(rig.fd, SIZE_MAX);
        reader_drain(&rig.reader);
        assert_ge(rig.n_got, n);
        assert_le(rig.n_got, 2 * n);

        reader_finish(&rig.reader, &output);
        assert_false(output.complete);
        assert_eq(output.error, 0);
        rig_deinit(&rig);
}

/* However much there is, a dispatch takes a bounded part of it, and another stream has its turn. */
static void test_fair(void) {
        struct rig rig;
        struct reader other;
        int fd, room;
        size_t n, last = 0;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        reader_init(&other, &(struct curfew_stream){ CURFEW_CAPTURE }, on_closed);
        attach_new(&rig, &other, &fd);

        room = fcntl(rig.fd, F_SETPIPE_SZ, 1 << 20);
        n = fill(rig.fd, SIZE_MAX);
        assert_eq(n, room > 0 ? room : PIPE_SIZE);
        say(fd, "x");
        assert_eq(dispatch(&rig), 1);
        assert_eq(other.capture.size, 1);
        assert_lt(rig.reader.capture.size, n);
        while (rig.reader.capture.size < n) {
                assert_gt(rig.reader.capture.size, last);
                assert_le(rig.reader.capture.size - last, 256 << 10);
                last = rig.reader.capture.size;
                assert_eq(dispatch(&rig), 1);
        }

        close_fd(fd);
        reader_deinit(&other);
        rig_deinit(&rig);
}

static void test_fair_to_others_of_endless(void) {
        struct rig rig;
        struct reader other;
        pid_t pid;
        int fd;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE, .limit = 1 });
        reader_init(&other, &(struct curfew_stream){ CURFEW_CAPTURE }, on_closed);
        attach_new(&rig, &other, &fd);
        pid = start_writer(rig.fd, UINT64_MAX);

        for (size_t i = 1; i <= 100; ++i) {
                say(fd, "x");
                assert_eq(dispatch(&rig), 1);
                assert_eq(other.capture.size, i);
        }

        reader_deinit(&rig.reader);
        rig_close(&rig);
        assert_eq(WTERMSIG(reap(pid)), SIGPIPE);
        close_fd(fd);
        reader_deinit(&other);
        rig_deinit(&rig);
}

/* A pipe is widened only for a child that has filled it, and only if that is allowed. */
static void test_widen(void) {
        struct rig rig;
        int ends[2];
        bool allowed;

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        allowed = fcntl(ends[0], F_SETPIPE_SZ, 1 << 20) > 0;
        close(ends[0]);
        close(ends[1]);

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        assert_eq(fill(rig.fd, PIPE_SIZE / 2), PIPE_SIZE / 2);
        assert_eq(dispatch(&rig), 1);
        assert_eq(fcntl(rig.fd, F_GETPIPE_SZ), PIPE_SIZE);
        assert_eq(fill(rig.fd, PIPE_SIZE), PIPE_SIZE);
        assert_eq(dispatch(&rig), 1);
        assert_eq(fcntl(rig.fd, F_GETPIPE_SZ), allowed ? 1 << 20 : PIPE_SIZE);
        rig_deinit(&rig);
}

/* Much output and a small limit: memory stays within it, and both ends are exact. */
static void take_much(uint64_t size, size_t limit, enum curfew_keep keep) {
        struct rig rig;
        struct curfew_output output;
        pid_t pid;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE, .limit = limit, .keep = keep });
        pid = start_writer(rig.fd, size);
        rig_close(&rig);
        while (rig.n_closed == 0) {
                assert_ge(loop_dispatch(&rig.loop, CLOCK_NEVER), 0);
                assert_le(rig.reader.capture.room, limit);
        }
        assert_eq(reap(pid), 0);

        reader_finish(&rig.reader, &output);
        assert_eq(output.size, limit);
        assert_eq(output.cut, size - limit);
        assert_eq(output.cut_at, keep == CURFEW_KEEP_BOTH ? limit / 2 : 0);
        for (size_t i = 0; i < limit; ++i)
                assert_eq((unsigned char)output.data[i],
                        byte_at(i < output.cut_at ? i : i + output.cut));
        capture_free(output.data, output.size);
        rig_deinit(&rig);
}

/* What is lost is read over, or by way of the stack, which depends on how much there is of it. */
static void test_much(void) {
        take_much(100 << 20, 1 << 20, CURFEW_KEEP_BOTH);
        take_much(50 << 20, 50 << 20, CURFEW_KEEP_HEAD);
        take_much(50 << 20, 9000001, CURFEW_KEEP_BOTH);
        take_much(10 << 20, 100003, CURFEW_KEEP_TAIL);
        take_much(10 << 20, 70001, CURFEW_KEEP_BOTH);
        take_much(10 << 20, 33000, CURFEW_KEEP_TAIL);
        take_much(10 << 20, 1000, CURFEW_KEEP_TAIL);
}

static void test_callback(void) {
        struct rig rig;
        struct curfew_output output;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CALLBACK, .fn = on_output });
        say(rig.fd, "one ");
        assert_eq(dispatch(&rig), 1);
        assert_eq(rig.n_got, 4);
        say(rig.fd, "two");
        rig_close(&rig);
        assert_eq(dispatch(&rig), 1);
        assert_str(rig.got, "one two");
        assert_eq(rig.n_closed, 1);

        reader_finish(&rig.reader, &output);
        assert_null(output.data);
        assert_eq(output.size, 0);
        assert_true(output.complete);
        assert_eq(output.error, 0);
        rig_deinit(&rig);
}

/* A callback that has enough: the pipe is closed, and an endless child fails. */
static void test_callback_stops(void) {
        struct rig rig;
        struct curfew_output output;
        pid_t pid;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CALLBACK, .fn = on_output });
        rig.answer = 7;
        rig.answer_after = 500000;
        pid = start_writer(rig.fd, UINT64_MAX);
        rig_close(&rig);
        while (rig.n_closed == 0)
                assert_ge(loop_dispatch(&rig.loop, CLOCK_NEVER), 0);
        assert_eq(WTERMSIG(reap(pid)), SIGPIPE);
        assert_gt(rig.n_got, rig.answer_after);
        assert_le(rig.n_got, rig.answer_after + (256 << 10));

        reader_finish(&rig.reader, &output);
        assert_false(output.complete);
        assert_eq(output.error, 7);
        rig_deinit(&rig);
}

static void test_callback_stops_drain(void) {
        struct rig rig;
        struct curfew_output output;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CALLBACK, .fn = on_output });
        rig.answer = -EIO;
        say(rig.fd, "text");
        rig_close(&rig);
        reader_drain(&rig.reader);
        assert_eq(rig.n_got, 4);
        assert_eq(rig.n_closed, 0);

        reader_finish(&rig.reader, &output);
        assert_false(output.complete);
        assert_eq(output.error, -EIO);
        rig_deinit(&rig);
}

static void free_reader(struct reader *reader) {
        ++*(unsigned *)reader->owner;
        reader_deinit(reader);
        free(reader);
}

/* `closed` is the last thing that is done with a reader. */
static void test_freed_when_closed(void) {
        struct reader *reader = malloc(sizeof(*reader));
        struct loop loop = LOOP_NULL;
        unsigned n_freed = 0;
        int ends[2];

        assert_true(reader);
        assert_eq(loop_init(&loop), 0);
        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        reader_init(reader, &(struct curfew_stream){ CURFEW_CAPTURE }, free_reader);
        reader->owner = &n_freed;
        assert_eq(reader_attach(reader, &loop, ends[0]), 0);
        close(ends[1]);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(n_freed, 1);
        loop_deinit(&loop);
}

/* Somebody else, a process forked by the host, may have the same open file. */
static void test_closed_but_open_elsewhere(void) {
        struct rig rig;
        int copy;

        rig_init(&rig, (struct curfew_stream){ CURFEW_CAPTURE });
        copy = dup(rig.reader.fd);
        assert_ge(copy, 0);
        reader_drain(&rig.reader);
        say(rig.fd, "late");
        assert_eq(dispatch(&rig), 0);
        assert_eq(rig.n_closed, 0);
        close(copy);
        rig_deinit(&rig);
}

static void test_read_fails(void) {
        struct reader reader;
        struct curfew_output output;
        struct loop loop = LOOP_NULL;
        int ends[2];

        assert_eq(loop_init(&loop), 0);
        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        reader_init(&reader, &(struct curfew_stream){ CURFEW_CAPTURE }, NULL);
        assert_eq(reader_attach(&reader, &loop, ends[1]), 0);
        close(ends[0]);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(reader.fd, -1);

        reader_finish(&reader, &output);
        assert_str(output.data, "");
        assert_false(output.complete);
        assert_eq(output.error, -EBADF);
        capture_free(output.data, output.size);
        reader_deinit(&reader);
        loop_deinit(&loop);
}

static void test_attach_fails(void) {
        struct reader reader;
        struct loop none = LOOP_NULL;
        int ends[2];

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        reader_init(&reader, &(struct curfew_stream){ CURFEW_CAPTURE }, on_closed);
        assert_eq(reader_attach(&reader, &none, ends[0]), -EBADF);
        assert_eq(reader.fd, -1);
        assert_eq(close(ends[0]), 0);
        assert_eq(close(ends[1]), 0);
        reader_deinit(&reader);
}

static void test_never_attached(void) {
        struct reader reader;
        struct curfew_output output;

        reader_init(&reader, &(struct curfew_stream){ CURFEW_NULL }, on_closed);
        reader_drain(&reader);
        reader_finish(&reader, &output);
        assert_null(output.data);
        assert_false(output.complete);
        assert_eq(output.error, 0);
        reader_deinit(&reader);
}

int main(void) {
        unsigned n_fds = test_count_fds();

        test_bound(60);
        test_capture();
        test_empty();
        test_limit_and_keep();
        test_drain_held();
        test_drain_full();
        test_drain_endless();
        test_drain_bottomless();
        test_fair();
        test_fair_to_others_of_endless();
        test_widen();
        test_much();
        test_callback();
        test_callback_stops();
        test_callback_stops_drain();
        test_freed_when_closed();
        test_closed_but_open_elsewhere();
        test_read_fails();
        test_attach_fails();
        test_never_attached();
        assert_eq(test_count_fds(), n_fds);
        return 0;
}
