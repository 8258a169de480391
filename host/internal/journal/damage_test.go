package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
)

// scene is a journal as it lies on the disk, and everything that it must answer.
type scene struct {
	files map[string][]byte
	truth map[string]string // by question
}

// scenes are a journal that was closed well, all in the database, and one whose
// process has died, all in the WAL.
var scenes = sync.OnceValues(func() (map[string]*scene, error) {
	all := map[string]*scene{}
	for _, name := range []string{"closed", "crashed"} {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if all[name], err = makeScene(dir, name == "crashed"); err != nil {
			return nil, err
		}
	}
	return all, nil
})

const sceneRuns = 40

func makeScene(dir string, crash bool) (*scene, error) {
	ctx, background := testContext()
	defer background()
	j, err := Open(ctx, dir, Options{Durability: Normal})
	if err != nil {
		return nil, err
	}
	for i := range sceneRuns {
		id := fmt.Sprintf("run%03d", i)
		w, err := j.Begin(ctx, NewRun{ID: id, Workflow: fmt.Sprint("flow", i%3), Input: event.Text(strings.Repeat(id, i*50))})
		if err != nil {
			return nil, err
		}
		for n := 1; n <= 3+i%9; n++ {
			w.Append(step(id, n), nil)
		}
		if i%4 == 3 {
			w.Leave(nil)
			continue
		}
		w.End(End{Status: event.Succeeded, Result: []byte(`"` + strings.Repeat("r", i*200) + `"`), Plugins: map[string]string{"p": id}}, nil)
	}
	for i := range 10 {
		j.SaveBreaker(Breaker{Root: "flow0", Key: fmt.Sprint("key", i), State: []byte(strings.Repeat("s", 10*i+1)), At: time.Unix(int64(i+1), 0)})
		j.SaveReport("flow1", &event.Report{OverallHealthy: i%2 == 0, Checks: map[string]event.Check{strings.Repeat("c", 30): {}}})
	}
	if err := j.Flush(ctx); err != nil {
		return nil, err
	}
	s := &scene{files: map[string][]byte{}, truth: map[string]string{}}
	s.ask(j, func(question, answer string, err error) {
		if err != nil {
			panic(err)
		}
		s.truth[question] = answer
	})
	copyFiles := func() {
		for _, name := range []string{fileName, fileName + "-wal", markName} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				s.files[name] = b
			}
		}
	}
	if crash {
		copyFiles()
		return s, j.Close(ctx)
	}
	if err := j.Close(ctx); err != nil {
		return nil, err
	}
	copyFiles()
	return s, nil
}

// ask asks everything that can be asked.
func (s *scene) ask(j *Journal, got func(question, answer string, err error)) {
	ctx, background := testContext()
	defer background()
	say := func(question string, v any, err error) {
		text, _ := json.Marshal(v)
		got(question, string(text), err)
	}
	for i := range sceneRuns {
		id := fmt.Sprintf("run%03d", i)
		r, err := j.Run(ctx, id)
		if r != nil {
			r.Alive, r.Owner = false, "" // the owner has died since
		}
		say("run "+id, r, err)
		records, err := j.Records(ctx, id, 0, 0)
		say("records "+id, records, err)
		result, err := j.Result(ctx, id)
		say("result "+id, string(result), err)
	}
	_, err := j.Run(ctx, "none")
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	say("none", nil, err)
	list, err := j.Runs(ctx, Filter{})
	for _, r := range list {
		r.Alive, r.Owner = false, ""
	}
	say("runs", list, err)
	list, err = j.Runs(ctx, Filter{Workflow: "flow1", Status: []event.Status{event.Running}})
	for _, r := range list {
		r.Alive, r.Owner = false, ""
	}
	say("unfinished", list, err)
	found, err := j.Find(ctx, "run00")
	say("find", found, err)
	counts, err := j.Counts(ctx, "")
	say("counts", counts, err)
	counts, err = j.Counts(ctx, "flow2")
	say("counts of one", counts, err)
	breakers, err := j.Breakers(ctx, "")
	say("breakers", breakers, err)
	reports, err := j.Reports(ctx, "flow1", 0)
	say("reports", reports, err)
}

// put writes the scene's files, as harm leaves them.
func (s *scene) put(t testing.TB, dir string, harm func(name string, b []byte) []byte) {
	for name, b := range s.files {
		must(t, os.WriteFile(filepath.Join(dir, name), harm(name, append([]byte(nil), b...)), 0o600))
	}
}

// judge opens a damaged journal and asks it everything: an answer is the truth or
// an error. It reports whether there was an error, and fails on anything else.
func (s *scene) judge(t testing.TB, dir string) (detected bool) {
	t.Helper()
	ctx, background := testContext()
	defer background()
	j, err := Open(ctx, dir, Options{Durability: Normal})
	if err != nil {
		clear1(t, err)
		return true
	}
	s.ask(j, func(question, answer string, err error) {
		switch {
		case errors.Is(err, ErrNotFound):
			t.Errorf("%s: not found", question)
		case err != nil:
			clear1(t, err)
			detected = true
		case answer != s.truth[question]:
			t.Errorf("%s:\n%s\nis the answer, not\n%s", question, answer, s.truth[question])
		}
	})
	for i := range sceneRuns {
		if w, err := j.Begin(ctx, NewRun{ID: fmt.Sprintf("run%03d", i)}); err == nil {
			t.Errorf("run %d was begun a second time", i)
			w.Leave(nil)
		} else if !errors.As(err, new(*ExistsError)) {
			clear1(t, err)
			detected = true
			break // one is enough: each waits for the disk
		}
	}
	if err := j.Close(ctx); err != nil {
		clear1(t, err)
		detected = true
	}
	return detected
}

