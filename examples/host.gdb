# SPDX-License-Identifier: MIT
#
# gdb -x host.gdb PROGRAM: for programs that start commands with curfew, on x86-64.
#
# A command begins its life in the memory of its host, which doesn't wait for it as after vfork(2).
# gdb (13) knows only threads that live like that, and takes the host for gone when the command
# executes its program. So here the call that makes it gets the flag that it lacks, CLONE_VFORK; a
# call that makes a thread, with CLONE_THREAD, is left as it is.

catch syscall clone3
commands
silent
if $rax == -38 && !(*(unsigned long *)$rdi & 0x10000)
set *(unsigned long *)$rdi |= 0x4000
end
continue
end
