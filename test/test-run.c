// SPDX-License-Identifier: MIT

/* Running commands, without stopping them: what Go's os/exec promises and its tests check. The
 * numbers are rows of go-behaviours.md. */

#include "run.h"

#include <pthread.h>
#include <sys/stat.h>

static char *tmp_dir;

static const char *tmp_path(const char *name) {
        static char path[4][256];
        static unsigned i;

        i = (i + 1) % 4;
        snprintf(path[i], sizeof(path[i]), "%s/%s", tmp_dir, name);
        return path[i];
}

static void write_file(const char *path, const char *text, mode_t mode) {
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);

        assert_ge(fd, 0);
        assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

/* go 59 */
static void test_output_is_exact(void) {
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "echo", "foo bar", "baz", NULL },
                .out = { CURFEW_CAPTURE },
        });

        assert_exited(res, 0);
        assert_str(res.out.data, "foo bar baz\n");
        assert_eq(res.out.size, 12);
        assert_eq(res.out.cut, 0);
        assert_true(res.out.complete);
        assert_null(res.err.data);
        assert_eq(res.reason, CURFEW_REASON_NONE);
        assert_eq(res.end, CURFEW_END_EMPTY);
        assert_eq(res.left, 0);
        assert_eq(res.n_steps, 0);
        assert_gt(res.wall, 0);
        assert_true(res.usage_known);
        curfew_result_deinit(&res);
        assert_null(res.out.data);
}

/* go 60 */
static void test_relative_path_is_below_dir(void) {
        struct curfew_result res;

        write_file(tmp_path("prog"), "#!/bin/sh\npwd\n", 0755);
        res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "./prog", NULL },
                .dir = tmp_dir,
                .out = { CURFEW_CAPTURE },
        });
        assert_exited(res, 0);
        assert_eq(strncmp(res.out.data, tmp_dir, strlen(tmp_dir)), 0);
        curfew_result_deinit(&res);
}

/* go 61 */
static void test_feed(void) {
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "cat", NULL },
                .in = { CURFEW_FEED, .data = "Input string\nLine 2", .size = 19 },
                .out = { CURFEW_CAPTURE },
        });

        assert_exited(res, 0);
        assert_str(res.out.data, "Input string\nLine 2");
        curfew_result_deinit(&res);
}

/* go 62 */
static void test_stderr_into_stdout(void) {
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = SH("echo one; echo two >&2; echo three; cat /no/such/file; exit 1"),
                .out = { CURFEW_CAPTURE },
                .err = { CURFEW_TO_STDOUT },
        });

        assert_exited(res, 1);
        assert_eq(strncmp(res.out.data, "one\ntwo\nthree\ncat: ", 19), 0);
        assert_true(strstr(res.out.data, "No such file"));
        curfew_result_deinit(&res);
}

static void assert_start_fails(const struct curfew_cmd *cmd, enum curfew_stage stage, int error) {
        struct curfew_result res;
        unsigned fds = count_fds();

        assert_eq(curfew_run(NULL, cmd, &res), error);
        assert_eq(res.stage, stage);
        assert_eq(res.error, error);
        assert_eq(res.status, CURFEW_STATUS_UNKNOWN);
        assert_eq(res.end, CURFEW_END_NONE);
        assert_eq(count_fds(), fds);
        assert_no_children();
}

/* go 63 */
static void test_missing_program(void) {
        assert_start_fails(
                &(struct curfew_cmd){ .argv = (const char *[]){ "no-such-program", NULL } },
                CURFEW_STAGE_LOOKUP, -ENOENT);
        assert_start_fails(
                &(struct curfew_cmd){ .argv = (const char *[]){ "/no/such/program", NULL } },
                CURFEW_STAGE_EXEC, -ENOENT);
}

/* go 64 */
static void test_exit_codes(void) {
        static const int codes[] = { 0, 42, 255 };

        for (size_t i = 0; i < 3; ++i) {
                char code[16];
                struct curfew_result res;

                snprintf(code, sizeof(code), "exit %d", codes[i]);
                res = run(&(struct curfew_cmd){ .argv = SH(code) });
                assert_exited(res, codes[i]);
                curfew_result_deinit(&res);
        }
}

