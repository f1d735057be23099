// SPDX-License-Identifier: MIT

//go:build !go1.20

package main

import (
	"context"
	"os/exec"
	"syscall"
)

// A command that the end of its context ends by SIGTERM. This Go's
// CommandContext knows SIGKILL only: what its goroutine does is done here.
func command(ctx context.Context, program string) *exec.Cmd {
	cmd := exec.Command(program)
	go func() {
		<-ctx.Done()
		if cmd.Process != nil {
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	return cmd
}
