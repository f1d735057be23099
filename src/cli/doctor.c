// SPDX-License-Identifier: MIT
#include "doctor.h"
#include "curfew.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

/*
 * Whether a backend works depends on more than can be looked up: mounts, delegation, filters,
 * limits, security modules. So each is asked to run something, which is this program itself:
 * nothing else is sure to be there, in a container for instance.
 */

static const enum curfew_backend backends[] = {
        CURFEW_BACKEND_CGROUP,
        CURFEW_BACKEND_KEEPER,
        CURFEW_BACKEND_PID_NAMESPACE,
        CURFEW_BACKEND_GROUP,
};

#define N_BACKENDS (sizeof(backends) / sizeof(backends[0]))

/* Without /proc it is what the kernel was told to execute. */
static const char *own_program(void) {
        static const char link[] = "/proc/self/exe";

        if (access(link, X_OK) == 0)
                return link;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): so it is handed over */
        return (const char *)getauxval(AT_EXECFN);
}

/* 0 and the guarantee, or why it doesn't work. There may be no /dev/null. */
static int try(enum curfew_backend backend, enum curfew_guarantee *ret) {
        struct curfew_result result;
        int r = curfew_run(NULL,
                &(struct curfew_cmd){
                        .argv = (const char *[]){ "curfew", "--help", NULL },
                        .path = own_program(),
                        .in = { CURFEW_FEED },
                        .out = { CURFEW_CAPTURE },
                        .err = { CURFEW_TO_STDOUT },
                        .backend = backend,
                },
                &result);

        if (r < 0)
                return r;
        *ret = result.guarantee;
        curfew_result_deinit(&result);
        return 0;
}

static const char *promise(enum curfew_guarantee guarantee) {
        switch (guarantee) {
        case CURFEW_GUARANTEE_SEALED: return "nothing gets away, and no fork outruns it";
        case CURFEW_GUARANTEE_TRACKED: return "nothing gets away";
        case CURFEW_GUARANTEE_GROUP: return "a daemon can get away";
        case CURFEW_GUARANTEE_NONE: break;
        }
        return "";
}

/* What is in the way of a process that is to keep others: it executes a file that lies in memory,
 * or the one that was installed. */
static const char *advise_on_keeper(int error) {
        switch (error) {
        case -ENOENT: return "/proc is not there, another namespace's, or closed: mount one";
        case -EACCES:
                return "files in memory may not be executed: sysctl vm.memfd_noexec=1, or install\n"
                       "libexec/curfew/curfew-keeper where this program was built for";
        case -EFBIG: return "no file may be as large as a keeper: ulimit -f";
        case -EAGAIN: return "there may be no more processes: ulimit -u, or the pids controller";
        case -ENOSYS: return "a filter (seccomp) is in the way, or it is another architecture";
        default: return "a filter (seccomp) or a limit is in the way";
        }
}

static bool is_about_keeper(int error) {
        return error == -EFBIG || error == -EAGAIN;
}

/* What to do about it. */
static const char *advise(enum curfew_backend backend, int error) {
        bool may_execute = true;
        enum curfew_guarantee guarantee;

        if (backend != CURFEW_BACKEND_KEEPER && error == -EACCES)
                may_execute = try(CURFEW_BACKEND_KEEPER, &guarantee) != -EACCES;
        if (backend != CURFEW_BACKEND_GROUP && (is_about_keeper(error) || !may_execute))
                return advise_on_keeper(error);

        switch (backend) {
        case CURFEW_BACKEND_CGROUP:
                if (error == -ENOENT)
                        return "no cgroup v2 is mounted here: mount one, such as on /sys/fs/cgroup";
                return "no group may be made below this one: be root, or have it delegated, as by\n"
                       "systemd-run --user --scope -p Delegate=yes curfew ...";
        case CURFEW_BACKEND_KEEPER: return advise_on_keeper(error);
        case CURFEW_BACKEND_PID_NAMESPACE:
                return "be root, or allow user namespaces: sysctl user.max_user_namespaces,\n"
                       "kernel.unprivileged_userns_clone, "
                       "kernel.apparmor_restrict_unprivileged_userns";
        case CURFEW_BACKEND_GROUP:
        case CURFEW_BACKEND_ANY: break;
        }
        return "no process can be started";
}

static void print_indented(const char *text) {
        while (*text) {
                int length = (int)strcspn(text, "\n");

                printf("%15s%.*s\n", "", length, text);
                text += length + (text[length] == '\n');
        }
}

static void examine(enum curfew_backend backend, enum curfew_guarantee *best) {
        enum curfew_guarantee guarantee = CURFEW_GUARANTEE_NONE;
        const char *name = curfew_backend_name(backend);
        int r = try(backend, &guarantee);

        if (r < 0) {
                printf("%-13s  no: %s\n", name, strerror(-r));
                print_indented(advise(backend, r));
                return;
        }
        printf("%-13s  %s: %s%s\n", name, curfew_guarantee_name(guarantee), promise(guarantee),
                backend == CURFEW_BACKEND_PID_NAMESPACE ? " (a library's caller can ask for it)"
                                                        : "");
        if (backend != CURFEW_BACKEND_PID_NAMESPACE && guarantee > *best)
                *best = guarantee;
}

int doctor_main(void) {
        enum curfew_guarantee best = CURFEW_GUARANTEE_NONE;
        struct utsname system = { 0 };

        uname(&system);
        printf("curfew %s on %s %s, uid %u\n\n", curfew_version(), system.sysname, system.release,
                (unsigned)geteuid());
        for (size_t i = 0; i < N_BACKENDS; ++i)
                examine(backends[i], &best);

        if (best == CURFEW_GUARANTEE_NONE)
                printf("\nNothing can be started here.\n");
        else
                printf("\nWhat a command starts is held as '%s' here: %s.\n",
                        curfew_guarantee_name(best), promise(best));
        return best >= CURFEW_GUARANTEE_TRACKED ? 0 : 1;
}