/* A death by signal is one, whatever the number, and not an exit code. */
static void test_death_by_signal(void) {
        struct curfew_result res = run(&(struct curfew_cmd){ .argv = SH("kill -USR1 $$") });

        assert_signaled(res, SIGUSR1);
        assert_eq(res.reason, CURFEW_REASON_NONE);
        curfew_result_deinit(&res);
}

/* go 69, 70, 79: bad commands of every kind, and nothing remains of any. */
static void test_bad_commands(void) {
        const char *const no_args[] = { NULL };
        const char *const ok[] = { "true", NULL };
        const char *const missing[] = { "./missing", NULL };

        assert_start_fails(&(struct curfew_cmd){ 0 }, CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(&(struct curfew_cmd){ .argv = no_args }, CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(NULL, CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(&(struct curfew_cmd){ .argv = ok, .dir = "/no/such/dir" },
                CURFEW_STAGE_CHDIR, -ENOENT);
        assert_start_fails(
                &(struct curfew_cmd){ .argv = ok, .in = { CURFEW_READ, .path = "/no/such" } },
                CURFEW_STAGE_STDIN, -ENOENT);
        assert_start_fails(
                &(struct curfew_cmd){ .argv = ok, .out = { CURFEW_TRUNCATE, .path = "/no/such" } },
                CURFEW_STAGE_STDOUT, -ENOENT);
        assert_start_fails(
                &(struct curfew_cmd){ .argv = ok, .err = { CURFEW_APPEND, .path = "/no/such" } },
                CURFEW_STAGE_STDERR, -ENOENT);
        assert_start_fails(&(struct curfew_cmd){ .argv = ok, .out = { CURFEW_PIPE } },
                CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(&(struct curfew_cmd){ .argv = ok, .out = { CURFEW_TO_STDOUT } },
                CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(&(struct curfew_cmd){ .argv = ok, .in = { CURFEW_CAPTURE } },
                CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(&(struct curfew_cmd){ .argv = ok, .reserved = { 1 } },
                CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(&(struct curfew_cmd){ .argv = ok,
                                   .pgid = CURFEW_SAME_GROUP,
                                   .stop = { { SIGTERM, CURFEW_GROUP } } },
                CURFEW_STAGE_COMMAND, -EINVAL);

        for (unsigned i = 0; i < 10; ++i)
                assert_start_fails(&(struct curfew_cmd){ .argv = missing,
                                           .in = { CURFEW_FEED, .data = "x", .size = 1 },
                                           .out = { CURFEW_CAPTURE },
                                           .err = { CURFEW_CAPTURE } },
                        CURFEW_STAGE_EXEC, -ENOENT);
}

/* go 110 */
static void test_bad_terminal(void) {
        const char *const ok[] = { "true", NULL };

        assert_start_fails(
                &(struct curfew_cmd){ .argv = ok, .terminal = CURFEW_TERMINAL_CONTROL, .tty = 0 },
                CURFEW_STAGE_COMMAND, -EINVAL);
        assert_start_fails(
                &(struct curfew_cmd){
                        .argv = ok, .setsid = true, .terminal = CURFEW_TERMINAL_CONTROL, .tty = 0 },
                CURFEW_STAGE_TERMINAL, -ENOTTY);
        assert_start_fails(
                &(struct curfew_cmd){
                        .argv = ok, .terminal = CURFEW_TERMINAL_FOREGROUND, .tty = 0 },
                CURFEW_STAGE_TERMINAL, -ENOTTY);
}

/* go 65, 66, 67: the caller's ends of three pipes. */
static void test_pipes_dialogue(void) {
        const char *script =
                "while read x; do echo \"out:$x\"; echo \"err:$x\" >&2; done; echo end";
        struct curfew_cmd cmd = {
                .argv = (const char *[]){ "sh", "-c", script, NULL },
                .in = { CURFEW_PIPE },
                .out = { CURFEW_PIPE },
                .err = { CURFEW_PIPE },
        };
        struct curfew *sup = NULL;
        struct curfew_run *child = NULL;
        int fds[3];

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &child), 0);
        for (int i = 0; i < 3; ++i) {
                fds[i] = curfew_run_take_fd(child, i);
                assert_ge(fds[i], 3);
                assert_eq(curfew_run_take_fd(child, i), -EBADF);
                assert_eq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        }
        assert_eq(curfew_run_take_fd(child, 3), -EBADF);

        for (unsigned i = 0; i < 5; ++i) {
                char line[64], expect[64];

                assert_eq(dprintf(fds[0], "%u\n", i), 2);
                snprintf(expect, sizeof(expect), "out:%u", i);
                read_line(fds[1], line, sizeof(line));
                assert_str(line, expect);
                snprintf(expect, sizeof(expect), "err:%u", i);
                read_line(fds[2], line, sizeof(line));
                assert_str(line, expect);
        }

        close(fds[0]);
        assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
        assert_exited(*curfew_run_result(child), 0);

        /* What the child wrote survives its end, in the pipe. */
        char line[64];
        read_line(fds[1], line, sizeof(line));
        assert_str(line, "end");
        close(fds[1]);
        close(fds[2]);
        curfew_run_free(child);
        curfew_free(sup);
}

/* go 68: a kill racing with writes and the wait. */
static void test_kill_while_feeding(void) {
        static const char lots[1 << 20];
        struct curfew_cmd cmd = {
                .argv = (const char *[]){ "cat", NULL },
                .in = { CURFEW_FEED, .data = lots, .size = sizeof(lots) },
                .out = { CURFEW_PIPE },
        };

        for (unsigned i = 0; i < 20; ++i) {
                struct curfew *sup = NULL;
                struct curfew_run *child = NULL;

                assert_eq(curfew_new(&sup), 0);
                assert_eq(curfew_start(sup, NULL, &cmd, NULL, &child), 0);
                assert_eq(curfew_dispatch(sup), 0);
                assert_eq(curfew_run_signal(child, CURFEW_LEADER, SIGKILL), 1);
                assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
                assert_signaled(*curfew_run_result(child), SIGKILL);
                curfew_free(sup);
        }
}

/* go 71 */
static void test_extra_descriptor(void) {
        struct curfew_result res;
        int fd, other;

        write_file(tmp_path("extra"), "0123456789", 0644);
        fd = open(tmp_path("extra"), O_RDONLY);
        other = open("/dev/null", O_RDONLY);
        assert_ge(fd, 3);
        assert_eq(lseek(fd, 3, SEEK_SET), 3);

        res = run(&(struct curfew_cmd){
                .argv = SH("cat <&3; for f in /proc/$$/fd/*; do printf ' %s' ${f##*/}; done"),
                .fds = (struct curfew_extra_fd[]){ { .target = 3, .source = fd } },
                .n_fds = 1,
                .out = { CURFEW_CAPTURE },
        });
        assert_exited(res, 0);
        assert_str(res.out.data, "3456789 0 1 2 3 4"); /* 4 is the directory being read */
        curfew_result_deinit(&res);
        assert_eq(fcntl(fd, F_GETFD), 0);
        close(fd);
        close(other);
}

/* The status is that of the process, whichever thread was the first to end. */
static void test_first_thread_ends_first(void) {
        static const enum curfew_backend backends[] = { CURFEW_BACKEND_ANY, CURFEW_BACKEND_GROUP };

        for (size_t i = 0; i < 2; ++i) {
                struct curfew_result res = run(&(struct curfew_cmd){
                        .argv = (const char *[]){ "probe", "outlive", NULL },
                        .path = getenv("PROBE"),
                        .backend = backends[i],
                });

                assert_exited(res, 7);
                curfew_result_deinit(&res);
        }
}

static void *own_fd_3(void *arg) {
        int number = *(int *)arg, ends[2];

        for (unsigned i = 0; i < 20; ++i) {
                struct curfew_result res;
                char text[32];

                assert_eq(pipe2(ends, O_CLOEXEC), 0);
                snprintf(text, sizeof(text), "%d.%u", number, i);
                assert_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
                close(ends[1]);
                res = run(&(struct curfew_cmd){
                        .argv = (const char *[]){ "cat", "/dev/fd/3", NULL },
                        .fds = (struct curfew_extra_fd[]){ { .target = 3, .source = ends[0] } },
                        .n_fds = 1,
                        .out = { CURFEW_CAPTURE },
                });
                assert_exited(res, 0);
                assert_str(res.out.data, text);
                curfew_result_deinit(&res);
                close(ends[0]);
        }
        return NULL;
}

/* go 72 */
static void test_parallel_extra_descriptors(void) {
        pthread_t threads[8];
        int numbers[8];

        for (int i = 0; i < 8; ++i) {
                numbers[i] = i;
                assert_eq(pthread_create(&threads[i], NULL, own_fd_3, &numbers[i]), 0);
        }
        for (int i = 0; i < 8; ++i)
                assert_eq(pthread_join(threads[i], NULL), 0);
}

/* go 73 */
static void test_feed_to_a_non_reader(void) {
        size_t size = 10 << 20;
        char *data = calloc(1, size);
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "true", NULL },
                .in = { CURFEW_FEED, .data = data, .size = size },
        });

        assert_exited(res, 0);
        curfew_result_deinit(&res);
        free(data);
}

static int refuse(void *arg, const void *data, size_t size) {
        (void)data;
        *(size_t *)arg += size;
        return -EIO;
}

/* go 74 */
static void test_failing_callback_ends_a_producer(void) {
        size_t seen = 0;
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "yes", NULL },
                .out = { CURFEW_CALLBACK, .fn = refuse, .arg = &seen },
        });

        assert_signaled(res, SIGPIPE);
        assert_eq(res.out.error, -EIO);
        assert_gt(seen, 0);
        curfew_result_deinit(&res);
}

