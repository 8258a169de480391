package module

import (
	"crypto/sha256"
	"path/filepath"
	"testing"
)

// goGuest builds the Go program of the benchmarks: some 3.8 MB.
func goGuest(b *testing.B) []byte {
	m := buildGo(b, "testdata/bench/prog")
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	b.ResetTimer()
	return m
}

func BenchmarkCheck(b *testing.B) {
	m := goGuest(b)
	for b.Loop() {
		if _, err := Check(m, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrepare(b *testing.B) {
	m := goGuest(b)
	for b.Loop() {
		if _, err := Prepare(m, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrepareCached(b *testing.B) {
	m := goGuest(b)
	c, err := OpenCache(filepath.Join(b.TempDir(), "cache"))
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256(m) // which the host has computed anyway
	for b.Loop() {
		if _, err := c.Prepare(digest, m, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
