//go:build race

package plugin

// raced: tests that compile a lot and race nothing are left out; the compiler
// is ten times slower then.
const raced = true
