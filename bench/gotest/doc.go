// Package gotest runs the tests and benchmarks of host/internal for the commands
// beside it, which may not import what they measure, and reads what those
// report. It is no part of the host.
package gotest
