//go:build unix

package torture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"wasmhost/host/event"
)

// fate is how a process is to die.
type fate struct {
	point string // it kills itself at the n-th passing of a point
	n     int
	call  int // or the server does at a call: 0 does not
	after bool
	// asleep: the call stops it, and does not kill it.
	asleep chan<- *os.Process
	time   time.Duration // or the clock, from its start or from when it is ready
	ready  bool
	// alone: it has a view of the file systems of its own.
	alone bool
}

// points are those around a write, and events (with a colon) as they are told.
var points = []string{"append", "begin", "insert", "commit", "committed", "told",
	":node.started", ":node.succeeded", ":node.attempt_failed", ":node.retrying", ":fallback.used", ":node.waiting", ":run.resumed", ":run.finished"}

// chance draws a fate for a process that has some jobs.
func chance(random *rand.Rand, jobs int) fate {
	switch random.IntN(10) {
	case 0:
		return fate{time: time.Duration(random.IntN(60_000)) * time.Microsecond}
	case 1, 2:
		return fate{time: time.Duration(random.IntN(25_000*jobs)) * time.Microsecond, ready: true}
	case 3, 4:
		return fate{call: 1 + random.IntN(3*jobs), after: random.IntN(2) == 0}
	default:
		f := fate{point: points[random.IntN(len(points))]}
		switch {
		case f.point == "append":
			f.n = 1 + random.IntN(12*jobs)
		case f.point[0] != ':':
			f.n = 1 + random.IntN(8*jobs)
		case f.point == ":node.started" || f.point == ":node.succeeded":
			f.n = 1 + random.IntN(2*jobs)
		default:
			f.n = 1
		}
		return f
	}
}

func (f fate) String() string {
	switch {
	case f.point != "":
		return f.point
	case f.after:
		return "answered call"
	case f.call > 0:
		return "call in flight"
	case f.ready:
		return "any time at work"
	case f.time > 0:
		return "any time from the start"
	}
	return "not at all"
}

// life is a process that drove jobs, and what it told before it ended.
type life struct {
	number int
	fate   fate
	killed bool
	began  map[string]bool            // runs that it acknowledged
	ended  map[string]string          // runs of which it told the status last
	done   map[string]map[string]bool // nodes of which it told that they succeeded
	after  *snapshot                  // what it left behind

	results map[string]*event.Result // of the runs that it brought to their end
}

// live runs a process until it has done its jobs or died.
func (l *lane) live(p part, f fate) (*life, error) {
	v := &life{fate: f, began: map[string]bool{}, ended: map[string]string{}, done: map[string]map[string]bool{}, results: map[string]*event.Result{}}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	if f.alone {
		ownMounts(cmd)
	}
	started := make(chan struct{}) // the child may call the server before Start returns
	kill := func() {
		<-started
		if f.asleep == nil {
			_ = cmd.Process.Kill()
			return
		}
		l.stop(cmd.Process, p.State)
		f.asleep <- cmd.Process
	}
	v.number = l.server.life(f.call, f.after, kill)
	p.URL, p.Point, p.N = l.server.url(v.number), f.point, int64(f.n)
	text, err := json.Marshal(&p)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), partEnv+"="+string(text))
	var errout bytes.Buffer
	cmd.Stderr = &errout
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	err = cmd.Start()
	close(started)
	if err != nil {
		return nil, err
	}
	hung := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Signal(syscall.SIGABRT) })
	defer hung.Stop()
	if f.time > 0 && !f.ready {
		defer time.AfterFunc(f.time, kill).Stop()
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "ready":
			if f.time > 0 && f.ready {
				defer time.AfterFunc(f.time, kill).Stop()
			}
		case "S":
			v.began[words[1]] = true
		case "N":
			if v.done[words[1]] == nil {
				v.done[words[1]] = map[string]bool{}
			}
			v.done[words[1]][words[2]] = true
		case "R":
			var r event.Result
			if err := json.Unmarshal([]byte(strings.SplitN(lines.Text(), " ", 3)[2]), &r); err != nil {
				return v, err
			}
			v.results[words[1]] = &r
		case "E":
			v.ended[words[1]] = words[2]
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		v.killed, err = true, nil
	}
	if err != nil {
		err = fmt.Errorf("the process failed: %w: %s", err, errout.String())
	}
	return v, err
}

// stop stops a process. One that is in the middle of a transaction holds the
// lock of the database, and nobody gets through until it is awake: it goes on a
// little further.
func (l *lane) stop(p *os.Process, state string) {
	for {
		_ = p.Signal(syscall.SIGSTOP)
		// It takes effect when one of its threads is next scheduled, not before.
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil)
		if l.oracle.free(state) {
			return
		}
		_ = p.Signal(syscall.SIGCONT)
		time.Sleep(time.Millisecond)
	}
}
