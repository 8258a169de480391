package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"strings"
)

// After a crash SQLite reads the WAL up to the first transaction that is not
// whole and forgets the rest: right for one that was being written, wrong for
// acknowledged ones behind a damaged page. The mark tells the two apart. It is a
// small file beside the database with the number of the last acknowledged
// commit, written (not synced) before anybody is told. A journal that has fewer
// commits than its mark has lost some.
//
// What was committed with Normal may be lost in a power cut by agreement; so its
// number counts only until the machine starts again.
type mark struct {
	file *os.File
	boot [36]byte
}

const (
	markName = "journal.mark"
	markSize = 8 + 8 + 36 + 4
)

func openMark(path string) (*mark, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return newMark(f), nil
}

func newMark(f *os.File) *mark {
	m := &mark{file: f}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	copy(m.boot[:], strings.TrimSpace(string(boot)))
	return m
}

// read returns the last acknowledged commits, of either durability.
func (m *mark) read() (full, normal uint64) {
	var b [markSize]byte
	if n, _ := m.file.ReadAt(b[:], 0); n < markSize || crc32.Checksum(b[:markSize-4], castagnoli) != binary.LittleEndian.Uint32(b[markSize-4:]) {
		return 0, 0
	}
	full, normal = binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])
	if m.boot == [36]byte{} || !bytes.Equal(b[16:52], m.boot[:]) {
		normal = 0
	}
	return full, normal
}

// set raises the mark. Two processes may do so at once, and the lower number
// win: then the mark proves a little less.
func (m *mark) set(commit uint64, d Durability) {
	full, normal := m.read()
	if d == Full {
		full = max(full, commit)
	} else {
		normal = max(normal, commit)
	}
	var b [markSize]byte
	binary.LittleEndian.PutUint64(b[:], full)
	binary.LittleEndian.PutUint64(b[8:], normal)
	copy(b[16:], m.boot[:])
	binary.LittleEndian.PutUint32(b[markSize-4:], crc32.Checksum(b[:markSize-4], castagnoli))
	// An error here costs proof, not records.
	_, _ = m.file.WriteAt(b[:], 0)
}
