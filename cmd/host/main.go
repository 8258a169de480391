// Command host runs workflows of WebAssembly plugins. This package turns
// arguments into calls of package host and what comes back into text, JSON and
// exit codes. It decides nothing about workflows: one file a command, and the
// terminal's own things (progress, hints, exit codes) beside them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(runInterruptible())
}

// interruption is the cause of a context that a signal cancelled.
type interruption struct {
	name string
	exit int
}

func (i *interruption) Error() string { return "interrupted by " + i.name }

// runInterruptible runs the command; the first signal cancels it, the second
// ends the process at once.
func runInterruptible() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := true
		for s := range signals {
			why := &interruption{"ctrl-C", exitInterrupted}
			if s == syscall.SIGTERM {
				why = &interruption{"SIGTERM", exitTerminated}
			}
			if !first {
				os.Exit(why.exit)
			}
			first = false
			cancel(why)
			// A terminal shows ^C where the cursor stands.
			if s == os.Interrupt && isTerminal(os.Stderr) {
				fmt.Fprint(os.Stderr, "\r")
			}
		}
	}()
	return run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
}