func clear1(t testing.TB, err error) {
	t.Helper()
	if told := (*event.Error)(nil); !errors.As(err, &told) || told.Code != "journal" || !strings.Contains(told.Message, "damaged") {
		t.Errorf("not clear: %v", err)
	}
}

// harms are ways in which files go bad.
var harms = map[string]func(*rand.Rand, []byte) []byte{
	"bit": func(r *rand.Rand, b []byte) []byte {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	},
	"bytes": func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		return b
	},
	"zeros": func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b))
		clear(b[at:min(at+1+r.IntN(6000), len(b))])
		return b
	},
	"sector": func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b)) &^ 511
		clear(b[at:min(at+512, len(b))])
		return b
	},
	"noise": func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b))
		for i := range b[at:min(at+512, len(b))] {
			b[at+i] = byte(r.Uint32())
		}
		return b
	},
	"swapped pages": func(r *rand.Rand, b []byte) []byte {
		if pages := len(b) / pageSize; pages > 1 {
			x, y := r.IntN(pages)*pageSize, r.IntN(pages)*pageSize
			page := append([]byte(nil), b[x:x+pageSize]...)
			copy(b[x:], b[y:y+pageSize])
			copy(b[y:], page)
		}
		return b
	},
	"truncated": func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] },
}

// TestDamage damages the database and the WAL in every way, at random places:
// it is noticed, or nothing of it is seen. JOURNAL_SEEDS asks for more.
func TestDamage(t *testing.T) {
	all, err := scenes()
	must(t, err)
	seeds := 6
	if s, err := strconv.Atoi(os.Getenv("JOURNAL_SEEDS")); err == nil {
		seeds = s
	}
	for name, s := range all {
		for file := range s.files {
			if file == markName || len(s.files[file]) == 0 {
				continue
			}
			for harm, do := range harms {
				t.Run(name+"/"+file+"/"+harm, func(t *testing.T) {
					detected := 0
					for seed := range seeds {
						random := rand.New(rand.NewPCG(uint64(seed), 3))
						dir := filepath.Join(t.TempDir(), "state")
						must(t, os.Mkdir(dir, 0o700))
						s.put(t, dir, func(name string, b []byte) []byte {
							if name == file {
								return do(random, b)
							}
							return b
						})
						if s.judge(t, dir) {
							detected++
						}
						if t.Failed() {
							t.Fatalf("seed %d", seed)
						}
						must(t, os.RemoveAll(dir))
					}
					t.Logf("noticed %d of %d", detected, seeds)
				})
			}
		}
	}
}

// TestUndamaged: what judge asks has answers.
func TestUndamaged(t *testing.T) {
	all, err := scenes()
	must(t, err)
	for name, s := range all {
		dir := t.TempDir()
		s.put(t, dir, func(_ string, b []byte) []byte { return b })
		if s.judge(t, dir) {
			t.Errorf("%s: damage where there is none", name)
		}
		// The sqlite3 tool may look in, and move the WAL to the database.
		dir = t.TempDir()
		s.put(t, dir, func(_ string, b []byte) []byte { return b })
		secondBuild(t, dir)
		if s.judge(t, dir) {
			t.Errorf("%s: damage after the sqlite3 tool has looked at it", name)
		}
	}
}

// TestLostWAL: acknowledged writes that went with the WAL are missed.
func TestLostWAL(t *testing.T) {
	all, err := scenes()
	must(t, err)
	s, dir := all["crashed"], t.TempDir()
	s.put(t, dir, func(_ string, b []byte) []byte { return b })
	must(t, os.Remove(filepath.Join(dir, fileName+"-wal")))
	_, err = Open(t.Context(), dir, Options{})
	if err == nil || !strings.Contains(err.Error(), "acknowledged writes are missing") || !strings.Contains(err.Error(), "delete "+markName) {
		t.Fatalf("%v", err)
	}
}

// FuzzDamage writes arbitrary bytes at arbitrary places.
func FuzzDamage(f *testing.F) {
	all, err := scenes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(true, false, uint32(100), []byte{0})
	f.Add(false, true, uint32(40), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, crashed, wal bool, at uint32, patch []byte) {
		name, file := "closed", fileName
		if crashed {
			name = "crashed"
			if wal {
				file += "-wal"
			}
		}
		dir := filepath.Join(t.TempDir(), "state")
		must(t, os.Mkdir(dir, 0o700))
		all[name].put(t, dir, func(name string, b []byte) []byte {
			if name == file && len(b) > 0 {
				copy(b[int(at)%len(b):], patch)
			}
			return b
		})
		all[name].judge(t, dir)
	})
}
