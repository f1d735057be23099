// SPDX-License-Identifier: MIT
#include "sys/ward.h"

void ward_hear(struct ward *ward, int signal, int64_t now, const struct sweep_heard *who) {
        ward->who = *who;
        ward->heard_at = now;
        ward->heard = signal;
}
