package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wasmhost/host/event"
)

func TestNewEnough(t *testing.T) {
	for version, ok := range map[string]bool{"3.51.3": true, "3.51.2": false, "3.52.0": true, "3.54.1": true, "4.0.0": true, "3.9.9": false, "2.99.99": false, "3.51": false, "": false, "x.y.z": false} {
		if err := newEnough(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}

// TestNotOurs opens what this host must leave alone.
func TestNotOurs(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"newer": {func(path string) error {
			return alter(path, fmt.Sprintf("PRAGMA user_version = %d", schema+1))
		}, "use a newer host"},
		// What a build of host between two releases had under the same number.
		"a column less": {func(path string) error { return alter(path, "ALTER TABLE records DROP COLUMN commits") }, "development build"},
		"another table": {func(path string) error { return alter(path, "CREATE TABLE more (n INTEGER)") }, "development build"},
		"a lost index":  {func(path string) error { return alter(path, "DROP INDEX commands_open") }, "name another one with --state"},
		"no tables":     {func(path string) error { return alter(path, "PRAGMA user_version = 0") }, "development build"},
		"not a journal": {func(path string) error { return alter(path, "PRAGMA application_id = 7") }, "not a journal"},
		"empty":         {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "empty"},
		"text":          {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("hello ", 1000)), 0o600) }, "damaged"},
		"a folder":      {func(path string) error { return os.Mkdir(path, 0o700) }, "not a file"},
		"only a WAL":    {func(path string) error { return os.WriteFile(path+"-wal", []byte("x"), 0o600) }, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, c.make(filepath.Join(dir, fileName)))
			before, _ := os.ReadDir(dir)
			_, err := Open(t.Context(), dir, Options{})
			told := (*event.Error)(nil)
			if !errors.As(err, &told) || told.Code != "journal" || !strings.Contains(told.Message, c.want) || !strings.Contains(told.Message, dir) {
				t.Errorf("%v", err)
			}
			found, err := Check(t.Context(), dir)
			must(t, err)
			bad := 0
			for _, f := range found {
				if f.Bad {
					bad++
				}
			}
			if bad == 0 && name != "only a WAL" {
				t.Errorf("check: %+v, files %v", found, before)
			}
		})
	}
}

// alter makes a journal, closes it and changes it.
func alter(path, statement string) error {
	ctx, background := testContext()
	defer background()
	j, err := Open(ctx, filepath.Dir(path), Options{})
	if err != nil {
		return err
	}
	if err := j.Close(ctx); err != nil {
		return err
	}
	c, err := dial(ctx, dsn(path, sealedVFS))
	if err != nil {
		return err
	}
	_, err = c.exec(statement)
	return errors.Join(err, c.close())
}

func TestUnusableFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err := Open(t.Context(), filepath.Join(dir, "file", "state"), Options{})
	if told := (*event.Error)(nil); !errors.As(err, &told) || told.Code != "journal" {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), dir, Options{Durability: "perhaps"}); err == nil || !strings.Contains(err.Error(), "perhaps") {
		t.Errorf("%v", err)
	}
}

// journals are one of every schema version that was released, as
// testdata/journals/README.md says.
const journals = "../../../testdata/journals"

// TestPastVersions opens a journal of every past version and the present one,
// and finds in it what was written.
func TestPastVersions(t *testing.T) {
	for version := 1; version <= schema; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			b, err := os.ReadFile(filepath.Join(journals, fmt.Sprintf("v%d.db", version)))
			if err != nil {
				t.Fatalf("%v (testdata/journals/README.md says how it is made)", err)
			}
			must(t, os.WriteFile(filepath.Join(dir, fileName), b, 0o600))
			j := open(t, dir, Options{})
			readPast(t, j, version)
			w, r, err := j.Take(ctx, "interrupted")
			must(t, err)
			must(t, append1(w, step("interrupted", int(r.Records)+1)))
			list, err := j.Records(ctx, "interrupted", 0, 0)
			must(t, err)
			sameRecords(t, "interrupted", list, 1, 13)
			w, _, err = j.Take(ctx, "failed")
			must(t, err)
			must(t, wait(func(done func(error)) { w.Reopen(2, "sha256:9", "/v.toml", step("failed", 0), done) }))
			must(t, wait(w.Leave))
			shut(t, j)
			secondBuild(t, dir)
		})
	}
}

