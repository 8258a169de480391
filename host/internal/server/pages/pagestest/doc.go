// Package pagestest drives the pages in a real browser, as a person would: it
// knows addresses and what stands on the pages, and nothing of who serves them.
// Tests of the pages use it with a service in memory, others with the real one.
package pagestest
