// Package sandboxtest attacks the sandbox. It has tests only: one guest for
// each known attack, built from the sources in testdata/hostile, run through
// host/internal/plugin as any other plugin. Each test demands the one answer
// that is right, and that nobody else notices: while a guest runs, a server in
// the same process answers, collections are short, and another plugin's calls
// succeed; afterwards memory, descriptors and goroutines are back.
//
// What is refused before it runs, byte by byte, is tested in
// host/internal/module.
package sandboxtest
