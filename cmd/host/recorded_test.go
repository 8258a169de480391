package main

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"wasmhost/host/event"
)

// These tests kill real processes at work and go on with their runs in others.
// What a plugin did is counted by the service that it asked.

const steps = `version = 1
name    = "steps"
[plugins.http]
source = "builtin:http"
allow  = { http = [{ env = "SERVICE" }] }
[nodes.first]
plugin = "http"
with   = "{{ input }}/first"
[nodes.each]
plugin       = "http"
needs        = ["first"]
for_each     = "{{ [input + '/each/0', input + '/each/1', input + '/each/2'] }}"
max_parallel = 1
[nodes.last]
plugin = "http"
needs  = ["each"]
with   = "{{ input }}/last"
[output]
value = "{{ nodes.last.output.body }}"
`

// A run that was killed goes on where its records end: what had ended is not
// done again, the call that was in flight is.
func TestKilledAndResumed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, durable := range []string{"normal", "full"} {
		t.Run(durable, func(t *testing.T) {
			s := newService(t, "/each/1")
			d := newDesk(t, s, steps)
			p := d.start("run", d.file, "--run-id", "job-number-1", "--input", s.url, "--durable", durable)
			s.wait(t, "/each/1")
			d.kill(p)

			all := d.runs()
			if len(all) != 1 || all[0].Status != event.Running || all[0].Alive {
				t.Fatalf("the journal shows %+v, want one interrupted run", all)
			}
			listed := d.host(0, "runs", "list", "--status", "interrupted")
			if !strings.Contains(listed.out, "job-number-1  steps     interrupted") {
				t.Errorf("the list does not show it as interrupted:\n%s", listed.out)
			}
			listed.says(t, "runs: 1 interrupted")
			if out := d.host(0, "runs", "why", "job-number-1"); !strings.Contains(out.errout, "host runs resume job-number-1") {
				t.Errorf("why does not say what to do:\n%s%s", out.out, out.errout)
			}
			d.host(exitWaiting, "runs", "watch", "job-number-1").says(t, "first: succeeded", "nobody works on it any more", "next: host runs resume job-number-1")

			s.release()
			resumed := d.host(0, "runs", "resume", "job-nu", "-o", "json")
			resumed.says(t, "run job-number-1 goes on with 1 of 3 nodes done")
			if r := d.result(resumed); r.Status != event.Succeeded || r.RunID != "job-number-1" || r.Output.String() != "/last" || r.Nodes["first"].Attempts != 1 {
				t.Errorf("the run ended as %+v", r)
			}
			want := map[string]int{"/first": 1, "/each/0": 1, "/each/1": 2, "/each/2": 1, "/last": 1}
			s.counts(t, want)

			again := d.host(0, "run", d.file, "--run-id", "job-number-1", "--input", s.url)
			again.says(t, "job-number-1 ended", "nothing is run again")
			if again.out != "/last\n" {
				t.Errorf("the recorded run gives %q", again.out)
			}
			s.counts(t, want)
		})
	}
}

// The run id is an idempotency key over processes: the second start goes on with
// what the first left behind.
func TestKilledAndStartedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s, d, p := atWork(t, steps, "/last")
	d.kill(p)
	s.release()
	d.host(exitUsage, "run", d.file, "--run-id", "job", "--input", s.url+"/x").says(t, "run_conflict")
	again := d.host(0, "run", d.file, "--run-id", "job", "--input", s.url)
	again.says(t, "run job was interrupted", "goes on with 2 of 3 nodes done")
	if again.out != "/last\n" {
		t.Errorf("the run gives %q", again.out)
	}
	s.counts(t, map[string]int{"/first": 1, "/each/0": 1, "/each/1": 1, "/each/2": 1, "/last": 2})
}

const payment = `version = 1
name    = "payment"
[plugins.http]
source = "builtin:http"
allow  = { http = [{ env = "SERVICE" }] }
[nodes.first]
plugin = "http"
with   = "{{ input }}/first"
[nodes.pay]
plugin     = "http"
needs      = ["first"]
idempotent = false
with       = { method = "POST", url = "{{ input }}/pay" }
[nodes.last]
plugin = "http"
needs  = ["pay"]
with   = "{{ input }}/last"
[output]
value = "{{ nodes.pay.output }}"
`

