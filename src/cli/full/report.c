// SPDX-License-Identifier: MIT
#include "cli/full/report.h"
#include "cli/full/json.h"
#include "cli/status.h"
#include "cli/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/*
 * A part that can't be had for want of memory is NULL, and what it would have been part of is NULL
 * then: json_pack() sees to that. So only the end is looked at.
 */

static json_t *make_time(int64_t time) {
        time_t seconds = (time_t)(time / CURFEW_SEC);
        char date[32] = "", text[48];
        struct tm tm;

        if (gmtime_r(&seconds, &tm))
                strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text, sizeof(text), "%s.%06dZ", date, (int)(time % CURFEW_SEC / 1000));
        return json_string(text);
}

static json_t *make_host(void) {
        struct utsname name;

        return json_text(uname(&name) == 0 ? name.nodename : "");
}

static json_t *make_command(const struct facts *facts) {
        char directory[4096];

        return json_pack("{so so so}", "argv", json_argv(facts->opts->argv), "directory",
                json_text(getcwd(directory, sizeof(directory))), "pid",
                facts->pid > 0 ? json_integer(facts->pid) : json_null());
}

static json_t *make_warn(const struct opts_warn *warn) {
        if (warn->signal == 0)
                return json_null();
        return json_pack("{so so so}", "signal", json_signal(warn->signal), "whom",
                json_whom(warn->whom), "before", json_seconds(warn->before));
}

static json_t *make_plan(const struct curfew_step plan[CURFEW_MAX_STEPS]) {
        json_t *json = json_array();

        for (int i = 0; i < CURFEW_MAX_STEPS && plan[i].signal != 0; ++i) {
                int64_t grace = plan[i].grace == 0 ? CURFEW_GRACE : plan[i].grace;

                json_array_append_new(
                        json, json_pack("{so so so}", "signal", json_signal(plan[i].signal), "whom",
                                      json_whom(plan[i].whom), "grace",
                                      json_seconds(grace == CURFEW_NO_GRACE ? 0 : grace)));
        }
        return json;
}

json_t *report_begin(const struct facts *facts, const char *schema) {
        const struct opts *opts = facts->opts;

        return json_pack("{ss ss so so so so so so so}", "schema", schema, "curfew",
                curfew_version(), "host", make_host(), "command", make_command(facts), "started",
                make_time(facts->started), "deadline", json_seconds(facts->deadline), "idle",
                opts->idle > 0 ? json_seconds(opts->idle) : json_null(), "warn",
                make_warn(&opts->warn), "plan", make_plan(opts->stop));
}

static json_t *make_failure(const struct facts *facts) {
        if (facts->pid > 0)
                return json_null();
        return json_pack("{so so so}", "stage", json_text(curfew_stage_name(facts->stage)), "error",
                json_text(facts->failure), "errno",
                facts->error < 0 ? json_integer(-facts->error) : json_null());
}

static json_t *make_status(const struct curfew_result *result) {
        switch (result->status) {
        case CURFEW_STATUS_EXITED: return json_pack("{si}", "exited", result->code);
        case CURFEW_STATUS_SIGNALED:
                return json_pack("{so sb}", "signalled", json_signal(result->code), "core",
                        result->core_dumped);
        case CURFEW_STATUS_UNKNOWN: break;
        }
        return json_null();
}

static json_t *make_reason(enum curfew_reason reason) {
        static const char *const names[] = {
                [CURFEW_REASON_CANCELLED] = "cancelled",
                [CURFEW_REASON_DEADLINE] = "deadline",
                [CURFEW_REASON_CALLER] = "caller",
                [CURFEW_REASON_LEFTOVERS] = "leftovers",
                [CURFEW_REASON_OUTSIDE] = "outside",
        };

        return json_text(names[reason]);
}

static json_t *make_cause(const struct curfew_result *result) {
        if (result->cause.code == 0 && !result->cause.text)
                return json_null();
        return json_pack(
                "{si so}", "code", result->cause.code, "text", json_text(result->cause.text));
}

static json_t *make_end(enum curfew_end end) {
        static const char *const names[] = {
                [CURFEW_END_EMPTY] = "empty",
                [CURFEW_END_EXIT] = "exit",
                [CURFEW_END_OUTPUT] = "output",
                [CURFEW_END_LINGER] = "linger",
                [CURFEW_END_GIVEN_UP] = "given up",
        };

        return json_text(names[end]);
}

/* Who of the processes has ended in the grace of a step. */
static json_t *make_ended(const struct processes *processes, int64_t from, int64_t to) {
        json_t *json = json_array();

        for (size_t i = 0; i < processes->n; ++i) {
                const struct process *process = &processes->items[i];

                if (!process->omitted && process->ended >= from && process->ended < to)
                        json_array_append_new(json, json_pack("{si so}", "pid", (int)process->pid,
                                                            "name", json_text(process->name)));
        }
        return json;
}

