// SPDX-License-Identifier: MIT
#include "files.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *path, const char *option, int *ret) {
        int fd;

        if (!path)
                return 0;
        if (strcmp(path, "-") == 0) {
                *ret = STDOUT_FILENO;
                return 0;
        }
        do {
                fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);
        } while (fd < 0 && errno == EINTR);
        if (fd >= 0) {
                *ret = fd;
                return 0;
        }

        fd = -errno;
        say("cannot open '%s' for '--%s': %s", path, option, strerror(-fd));
        return fd;
}

static bool is_own(int fd) {
        return fd > STDERR_FILENO;
}

/* Only when all are open: what isn't run must not cost what is in a file. Others have no size. */
static int empty(int fd, const char *path, const char *option) {
        struct stat st;
        int r;

        if (!is_own(fd) || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || ftruncate(fd, 0) == 0)
                return 0;
        r = -errno;
        say("cannot empty '%s' for '--%s': %s", path, option, strerror(-r));
        return r;
}

/* Two descriptors of one regular file may each have a position of its own, and then what is written
 * to both is not one stream. The two that we have opened are to be one. */
static bool lead_to_one(const struct files *files) {
        struct stat out, err;
        long r;

        if (fstat(files->out, &out) < 0 || fstat(files->err, &err) < 0 ||
                out.st_dev != err.st_dev || out.st_ino != err.st_ino)
                return false;
        if (!S_ISREG(out.st_mode) || (is_own(files->out) && is_own(files->err)))
                return true;

        r = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, files->out, files->err);
        return r <= 0; /* where that can't be known it is likely */
}

int files_open(const struct opts *opts, struct files *ret) {
        struct files files = FILES_NULL;
        int r = open_file(opts->out, "stdout", &files.out);

        if (r >= 0)
                r = open_file(opts->err, "stderr", &files.err);
        if (r >= 0)
                r = empty(files.out, opts->out, "stdout");
        if (r >= 0)
                r = empty(files.err, opts->err, "stderr");
        if (r < 0) {
                files_close(&files);
                return r;
        }
        if (opts->idle > 0 || (opts->out && opts->err))
                files.are_one = lead_to_one(&files);
        *ret = files;
        return 0;
}

void files_close(struct files *files) {
        if (is_own(files->out))
                close(files->out);
        if (is_own(files->err))
                close(files->err);
        *files = (struct files)FILES_NULL;
}
