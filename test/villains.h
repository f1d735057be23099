// SPDX-License-Identifier: MIT
#pragma once

/*
 * What a test of villains needs: to find every process of a round, whatever it has done to get
 * away, and a place where nothing of the test stays.
 *
 * Each user's part of a test is a process of its own in a control group of its own. Around it the
 * test is the subreaper, for where nothing else reaps what curfew leaves to init; and it ends what
 * is there after the part, which may have failed or hung.
 *
 * A process is found by a variable in its environment, which the kernel keeps showing as it was at
 * the exec, and all that it forks inherit; and by descriptors that are at their end when nobody
 * holds the other end. Neither looks where curfew looks: at parents, groups and sessions.
 */

#include "run.h"

#include <ftw.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define MARK "CURFEW_VILLAIN="

/* Where a part of the test takes place. */
struct place {
        char user[16];    /* for people */
        char cgroup[512]; /* the part's own control group, or "" */
        char mount[256];  /* of the hierarchy it is in */
        char mark[64];    /* MARK and a value that all rounds here begin with */
        uid_t storm_uid;  /* whose processes are those of the storms only */
        bool root;
        enum curfew_backend backend;
        enum curfew_guarantee guarantee;
};

static inline const char *villain_path(void) {
        const char *path = getenv("VILLAIN");

        if (!path)
                test_fail(__FILE__, __LINE__, "%s", "VILLAIN is not set: run this by meson test");
        return path;
}

#define FULL_ROUNDS 200

/* CURFEW_ROUNDS is what becomes of FULL_ROUNDS, and the others with it. */
static inline unsigned villain_rounds(unsigned rounds) {
        const char *text = getenv("CURFEW_ROUNDS");

        if (text)
                rounds = (unsigned)((uint64_t)rounds * (unsigned)atoi(text) / FULL_ROUNDS);
        return rounds > 0 ? rounds : 1;
}

/* Looking for processes */

/* -1: it has no memory, and so no environment. */
static inline int environ_has(const char *path, const char *mark, size_t size) {
        static char text[1 << 18];
        size_t used = 0;
        ssize_t n;
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return -1;
        while (used < sizeof(text) && (n = read(fd, text + used, sizeof(text) - used)) > 0)
                used += (size_t)n;
        close(fd);
        for (size_t at = 0; at + size <= used; at += strnlen(text + at, used - at) + 1)
                if (memcmp(text + at, mark, size) == 0)
                        return 1;
        return used > 0 ? 0 : -1;
}

/* A process whose first thread is gone has an environment in the others. */
static inline bool process_has(pid_t pid, const char *mark, size_t size) {
        char path[64];
        struct dirent *entry;
        DIR *dir;
        int found;

        snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        found = environ_has(path, mark, size);
        if (found >= 0)
                return found;
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        dir = opendir(path);
        while (dir && found <= 0 && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(
                        path, sizeof(path), "/proc/%d/task/%.16s/environ", (int)pid, entry->d_name);
                found = environ_has(path, mark, size);
        }
        if (dir)
                closedir(dir);
        return found > 0;
}

/* A zombie is gone, and so is what has nothing left to do but to become one. Only of the first
 * thread, which for storms is all there is. */
static inline bool process_is_of(pid_t pid, uid_t uid) {
        char path[64], line[512] = { 0 }, state = 'Z';
        unsigned flags = 0;
        struct stat st;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        if (pid == getpid() || stat(path, &st) < 0 || st.st_uid != uid)
                return false;
        strcat(path, "/stat");
        file = fopen(path, "re");
        if (!file)
                return false;
        if (fgets(line, sizeof(line), file) && strrchr(line, ')'))
                sscanf(strrchr(line, ')'), ") %c %*d %*d %*d %*d %*d %u", &state, &flags);
        fclose(file);
        return state != 'Z' && state != 'X' && !(flags & 4 /* PF_EXITING */);
}

/* The first one whose environment has something that begins with these bytes, or who is this user;
 * 0 if there is none. */
