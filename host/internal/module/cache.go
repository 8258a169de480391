package module

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Cache keeps prepared modules in a directory, one file each, by the digest of
// the source, the options and FormatVersion. What is in there is executed
// later, so the directory must be the user's alone; every file carries a
// checksum, and one that is damaged, truncated or of another version is made
// anew. Safe for concurrent use, by several processes too.
type Cache struct {
	dir string
	// OnError hears of files that could not be read or written; Prepare works
	// on without them. Nil: nobody does. Set before first use.
	OnError func(error)
}

// suffix marks the cache's files.
const suffix = ".prepared"

// OpenCache opens the cache in dir, which is created with mode 0700 when it is
// missing. A directory that others may write to, or that is a symbolic link,
// is refused.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache of prepared modules: %w", err)
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("cache of prepared modules: %w", err)
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("cache of prepared modules: %s is not a directory", dir)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("cache of prepared modules: %s has mode %04o, and what lies in it is executed: others must not get at it; chmod 700 it or name another", dir, mode)
	}
	return &Cache{dir: dir}, nil
}

// Prepare is like the function Prepare, but takes the result from the cache
// when it is there. digest must be the SHA-256 of b, which is not looked at
// then. A nil cache only prepares.
func (c *Cache) Prepare(digest [32]byte, b []byte, o Options) (*Prepared, error) {
	if c == nil {
		return Prepare(b, o)
	}
	name := filepath.Join(c.dir, key(digest, o)+suffix)
	p, err := readPrepared(name)
	if err == nil {
		now := time.Now()
		_ = os.Chtimes(name, now, now) // for Prune; not worth a word when it fails
		return p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.report(err)
	}
	if p, err = Prepare(b, o); err != nil {
		return nil, err
	}
	if err := c.write(name, p); err != nil {
		c.report(err)
	}
	return p, nil
}

func (c *Cache) report(err error) {
	if c.OnError != nil {
		c.OnError(err)
	}
}

// key names a file by all that the result depends on.
func key(digest [32]byte, o Options) string {
	h := sha256.New()
	o.Limits = o.Limits.withDefaults()
	fmt.Fprintf(h, "%d %x %+v", FormatVersion, digest, o)
	return hex.EncodeToString(h.Sum(nil))
}

// A file is: fileMagic, length of the info, info as JSON, the prepared bytes,
// and a checksum of all that. The checksum is against damage, not against
// attackers, who would have to be the user; two CRCs at memory speed do.
var fileMagic = []byte("wasmhost prepared module 1\n")

const sumBytes = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint64 {
	return uint64(crc32.Checksum(b, castagnoli))<<32 | uint64(crc32.ChecksumIEEE(b))
}

func readPrepared(name string) (*Prepared, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cached module: %w", err)
	}
	damaged := func(what string) error {
		return fmt.Errorf("cached module %s is damaged (%s); it is made anew", name, what)
	}
	rest, ok := bytes.CutPrefix(b, fileMagic)
	if !ok || len(rest) < 4+sumBytes {
		return nil, damaged("beginning")
	}
	end := len(b) - sumBytes
	if binary.LittleEndian.Uint64(b[end:]) != checksum(b[:end]) {
		return nil, damaged("checksum")
	}
	rest = rest[:len(rest)-sumBytes]
	n := binary.LittleEndian.Uint32(rest)
	rest = rest[4:]
	if uint64(n) > uint64(len(rest)) {
		return nil, damaged("length")
	}
	p := &Prepared{Bytes: rest[n:len(rest):len(rest)], Info: new(Info)}
	if err := json.Unmarshal(rest[:n], p.Info); err != nil {
		return nil, damaged(err.Error())
	}
	return p, nil
}

// write puts the file in place in one step, so that a reader sees all of it or
// nothing.
func (c *Cache) write(name string, p *Prepared) (err error) {
	info, err := json.Marshal(p.Info)
	if err != nil {
		return fmt.Errorf("cached module: %w", err)
	}
	b := make([]byte, 0, len(fileMagic)+4+len(info)+len(p.Bytes)+sumBytes)
	b = append(b, fileMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(info)))
	b = append(append(b, info...), p.Bytes...)
	b = binary.LittleEndian.AppendUint64(b, checksum(b))

	f, err := os.CreateTemp(c.dir, "new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("cached module: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("cached module: %w", err)
		}
	}()
	if _, err = f.Write(b); err != nil {
		_ = f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// Prune removes files, those that were not used for longest first, until the
// rest is no larger than limit bytes; and what interrupted writers left behind
// more than an hour ago.
func (c *Cache) Prune(limit int64) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("cache of prepared modules: %w", err)
	}
	var files []fs.FileInfo
	var total int64
	var errs []error
	for _, e := range entries {
		st, err := e.Info()
		switch {
		case err != nil || !st.Mode().IsRegular():
		case strings.HasSuffix(st.Name(), suffix):
			files = append(files, st)
			total += st.Size()
		case strings.HasPrefix(st.Name(), "new-") && time.Since(st.ModTime()) > time.Hour:
			errs = append(errs, os.Remove(filepath.Join(c.dir, st.Name())))
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, st := range files {
		if total <= limit {
			break
		}
		errs = append(errs, os.Remove(filepath.Join(c.dir, st.Name())))
		total -= st.Size()
	}
	return errors.Join(errs...)
}
