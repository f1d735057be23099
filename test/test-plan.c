// SPDX-License-Identifier: MIT
#include "curfew.h"
#include "test.h"

/* The plan as text with everything spelt out: "tree TERM 0, leader INT 5000000000, ". */
static void describe(const struct curfew_step plan[], char *text, size_t size) {
        static const char *const whom[] = {
                [CURFEW_TREE] = "tree", [CURFEW_GROUP] = "group", [CURFEW_LEADER] = "leader"
        };
        size_t n = 0;

        text[0] = 0;
        for (int i = 0; i < CURFEW_MAX_STEPS && plan[i].signal != 0; ++i)
                n += (size_t)snprintf(text + n, size - n, "%s %s %" PRId64 ", ", whom[plan[i].whom],
                        curfew_signal_name(plan[i].signal), plan[i].grace);
}

static void check(const char *text, const char *expected) {
        struct curfew_step plan[CURFEW_MAX_STEPS];
        char found[512];

        memset(plan, 0xff, sizeof(plan));
        assert_eq(curfew_plan_parse(text, plan), 0);
        describe(plan, found, sizeof(found));
        assert_str(found, expected);
}

static void refuse(const char *text, int error) {
        struct curfew_step plan[CURFEW_MAX_STEPS], before[CURFEW_MAX_STEPS];
        int r;

        memset(plan, 0xff, sizeof(plan));
        memcpy(before, plan, sizeof(plan));
        r = curfew_plan_parse(text, plan);
        if (r != error)
                test_fail(__FILE__, __LINE__, "\"%s\": %d, not %d", text ? text : "NULL", r, error);
        assert_eq(memcmp(plan, before, sizeof(plan)), 0);
}

static void test_plans(void) {
        check("TERM", "tree TERM 0, ");
        check("INT:5s,TERM:5s", "tree INT 5000000000, tree TERM 5000000000, ");
        check("sigint:.5,15:1m", "tree INT 500000000, tree TERM 60000000000, ");
        check("leader:INT:2s,group:HUP,tree:TERM:1",
                "leader INT 2000000000, group HUP 0, tree TERM 1000000000, ");
        check("Leader:int,TREE:term", "leader INT 0, tree TERM 0, ");
        check("leader:INT", "leader INT 0, ");
        check("INT:0", "tree INT -1, ");
        check("INT:0.0s,KILL", "tree INT -1, tree KILL 0, ");
        check("INT:inf", "tree INT 9223372036854775807, ");
        check("RTMIN+3:1e-9", "tree RTMIN+3 1, ");
        check("1,2,3,4,5,6,7,8",
                "tree HUP 0, tree INT 0, tree QUIT 0, tree ILL 0, tree TRAP 0, tree ABRT 0, "
                "tree BUS 0, tree FPE 0, ");
}

/* What isn't used of the array is zero, so that nothing of an older plan is left behind. */
static void test_rest(void) {
        struct curfew_step plan[CURFEW_MAX_STEPS];
        const struct curfew_step none = { 0 };

        memset(plan, 0xff, sizeof(plan));
        assert_eq(curfew_plan_parse("INT,TERM", plan), 0);
        for (int i = 2; i < CURFEW_MAX_STEPS; ++i)
                assert_eq(memcmp(&plan[i], &none, sizeof(none)), 0);
}

static void test_refused(void) {
        static const char *const malformed[] = { NULL, "", ",", ":", "INT,", ",INT", "INT,,TERM",
                "INT:", "INT::", "INT:5s:", "INT:5s:leader", ":5s", "INT 5s", "INT:5 s", "INT:-1",
                "INT:nan", "INT:1ms", "INT;TERM", "INT, TERM", " INT", "FOO", "FOO:5s", "leader",
                "leader:", "leader::5s", "leader:5s", "leaders:INT", "lead:INT", "leader:tree:INT",
                "5s:INT", "0", "EXIT", "EXIT:5s", "leader:0", "128", "65", "INT:5s,TERM:5x",
                "1,2,3,4,5,6,7,x", "1,2,3,4,5,6,7,8x,9" };

        for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); ++i)
                refuse(malformed[i], -EINVAL);

        refuse("1,2,3,4,5,6,7,8,9", -E2BIG);
        refuse("1,2,3,4,5,6,7,8,", -E2BIG);
}

int main(void) {
        test_plans();
        test_rest();
        test_refused();
        return 0;
}
