package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host/event"
)

func init() {
	parts["hold"] = holdRun
	parts["serve"] = func(dir string) error {
		j, err := Open(context.Background(), dir, Options{Role: "serve"})
		if err != nil {
			return err
		}
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return j.Close(context.Background())
	}
	parts["crowd"] = crowd
}

// holdRun begins a run and does what commands say until it is told to end.
func holdRun(dir string) error {
	ctx := context.Background()
	commands := make(chan Command, 10)
	j, err := Open(ctx, dir, Options{Role: "run", OnCommand: func(c Command) { commands <- c }})
	if err != nil {
		return err
	}
	w, err := j.Begin(ctx, NewRun{ID: "held", Workflow: "flow"})
	if err != nil {
		return err
	}
	w.Append(step("held", 1), func(error) { fmt.Println("ready") })
	for c := range commands {
		if err := j.Done(ctx, c.ID, c.Kind+"led by "+c.By); err != nil {
			return err
		}
		if c.Kind == "cancel" {
			w.End(End{Status: event.Cancelled}, nil)
			return j.Close(ctx)
		}
	}
	return nil
}

// start starts a part and waits until it is ready.
func start(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	cmd := play(part, dir)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%s says %q, %v", part, line, err)
	}
	return cmd
}

func TestCommandToAnotherProcess(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	cmd := start(t, "hold", dir)
	j := open(t, dir, Options{})
	r, err := j.Run(ctx, "held")
	must(t, err)
	if want := fmt.Sprintf("host run, pid %d", cmd.Process.Pid); !r.Alive || r.Owner != want {
		t.Errorf("alive %v, owner %q, want %q", r.Alive, r.Owner, want)
	}
	if _, _, err := j.Take(ctx, "held"); !errors.As(err, new(*AliveError)) || !strings.Contains(err.Error(), "pid") {
		t.Errorf("taken from the living: %v", err)
	}
	if _, err := j.Send(ctx, Command{Run: "other", Kind: "cancel"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("sent to nobody: %v", err)
	}
	begun := time.Now()
	id, err := j.Send(ctx, Command{Run: "held", Kind: "cancel", By: "me", Data: []byte("{}")})
	must(t, err)
	for {
		answer, taken, err := j.Answer(ctx, id)
		must(t, err)
		if taken {
			if answer != "cancelled by me" {
				t.Errorf("answer %q", answer)
			}
			break
		}
		if time.Since(begun) > 10*time.Second { // a second on a quiet machine
			t.Fatal("nobody takes the command")
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("taken after %v", time.Since(begun))
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if r, err := j.Run(ctx, "held"); err != nil || r.Status != event.Cancelled || r.Alive {
		t.Errorf("%+v %v", r, err)
	}
	if _, _, err := j.Answer(ctx, 4711); !errors.Is(err, ErrNoCommand) {
		t.Errorf("%v", err)
	}
	if err := j.Done(ctx, 4711, ""); !errors.Is(err, ErrNoCommand) {
		t.Errorf("%v", err)
	}
}

func TestRunOfTheDeadIsFreeAtOnce(t *testing.T) {
	dir := t.TempDir()
	cmd := start(t, "hold", dir)
	j := open(t, dir, Options{Lease: time.Hour})
	if _, _, err := j.Take(t.Context(), "held"); !errors.As(err, new(*AliveError)) {
		t.Fatalf("%v", err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	w, r, err := j.Take(t.Context(), "held")
	must(t, err)
	if r.Status != event.Running || r.Alive || r.Records != 1 {
		t.Errorf("%+v", r)
	}
	must(t, append1(w, step("held", 2)))
}

func TestOnlyOneServes(t *testing.T) {
	dir := t.TempDir()
	cmd := start(t, "serve", dir)
	_, err := Open(t.Context(), dir, Options{Role: "serve"})
	if !errors.Is(err, ErrServed) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", cmd.Process.Pid)) {
		t.Errorf("%v", err)
	}
	j := open(t, dir, Options{Role: "run"})
	shut(t, j)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	j = open(t, dir, Options{Role: "serve"})
	if _, err := Open(t.Context(), dir, Options{Role: "serve"}); !errors.Is(err, ErrServed) {
		t.Errorf("a second one in this process: %v", err)
	}
	shut(t, j)
	open(t, dir, Options{Role: "serve"})
}

// TestServing: who serves is known while it lives, and no longer.
func TestServing(t *testing.T) {
	dir := t.TempDir()
	is := func(when string, want int) {
		t.Helper()
		if pid, ok := Serving(dir); pid != want && ok || ok != (want != 0) {
			t.Errorf("%s: %d, %v", when, pid, ok)
		}
	}
	is("nothing is there", 0)
	run := open(t, dir, Options{})
	is("a run goes on", 0)
	cmd := start(t, "serve", dir)
	is("it serves", cmd.Process.Pid)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	is("it was killed", 0)
	j := open(t, dir, Options{Role: "serve"})
	is("another one serves", os.Getpid())
	shut(t, j)
	is("it has ended", 0)
	shut(t, run)
}

// TestLookingIsInNobodysWay: a server begins at once, however many look whether
// there is one.
func TestLookingIsInNobodysWay(t *testing.T) {
	dir := t.TempDir()
	shut(t, open(t, dir, Options{Role: "serve"}))
	stop := make(chan struct{})
	var looking sync.WaitGroup
	defer looking.Wait()
	defer close(stop)
	for range 4 {
		looking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					Serving(dir)
				}
			}
		})
	}
	o, err := newOwner(dir)
	must(t, err)
	defer o.release()
	for n := range 2000 {
		f, err := serve(dir, o)
		if err != nil {
			t.Fatalf("after %d times: %v", n, err)
		}
		must(t, f.Close())
	}
}