/* go 75 */
static void test_stderr_both_ends(void) {
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = SH("echo first >&2; yes | head -c 1000000 >&2; echo last >&2; exit 3"),
                .out = { CURFEW_CAPTURE },
                .err = { CURFEW_CAPTURE, .limit = 64 << 10, .keep = CURFEW_KEEP_BOTH },
        });

        assert_exited(res, 3);
        assert_eq(res.err.size, 64 << 10);
        assert_eq(res.err.cut, 6 + 1000000 + 5 - (64 << 10));
        assert_eq(res.err.cut_at, 32 << 10);
        assert_eq(strncmp(res.err.data, "first\n", 6), 0);
        assert_str(res.err.data + res.err.size - 5, "last\n");
        assert_true(res.err.complete);
        curfew_result_deinit(&res);
}

/* go 77 at the process: what arrives. */
static void test_environment(void) {
        const char *const env[] = { "A=1", "", "B=2", "A=3", "junk", NULL };
        const char *const edit[] = { "C=4", "B", NULL };
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "env", NULL },
                .env = env,
                .env_edit = edit,
                .out = { CURFEW_CAPTURE },
        });

        assert_exited(res, 0);
        assert_str(res.out.data, "A=3\njunk\nC=4\n");
        curfew_result_deinit(&res);
}