static inline pid_t find_process(const char *mark, size_t size, uid_t uid) {
        DIR *dir = opendir("/proc");
        struct dirent *entry;
        pid_t found = 0;

        assert_true(dir);
        while (found == 0 && (entry = readdir(dir))) {
                pid_t pid = (pid_t)atoi(entry->d_name);

                if (pid > 0 && (mark ? process_has(pid, mark, size) : process_is_of(pid, uid)))
                        found = pid;
        }
        closedir(dir);
        return found;
}

/* Control groups */

/* The calling process's own, if they are below a mount of cgroup v2. */
static inline bool find_cgroup(struct place *place) {
        char line[4096], mount[256], own[256] = "";
        FILE *file = fopen("/proc/self/cgroup", "re");

        while (file && fgets(line, sizeof(line), file))
                sscanf(line, "0::%255[^\n]", own);
        if (file)
                fclose(file);
        file = fopen("/proc/self/mountinfo", "re");
        while (file && fgets(line, sizeof(line), file))
                if (strstr(line, " - cgroup2 ") && sscanf(line, "%*d %*d %*s / %255s", mount) == 1)
                        snprintf(place->mount, sizeof(place->mount), "%s", mount);
        if (file)
                fclose(file);
        if (!own[0] || !place->mount[0])
                return false;
        snprintf(place->cgroup, sizeof(place->cgroup), "%s%s", place->mount,
                strcmp(own, "/") == 0 ? "" : own);
        return true;
}

static inline bool write_text(const char *dir, const char *name, const char *text) {
        char path[1024];
        ssize_t n = -1;
        int fd;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = write(fd, text, strlen(text));
                close(fd);
        }
        return n > 0;
}

static inline int remove_cgroup(
        const char *path, const struct stat *st, int type, struct FTW *place) {
        (void)st;
        return type == FTW_DP && place->level > 0 && rmdir(path) < 0 ? errno : 0;
}

static inline int is_cgroup_below(
        const char *path, const struct stat *st, int type, struct FTW *place) {
        (void)path, (void)st;
        return type == FTW_D && place->level > 0;
}

