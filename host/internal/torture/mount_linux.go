package torture

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// ownMounts gives a process a view of the file systems of its own, where the
// system lets everybody have one.
func ownMounts(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
}

// mounted is a real file system of 24 MiB at dir, and ballast on it.
func mounted(dir string) (space, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return space{}, err
	}
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return space{}, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		return space{}, err
	}
	ballast := filepath.Join(dir, "ballast")
	return space{
		scarce: func() error {
			var s syscall.Statfs_t
			if err := syscall.Statfs(dir, &s); err != nil {
				return err
			}
			free := int(s.Bavail) * int(s.Bsize)
			return os.WriteFile(ballast, make([]byte, max(0, free-800<<10)), 0o600)
		},
		plenty: func() error { return os.Remove(ballast) },
	}, nil
}