// later is a clock that is ahead.
func later(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }

func TestLostRunIsFenced(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	a := open(t, dir, Options{})
	w := begin(t, a, "r")
	must(t, append1(w, step("r", 1)))
	b := open(t, dir, Options{Now: later(time.Minute)}) // to whom a gave no sign for a minute
	v, r, err := b.Take(ctx, "r")
	must(t, err)
	if r.Alive || r.Records != 1 {
		t.Errorf("%+v", r)
	}
	must(t, append1(v, step("r", 2)))
	<-w.Lost() // although w writes nothing
	if err := append1(w, step("r", 2)); !errors.Is(err, ErrLost) || !errors.Is(w.Err(), ErrLost) {
		t.Errorf("two write one run: %v", err)
	}
	for _, last := range []func(func(error)){w.Leave, func(done func(error)) { w.End(End{Status: event.Failed}, done) }} {
		if err := wait(last); err == nil {
			t.Error("the lost gave back what is not theirs")
		}
	}
	must(t, append1(v, step("r", 3)))
	list, err := b.Records(ctx, "r", 0, 0)
	must(t, err)
	sameRecords(t, "r", list, 1, 3)
}

// TestLostBetweenBatches: the fence stands in the transaction, not in the look
// before it.
func TestLostBetweenBatches(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	a := open(t, dir, Options{Poll: time.Hour})
	w := begin(t, a, "r")
	b := open(t, dir, Options{Now: later(time.Minute), Poll: time.Hour})
	_, _, err := b.Take(ctx, "r")
	must(t, err)
	if err := append1(w, step("r", 1)); !errors.Is(err, ErrLost) {
		t.Errorf("two write one run: %v", err)
	}
}

