// SPDX-License-Identifier: MIT
#include "sys/lookup.h"
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * A directory with
 *
 *         bin/program     executable
 *         other/program   executable
 *         plain/program   a file that is not
 *         dir/program/    a directory
 *         tool            executable, found only by way of the current directory
 */

static char root[] = "/tmp/curfew-lookup-XXXXXX";

static void add_file(const char *path, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_ge(fd, 0);
        assert_eq(fchmod(fd, mode), 0);
        close(fd);
}

static void set_up(void) {
        const char *const dirs[] = { "bin", "other", "plain", "dir", "dir/program", "empty" };

        assert_true(mkdtemp(root));
        assert_eq(chmod(root, 0755), 0);
        assert_eq(chdir(root), 0);
        for (size_t i = 0; i < ARRAY_SIZE(dirs); ++i)
                assert_eq(mkdir(dirs[i], 0755), 0);
        add_file("bin/program", 0755);
        add_file("other/program", 0755);
        add_file("plain/program", 0644);
        add_file("tool", 0755);
}

static void tear_down(void) {
        const char *const files[] = { "bin/program", "other/program", "plain/program", "tool" };
        const char *const dirs[] = { "bin", "other", "plain", "dir/program", "dir", "empty", root };

        for (size_t i = 0; i < ARRAY_SIZE(files); ++i)
                unlink(files[i]);
        for (size_t i = 0; i < ARRAY_SIZE(dirs); ++i)
                rmdir(dirs[i]);
}

/* In the list "%" stands for the directory. */
static const char *expand(const char *list) {
        static char expanded[1024];
        size_t n = 0;

        if (!list)
                return NULL;
        for (; *list; ++list)
                n += (size_t)snprintf(expanded + n, sizeof(expanded) - n, "%.*s",
                        *list == '%' ? (int)strlen(root) : 1, *list == '%' ? root : list);
        expanded[n] = 0;
        return expanded;
}

static void expect_found(const char *name, const char *list, const char *path) {
        char *found = NULL;
        char expected[128];

        snprintf(expected, sizeof(expected), "%s", expand(path));
        assert_eq(lookup_program(name, expand(list), &found), 0);
        assert_str(found, expected);
        free(found);
}

static void expect_error(const char *name, const char *list, int error) {
        char *found = (char *)"untouched";

        assert_eq(lookup_program(name, expand(list), &found), -error);
        assert_str(found, "untouched");
}

static void test_order(void) {
        expect_found("program", "%/bin:%/other", "%/bin/program");
        expect_found("program", "%/other:%/bin", "%/other/program");
        expect_found("program", "%/empty:/nonexistent:%/bin", "%/bin/program");
        expect_found("program", "%/plain:%/dir:%/bin", "%/bin/program");
        expect_found("program", "%/bin/", "%/bin//program");
}

/* Where there is no PATH it is the system's. */
static void test_default(void) {
        expect_found("sh", NULL, "/bin/sh");
        expect_error("sh", "", ENOENT);
}

static void test_not_found(void) {
        expect_error("program", NULL, ENOENT);
        expect_error("tool", "", ENOENT);
        expect_error("program", "%/empty:/nonexistent", ENOENT);
        expect_error("program", "%/dir", ENOENT);
        expect_error("program", "%/bin/program", ENOENT);
        expect_error("program", "%/plain", EACCES);
        expect_error("program", "%/empty:%/plain:%/dir", EACCES);
}

static void test_special_names(void) {
        expect_error("", "%/bin", ENOENT);
        expect_error(".", "%/bin", ENOENT);
        expect_error("..", "%/bin:%/bin/program:.", ENOENT);
        expect_error("", "%/bin/program:.", ENOENT);
        expect_error("...", "%/bin", ENOENT);
}

static void test_slash(void) {
        expect_found("./program", "%/bin", "./program");
        expect_found("a/b", NULL, "a/b");
        expect_found("/x", "", "/x");
}

/* Refused only where it is the first hit. */
static void test_current_directory(void) {
        expect_error("tool", ".", EPERM);
        expect_error("tool", ":", EPERM);
        expect_error("tool", ":%/bin", EPERM);
        expect_error("tool", "%/bin:", EPERM);
        expect_error("tool", "%/bin::%/other", EPERM);
        expect_error("tool", "bin/..:%/bin", EPERM);
        expect_error("program", "bin:%/bin", EPERM);
        expect_found("program", "%/bin:bin:.", "%/bin/program");
        expect_found("program", ".:%/bin", "%/bin/program");
        expect_found("tool", "plain:%", "%/tool");
}

/* It is the effective ids that count, as for an exec. */
static void test_permission(void) {
        int status;
        pid_t pid;

        assert_eq(chmod("plain/program", 0100), 0);
        expect_found("program", "%/plain", "%/plain/program");
        pid = fork();
        if (pid == 0) {
                if (geteuid() == 0) {
                        assert_eq(setresuid(-1, 65534, -1), 0);
                        expect_error("program", "%/plain", EACCES);
                }
                expect_found("program", "%/bin", "%/bin/program");
                _exit(0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
        assert_eq(chmod("plain/program", 0644), 0);
}

static int mount_noexec(void) {
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        return mount("none", "empty", "tmpfs", MS_NOEXEC, NULL) < 0 ? -errno : 0;
}

/* The permission bits are there, but nothing can be executed. Where mounting is allowed. */
static void test_noexec(void) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (mount_noexec() < 0)
                        _exit(0);
                add_file("empty/program", 0755);
                expect_error("program", "%/empty", EACCES);
                expect_found("program", "%/empty:%/bin", "%/bin/program");
                _exit(0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
}

int main(void) {
        test_bound(60);
        set_up();
        test_order();
        test_default();
        test_not_found();
        test_special_names();
        test_slash();
        test_current_directory();
        test_permission();
        test_noexec();
        tear_down();
        return 0;
}