// A call that must not be repeated is not, after a crash in the middle of it:
// a person decides.
func TestKilledInACallThatMustNotBeRepeated(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, tt := range []struct {
		name   string
		decide []string
		exit   int
		pays   int
		last   int
		out    string
	}{
		{"taken as done", []string{"runs", "approve", "job", "--node", "pay", "--answer", `{"paid":true}`}, 0, 1, 1, `"paid": true`},
		{"called again", []string{"runs", "retry", "job", "--from", "pay"}, 0, 2, 1, `"body": "/pay"`},
		{"given up", []string{"runs", "approve", "job", "--node", "pay", "--reject"}, exitFailed, 1, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, d, p := atWork(t, payment, "/pay")
			d.kill(p)
			s.release()
			waits := d.host(exitWaiting, "runs", "resume", "job")
			waits.says(t, "run job waits, and is kept", "pay: ", "host runs retry job --from pay", "host runs approve job --node pay")
			s.counts(t, map[string]int{"/first": 1, "/pay": 1})
			if all := d.runs(); len(all) != 1 || all[0].Status != event.Waiting {
				t.Errorf("the journal shows %+v, want a waiting run", all)
			}
			d.host(exitWaiting, "run", d.file, "--run-id", "job", "--input", s.url)
			decided := d.host(tt.exit, tt.decide...)
			if !strings.Contains(decided.out, tt.out) {
				t.Errorf("the run gives %s, want %s", decided.out, tt.out)
			}
			want := map[string]int{"/first": 1, "/pay": tt.pays}
			if tt.last > 0 {
				want["/last"] = tt.last
			}
			s.counts(t, want)
			if tt.exit != 0 {
				decided.says(t, "outcome_unknown")
			}
		})
	}
}

const late = `version = 1
name    = "late"
[nodes.go]
approval = "Pay this?"
deadline = "1ms"
`

// Advice for an approval that nobody gave in time is not that for a slow call.
func TestNobodyAnswersInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	d := newDesk(t, newService(t), late)
	// The deadline may pass before the run waits, or after.
	if e := d.end(d.start("run", d.file, "--run-id", "job")); e.exit != exitWaiting && e.exit != exitFailed {
		t.Fatalf("exit code %d\n%s", e.exit, e.errout)
	}
	e := d.host(exitFailed, "runs", "resume", "job")
	e.says(t, `node "go": nobody has approved within the deadline`, "next: host runs retry job asks again; a longer deadline of the node")
	if strings.Contains(e.errout, "max_retries") {
		t.Errorf("the advice is for calls: %s", e.errout)
	}
}

// The first ctrl-C keeps the run.
func TestInterruptedAndResumed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s, d, p := atWork(t, steps, "/last")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	e := d.end(p)
	if e.exit != exitInterrupted {
		t.Errorf("exit code %d, want %d", e.exit, exitInterrupted)
	}
	e.says(t, "run job was interrupted; the run is kept", "next: host runs resume job")
	s.release()
	if resumed := d.host(0, "runs", "resume", "job"); resumed.out != "/last\n" {
		t.Errorf("the run gives %q", resumed.out)
	}
	s.counts(t, map[string]int{"/first": 1, "/each/0": 1, "/each/1": 1, "/each/2": 1, "/last": 2})
}

// A run that nobody works on can be ended, and what it did stays known.
func TestKilledAndCancelled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s, d, p := atWork(t, steps, "/last")
	d.kill(p)
	if shown := d.host(0, "runs", "show", "job"); !strings.Contains(shown.out, "status    interrupted") || !strings.Contains(squeezed(shown.out), " first succeeded") {
		t.Errorf("the interrupted run is shown as\n%s", shown.out)
	}
	d.host(exitUsage, "runs", "approve", "job").says(t, "run_interrupted")
	d.host(0, "runs", "cancel", "job", "--reason", "not needed")
	shown := d.host(0, "runs", "show", "job")
	for _, want := range []string{"status cancelled", "not needed", " first succeeded", " last cancelled"} {
		if !strings.Contains(squeezed(shown.out), want) {
			t.Errorf("the cancelled run is not shown with %q:\n%s", want, shown.out)
		}
	}
	s.counts(t, map[string]int{"/first": 1, "/each/0": 1, "/each/1": 1, "/each/2": 1, "/last": 1})
	d.host(0, "runs", "delete", "job")
	if all := d.runs(); len(all) != 0 {
		t.Errorf("deleted, the run is still there: %+v", all)
	}
}

