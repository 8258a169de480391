//go:build !linux

package module

import "time"

var began = time.Now()

// threadTime is the clock where the thread's processor time cannot be had.
func threadTime() time.Duration { return time.Since(began) }
