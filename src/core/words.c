// SPDX-License-Identifier: MIT
#include "base/base.h"
#include "curfew.h"

/* The words that are only said and never read. */

static const char *const stages[] = {
        [CURFEW_STAGE_CONTEXT] = "context",
        [CURFEW_STAGE_COMMAND] = "command",
        [CURFEW_STAGE_ENVIRONMENT] = "environment",
        [CURFEW_STAGE_LOOKUP] = "look up",
        [CURFEW_STAGE_STDIN] = "open stdin",
        [CURFEW_STAGE_STDOUT] = "open stdout",
        [CURFEW_STAGE_STDERR] = "open stderr",
        [CURFEW_STAGE_SUPERVISE] = "supervise",
        [CURFEW_STAGE_TREE] = "tree",
        [CURFEW_STAGE_CLONE] = "clone",
        [CURFEW_STAGE_CGROUP] = "cgroup",
        [CURFEW_STAGE_SETSID] = "setsid",
        [CURFEW_STAGE_SETPGID] = "setpgid",
        [CURFEW_STAGE_SIGNALS] = "signals",
        [CURFEW_STAGE_DESCRIPTORS] = "descriptors",
        [CURFEW_STAGE_TERMINAL] = "terminal",
        [CURFEW_STAGE_RLIMIT] = "rlimit",
        [CURFEW_STAGE_NICE] = "nice",
        [CURFEW_STAGE_GROUPS] = "setgroups",
        [CURFEW_STAGE_GID] = "setgid",
        [CURFEW_STAGE_UID] = "setuid",
        [CURFEW_STAGE_CHDIR] = "chdir",
        [CURFEW_STAGE_NO_NEW_PRIVS] = "no_new_privs",
        [CURFEW_STAGE_PDEATHSIG] = "parent death signal",
        [CURFEW_STAGE_EXEC] = "exec",
};

_public_ const char *curfew_stage_name(enum curfew_stage stage) {
        return stage < ARRAY_SIZE(stages) ? stages[stage] : NULL;
}

static const char *const backends[] = {
        [CURFEW_BACKEND_CGROUP] = "cgroup",
        [CURFEW_BACKEND_KEEPER] = "keeper",
        [CURFEW_BACKEND_GROUP] = "group",
        [CURFEW_BACKEND_PID_NAMESPACE] = "pid namespace",
};

_public_ const char *curfew_backend_name(enum curfew_backend backend) {
        return backend < ARRAY_SIZE(backends) ? backends[backend] : NULL;
}

static const char *const guarantees[] = {
        [CURFEW_GUARANTEE_GROUP] = "group",
        [CURFEW_GUARANTEE_TRACKED] = "tracked",
        [CURFEW_GUARANTEE_SEALED] = "sealed",
};

_public_ const char *curfew_guarantee_name(enum curfew_guarantee guarantee) {
        return guarantee < ARRAY_SIZE(guarantees) ? guarantees[guarantee] : NULL;
}

_public_ const char *curfew_version(void) {
        return CURFEW_VERSION;
}
