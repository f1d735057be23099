// SPDX-License-Identifier: MIT

/* Writes so many bytes to its output, 64 KiB at a time: `gush BYTES`. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
        static char buffer[64 << 10];
        unsigned long long left = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;

        memset(buffer, 'x', sizeof(buffer));
        while (left > 0) {
                ssize_t n = write(1, buffer, left < sizeof(buffer) ? left : sizeof(buffer));

                if (n <= 0)
                        return 1;
                left -= (unsigned long long)n;
        }
        return 0;
}
