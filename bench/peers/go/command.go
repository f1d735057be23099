// SPDX-License-Identifier: MIT

//go:build go1.20

package main

import (
	"context"
	"os/exec"
	"syscall"
)

// A command that the end of its context ends by SIGTERM.
func command(ctx context.Context, program string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program)
	cmd.Cancel = func() error {
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	return cmd
}
