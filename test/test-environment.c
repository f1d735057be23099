// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "core/environment.h"
#include "test.h"

/* What a child's environment is made of; compared as one text, an entry a word. */

struct input {
        const char *base[8];
        const char *edits[8];
        const char *pwd;
        int64_t deadline; /* 0 is none */
};

static void expect(const struct input *input, const char *expected) {
        char **built, text[1024] = "";

        assert_eq(environment_build(input->base, input->edits, input->pwd,
                          input->deadline ? input->deadline : CLOCK_NEVER, &built),
                0);
        for (size_t i = 0; built[i]; ++i)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "",
                        built[i]);
        assert_str(text, expected);
        free(built);
}

static void test_base(void) {
        expect(&(struct input){ { NULL } }, "");
        expect(&(struct input){ { "A=1", "B=2" } }, "A=1 B=2");
        expect(&(struct input){ { "A=", "A=" } }, "A=");
        expect(&(struct input){ { "A=1=2", "A=3=4" } }, "A=3=4");
        expect(&(struct input){ { "A=1", "a=2", "AA=3", "A=4" } }, "A=4 a=2 AA=3");
        expect(&(struct input){ { "B=0", "A=1", "B=2", "C=3", "A=4" } }, "B=2 A=4 C=3");
}

/* Entries that are none are kept, whatever else is there; empty ones are not. */
static void test_malformed(void) {
        expect(&(struct input){ { "", "A=1", "", "B=2" } }, "A=1 B=2");
        expect(&(struct input){ { "odd", "A=1", "odd", "=x", "=x" } }, "odd A=1 odd =x =x");
        expect(&(struct input){ { "A", "A=1", "A" } }, "A A=1 A");
        expect(&(struct input){ { "A", "A=1" }, { "A" } }, "A");
        expect(&(struct input){ { "A" }, { "A" } }, "A");
        expect(&(struct input){ { "A" }, { "A=1" } }, "A A=1");
}

static void test_edits(void) {
        expect(&(struct input){ { "A=1" }, { "B=2" } }, "A=1 B=2");
        expect(&(struct input){ { "A=1", "B=2" }, { "A=3" } }, "A=3 B=2");
        expect(&(struct input){ { "A=1", "B=2" }, { "A" } }, "B=2");
        expect(&(struct input){ { "A=1", "B=2", "A=3" }, { "A" } }, "B=2");
        expect(&(struct input){ { "A=1" }, { "B" } }, "A=1");
        expect(&(struct input){ { "A=1" }, { "" } }, "A=1");
        expect(&(struct input){ { "A=1", "C=2" }, { "A", "A=3" } }, "A=3 C=2");
        expect(&(struct input){ { "A=1" }, { "A=2", "A" } }, "");
        expect(&(struct input){ { NULL }, { "A=1", "A=2" } }, "A=2");
        expect(&(struct input){ { NULL }, { "A", "A=1", "A", "B=2" } }, "B=2");
}

static void test_pwd(void) {
        expect(&(struct input){ { "A=1" }, { NULL }, "/x" }, "A=1 PWD=/x");
        expect(&(struct input){ { "PWD=/y", "A=1" }, { NULL }, "/x" }, "PWD=/x A=1");
        expect(&(struct input){ { "PWD=/y", "PWD=/z" }, { NULL }, "/x" }, "PWD=/x");
        expect(&(struct input){ { "PWD=/y" }, { NULL }, NULL }, "PWD=/y");
        expect(&(struct input){ { "PWD=/y" }, { "PWD=/link" }, "/x" }, "PWD=/link");
        expect(&(struct input){ { NULL }, { "PWD=/link", "A=1" }, "/x" }, "PWD=/link A=1");
        expect(&(struct input){ { "PWD=/y" }, { "PWD" }, "/x" }, "");
        expect(&(struct input){ { NULL }, { "PWDX=1" }, "/x" }, "PWDX=1 PWD=/x");
        expect(&(struct input){ { NULL }, { "OLDPWD=1" }, "/x" }, "OLDPWD=1 PWD=/x");
}

#define EXPECT_DEADLINE(base, deadline, expected)                                                  \
        expect(&(struct input){ { base }, { NULL }, NULL, deadline }, expected)

static void test_deadline(void) {
        EXPECT_DEADLINE("A=1", 50, "A=1 CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("CURFEW_DEADLINE=49", 50, "CURFEW_DEADLINE=49");
        EXPECT_DEADLINE("CURFEW_DEADLINE=50", 50, "CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("CURFEW_DEADLINE=51", 50, "CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("CURFEW_DEADLINE=", 50, "CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("CURFEW_DEADLINE=1x", 50, "CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("CURFEW_DEADLINE=99999999999999999999", 50, "CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("CURFEW_DEADLINE", 50, "CURFEW_DEADLINE CURFEW_DEADLINE=50");
        EXPECT_DEADLINE("A=1", INT64_MIN, "A=1 CURFEW_DEADLINE=-9223372036854775808");
        EXPECT_DEADLINE("A=1", INT64_MAX - 1, "A=1 CURFEW_DEADLINE=9223372036854775806");

        /* Without one there is nothing to say, and what is inherited holds. */
        EXPECT_DEADLINE("CURFEW_DEADLINE=51", 0, "CURFEW_DEADLINE=51");
        EXPECT_DEADLINE("CURFEW_DEADLINE=x", 0, "CURFEW_DEADLINE=x");

        /* An edit can shorten it, but not lengthen or remove it. */
        expect(&(struct input){ { NULL }, { "CURFEW_DEADLINE=7" }, NULL, 50 }, "CURFEW_DEADLINE=7");
        expect(&(struct input){ { "CURFEW_DEADLINE=7" }, { "CURFEW_DEADLINE=70" }, NULL, 50 },
                "CURFEW_DEADLINE=50");
        expect(&(struct input){ { "CURFEW_DEADLINE=7" }, { "CURFEW_DEADLINE" }, NULL, 50 },
                "CURFEW_DEADLINE=50");
        expect(&(struct input){ { "CURFEW_DEADLINE=7" }, { "CURFEW_DEADLINE" }, NULL, 0 }, "");
        expect(&(struct input){ { "PWD=/y" }, { NULL }, "/x", 50 }, "PWD=/x CURFEW_DEADLINE=50");
}

static void test_null(void) {
        char **built;

        assert_eq(environment_build(NULL, NULL, NULL, CLOCK_NEVER, &built), 0);
        assert_null(built[0]);
        free(built);
}

#define N_MANY 5000

/* The table doesn't lose anybody, and its order is that of the base. */
static void test_many(void) {
        static char names[N_MANY][16], edits[N_MANY][16];
        static const char *base[N_MANY + 1], *edit[N_MANY + 1];
        size_t n = 0;
        char **built;

        for (size_t i = 0; i < N_MANY; ++i) {
                snprintf(names[i], sizeof(names[i]), "V%zu=old", i);
                snprintf(edits[i], sizeof(edits[i]), i % 2 ? "V%zu=new" : "V%zu", i);
                base[i] = names[i];
                edit[N_MANY - 1 - i] = edits[i];
        }

        assert_eq(environment_build(base, edit, NULL, CLOCK_NEVER, &built), 0);
        for (size_t i = 1; i < N_MANY; i += 2)
                assert_str(built[n++], edits[i]);
        assert_null(built[n]);
        free(built);
}

int main(void) {
        test_base();
        test_malformed();
        test_edits();
        test_pwd();
        test_deadline();
        test_null();
        test_many();
        return 0;
}
