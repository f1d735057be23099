// SPDX-License-Identifier: MIT
#include "sys/cgroupfs.h"
#include "sys/child.h"
#include "trial.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The process's own group is found wherever its hierarchy is mounted, by the guess and without it,
 * and whether the kernel tells its number or not. Where it is, as root, is one place however it is
 * looked for. */

static ino_t own; /* the inode of the group */

static ino_t inode_of(int fd) {
        struct stat st;

        assert_ge(fd, 0);
        assert_eq(fstat(fd, &st), 0);
        close(fd);
        return st.st_ino;
}

/* Its number, as the kernel tells it; or 0. */
static uint64_t told(void) {
        struct child self = { .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0) };
        uint64_t id;

        assert_ge(self.pidfd, 0);
        id = child_cgroup(&self);
        close(self.pidfd);
        return id;
}

static void find(void) {
        uint64_t id = told();

        if (id != 0)
                assert_eq(id, own);
        assert_eq(inode_of(cgroupfs_open(id)), own);
        assert_eq(inode_of(cgroupfs_open(0)), own);
}

static void find_nothing(void) {
        assert_eq(cgroupfs_open(told()), -ENOENT);
        assert_eq(cgroupfs_open(0), -ENOENT);
}

/* Its own group is the root that it sees. */
static void in_namespace(void) {
        assert_eq(unshare(CLONE_NEWCGROUP | CLONE_NEWNS), 0);
        find();
}

static int own_mounts(void) {
        if (unshare(CLONE_NEWNS) < 0)
                return -errno;
        return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

/* Whether a process may have mounts that no other sees. */
static bool can_mount(void) {
        int status;
        pid_t pid = fork();

        assert_ge(pid, 0);
        if (pid == 0)
                _exit(own_mounts() < 0);
        assert_eq(waitpid(pid, &status, 0), pid);
        return status == 0;
}

/* Wherever there is one in sight, with what is mounted on it. */
static void remove_hierarchies(void) {
        char line[4096], point[4096];
        bool found;

        do {
                FILE *file = fopen("/proc/self/mountinfo", "re");

                assert_true(file);
                found = false;
                while (!found && fgets(line, sizeof(line), file))
                        found = strstr(line, " - cgroup2 ") &&
                                sscanf(line, "%*d %*d %*s %*s %4095s", point) == 1;
                fclose(file);
                if (found)
                        assert_eq(umount2(point, MNT_DETACH), 0);
        } while (found);
}

/* Only in a folder with a blank in its name, and nothing at the usual places. */
static void elsewhere(void) {
        char place[] = "/tmp/curfew-cgroup XXXXXX";

        assert_eq(own_mounts(), 0);
        remove_hierarchies();
        assert_eq(mkdtemp(place) != NULL, true);
        assert_eq(mount("none", place, "cgroup2", 0, NULL), 0);
        find();

        assert_eq(umount(place), 0);
        assert_eq(rmdir(place), 0);
        find_nothing();
}

/* What is mounted shows more than the namespace does: its root is not the namespace's. */
static void beyond_namespace(void) {
        assert_eq(unshare(CLONE_NEWCGROUP), 0);
        find_nothing();
}

/* At a usual place, but only the part that this process is in. */
static void part(void) {
        char group[] = "/sys/fs/cgroup/curfew-test-XXXXXX", path[64];
        int fd;

        assert_eq(own_mounts(), 0);
        remove_hierarchies();
        /* once more in the same place it isn't mounted */
        assert_eq(mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL), 0);
        assert_eq(mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL), 0);
        assert_eq(mkdtemp(group) != NULL, true);
        snprintf(path, sizeof(path), "%s/cgroup.procs", group);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_ge(fd, 0);
        assert_eq(write(fd, "0", 1), 1);
        close(fd);
        own = inode_of(open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        find();
        trial_apart(beyond_namespace);

        assert_eq(mount(group, "/sys/fs/cgroup", "none", MS_BIND, NULL), 0);
        find();

        assert_eq(umount("/sys/fs/cgroup"), 0);
        fd = open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);
        assert_eq(write(fd, "0", 1), 1);
        close(fd);
        assert_eq(rmdir(group), 0);
}

int main(void) {
        int fd;

        test_bound(20);
        if (geteuid() != 0)
                test_skip("it takes root to mount a hierarchy");
        fd = cgroupfs_open(0);
        if (fd < 0)
                test_skip("no group can be made here");

        own = inode_of(fd);
        find();
        if (!can_mount())
                test_skip("/ is no mount point, as in a plain chroot: the mounts can't be changed");
        trial_apart(in_namespace);
        trial_apart(elsewhere);
        trial_apart(part);
        return 0;
}
