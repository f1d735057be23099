// SPDX-License-Identifier: MIT
#include "cli/record.h"
#include "cli/full/json.h"
#include "cli/full/lines.h"
#include "cli/full/processes.h"
#include "cli/full/report.h"
#include "cli/full/target.h"
#include "cli/full/timeline.h"
#include "cli/say.h"
#include "cli/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * A record is kept beside the run, and never gets in its way: what can't be written once the
 * command runs is said, and the command goes on. At the end it makes a failure of what would have
 * been a success, as the record was asked for; any other status says more than that.
 */

struct record {
        struct facts facts;
        struct target report;
        struct target timeline;
        struct lines events;
        struct processes processes;
        int64_t started;
};

static struct record *record_free(struct record *record) {
        if (record) {
                target_deinit(&record->report);
                target_deinit(&record->timeline);
                lines_deinit(&record->events);
                processes_deinit(&record->processes);
                free(record);
        }
        return NULL;
}

static void tell(struct record *record, json_t *event, int64_t now) {
        lines_add(&record->events, event, now);
}

static void tell_process(
        void *arg, enum process_change change, const struct process *process, int64_t now) {
        struct record *record = arg;
        json_t *event = NULL;

        if (!lines_wanted(&record->events))
                return;
        switch (change) {
        case PROCESS_SEEN:
                event = json_pack("{ss so si si so so so}", "event", "seen", "time",
                        json_seconds(now), "pid", (int)process->pid, "parent", (int)process->parent,
                        "name", json_text(process->name), "args", json_args(process), "started",
                        json_seconds(process->started));
                break;
        case PROCESS_EXEC:
                event = json_pack("{ss so si so so}", "event", "exec", "time", json_seconds(now),
                        "pid", (int)process->pid, "name", json_text(process->name), "args",
                        json_args(process));
                break;
        case PROCESS_ENDED:
                event = json_pack("{ss so si so sb}", "event", "ended", "time", json_seconds(now),
                        "pid", (int)process->pid, "name", json_text(process->name), "exact",
                        process->exact);
                break;
        }
        tell(record, event, now);
}

/* One would take the place of what the other has written. */
static int check_apart(const struct opts *opts) {
        const struct {
                const char *option, *path;
        } all[] = {
                { "stdout", opts->out },
                { "stderr", opts->err },
                { "report", opts->report },
                { "timeline", opts->timeline },
                { "events", opts->events },
        };

        for (size_t i = 2; i < sizeof(all) / sizeof(all[0]); ++i)
                for (size_t j = 0; j < i; ++j) {
                        if (!all[i].path || !all[j].path ||
                                !target_is_same(all[i].path, all[j].path))
                                continue;
                        say("cannot write '%s' for '--%s': '--%s' goes there; each needs a file of "
                            "its own",
                                all[i].path, all[i].option, all[j].option);
                        return -EINVAL;
                }
        return 0;
}

static int open_targets(struct record *record, const struct opts *opts) {
        int r = check_apart(opts);

        if (r < 0)
                return r;
        if (opts->report)
                r = target_open(&record->report, "report", opts->report, true);
        if (r == 0 && opts->timeline)
                r = target_open(&record->timeline, "timeline", opts->timeline, true);
        if (r == 0 && opts->events)
                r = target_open(&record->events.target, "events", opts->events, false);
        return r < 0 ? r : check_apart(opts); /* where a link led nowhere there is a file now */
}

int record_open(const struct opts *opts, struct record **ret) {
        struct record *record;
        int r;

        *ret = NULL;
        if (!opts->report && !opts->events && !opts->timeline)
                return 0;
        record = malloc(sizeof(*record));
        if (!record) {
                say("cannot keep a record: %s", strerror(ENOMEM));
                return -ENOMEM;
        }
        *record = (struct record){
                .facts = { .opts = opts, .deadline = opts->duration ?: CURFEW_FOREVER },
                .report = TARGET_NULL,
                .timeline = TARGET_NULL,
                .events = LINES_NULL,
                .processes = PROCESSES_NULL,
        };
        record->facts.processes = &record->processes;

        r = processes_init(&record->processes, tell_process, record);
        if (r < 0)
                say("cannot keep a record: %s", strerror(-r));
        else
                r = open_targets(record, opts);
        if (r < 0) {
                record_free(record);
                return r;
        }
        *ret = record;
        return 0;
}

int record_fd(const struct record *record) {
        return record ? record->processes.poll : -1;
}

void record_dispatch(struct record *record) {
        if (!record)
                return;
        processes_dispatch(&record->processes);
        if (record->events.size > 0)
                lines_flush(&record->events);
}

static int64_t wall_clock(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * CURFEW_SEC + ts.tv_nsec;
}

/* A start can take all the time there is. */
static int64_t since(int64_t deadline, int64_t started) {
        if (deadline == CURFEW_FOREVER)
                return deadline;
        return deadline > started ? deadline - started : 0;
}

