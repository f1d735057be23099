// SPDX-License-Identifier: MIT
#include "trial.h"

#include <pthread.h>
#include <sys/mman.h>

/* A child has the descriptors it is given, at their numbers, and no other. Files are told apart by
 * a letter in each; standard output, where the probe answers, is never among them. */

/* A descriptor, at this number, of a file with this letter. */
static void put_letter(int number, char letter, int flags) {
        int fd = memfd_create("letter", MFD_CLOEXEC);

        assert_ge(fd, 0);
        assert_eq(write(fd, &letter, 1), 1);
        if (fd != number) {
                assert_eq(dup3(fd, number, flags & O_CLOEXEC), number);
                close(fd);
        } else if (!(flags & O_CLOEXEC)) {
                assert_eq(fcntl(fd, F_SETFD, 0), 0);
        }
}

/* The child finds these letters at these numbers, and has what the table says and nothing else. */
static void expect(struct trial *trial, const char *const numbers[], const char *letters) {
        char output[8192], list[64] = "";
        const char *argv[TRIAL_FDS] = { "probe", "read" };
        size_t n = 0;

        for (; numbers[n]; ++n)
                argv[2 + n] = numbers[n];
        trial->cmd.argv = argv;
        trial_output(trial, output, sizeof(output));
        assert_str(output, letters);

        for (size_t i = 0; i < trial->n_fds; ++i)
                sprintf(list + strlen(list), "%s%d", i > 0 ? "," : "", trial->fds[i].target);
        trial->cmd.argv = PROBE("state");
        trial_output(trial, output, sizeof(output));
        assert_str(trial_field(output, "descriptors"), list);
}

#define EXPECT(trial, letters, ...)                                                                \
        expect(trial, (const char *const[]){ __VA_ARGS__, NULL }, letters)

static void set_table(struct trial *trial, const struct curfew_extra_fd *fds, size_t n) {
        *trial = (struct trial){ .n_fds = n };
        memcpy(trial->fds, fds, n * sizeof(*fds));
}

#define TABLE(trial, ...)                                                                          \
        set_table(trial, (const struct curfew_extra_fd[]){ __VA_ARGS__ },                          \
                sizeof((const struct curfew_extra_fd[]){ __VA_ARGS__ }) /                          \
                        sizeof(struct curfew_extra_fd))

static void test_copies(void) {
        struct trial trial;

        TABLE(&trial, { 0, 20 }, { 1, 1 }, { 3, 21 }, { 4, 20 }, { 20, 22 }, { 31, 21 });
        EXPECT(&trial, "bacab", "3", "4", "20", "0", "31");
}

/* What stays where it is loses only its close-on-exec flag. */
static void test_stays(void) {
        struct trial trial;

        TABLE(&trial, { 1, 1 }, { 20, 20 }, { 23, 23 }, { 24, 20 });
        EXPECT(&trial, "ada", "20", "23", "24");
        assert_eq(fcntl(20, F_GETFD), FD_CLOEXEC);
        assert_eq(fcntl(23, F_GETFD), 0);
}

static void test_swaps(void) {
        struct trial trial;

        TABLE(&trial, { 1, 1 }, { 20, 21 }, { 21, 20 });
        EXPECT(&trial, "ba", "20", "21");
        TABLE(&trial, { 1, 1 }, { 20, 22 }, { 21, 20 }, { 22, 21 });
        EXPECT(&trial, "cab", "20", "21", "22");
        TABLE(&trial, { 1, 1 }, { 20, 21 }, { 21, 22 }, { 22, 20 });
        EXPECT(&trial, "bca", "20", "21", "22");
        TABLE(&trial, { 1, 1 }, { 20, 21 }, { 21, 20 }, { 22, 23 }, { 23, 22 }, { 24, 20 });
        EXPECT(&trial, "badca", "20", "21", "22", "23", "24");
        TABLE(&trial, { 1, 1 }, { 21, 20 }, { 22, 21 }, { 23, 22 }, { 24, 23 });
        EXPECT(&trial, "abcd", "21", "22", "23", "24");
        TABLE(&trial, { 1, 1 }, { 5, 22 }, { 6, 22 }, { 7, 22 }, { 20, 21 }, { 21, 20 });
        EXPECT(&trial, "cccba", "5", "6", "7", "20", "21");
        TABLE(&trial, { 1, 1 }, { 2, 20 }, { 3, 20 }, { 20, 20 }, { 21, 20 });
        EXPECT(&trial, "aaaa", "2", "3", "20", "21");
}

/* The probe answers on 1, so that is what turns with 0 and 2: 0 → 2 → 1 → 0. */
static void standard_streams_turn(void) {
        struct trial trial;
        char output[64];
        int ends[2];
        struct child child = CHILD_NULL;

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        put_letter(0, 'x', O_CLOEXEC);
        put_letter(1, 'y', 0);
        assert_eq(dup3(ends[1], 2, O_CLOEXEC), 2);
        close(ends[1]);
        TABLE(&trial, { 0, 1 }, { 1, 2 }, { 2, 0 });
        trial.cmd.argv = PROBE("read", "0", "2");
        if (trial_spawn(&trial, &child) < 0)
                _exit(1);
        close(2);
        trial_drain(ends[0], output, sizeof(output));
        child_deinit(&child);
        _exit(strcmp(output, "yx") == 0 ? 0 : 2);
}