/* go 80, 81: a command is plain data, to be run any number of times, whatever came before. */
static void test_command_can_be_used_again(void) {
        struct curfew_cmd cmd = { .argv = SH("echo again"), .out = { CURFEW_CAPTURE } };

        cmd.dir = "/no/such/dir";
        assert_start_fails(&cmd, CURFEW_STAGE_CHDIR, -ENOENT);
        cmd.dir = NULL;
        for (unsigned i = 0; i < 2; ++i) {
                struct curfew_result res = run(&cmd);

                assert_str(res.out.data, "again\n");
                curfew_result_deinit(&res);
        }
}

/* Unlike go 82: what has no slash is looked up, as everywhere. */
static void test_path(void) {
        static const char *const paths[] = { "/bin/cat", "cat" };
        const char *const args[] = { "echo", "x", NULL };

        for (size_t i = 0; i < 2; ++i) {
                struct curfew_result res = run(&(struct curfew_cmd){
                        .argv = args, .path = paths[i], .err = { CURFEW_CAPTURE } });

                assert_exited(res, 1);
                assert_eq(strncmp(res.err.data, "echo: x:", 8), 0);
                curfew_result_deinit(&res);
        }
        assert_start_fails(&(struct curfew_cmd){ .argv = args, .path = "no-such-program" },
                CURFEW_STAGE_LOOKUP, -ENOENT);
}

