package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"wasmhost/host/event"
)

// TestWritesFail lets every kind of operation on the disk fail, once and for
// good, at many moments, with an I/O error and a full disk. What must hold: a
// clear error, nothing acknowledged that is not there, no run that others cannot
// take afterwards, and a journal that opens and works again.
func TestWritesFail(t *testing.T) {
	must(t, faulty())
	codes := map[string]int32{
		"EIO on write": sqlite3.SQLITE_IOERR_WRITE, "EIO on sync": sqlite3.SQLITE_IOERR_FSYNC, "ENOSPC": sqlite3.SQLITE_FULL, "EIO on truncate": sqlite3.SQLITE_IOERR_TRUNCATE,
	}
	for name, code := range codes {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, uint64(code)))
			for range 12 {
				failOnce(t, code, random.IntN(40), random.IntN(2) == 0)
			}
		})
	}
}

// failOnce lets the operations of code's kind fail from the skip-th on: one, or
// all until the end.
func failOnce(t *testing.T, code int32, skip int, once bool) {
	kind := map[int32]string{sqlite3.SQLITE_IOERR_FSYNC: "sync", sqlite3.SQLITE_IOERR_TRUNCATE: "truncate"}[code]
	if kind == "" {
		kind = "write"
	}
	ctx, dir := t.Context(), t.TempDir()
	j, err := Open(ctx, dir, Options{vfs: faultyVFS, Lease: time.Hour})
	must(t, err)
	w, other := begin(t, j, "r"), begin(t, j, "other")
	must(t, append1(other, step("other", 1)))
	var seen, broke atomic.Int64
	well := failing(code, func(op string, _ int32) bool {
		if op != kind || seen.Add(1) <= int64(skip) || once && broke.Load() > 0 {
			return false
		}
		broke.Add(1)
		return true
	})
	defer well()
	acked := 0
	var failure error
	for n := 1; n <= 30 && failure == nil; n++ {
		if failure = append1(w, step("r", n)); failure == nil {
			acked = n
		}
	}
	if failure != nil {
		told := (*event.Error)(nil)
		if !errors.As(failure, &told) || told.Code != "journal" || told.Class != event.System || !strings.Contains(told.Message, dir) ||
			code == sqlite3.SQLITE_FULL && !strings.Contains(told.Message, "The disk is full") {
			t.Errorf("not clear: %v", failure)
		}
		if err := append1(w, step("r", acked+1)); err == nil {
			t.Error("a poisoned run went on")
		}
		select {
		case <-w.Lost():
		case <-time.After(10 * time.Second):
			t.Error("a poisoned writer does not say so")
		}
	}
	well()
	// The other run, which had nothing in that batch, goes on in the same journal.
	must(t, append1(other, step("other", 2)))
	if failure != nil {
		// The poisoned one was given back, and can be taken again.
		w, r, err := j.Take(ctx, "r")
		if err != nil {
			t.Fatalf("after the failure: %v", err)
		}
		acked = int(r.Records)
		must(t, append1(w, step("r", acked+1)))
		acked++
	}
	if err := j.Close(ctx); err != nil {
		t.Errorf("closing: %v", err)
	}
	secondBuild(t, dir)
	j = open(t, dir, Options{})
	for id, least := range map[string]int{"r": acked, "other": 2} {
		list, err := j.Records(ctx, id, 0, 0)
		must(t, err)
		if len(list) < least {
			t.Fatalf("%s has %d records, %d were acknowledged", id, len(list), least)
		}
		sameRecords(t, id, list, 1, len(list))
	}
}

// TestFailureDuringClose: the last writes fail, and it is said.
func TestFailureDuringClose(t *testing.T) {
	must(t, faulty())
	dir := t.TempDir()
	j, err := Open(t.Context(), dir, Options{vfs: faultyVFS})
	must(t, err)
	w := begin(t, j, "r")
	well := failing(sqlite3.SQLITE_FULL, func(op string, _ int32) bool { return op == "write" })
	defer well()
	failed := make(chan error, 1)
	w.Append(step("r", 1), func(err error) { failed <- err })
	j.SaveBreaker(Breaker{Root: "w", Key: "k", State: []byte("open")})
	if err := j.Close(context.Background()); err == nil {
		t.Error("closed as if everything had been written")
	}
	if err := <-failed; err == nil {
		t.Error("acknowledged what was not written")
	}
	well()
	j = open(t, dir, Options{})
	if r, err := j.Run(t.Context(), "r"); err != nil || r.Alive || r.Records != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestBreakersWaitForTheDisk: what nobody waits for is written when it can be.
func TestBreakersWaitForTheDisk(t *testing.T) {
	must(t, faulty())
	j := open(t, t.TempDir(), Options{vfs: faultyVFS, Lease: 100 * time.Millisecond})
	var tries atomic.Int64
	tried := make(chan struct{}, 1000)
	well := failing(sqlite3.SQLITE_FULL, func(op string, _ int32) bool {
		if op == "write" {
			tries.Add(1)
			select {
			case tried <- struct{}{}:
			default:
			}
			return true
		}
		return false
	})
	defer well()
	j.SaveBreaker(Breaker{Root: "w", Key: "k", State: []byte("open")})
	j.SaveReport("w", &event.Report{OverallHealthy: true})
	<-tried
	<-tried
	well()
	must(t, j.Flush(t.Context()))
	list, err := j.Breakers(t.Context(), "")
	must(t, err)
	reports, err := j.Reports(t.Context(), "w", 0)
	must(t, err)
	if len(list) != 1 || len(reports) != 1 {
		t.Errorf("%d breakers, %d reports", len(list), len(reports))
	}
}

// TestOneBadRecord harms its own run alone.
func TestOneBadRecord(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	good, bad := begin(t, j, "good"), begin(t, j, "bad")
	if err := append1(bad, Record{Output: make([]byte, tooLarge+1)}); err == nil || !strings.Contains(err.Error(), "more than a journal takes") {
		t.Errorf("%v", err)
	}
	if err := append1(bad, step("bad", 1)); err == nil {
		t.Error("a hole in the history")
	}
	for n := range 3 {
		must(t, append1(good, step("good", n+1)))
	}
	if err := wait(func(done func(error)) { good.End(End{Status: event.Succeeded}, done) }); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(good.Err()) != "<nil>" {
		t.Error(good.Err())
	}
}