/* 0, or the errno of the first that can't be removed, which has somebody in it. */
static inline int remove_cgroups_below(const char *path) {
        return nftw(path, remove_cgroup, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool has_cgroups_below(const char *path) {
        return nftw(path, is_cgroup_below, 16, FTW_PHYS) > 0;
}

/* How many processes are in one, zombies not counted. */
static inline unsigned count_members(const char *cgroup) {
        char path[1024], line[64];
        unsigned n = 0;
        FILE *file;

        snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
        file = fopen(path, "re");
        assert_true(file);
        while (fgets(line, sizeof(line), file))
                ++n;
        fclose(file);
        return n;
}

/* One round */

struct round {
        struct curfew_ctx *ctx;
        struct curfew *sup;
        struct curfew_run *run;
        char mark[96];
        int ready, held, notes;
        int theirs[2]; /* the command's ends */
        unsigned fds;
};

#define VILLAIN(...) ((const char *const[]){ "villain", __VA_ARGS__, NULL })

/* The descriptors that the command gets. */
static inline void round_open(struct round *round, const struct place *place) {
        static unsigned long n;
        int ready[2], held[2];

        snprintf(round->mark, sizeof(round->mark), "%s%lu", place->mark, ++n);
        round->fds = count_fds();
        assert_eq(pipe2(ready, O_CLOEXEC), 0);
        assert_eq(pipe2(held, O_CLOEXEC), 0);
        round->ready = ready[0];
        round->held = held[0];
        round->theirs[0] = ready[1];
        round->theirs[1] = held[1];
        round->notes = memfd_create("notes", MFD_CLOEXEC);
        assert_eq(fcntl(round->notes, F_SETFL, O_APPEND), 0);
}

static inline void round_close(struct round *round) {
        close(round->theirs[0]);
        close(round->theirs[1]);
}

/* The command, under a context of its own. Without a path or a name it is the villain. */
static inline void round_begin(
        struct round *round, const struct place *place, struct curfew_cmd cmd) {
        const char *const edit[] = { round->mark, NULL };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        int r;

        if (!cmd.path && strcmp(cmd.argv[0], "villain") == 0)
                cmd.path = villain_path();
        cmd.env_edit = edit;
        cmd.fds = (const struct curfew_extra_fd[]){
                { 3, round->theirs[0] },
                { 4, round->theirs[1] },
                { 5, round->notes },
        };
        cmd.n_fds = 3;
        cmd.backend = place->backend;
        cmd.guarantee = place->guarantee;
        cmd.err = (struct curfew_stream){ CURFEW_INHERIT };

        round->ctx = cancel_ctx();
        assert_eq(curfew_new(&round->sup), 0);
        r = curfew_start(round->sup, round->ctx, &cmd, &stage, &round->run);
        if (r < 0)
                test_fail(__FILE__, __LINE__, "start: %s: %s", curfew_stage_name(stage),
                        strerror(-r));
}

static inline void round_start(
        struct round *round, const struct place *place, struct curfew_cmd cmd) {
        round_open(round, place);
        round_begin(round, place, cmd);
        round_close(round);
}

/* Blocks until the villain is one: the process id of whoever says so, or -1. */
static inline pid_t round_ready(struct round *round) {
        pid_t pid = 0;
        ssize_t n;

        while ((n = read(round->ready, &pid, sizeof(pid))) < 0)
                assert_eq(errno, EINTR);
        assert_eq(n, sizeof(pid));
        return pid;
}

static inline const struct curfew_result *round_wait(struct round *round) {
        assert_eq(curfew_run_wait(round->run, 40 * CURFEW_SEC), 0);
        return curfew_run_result(round->run);
}

static inline const struct curfew_result *round_cancel(struct round *round) {
        curfew_ctx_cancel(round->ctx);
        return round_wait(round);
}

/* Whatever of curfew's own is still there has not the mark, and no business with the pipe. */
static inline void assert_nobody(const struct round *round) {
        struct pollfd fd = { .fd = round->held, .events = POLLIN };
        pid_t pid = find_process(round->mark, strlen(round->mark) + 1, 0);

        if (pid > 0)
                test_fail(__FILE__, __LINE__, "%d is left", (int)pid);
        assert_eq(poll(&fd, 1, 0), 1);
        assert_true(fd.revents & POLLHUP);
}

/* Nothing of it is left in this process or around it, except for a control group that the villain
 * itself has made. */
static inline void round_end(struct round *round, const struct place *place, bool has_made_one) {
        pid_t pid;

        curfew_run_free(round->run);
        curfew_free(round->sup);
        curfew_ctx_unref(round->ctx);
        close(round->ready);
        close(round->held);
        close(round->notes);
        assert_no_children();
        assert_eq(count_fds(), round->fds);
        if (place->storm_uid > 0 && (pid = find_process(NULL, 0, place->storm_uid)) > 0)
                test_fail(__FILE__, __LINE__, "%d is left, by its user", (int)pid);
        if (place->cgroup[0]) {
                assert_eq(count_members(place->cgroup), 1);
                assert_eq(has_cgroups_below(place->cgroup), has_made_one);
                assert_eq(remove_cgroups_below(place->cgroup), 0);
        }
}

static inline void assert_emptied(const struct curfew_result *res, const struct place *place) {
        assert_str(curfew_backend_name(res->backend), curfew_backend_name(place->backend));
        assert_str(curfew_guarantee_name(res->guarantee), curfew_guarantee_name(place->guarantee));
        assert_eq(res->end, CURFEW_END_EMPTY);
        assert_eq(res->left, 0);
}

/* Parts: one user each */

static inline void become(struct place *place, uid_t uid) {
        if (place->cgroup[0] && !write_text(place->cgroup, "cgroup.procs", "0"))
                place->cgroup[0] = 0;
        if (uid != getuid()) {
                assert_eq(setgroups(0, NULL), 0);
                assert_eq(setresgid(uid, uid, uid), 0);
                assert_eq(setresuid(uid, uid, uid), 0);
                assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
        }
}

/* A control group of the part's own, which its user may make others in. */
static inline void make_cgroup(struct place *place, uid_t uid) {
        static const char *const files[] = { "", "cgroup.procs", "cgroup.threads",
                "cgroup.subtree_control" };
        char path[1024];
        size_t n;

        if (!find_cgroup(place))
                return;
        n = strlen(place->cgroup);
        snprintf(place->cgroup + n, sizeof(place->cgroup) - n, "/villains-%d-%s", (int)getpid(),
                place->user);
        if (mkdir(place->cgroup, 0755) < 0) {
                place->cgroup[0] = 0;
                return;
        }
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); ++i) {
                snprintf(path, sizeof(path), "%s/%s", place->cgroup, files[i]);
                assert_eq(chown(path, uid, uid), 0);
        }
}