static void *run_true(void *arg) {
        (void)arg;
        for (unsigned i = 0; i < 50; ++i) {
                struct curfew_result res = run(
                        &(struct curfew_cmd){ .argv = (const char *[]){ "true", NULL } });

                assert_exited(res, 0);
                curfew_result_deinit(&res);
        }
        return NULL;
}

static void *run_hanging(void *arg) {
        struct curfew_result res = run_ctx(
                arg, &(struct curfew_cmd){ .argv = (const char *[]){ "sleep", "300", NULL } });

        assert_signaled(res, SIGTERM);
        curfew_result_deinit(&res);
        return NULL;
}

/* go 83 */
static void test_hanging_and_exiting(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        pthread_t hanging[4], exiting[4];

        for (unsigned i = 0; i < 4; ++i) {
                assert_eq(pthread_create(&hanging[i], NULL, run_hanging, ctx), 0);
                assert_eq(pthread_create(&exiting[i], NULL, run_true, NULL), 0);
        }
        for (unsigned i = 0; i < 4; ++i)
                assert_eq(pthread_join(exiting[i], NULL), 0);
        curfew_ctx_cancel(ctx);
        for (unsigned i = 0; i < 4; ++i)
                assert_eq(pthread_join(hanging[i], NULL), 0);
        curfew_ctx_unref(ctx);
}

/* How many lines of the text begin so. */
static unsigned count_lines(const char *text, const char *begin) {
        unsigned n = 0;

        for (; text && *text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
                n += strncmp(text, begin, strlen(begin)) == 0;
        return n;
}

/* go 102, 103 */
static void test_pwd(void) {
        char expect[300];
        const char *const explicit[] = { "PWD=/as/told", NULL };
        struct curfew_cmd cmd = {
                .argv = (const char *[]){ "/usr/bin/env", NULL },
                .out = { CURFEW_CAPTURE },
        };
        struct curfew_result res;

        assert_eq(mkdir(tmp_path("sub"), 0755), 0);
        cmd.dir = tmp_path("sub/./../sub");
        res = run(&cmd);
        snprintf(expect, sizeof(expect), "PWD=%s/sub\n", tmp_dir);
        assert_true(strstr(res.out.data, expect));
        assert_eq(count_lines(res.out.data, "PWD="), 1);
        curfew_result_deinit(&res);

        cmd.env_edit = explicit;
        res = run(&cmd);
        assert_true(strstr(res.out.data, "PWD=/as/told\n"));
        curfew_result_deinit(&res);
}

static void test_files(void) {
        const char *path = tmp_path("file");
        struct curfew_result res;

        for (unsigned i = 0; i < 2; ++i) {
                res = run(&(struct curfew_cmd){
                        .argv = SH("echo truncated"), .out = { CURFEW_TRUNCATE, .path = path } });
                assert_exited(res, 0);
                curfew_result_deinit(&res);
        }
        res = run(&(struct curfew_cmd){ .argv = SH("echo appended; echo too >&2"),
                .out = { CURFEW_APPEND, .path = path },
                .err = { CURFEW_APPEND, .path = path } });
        assert_exited(res, 0);
        curfew_result_deinit(&res);

        res = run(&(struct curfew_cmd){ .argv = (const char *[]){ "cat", NULL },
                .in = { CURFEW_READ, .path = path },
                .out = { CURFEW_CAPTURE } });
        assert_str(res.out.data, "truncated\nappended\ntoo\n");
        curfew_result_deinit(&res);
}

static int collect(void *arg, const void *data, size_t size) {
        char *text = arg;

        strncat(text, data, size);
        return 0;
}

static void test_callback(void) {
        char text[64] = "";
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = SH("echo one; echo two"),
                .out = { CURFEW_CALLBACK, .fn = collect, .arg = text },
        });

        assert_exited(res, 0);
        assert_str(text, "one\ntwo\n");
        assert_true(res.out.complete);
        assert_null(res.out.data);
        curfew_result_deinit(&res);
}

