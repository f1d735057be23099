// SPDX-License-Identifier: MIT
#include "curfew.h"
#include "test.h"

/* Each stage has a name of its own, and nothing else has one. */
static void test_stages(void) {
        assert_null(curfew_stage_name(CURFEW_STAGE_NONE));
        for (int i = CURFEW_STAGE_NONE + 1; i <= CURFEW_STAGE_EXEC; ++i) {
                const char *name = curfew_stage_name((enum curfew_stage)i);

                assert_true(name && name[0]);
                for (int j = CURFEW_STAGE_NONE + 1; j < i; ++j)
                        assert_ne(strcmp(name, curfew_stage_name((enum curfew_stage)j)), 0);
        }
        assert_null(curfew_stage_name((enum curfew_stage)(CURFEW_STAGE_EXEC + 1)));
        assert_null(curfew_stage_name((enum curfew_stage) - 1));

        assert_str(curfew_stage_name(CURFEW_STAGE_CONTEXT), "context");
        assert_str(curfew_stage_name(CURFEW_STAGE_LOOKUP), "look up");
        assert_str(curfew_stage_name(CURFEW_STAGE_CHDIR), "chdir");
        assert_str(curfew_stage_name(CURFEW_STAGE_EXEC), "exec");
}

static void test_version(void) {
        assert_str(curfew_version(), CURFEW_VERSION);
}

int main(void) {
        test_stages();
        test_version();
        return 0;
}