/* A host without any of the three: pipes, pidfd and duplicates all land there. */
static void no_standard_streams(void) {
        struct trial trial;

        close(0);
        close(1);
        TABLE(&trial, { 0, 20 }, { 1, 0 }, { 2, 21 }, { 20, 21 }, { 21, 20 });
        EXPECT(&trial, "abba", "0", "2", "20", "21");
        close(2);
        TABLE(&trial, { 0, 21 }, { 1, 0 }, { 2, 20 }, { 20, 22 }, { 21, 21 }, { 22, 20 });
        EXPECT(&trial, "bacba", "0", "2", "20", "21", "22");
}

/* Swap where nothing is free above the highest target, which is the last number there may be; and
 * where not even /proc can be looked at, since in the child the table is full: it needs the last
 * descriptor, and so gets all below it. */
static void full_table(void) {
        struct rlimit limit = { 40, 40 };
        struct child child = CHILD_NULL;
        struct trial trial;
        struct child_exit how;
        int last = -1;

        assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        TABLE(&trial, { 1, 1 }, { 20, 21 }, { 21, 20 }, { 39, 22 });
        EXPECT(&trial, "bac", "20", "21", "39");

        for (int fd = dup(2); fd >= 0; fd = dup(2))
                last = fd;
        assert_eq(errno, EMFILE);
        close(last - 1);
        TABLE(&trial, { 1, 1 }, { 20, 22 }, { 21, 20 }, { 22, 21 }, { 23, last });
        assert_eq(trial_spawn(&trial, &child), -EMFILE);
        assert_eq(trial.stage, CURFEW_STAGE_DESCRIPTORS);

        TABLE(&trial, { 1, 1 }, { 2, 1 }, { 3, last }, { last, 20 });
        trial.cmd.argv = PROBE("read", "23");
        assert_eq(trial_spawn(&trial, &child), 0);
        trial_wait(&child);
        assert_eq(child_peek(&child, &how), 1);
        assert_eq(how.code, 1); /* 23 is not open there */
        child_deinit(&child);
}

#define N_THREADS 64
#define N_ROUNDS  4

/* Each thread's child gets the thread's own file as 3, and nothing of the others'. */
static void *spawn_rounds(void *arg) {
        const int *own = arg;

        for (int i = 0; i < N_ROUNDS; ++i) {
                struct trial trial;
                char expected[16], output[8192];

                TABLE(&trial, { 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, *own });
                trial.cmd.argv = PROBE("read", "3");
                trial_output(&trial, output, sizeof(output));
                snprintf(expected, sizeof(expected), "%d", *own);
                assert_str(output, expected);
                trial.cmd.argv = PROBE("state");
                trial_output(&trial, output, sizeof(output));
                assert_str(trial_field(output, "descriptors"), "0,1,2,3");
        }
        return NULL;
}

static void crowd(void) {
        struct rlimit limit;
        pthread_t threads[N_THREADS];
        int fds[N_THREADS];

        assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (limit.rlim_max < 10500)
                test_skip("needs a limit of 10,500 descriptors");

        for (int i = 0; i < N_THREADS; ++i) {
                fds[i] = memfd_create("own", MFD_CLOEXEC);
                assert_ge(dprintf(fds[i], "%d", fds[i]), 1);
        }
        for (int i = 0; i < 10000; ++i)
                assert_ge(fcntl(2, i % 2 ? F_DUPFD : F_DUPFD_CLOEXEC, 3), 3);
        for (int i = 0; i < N_THREADS; ++i)
                assert_eq(pthread_create(&threads[i], NULL, spawn_rounds, &fds[i]), 0);
        for (int i = 0; i < N_THREADS; ++i)
                assert_eq(pthread_join(threads[i], NULL), 0);
}

static void run_all(void) {
        test_copies();
        test_stays();
        test_swaps();
        trial_apart(standard_streams_turn);
        trial_apart(no_standard_streams);
        trial_apart(full_table);
}

/* More than a look at /proc tells at once. */
static void test_many(void) {
        struct trial trial;

        for (int i = 0; i < 500; ++i)
                assert_ge(fcntl(2, F_DUPFD, 30), 30);
        TABLE(&trial, { 1, 1 }, { 2, 2 }, { 3, 20 }, { 300, 21 });
        EXPECT(&trial, "ab", "3", "300");
}

static void without_close_range(void) {
        trial_forbid(SYS_close_range, ENOSYS);
        run_all();
        test_many();
}

/* No table of its own but the copy that a fork makes. */
static void without_unshare(void) {
        trial_forbid(SYS_unshare, EPERM);
        without_close_range();
}

int main(void) {
        test_bound(60);
        assert_eq(syscall(SYS_close_range, 3, ~0U, 0), 0);
        put_letter(20, 'a', O_CLOEXEC);
        put_letter(21, 'b', O_CLOEXEC);
        put_letter(22, 'c', O_CLOEXEC);
        put_letter(23, 'd', 0);
        run_all();
        trial_apart(without_close_range);
        trial_apart(without_unshare);
        trial_apart(crowd);
        return 0;
}