// Other processes see a run, follow it and end it, while one works on it.
func TestRunOfAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s := newService(t, "/last")
	d := newDesk(t, s, steps)
	args := []string{"run", d.file, "--run-id", "job", "--input", s.url}
	p := d.start(args...)
	s.wait(t, "/last")
	if all := d.runs(); len(all) != 1 || !all[0].Alive || all[0].Status != event.Running {
		t.Fatalf("the journal shows %+v, want a run that is alive", all)
	}
	d.host(exitUsage, "runs", "delete", "job").says(t, "run_alive")
	d.host(exitUsage, "runs", "retry", "job").says(t, "run_alive")
	why := d.host(0, "runs", "why", "job")
	if !strings.Contains(why.out, "last") {
		t.Errorf("why does not name the node that is under way: %s", why.out)
	}
	followers := []*started{d.start(args...), d.start("runs", "watch", "job"), d.start("runs", "resume", "job"), d.start("runs", "logs", "job", "--follow")}
	// Somebody who stops watching stops nothing else.
	watcher := d.start("runs", "watch", "job", "-o", "jsonl")
	s.release()
	for _, f := range append(followers[:3:3], p) {
		if e := d.end(f); e.exit != 0 || e.out != "/last\n" {
			t.Errorf("%v: exit code %d, output %q\n%s", f.cmd.Args, e.exit, e.out, e.errout)
		}
	}
	if e := d.end(followers[3]); e.exit != 0 {
		t.Errorf("logs --follow: exit code %d\n%s", e.exit, e.errout)
	}
	lines := strings.Split(strings.TrimSpace(d.end(watcher).out), "\n")
	if !strings.Contains(lines[0], `"run.started"`) || !strings.Contains(lines[len(lines)-1], `"status":"succeeded"`) || len(lines) < 8 {
		t.Errorf("the watcher saw\n%s", strings.Join(lines, "\n"))
	}
	s.counts(t, map[string]int{"/first": 1, "/each/0": 1, "/each/1": 1, "/each/2": 1, "/last": 1})
}

// Who follows a run whose process dies is told that it is kept, and what to do.
func TestKilledWhileFollowed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, by := range []string{"run", "watch"} {
		t.Run(by, func(t *testing.T) {
			_, d, p := atWork(t, steps, "/last")
			args := map[string][]string{"run": {"run", d.file, "--run-id", "job", "--input", p.cmd.Args[len(p.cmd.Args)-1]}, "watch": {"runs", "watch", "job"}}[by]
			follower, said := d.follow("first: succeeded", args...)
			d.kill(p)
			rest, _ := io.ReadAll(said)
			_ = follower.Wait()
			if got := follower.ProcessState.ExitCode(); got != exitWaiting {
				t.Errorf("the follower ended with %d, want %d", got, exitWaiting)
			}
			if want := "run job was interrupted: nobody works on it any more; the run is kept\n  next: host runs resume job\n"; !strings.HasSuffix(string(rest), want) {
				t.Errorf("the follower ends with %q", rest)
			}
		})
	}
}

// A ctrl-C of who follows ends the following only.
func TestInterruptedFollower(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s, d, p := atWork(t, steps, "/last")
	watcher, said := d.follow("first: succeeded", "runs", "watch", "job")
	if err := watcher.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(said)
	_ = watcher.Wait()
	if watcher.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(string(rest), "goes on") {
		t.Errorf("the watcher ended with %d: %s", watcher.ProcessState.ExitCode(), rest)
	}
	s.release()
	if e := d.end(p); e.exit != 0 {
		t.Errorf("the run ended with %d\n%s", e.exit, e.errout)
	}
}

func TestCancelledByAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s, d, p := atWork(t, steps, "/last")
	d.host(0, "runs", "cancel", "job", "--reason", "wrong input").says(t, "run job of steps is cancelled")
	e := d.end(p)
	if e.exit != exitCancelled {
		t.Errorf("exit code %d, want %d\n%s", e.exit, exitCancelled, e.errout)
	}
	if shown := d.host(0, "runs", "show", "job"); !strings.Contains(shown.out, "cancelled") || !strings.Contains(shown.out, "wrong input") {
		t.Errorf("the run is shown as\n%s", shown.out)
	}
	d.host(exitUsage, "runs", "cancel", "job").says(t, "run_ended")
	// What was cut off can be done later.
	s.release()
	if retried := d.host(0, "runs", "retry", "job"); retried.out != "/last\n" {
		t.Errorf("the retry gives %q", retried.out)
	}
	s.counts(t, map[string]int{"/first": 1, "/each/0": 1, "/each/1": 1, "/each/2": 1, "/last": 2})
}
