package main

import (
	"archive/tar"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is somebody else's program, as Debian keeps it.
type source struct{ name, file, folder, sha256 string }

// suite of Debian that has these versions.
const suite = "bookworm"

var sources = []source{
	{"zlib", "zlib_1.2.13.dfsg.orig.tar.bz2", "zlib-1.2.13.dfsg", "71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1"},
	{"lz4", "lz4_1.9.4.orig.tar.gz", "lz4-1.9.4", "0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b"},
	{"cjson", "cjson_1.7.15.orig.tar.gz", "cJSON-1.7.15", "5308fd4bd90cef7aa060558514de6a1a4a0819974a26e6ed13973c5f624c24b2"},
	{"lua5.4", "lua5.4_5.4.4.orig.tar.gz", "lua-5.4.4", "164c7849653b80ae67bec4b7473b884bf5cc8d2dca05653475ec2ed27b9ebf61"},
}

// fetch makes sure that all sources are unpacked in dir.
func fetch(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var missing []string
	for _, s := range sources {
		if s.check(dir) != nil {
			missing = append(missing, s.name)
		}
	}
	if len(missing) > 0 {
		if err := download(dir, missing); err != nil {
			return fmt.Errorf("fetching the sources of %s: %w; where there is no apt-get, put their files of Debian's %s into %s yourself",
				strings.Join(missing, ", "), err, suite, dir)
		}
	}
	for _, s := range sources {
		if err := s.check(dir); err != nil {
			return err
		}
		if err := s.unpack(dir); err != nil {
			return fmt.Errorf("unpacking %s: %w", s.file, err)
		}
	}
	return nil
}

// download asks apt-get, with lists of its own, so that neither the system's
// nor root's rights are needed.
func download(dir string, packages []string) error {
	apt := filepath.Join(dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, d), 0o755); err != nil {
			return err
		}
	}
	list := filepath.Join(apt, "sources.list")
	if err := os.WriteFile(list, []byte("deb-src http://deb.debian.org/debian "+suite+" main\n"), 0o644); err != nil {
		return err
	}
	options := []string{"-qq", "-o", "Dir::Etc::sourcelist=" + list, "-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::lists=" + filepath.Join(apt, "lists"), "-o", "Dir::Cache=" + filepath.Join(apt, "cache"), "-o", "APT::Sandbox::User="}
	for _, args := range [][]string{{"update"}, append([]string{"source", "--download-only", "--tar-only"}, packages...)} {
		cmd := exec.Command("apt-get", append(append([]string{}, options...), args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	return os.RemoveAll(apt)
}

// check compares the digest of the file that was fetched.
func (s source) check(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, s.file))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != s.sha256 {
		return fmt.Errorf("%s in %s has the digest %x, not %s: delete it; if it comes again, the archive holds another version", s.file, dir, sum, s.sha256)
	}
	return nil
}

// unpack writes the C files of the archive.
func (s source) unpack(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, s.folder)); err == nil {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, s.file))
	if err != nil {
		return err
	}
	defer f.Close()
	var plain io.Reader = bzip2.NewReader(f)
	if strings.HasSuffix(s.file, ".gz") {
		if plain, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ext := filepath.Ext(h.Name); h.Typeflag != tar.TypeReg || ext != ".c" && ext != ".h" {
			continue
		}
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		b, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := root.WriteFile(h.Name, b, 0o644); err != nil {
			return err
		}
	}
}