void record_start(struct record *record, struct curfew_run *run, const struct curfew_ctx *ctx) {
        struct facts *facts;
        int64_t started, deadline;
        json_t *event;

        if (!record)
                return;
        facts = &record->facts;
        deadline = curfew_ctx_deadline(ctx);
        record->started = started = curfew_run_started(run);
        facts->pid = curfew_run_pid(run);
        facts->started = wall_clock() - (curfew_now() - started);
        facts->deadline = since(deadline, started);

        event = json_pack("{ss so}", "event", "start", "time", json_seconds(0));
        json_object_update_new(event, report_begin(facts, "curfew-events/1"));
        tell(record, event, 0);
        processes_start(&record->processes, run, started, facts->opts->argv);
}

void record_failure(struct record *record, enum curfew_stage stage, int error, const char *text,
        int64_t deadline) {
        int64_t left = since(deadline, curfew_now());

        if (!record)
                return;
        if (left < record->facts.deadline)
                record->facts.deadline = left;
        record->facts.stage = stage;
        record->facts.error = error;
        record->facts.failure = text;
        record->facts.started = wall_clock();
}

void record_look(struct record *record) {
        if (record)
                processes_look(&record->processes);
}

static void tell_sent(
        struct record *record, const char *name, const struct curfew_step_taken *sent) {
        json_t *event = json_pack("{ss}", "event", name);

        json_object_update_new(event, json_sent(sent));
        tell(record, event, sent->at);
}

void record_warning(struct record *record, const struct curfew_step_taken *sent) {
        if (!record)
                return;
        record->facts.warned = *sent;
        tell_sent(record, "warn", sent);
        processes_hurry(&record->processes);
}

void record_output(struct record *record, int error) {
        if (!record)
                return;
        record->facts.has_output = true;
        record->facts.output_error = error;
}

void record_event(struct record *record, const struct curfew_event *event) {
        int64_t now;

        if (!record)
                return;
        now = curfew_now() - record->started;
        switch (event->type) {
        case CURFEW_EVENT_STEP:
                tell_sent(record, "step", &event->step);
                processes_hurry(&record->processes);
                break;
        case CURFEW_EVENT_EXIT:
                tell(record, json_pack("{ss so}", "event", "exit", "time", json_seconds(now)), now);
                break;
        case CURFEW_EVENT_END: break;
        }
}

static int write_events(struct record *record) {
        const struct facts *facts = &record->facts;
        int64_t now;

        if (!facts->opts->events)
                return 0;
        now = facts->result ? curfew_now() - record->started : 0;
        return lines_finish(&record->events,
                json_pack("{ss so so}", "event", "end", "time", json_seconds(now), "report",
                        report_new(facts, false)),
                now);
}

static int write_report(struct record *record, const json_t *report) {
        char *text;
        size_t n;
        int r;

        if (!record->facts.opts->report)
                return 0;
        text = json_print(report, JSON_INDENT(2));
        if (!text) {
                target_say(&record->report, -ENOMEM);
                return -ENOMEM;
        }
        n = strlen(text);
        text[n] = '\n'; /* instead of the NUL */
        r = target_write(&record->report, text, n + 1);
        free(text);
        return r;
}

static int write_timeline(struct record *record, const json_t *report) {
        char *page = NULL;
        size_t n = 0;
        int r = -ENOMEM;

        if (!record->facts.opts->timeline)
                return 0;
        if (report)
                page = timeline_new(report, &n);
        if (page)
                r = target_write(&record->timeline, page, n);
        else
                target_say(&record->timeline, r);
        free(page);
        return r;
}

/* What is made of the whole report. */
static int write_whole(struct record *record) {
        const struct opts *opts = record->facts.opts;
        json_t *report = NULL;
        int r, s;

        if (opts->report || opts->timeline)
                report = report_new(&record->facts, true);
        r = write_report(record, report);
        s = write_timeline(record, report);
        json_decref(report);
        return r < 0 ? r : s;
}

/* What could not be written is a failure. */
static void count_in(struct record *record, int error, int *status) {
        if (error < 0 && *status == 0)
                record->facts.exit_status = *status = STATUS_FAILED;
}

static void finish(struct record *record, const struct curfew_result *result, int status) {
        struct facts *facts = &record->facts;

        facts->result = result;
        facts->exit_status = status < 0 ? STATUS_SIGNAL - status : status;
        if (result) {
                processes_finish(&record->processes, result);
                facts->end = result->wall;
        } else if (!facts->failure) {
                record_failure(record, CURFEW_STAGE_SUPERVISE, 0, "it could not be supervised",
                        CURFEW_FOREVER);
        }
}

int record_close(struct record *record, const struct curfew_result *result, int status) {
        if (!record)
                return status;
        finish(record, result, status);
        count_in(record, record->events.error, &status);
        count_in(record, write_whole(record), &status);
        count_in(record, write_events(record), &status);
        record_free(record);
        return status;
}