// TestLostAndTakenBack: the end of a writer that lost its run leaves the later one
// of the same process alone.
func TestLostAndTakenBack(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	told := make(chan Command, 1)
	a := open(t, dir, Options{Poll: time.Hour, OnCommand: func(c Command) { told <- c }})
	w := begin(t, a, "r")
	b := open(t, dir, Options{Now: later(time.Minute), Poll: time.Hour})
	v, _, err := b.Take(ctx, "r")
	must(t, err)
	must(t, wait(v.Leave))
	again, _, err := a.Take(ctx, "r")
	must(t, err)
	if err := append1(w, step("r", 1)); !errors.Is(err, ErrLost) {
		t.Errorf("the first writer: %v", err)
	}
	must(t, append1(again, step("r", 1)))
	_, err = a.Send(ctx, Command{Run: "r", Kind: "cancel"})
	must(t, err)
	if c := <-told; c.Kind != "cancel" {
		t.Errorf("%+v", c)
	}
}

func TestHeartbeat(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, Options{Lease: 50 * time.Millisecond})
	begin(t, a, "r")
	b := open(t, dir, Options{})
	// Long after the lease of an owner that does nothing, its run is still its.
	beat := func() (n int64) {
		must(t, b.read(t.Context(), func(c *conn) (err error) {
			n, err = c.one("SELECT beat FROM owners WHERE id = ?", a.owner.id)
			return err
		}))
		return n
	}
	for first, begun := beat(), time.Now(); beat() < first+int64(200*time.Millisecond); {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("no heartbeat")
		}
		time.Sleep(time.Millisecond)
	}
	if r, err := b.Run(t.Context(), "r"); err != nil || !r.Alive {
		t.Errorf("%+v %v", r, err)
	}
}

func TestCommands(t *testing.T) {
	ctx := t.Context()
	told := make(chan Command, 10)
	j := open(t, t.TempDir(), Options{OnCommand: func(c Command) { told <- c }, Poll: time.Hour})
	w := begin(t, j, "r")
	var ids []int64
	for _, kind := range []string{"approve", "cancel"} {
		id, err := j.Send(ctx, Command{Run: "r", Kind: kind, By: "me", Data: []byte(kind)})
		must(t, err)
		ids = append(ids, id)
	}
	for i, kind := range []string{"approve", "cancel"} {
		c := <-told
		if c.ID != ids[i] || c.Run != "r" || c.Kind != kind || string(c.Data) != kind || c.By != "me" || c.At.IsZero() {
			t.Errorf("told %+v", c)
		}
	}
	must(t, j.Done(ctx, ids[0], "fine"))
	// Who takes the run next is told what nobody has taken.
	must(t, wait(w.Leave))
	_, _, err := j.Take(ctx, "r")
	must(t, err)
	if c := <-told; c.ID != ids[1] {
		t.Errorf("told %+v", c)
	}
	if answer, taken, err := j.Answer(ctx, ids[0]); answer != "fine" || !taken || err != nil {
		t.Errorf("%q %v %v", answer, taken, err)
	}
	if _, taken, err := j.Answer(ctx, ids[1]); taken || err != nil {
		t.Errorf("%v %v", taken, err)
	}
}

