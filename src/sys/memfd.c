// SPDX-License-Identifier: MIT
#include "sys/memfd.h"

#include <sys/mman.h>
#include <sys/resource.h>

/*
 * RLIMIT_FSIZE counts for these, too, and who exceeds it gets SIGXFSZ besides the error, which ends
 * a host that has not expected it. So the limit is looked at first.
 */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int memfd_make(const char *name) {
        int fd = raise_fd(memfd_create(name, MFD_CLOEXEC));

        return fd < 0 ? -errno : fd;
}

int memfd_make_executable(const char *name) {
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

        if (fd < 0 && errno == EINVAL)
                fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        fd = raise_fd(fd);
        return fd < 0 ? -errno : fd;
}

static int check_size(size_t size) {
        struct rlimit limit;

        return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size ? -EFBIG : 0;
}

int memfd_resize(int fd, size_t size) {
        int r = check_size(size);

        if (r < 0)
                return r;
        return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int memfd_fill(int fd, const void *data, size_t size) {
        size_t written = 0;
        int r = check_size(size);

        if (r < 0)
                return r;
        while (written < size) {
                ssize_t n = write(fd, (const char *)data + written, size - written);

                if (n < 0 && errno != EINTR)
                        return -errno;
                written += n > 0 ? (size_t)n : 0;
        }
        return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}
