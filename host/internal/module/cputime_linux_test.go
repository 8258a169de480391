package module

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the processor time this thread has used: what other processes
// do disturbs it less than the clock. The goroutine must be locked to it.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}
