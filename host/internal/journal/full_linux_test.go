package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func init() { parts["fill"] = fillDisk }

// TestFullDisk fills a real file system of 2 MiB, mounted by a process of its
// own, in a user namespace where the system gives one to everybody.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	cmd := play("fill", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || strings.Contains(string(out), "cannot mount") {
		t.Skip("NOT TESTED on a real full disk: this system lets no ordinary user mount a file system (TestWritesFail injects ENOSPC): ", err, string(out))
	}
	if err != nil || !strings.Contains(string(out), "filled") {
		t.Errorf("%v\n%s", err, out)
	}
}

func fillDisk(dir string) error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		fmt.Println("cannot mount:", err)
		return nil
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		fmt.Println("cannot mount:", err)
		return nil
	}
	ctx := context.Background()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		return err
	}
	dir = filepath.Join(dir, "state")
	j, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	w, err := j.Begin(ctx, NewRun{ID: "r"})
	if err != nil {
		return err
	}
	acked := 0
	for err == nil {
		if err = append1(w, step("r", acked+1)); err == nil {
			acked++
		}
	}
	if !strings.Contains(err.Error(), "The disk is full") {
		return fmt.Errorf("not clear: %w", err)
	}
	// While it is full the journal can be read.
	list, err := j.Records(ctx, "r", 0, 0)
	if err != nil {
		return err
	}
	if len(list) != acked {
		return fmt.Errorf("%d records, %d were acknowledged", len(list), acked)
	}
	_ = j.Close(ctx) // may say that it could not write
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if j, err = Open(ctx, dir, Options{}); err != nil {
		return err
	}
	w, r, err := j.Take(ctx, "r")
	if err != nil {
		return err
	}
	if int(r.Records) != acked {
		return fmt.Errorf("%d records, %d were acknowledged", r.Records, acked)
	}
	if err := append1(w, step("r", acked+1)); err != nil {
		return err
	}
	if err := j.Close(ctx); err != nil {
		return err
	}
	fmt.Println("filled at", acked)
	return nil
}
