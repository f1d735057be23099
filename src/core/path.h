// SPDX-License-Identifier: MIT
#pragma once

/* Clean an absolute path in place, as text: no ".", no "..", no empty component, no slash at the
 * end. "/" stays. */
void path_clean(char *path);