static json_t *make_steps(const struct facts *facts) {
        const struct curfew_result *result = facts->result;
        json_t *json = json_array();

        for (unsigned i = 0; i < result->n_steps; ++i) {
                bool is_last = i + 1 == result->n_steps;
                int64_t next = is_last ? CURFEW_FOREVER : result->steps[i + 1].at;
                json_t *step = json_sent(&result->steps[i]);

                json_object_set_new(
                        step, "ended", make_ended(facts->processes, result->steps[i].at, next));
                json_array_append_new(json, step);
        }
        return json;
}

static json_t *make_counted(unsigned n, const struct curfew_process named[CURFEW_MAX_NAMED]) {
        json_t *list = json_array();

        for (unsigned i = 0; i < n && i < CURFEW_MAX_NAMED; ++i) {
                char state[2] = { named[i].state, 0 };

                json_array_append_new(
                        list, json_pack("{si si so so}", "pid", (int)named[i].pid, "parent",
                                      (int)named[i].parent, "name", json_text(named[i].name),
                                      "state", json_text(state)));
        }
        return json_pack("{si so}", "count", (int)n, "processes", list);
}

static json_t *make_cpu_time(const struct timeval *time) {
        return json_real((double)time->tv_sec + (double)time->tv_usec / 1e6);
}

static json_t *make_rusage(const struct curfew_result *result) {
        const struct rusage *usage = &result->usage;

        if (!result->usage_known)
                return json_null();
        return json_pack("{so so sI sI sI sI sI sI sI}", "utime", make_cpu_time(&usage->ru_utime),
                "stime", make_cpu_time(&usage->ru_stime), "maxrss",
                (json_int_t)usage->ru_maxrss * 1024, "minflt", (json_int_t)usage->ru_minflt,
                "majflt", (json_int_t)usage->ru_majflt, "inblock", (json_int_t)usage->ru_inblock,
                "oublock", (json_int_t)usage->ru_oublock, "nvcsw", (json_int_t)usage->ru_nvcsw,
                "nivcsw", (json_int_t)usage->ru_nivcsw);
}

static json_t *make_output(const struct facts *facts) {
        int error = facts->output_error;

        if (!facts->has_output)
                return json_null();
        return json_pack("{sb so}", "complete", error == 0, "error",
                error == -ETIMEDOUT ? json_string("it is not being read") : json_error(error));
}

static json_t *make_sampling(const struct processes *processes) {
        return json_pack("{si so si}", "looks", (int)processes->looks, "interval",
                json_seconds(processes->longest), "omitted", (int)processes->omitted);
}

static json_t *make_process(const struct process *process) {
        char state[2] = { process->state, 0 };

        return json_pack("{si si so so so so sb so}", "pid", (int)process->pid, "parent",
                (int)process->parent, "name", json_text(process->name), "args", json_args(process),
                "started", json_seconds(process->started), "ended", json_seconds(process->ended),
                "exact", process->exact, "state", json_text(state));
}

static json_t *make_processes(const struct processes *processes) {
        json_t *json = json_array();

        for (size_t i = 0; i < processes->n; ++i)
                if (!processes->items[i].omitted)
                        json_array_append_new(json, make_process(&processes->items[i]));
        return json;
}

/* Time that was over before the start is over, too; and what could not be watched to its end has
 * been let go. */
static const char *name_verdict(const struct facts *facts) {
        if (facts->result)
                return verdict_name(verdict_of(facts->result, facts->opts, &facts->warned));
        if (facts->pid > 0)
                return verdict_name(VERDICT_LOST);
        return facts->exit_status == STATUS_TIMED_OUT ? verdict_name(VERDICT_DEADLINE) : "failed";
}

json_t *report_new(const struct facts *facts, bool with_processes) {
        static const struct curfew_result none;
        const struct curfew_result *result = facts->result ?: &none;
        struct facts known = *facts;
        json_t *head = report_begin(facts, "curfew-report/1"), *tail;

        known.result = result;
        tail = json_pack("{ss so so si so so so so so so so so so so s{so so} so so so}", "verdict",
                name_verdict(facts), "failure", make_failure(facts), "status", make_status(result),
                "exit_status", facts->exit_status, "reason", make_reason(result->reason), "cause",
                make_cause(result), "backend",
                json_text(result->backend ? curfew_backend_name(result->backend) : NULL),
                "guarantee",
                json_text(result->guarantee ? curfew_guarantee_name(result->guarantee) : NULL),
                "warned", facts->warned.signal ? json_sent(&facts->warned) : json_null(), "steps",
                make_steps(&known), "ended_by",
                result->ended_by > 0 ? json_integer(result->ended_by) : json_null(), "end",
                make_end(result->end), "killed",
                make_counted(result->killed, result->killed_by_name), "survivors",
                make_counted(result->left, result->left_by_name), "times", "exit",
                result->status != CURFEW_STATUS_UNKNOWN ? json_seconds(result->exited)
                                                        : json_null(),
                "end", json_seconds(facts->end), "rusage", make_rusage(result), "output",
                make_output(facts), "sampling", make_sampling(facts->processes));
        if (!head || !tail || json_object_update(head, tail) < 0 ||
                (with_processes && json_object_set_new(head, "processes",
                                           make_processes(facts->processes)) < 0)) {
                json_decref(head);
                head = NULL;
        }
        json_decref(tail);
        return head;
}
