//go:build unix

package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func init() { parts["upgrade"] = upgrade }

// upgrade opens a journal, and dies before the N-th write to it when
// JOURNAL_KILL says so.
func upgrade(dir string) error {
	ctx := context.Background()
	o := Options{}
	if n, err := strconv.Atoi(os.Getenv("JOURNAL_KILL")); err == nil {
		if err := faulty(); err != nil {
			return err
		}
		o.vfs = faultyVFS
		failing(0, func(op string, _ int32) bool {
			if op == "read" {
				return false
			}
			if n--; n == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return false
		})
	}
	j, err := Open(ctx, dir, o)
	if err != nil {
		return err
	}
	if _, err := j.Audits(ctx, 0); err != nil {
		return err
	}
	return j.Close(ctx)
}

func pastDir(t *testing.T, version int) string {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile(filepath.Join(journals, fmt.Sprintf("v%d.db", version)))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, fileName), b, 0o600))
	return dir
}

// TestUpgradeAtOnce: many processes open a journal of version 1 at the same
// moment; one of them migrates it, all of them work with it.
func TestUpgradeAtOnce(t *testing.T) {
	for range 3 {
		dir := pastDir(t, 1)
		var list []*exec.Cmd
		for range 6 {
			cmd := play("upgrade", dir)
			must(t, cmd.Start())
			list = append(list, cmd)
		}
		for _, cmd := range list {
			must(t, cmd.Wait())
		}
		j := open(t, dir, Options{})
		readPast(t, j, 1)
		shut(t, j)
		secondBuild(t, dir)
	}
}

// TestUpgradeKilled: a process that dies while it migrates leaves the version
// before or the new one.
func TestUpgradeKilled(t *testing.T) {
	deaths := 0
	for n := 1; ; n++ {
		dir := pastDir(t, 1)
		err := play("upgrade", dir, "JOURNAL_KILL="+strconv.Itoa(n)).Run()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		j := open(t, dir, Options{})
		readPast(t, j, 1)
		shut(t, j)
		secondBuild(t, dir)
		if err == nil { // it lived
			break
		}
		deaths++
	}
	if deaths < 5 {
		t.Errorf("only %d writes to die before", deaths)
	}
	t.Logf("%d deaths", deaths)
}

// TestUpgradeUnderneath: a process that has the journal open goes on when another
// one migrates it.
func TestUpgradeUnderneath(t *testing.T) {
	ctx, dir := t.Context(), pastDir(t, 1)
	must(t, sealed())
	c, err := dial(ctx, dsn(filepath.Join(dir, fileName), sealedVFS))
	must(t, err)
	defer c.close()
	count := func() int64 {
		n, err := c.one("SELECT count(*) FROM records")
		must(t, err)
		return n
	}
	before := count()
	must(t, play("upgrade", dir).Run())
	if after := count(); before != 48 || after != before {
		t.Errorf("%d records, then %d", before, after)
	}
	if _, err := c.exec("UPDATE runs SET reason = reason"); err != nil {
		t.Error(err)
	}
	if version, err := look(c); version != schema || err != nil {
		t.Errorf("%d %v", version, err)
	}
}

// TestCheckLooksAtThePast: doctor changes nothing, and reads what was not
// migrated yet.
func TestCheckLooksAtThePast(t *testing.T) {
	dir := pastDir(t, 1)
	before := stat(t, dir)
	if got := findings(t, dir); strings.Contains(got, "BAD") || !strings.Contains(got, "schema version 1") || !strings.Contains(got, "4 runs with 48 records") {
		t.Errorf("%s", got)
	}
	if stat(t, dir) != before {
		t.Error("it was changed")
	}
}