/* go 109: the group is the command's own unless it says otherwise. */
static void test_groups(void) {
        const char *script = "cut -d' ' -f5,6 /proc/self/stat; echo $$";
        struct curfew_cmd cmd = { .argv = SH(script), .out = { CURFEW_CAPTURE } };
        struct curfew_result res;
        int group, session, pid;

        res = run(&cmd);
        assert_eq(sscanf(res.out.data, "%d %d %d", &group, &session, &pid), 3);
        assert_eq(group, pid);
        assert_eq(session, getsid(0));
        curfew_result_deinit(&res);

        cmd.pgid = CURFEW_SAME_GROUP;
        res = run(&cmd);
        assert_eq(sscanf(res.out.data, "%d", &group), 1);
        assert_eq(group, getpgrp());
        curfew_result_deinit(&res);

        cmd.pgid = 0;
        cmd.setsid = true;
        res = run(&cmd);
        assert_eq(sscanf(res.out.data, "%d %d %d", &group, &session, &pid), 3);
        assert_eq(group, pid);
        assert_eq(session, pid);
        curfew_result_deinit(&res);
}

/* A second command joins the first one's group. */
static void test_join_group(void) {
        struct curfew_cmd sleeper = { .argv = (const char *[]){ "sleep", "300", NULL } };
        struct curfew_cmd cmd = {
                .argv = SH("cut -d' ' -f5 /proc/self/stat"),
                .out = { CURFEW_CAPTURE },
        };
        struct curfew *sup = NULL;
        struct curfew_run *first = NULL;
        struct curfew_result res;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &sleeper, NULL, &first), 0);
        cmd.pgid = curfew_run_pid(first);
        res = run(&cmd);
        assert_eq(atoi(res.out.data), curfew_run_pid(first));
        curfew_result_deinit(&res);
        curfew_run_free(first);
        curfew_free(sup);
}

/* go 111: an identity that is one's own already needs no privilege. */
static void test_own_identity(void) {
        uid_t uid = geteuid();
        gid_t gid = getegid();
        struct curfew_result res = run(&(struct curfew_cmd){
                .argv = SH("id -u; id -g"), .uid = &uid, .gid = &gid, .out = { CURFEW_CAPTURE } });
        int got_uid, got_gid;

        assert_eq(sscanf(res.out.data, "%d %d", &got_uid, &got_gid), 2);
        assert_eq(got_uid, (int)uid);
        assert_eq(got_gid, (int)gid);
        curfew_result_deinit(&res);
}

int main(void) {
        char template[] = "/tmp/curfew-test-XXXXXX";

        test_bound(120);
        tmp_dir = mkdtemp(template);
        assert_true(tmp_dir);

        test_output_is_exact();
        test_relative_path_is_below_dir();
        test_feed();
        test_stderr_into_stdout();
        test_missing_program();
        test_exit_codes();
        test_death_by_signal();
        test_bad_commands();
        test_bad_terminal();
        test_pipes_dialogue();
        test_kill_while_feeding();
        test_extra_descriptor();
        test_parallel_extra_descriptors();
        test_feed_to_a_non_reader();
        test_failing_callback_ends_a_producer();
        test_stderr_both_ends();
        test_environment();
        test_command_can_be_used_again();
        test_path();
        test_hanging_and_exiting();
        test_pwd();
        test_files();
        test_callback();
        test_first_thread_ends_first();
        test_groups();
        test_join_group();
        test_own_identity();

        struct curfew_result res = run(
                &(struct curfew_cmd){ .argv = (const char *[]){ "rm", "-rf", tmp_dir, NULL } });
        assert_exited(res, 0);
        assert_no_children();
        return 0;
}
