// SPDX-License-Identifier: MIT

// Go's way of the benchmarks' work, as ../../peer.h describes it: os/exec and
// context. Each line of stdin is a verb and its arguments, and is answered
// with how long that took in ns.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

var verbs = map[string]func(n int, arg string) int64{
	"start":     start,
	"grow":      grow,
	"discard":   discard,
	"keep":      keep,
	"cancel":    cancel,
	"many":      startMany,
	"memory":    memoryOfMany,
	"end":       endMany,
	"derive":    derive,
	"timeout":   timeout,
	"err":       askErr,
	"broadcast": broadcast,
	"chain":     chain,
	"threads":   threads,
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func measure(work func()) int64 {
	before := time.Now()
	work()
	return time.Since(before).Nanoseconds()
}

// Processes

func start(n int, program string) int64 {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return measure(func() {
		for i := 0; i < n; i++ {
			check(exec.CommandContext(ctx, program).Run())
		}
	})
}

var memory [][]byte

func grow(mib int, _ string) int64 {
	return measure(func() {
		more := make([]byte, mib<<20)
		for i := 0; i < len(more); i += os.Getpagesize() {
			more[i] = 1
		}
		memory = append(memory, more)
	})
}

func discard(n int, program string) int64 {
	return measure(func() {
		cmd := exec.Command(program, strconv.Itoa(n))
		stdout, err := cmd.StdoutPipe()
		check(err)
		check(cmd.Start())
		buf := make([]byte, 64<<10)
		for err == nil {
			var got int
			got, err = stdout.Read(buf)
			n -= got
		}
		check(cmd.Wait())
		if n != 0 {
			panic(err)
		}
	})
}

func keep(n int, program string) int64 {
	return measure(func() {
		output, err := exec.Command(program, strconv.Itoa(n)).Output()
		check(err)
		if len(output) != n {
			panic(len(output))
		}
	})
}

func cancel(n int, program string) (took int64) {
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		cmd := command(ctx, program)
		stdout, err := cmd.StdoutPipe()
		check(err)
		check(cmd.Start())
		_, err = bufio.NewReader(stdout).ReadString('\n')
		check(err)
		took += measure(func() {
			cancel()
			cmd.Wait()
		})
	}
	return took
}

// Many processes: as one that is ended with its context needs someone who
// waits for it, each has a goroutine for that.

var many struct {
	cancel   context.CancelFunc
	waiting  sync.WaitGroup
	resident int64 // before they were started
}

func startMany(n int, program string) int64 {
	debug.SetMaxThreads(n + 10000)
	many.resident = resident()
	return measure(func() {
		ctx, cancel := context.WithCancel(context.Background())
		many.cancel = cancel
		many.waiting.Add(n)
		for i := 0; i < n; i++ {
			cmd := command(ctx, program)
			check(cmd.Start())
			go func() {
				cmd.Wait()
				many.waiting.Done()
			}()
		}
	})
}

func endMany(int, string) int64 {
	return measure(func() {
		if many.cancel != nil {
			many.cancel()
		}
		many.waiting.Wait()
	})
}

func memoryOfMany(int, string) int64 {
	return resident() - many.resident
}

func resident() int64 {
	var size, pages int64

	debug.FreeOSMemory() // no garbage is counted
	statm, err := os.ReadFile("/proc/self/statm")
	check(err)
	_, err = fmt.Sscan(string(statm), &size, &pages)
	check(err)
	return pages * int64(os.Getpagesize())
}

// Contexts

func derive(n int, _ string) int64 {
	parent, end := context.WithCancel(context.Background())
	defer end()
	return measure(func() {
		deriveAndCancel(parent, n)
	})
}

func deriveAndCancel(parent context.Context, n int) {
	for i := 0; i < n; i++ {
		_, cancel := context.WithCancel(parent)
		cancel()
	}
}

func timeout(n int, _ string) int64 {
	parent, end := context.WithCancel(context.Background())
	defer end()
	return measure(func() {
		for i := 0; i < n; i++ {
			_, cancel := context.WithTimeout(parent, time.Hour)
			cancel()
		}
	})
}

func askErr(n int, _ string) int64 {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	return measure(func() {
		for i := 0; i < n; i++ {
			check(ctx.Err())
		}
	})
}

func broadcast(n int, _ string) int64 {
	parent, cancel := context.WithCancel(context.Background())
	for i := 0; i < n; i++ {
		_, child := context.WithCancel(parent)
		defer child()
	}
	return measure(cancel)
}

func chain(n int, _ string) int64 {
	last, cancel := context.WithCancel(context.Background())
	for i := 1; i < n; i++ {
		var link context.CancelFunc
		last, link = context.WithCancel(last)
		defer link()
	}
	return measure(cancel)
}

func threads(n int, arg string) int64 {
	k, err := strconv.Atoi(arg)
	check(err)
	parent, end := context.WithCancel(context.Background())
	defer end()
	return measure(func() {
		var running sync.WaitGroup
		for i := 0; i < k; i++ {
			share := (n + i) / k // they add up to n
			running.Add(1)
			go func() {
				deriveAndCancel(parent, share)
				running.Done()
			}()
		}
		running.Wait()
	})
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var name, arg string
		var n int
		fmt.Sscan(lines.Text(), &name, &n, &arg)
		if verb := verbs[name]; verb != nil {
			fmt.Println(verb(n, arg))
		} else {
			fmt.Println("-")
		}
	}
	endMany(0, "")
}