func TestBreakers(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	told := make(chan Breaker, 10)
	a := open(t, dir, Options{OnBreaker: func(b Breaker) { told <- b }, Poll: time.Millisecond})
	b := open(t, dir, Options{})
	a.SaveBreaker(Breaker{Root: "w", Key: "own", State: []byte("open"), By: "a"})
	must(t, a.Flush(ctx))
	at := time.Unix(1, 0).UTC()
	for _, state := range []string{"open", "closed"} { // only the last one counts
		b.SaveBreaker(Breaker{Root: "w", Key: "k", State: []byte(state), By: "b", At: at})
	}
	must(t, b.Flush(ctx))
	if got := <-told; got.Key != "k" || string(got.State) != "closed" || got.By != "b" || !got.At.Equal(at) {
		t.Errorf("told %+v", got)
	}
	list, err := b.Breakers(ctx, "w")
	must(t, err)
	if len(list) != 2 || list[0].Key != "k" || list[1].Key != "own" || list[0].Version <= list[1].Version {
		t.Errorf("%+v", list)
	}
	if list, err := b.Breakers(ctx, "other"); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	// A journal that opens later knows them, and is not told.
	c := open(t, dir, Options{OnBreaker: func(b Breaker) { t.Errorf("told %+v", b) }, Poll: time.Millisecond})
	if list, err := c.Breakers(ctx, ""); err != nil || len(list) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestReports(t *testing.T) {
	ctx := t.Context()
	j := open(t, t.TempDir(), Options{})
	for n := range 150 {
		j.SaveReport("w", &event.Report{OverallHealthy: true, Timestamp: time.Unix(int64(n), 0).UTC()})
		j.SaveReport("v", &event.Report{})
		if n%40 == 0 {
			must(t, j.Flush(ctx))
		}
	}
	must(t, j.Flush(ctx))
	list, err := j.Reports(ctx, "w", 0)
	must(t, err)
	if len(list) != 100 || list[0].Timestamp.Unix() != 50 || list[99].Timestamp.Unix() != 149 {
		t.Errorf("%d reports", len(list))
	}
	if list, err = j.Reports(ctx, "w", 3); err != nil || len(list) != 3 || list[0].Timestamp.Unix() != 147 {
		t.Errorf("%d reports %v", len(list), err)
	}
}

// crowd begins runs and writes as fast as it can.
func crowd(dir string) error {
	ctx := context.Background()
	j, err := Open(ctx, dir, Options{Durability: Normal})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for i := range 4 {
		wg.Go(func() {
			id := fmt.Sprintf("%d.%d", os.Getpid(), i)
			w, err := j.Begin(ctx, NewRun{ID: id, Workflow: "crowd"})
			for n := 1; n <= 100 && err == nil; n++ {
				err = append1(w, step(id, n))
			}
			if err == nil {
				err = wait(func(done func(error)) { w.End(End{Status: event.Succeeded}, done) })
			}
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return j.Close(ctx)
}

// TestManyProcesses open, write and close one journal at the same time; nobody
// sees that it is busy.
func TestManyProcesses(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if out, err := play("crowd", dir).Output(); err != nil {
				t.Errorf("%v %s", err, out)
			}
		})
	}
	wg.Wait()
	j := open(t, dir, Options{})
	runs, err := j.Runs(ctx, Filter{Workflow: "crowd"})
	must(t, err)
	if len(runs) != 24 {
		t.Errorf("%d runs", len(runs))
	}
	for _, r := range runs {
		list, err := j.Records(ctx, r.ID, 0, 0)
		must(t, err)
		sameRecords(t, r.ID, list, 1, 100)
		if r.Status != event.Succeeded || r.Alive {
			t.Errorf("%+v", r)
		}
	}
	shut(t, j)
	secondBuild(t, dir)
}

// TestLostWithMuchToWrite: everything that a process had in its queue when its
// run was taken away is refused, not only the first of it.
func TestLostWithMuchToWrite(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	var a *Journal
	var holding atomic.Bool
	held, wake := make(chan struct{}), make(chan struct{})
	a = open(t, dir, Options{Point: func(name string) {
		if name == "begin" && holding.CompareAndSwap(true, false) {
			close(held)
			<-wake
		}
	}})
	w := begin(t, a, "r")
	must(t, append1(w, step("r", 1)))
	holding.Store(true)
	flushed := make(chan error, 1)
	go func() { flushed <- a.Flush(ctx) }()
	<-held // the committer stands; what comes now is one batch
	errs := make(chan error, 3)
	for n := 2; n < 5; n++ {
		w.Append(step("r", n), func(err error) { errs <- err })
	}
	b := open(t, dir, Options{Now: func() time.Time { return time.Now().Add(time.Minute) }})
	taken, _, err := b.Take(ctx, "r")
	must(t, err)
	close(wake)
	must(t, <-flushed)
	for range 3 {
		if err := <-errs; !errors.Is(err, ErrLost) {
			t.Errorf("a run that another process owns could be written: %v", err)
		}
	}
	must(t, append1(taken, step("r", 2)))
	list, err := b.Records(ctx, "r", 0, 0)
	must(t, err)
	sameRecords(t, "r", list, 1, 2)
}
