// SPDX-License-Identifier: MIT
#include "sys/numbers.h"
#include "base/ascii.h"
#include "sys/call.h"

#include <string.h>

/*
 * The file is read to its end before anything is done with what it says: it is as long as there are
 * processes, and where these come faster than they can be looked at it would have no end.
 */

void numbers_deinit(struct numbers *numbers) {
        if (numbers->text != numbers->some)
                free(numbers->text);
        numbers->text = numbers->some;
}

static int grow(struct numbers *numbers) {
        bool first = numbers->text == numbers->some;
        char *text = realloc(first ? NULL : numbers->text, 4 * numbers->size);

        if (!text)
                return -ENOMEM;
        if (first)
                memcpy(text, numbers->some, numbers->used);
        numbers->text = text;
        numbers->size *= 4;
        return 0;
}

static int read_all(struct numbers *numbers, int fd) {
        long n;

        do {
                if (numbers->used == numbers->size && grow(numbers) < 0)
                        return -ENOMEM;
                n = sys_call(
                        SYS_read, fd, numbers->text + numbers->used, numbers->size - numbers->used);
                numbers->used += n > 0 ? (size_t)n : 0;
        } while (n > 0 || n == -EINTR);
        return (int)n;
}

int numbers_read(struct numbers *numbers, int at, const char *path) {
        long fd = sys_call(SYS_openat, at, path, O_RDONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return (int)fd;
        numbers->text = numbers->some;
        numbers->size = sizeof(numbers->some);
        numbers->used = numbers->at = 0;
        r = read_all(numbers, (int)fd);
        sys_call(SYS_close, fd);
        if (r < 0)
                numbers_deinit(numbers);
        return r;
}

/* Whatever stands between two numbers separates them. */
pid_t numbers_next(struct numbers *numbers) {
        pid_t number = 0;

        while (numbers->at < numbers->used) {
                int digit = ascii_digit(numbers->text[numbers->at++], 10);

                if (digit >= 0)
                        number = 10 * number + digit;
                else if (number > 0)
                        break;
        }
        return number;
}