struct part {
        struct place place;
        pid_t pid;
        int status;
};

/* In a process of its own, which has until then. */
static inline void part_start(struct part *part, const char *user, uid_t uid, uid_t storm_uid,
        void (*fn)(struct place *place)) {
        struct place *place = &part->place;

        *place = (struct place){ .root = uid == 0, .storm_uid = storm_uid };
        snprintf(place->user, sizeof(place->user), "%s", user);
        snprintf(place->mark, sizeof(place->mark), MARK "%d.%s.", (int)getpid(), user);
        make_cgroup(place, uid);
        fflush(stdout);
        part->pid = fork();
        assert_ge(part->pid, 0);
        if (part->pid == 0) {
                test_bound(villain_rounds(240) + 60);
                become(place, uid);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                fn(place);
                exit(0);
        }
}

static inline void cut_short(int signal_number) {
        (void)signal_number;
}

/* All that is orphaned meanwhile is this process's to reap. Who has no time for more may say so. */
static inline void parts_wait(struct part *parts, size_t n) {
        const struct sigaction action = { .sa_handler = cut_short };

        assert_eq(sigaction(SIGTERM, &action, NULL), 0);
        assert_eq(sigaction(SIGINT, &action, NULL), 0);
        for (size_t running = n; running > 0;) {
                int status = 0;
                pid_t pid = waitpid(-1, &status, 0);

                assert_true(pid > 0 || errno == EINTR);
                for (size_t i = 0; i < n && pid < 0; ++i)
                        if (parts[i].pid > 0)
                                kill(parts[i].pid, SIGKILL);
                for (size_t i = 0; i < n; ++i)
                        if (parts[i].pid == pid) {
                                parts[i].pid = 0; /* another can have the number now */
                                parts[i].status = status;
                                --running;
                        }
        }
}

static inline void part_kill(const struct part *part) {
        const struct place *place = &part->place;
        pid_t pid;

        if (place->cgroup[0])
                write_text(place->cgroup, "cgroup.kill", "1");
        while ((pid = find_process(place->mark, strlen(place->mark), 0)) > 0)
                kill(pid, SIGKILL);
}

/* Whether all went well; and nothing stays. */
static inline bool parts_end(struct part *parts, size_t n) {
        bool good = true;

        for (size_t i = 0; i < n; ++i)
                part_kill(&parts[i]);
        while (waitpid(-1, NULL, 0) > 0)
                ;
        for (size_t i = 0; i < n; ++i) {
                const struct place *place = &parts[i].place;

                if (place->cgroup[0]) {
                        remove_cgroups_below(place->cgroup);
                        assert_eq(rmdir(place->cgroup), 0);
                }
                if (parts[i].status != 0)
                        fprintf(stderr, "%s: status 0x%x\n", place->user,
                                (unsigned)parts[i].status);
                good = good && parts[i].status == 0;
        }
        return good;
}

/* To where everybody can execute it; the name is the one that the villains have. */
static inline void copy_villain(char *dir) {
        char path[64];
        int from = open(villain_path(), O_RDONLY | O_CLOEXEC), to;

        assert_true(mkdtemp(dir));
        assert_eq(chmod(dir, 0755), 0);
        snprintf(path, sizeof(path), "%s/villain", dir);
        to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        assert_ge(from, 0);
        assert_ge(to, 0);
        while (sendfile(to, from, NULL, 1 << 20) > 0)
                ;
        assert_eq(fchmod(to, 0755), 0);
        close(from);
        close(to);
        assert_eq(setenv("VILLAIN", path, 1), 0);
}