// writePast is the content of the journals in testdata, by the present version.
func writePast(t *testing.T, j *Journal) {
	ctx := t.Context()
	ends := map[string]*End{
		"succeeded":   {Status: event.Succeeded, Result: []byte(`{"output":"` + strings.Repeat("long ", 2000) + `"}`), Plugins: map[string]string{"p": "sha256:1"}, DurationMS: 1.5},
		"failed":      {Status: event.Failed, Error: &event.Error{Class: event.Permanent, Code: "plugin.boom", Message: "boom"}, Result: []byte(`{}`)},
		"waiting":     {Status: event.Waiting, Reason: "approval", Wake: timeOf(2_000_000_000_000_000_000)},
		"interrupted": nil,
	}
	for _, id := range []string{"succeeded", "failed", "waiting", "interrupted"} {
		w := begin(t, j, id)
		for n := 1; n <= 12; n++ {
			w.Append(step(id, n), nil)
		}
		if e := ends[id]; e != nil {
			must(t, wait(func(done func(error)) { w.End(*e, done) }))
		} else {
			must(t, wait(w.Leave))
		}
	}
	_, err := j.Send(ctx, Command{Run: "waiting", Kind: "approve", By: "me", Data: []byte(`{"node":"a"}`)})
	must(t, err)
	j.SaveBreaker(Breaker{Root: "flow", Key: "k", State: []byte(`{"state":"open"}`), By: "me", At: timeOf(1)})
	j.SaveReport("flow", &event.Report{OverallHealthy: true})
	// Version 2.
	j.Audit(event.Audit{Time: timeOf(2), By: "me", Action: "plugin.swap", Target: "flow.p", Detail: "sha256:1 → sha256:2", OK: true})
	j.Audit(event.Audit{Time: timeOf(3), By: "you", Action: "run.cancel", Target: "failed"})
	must(t, j.SaveSwap(ctx, Swap{Root: "flow", Plugin: "p", Digest: "sha256:2", Previous: "sha256:1", From: "upload", Source: "sha256:1", At: timeOf(4), By: "me"}))
	must(t, j.SaveRecordings(ctx, "flow", "p", []byte(strings.Repeat("call ", 600))))
	must(t, j.SaveSchedule(ctx, Schedule{Workflow: "flow", Key: "0 * * * * UTC", State: []byte(`{"last":"2026-01-01T00:00:00Z"}`)}))
	must(t, j.Flush(ctx))
}

// readPast finds in a journal of that version what was written.
func readPast(t *testing.T, j *Journal, version int) {
	t.Helper()
	ctx := t.Context()
	for id, status := range map[string]event.Status{"succeeded": event.Succeeded, "failed": event.Failed, "waiting": event.Waiting, "interrupted": event.Running} {
		r, err := j.Run(ctx, id)
		must(t, err)
		if r.Status != status || r.Alive || r.Records != 12 || r.Workflow != "flow" || r.File != "/w.toml" || r.Digest != "sha256:1" || r.Input.String() != "in" || r.Generation != 1 {
			t.Errorf("%s: %+v", id, r)
		}
		list, err := j.Records(ctx, id, 0, 0)
		must(t, err)
		sameRecords(t, id, list, 1, 12)
		result, err := j.Result(ctx, id)
		must(t, err)
		switch id {
		case "succeeded":
			if len(result) < 10_000 || r.Plugins["p"] != "sha256:1" || r.DurationMS != 1.5 || r.FinishedAt.IsZero() {
				t.Errorf("%+v, a result of %d bytes", r, len(result))
			}
		case "failed":
			if string(result) != "{}" || r.Error == nil || r.Error.Code != "plugin.boom" {
				t.Errorf("%+v %s", r, result)
			}
		case "waiting":
			if r.Reason != "approval" || r.Wake.Unix() != 2_000_000_000 {
				t.Errorf("%+v", r)
			}
		}
	}
	if b, err := j.Breakers(ctx, "flow"); err != nil || len(b) != 1 || string(b[0].State) != `{"state":"open"}` || b[0].By != "me" {
		t.Errorf("%+v %v", b, err)
	}
	if r, err := j.Reports(ctx, "flow", 0); err != nil || len(r) != 1 || !r[0].OverallHealthy {
		t.Errorf("%+v %v", r, err)
	}
	audits, err := j.Audits(ctx, 0)
	must(t, err)
	swaps, err := j.Swaps(ctx)
	must(t, err)
	recordings, err := j.Recordings(ctx, "flow", "p")
	must(t, err)
	schedules, err := j.Schedules(ctx)
	must(t, err)
	if version < 2 {
		if len(audits)+len(swaps)+len(recordings)+len(schedules) != 0 {
			t.Errorf("%+v %+v %d %+v", audits, swaps, len(recordings), schedules)
		}
	} else {
		if len(audits) != 2 || audits[0].Action != "run.cancel" || audits[0].OK || !audits[1].OK || audits[1].By != "me" || audits[1].Target != "flow.p" ||
			audits[1].Detail != "sha256:1 → sha256:2" || !audits[1].Time.Equal(timeOf(2)) {
			t.Errorf("%+v", audits)
		}
		if want := (Swap{"flow", "p", "sha256:2", "sha256:1", "upload", "sha256:1", timeOf(4), "me"}); len(swaps) != 1 || swaps[0] != want {
			t.Errorf("%+v", swaps)
		}
		if len(recordings) != 3000 {
			t.Errorf("%d bytes of recordings", len(recordings))
		}
		if len(schedules) != 1 || schedules[0].Key != "0 * * * * UTC" || string(schedules[0].State) != `{"last":"2026-01-01T00:00:00Z"}` {
			t.Errorf("%+v", schedules)
		}
	}
	if answer, taken, err := j.Answer(ctx, 1); answer != "" || taken || err != nil {
		t.Errorf("%q %v %v", answer, taken, err)
	}
}

// TestMakePast writes the journal of the present version into testdata when
// JOURNAL_MAKE asks for it, and else only makes sure that it could.
func TestMakePast(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	writePast(t, j)
	readPast(t, j, schema)
	shut(t, j)
	if os.Getenv("JOURNAL_MAKE") == "" {
		return
	}
	path := filepath.Join(journals, fmt.Sprintf("v%d.db", schema))
	if _, err := os.Stat(path); err == nil {
		t.Fatalf("%s is there: a journal of a released version is never made again", path)
	}
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	must(t, os.WriteFile(path, b, 0o644))
}
