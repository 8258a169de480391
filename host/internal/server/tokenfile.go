package server

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tokenRow is a token in tokens.json.
type tokenRow struct {
	Name    string    `json:"name"`
	Scope   Scope     `json:"scope"`
	SHA256  string    `json:"sha256"`
	Created time.Time `json:"created"`

	sum digest
}

// tokenFile is tokens.json as it was last read. A file that is not there has no
// tokens; one that cannot be read accepts nobody until it is mended.
type tokenFile struct {
	rows []tokenRow
	seen stamp
	err  error
}

type tokenText struct {
	V      int        `json:"v"`
	Tokens []tokenRow `json:"tokens"`
}

// refresh reads the file again when it has changed.
func (f *tokenFile) refresh(path string) error {
	if _, same, err := f.seen.same(path); err == nil && same {
		return f.err
	}
	return f.read(path)
}

func (f *tokenFile) read(path string) error {
	// The stamp is taken first: what is written after it is read next time.
	now, _, err := stamp{}.same(path)
	f.seen, f.rows, f.err = now, nil, nil
	if err == nil && now.info == nil {
		return nil
	}
	var text []byte
	if err == nil {
		text, err = readPrivate(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.rows, err = parseTokens(text)
	}
	if err != nil {
		f.rows = nil
		f.err = refusal("bad_tokens", fmt.Sprintf("the tokens in %s cannot be read, so none of them is accepted: %v; mend that, or delete the file and make the tokens again", path, err))
	}
	return f.err
}

// readPrivate reads a regular file that nobody but its owner may read or write.
// Others are refused: who could read a secret until now may have it. It does not
// wait for what is no file, such as a fifo.
func readPrivate(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|dontWait, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case !private(info):
		return nil, fmt.Errorf("its mode is %04o, and others than its owner may have read it or changed it: chmod 600 %s", info.Mode().Perm(), path)
	}
	return io.ReadAll(f)
}

func parseTokens(text []byte) ([]tokenRow, error) {
	var all tokenText
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	if all.V != 1 {
		return nil, fmt.Errorf("its version is %d, this one reads version 1", all.V)
	}
	for i := range all.Tokens {
		r := &all.Tokens[i]
		sum, err := hex.DecodeString(r.SHA256)
		if err != nil || len(sum) != len(r.sum) || !idPattern.MatchString(r.Name) || r.Scope.rank() == 0 {
			return nil, fmt.Errorf("token %d (%q) is damaged", i+1, r.Name)
		}
		copy(r.sum[:], sum)
	}
	return all.Tokens, nil
}

func (f *tokenFile) write(path string, rows []tokenRow) error {
	for i := range rows {
		rows[i].SHA256 = hex.EncodeToString(rows[i].sum[:])
	}
	text, err := json.MarshalIndent(tokenText{V: 1, Tokens: rows}, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(path, append(text, '\n')); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	return f.read(path)
}

// writeFile puts a file there as a whole or not at all, for its owner only.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// adminFile is the admin token as it was last read.
type adminFile struct {
	secret string
	sum    digest
	seen   stamp
	err    error // why what is there is not taken; nil of a file that is not there
}

// make reads the file, or writes a new one when there is none.
func (f *adminFile) make(path string) error {
	text := newSecret("host_") + "\n"
	made, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = made.WriteString(text)
		if err = errors.Join(err, made.Sync(), made.Close()); err != nil {
			_ = os.Remove(path)
			return fmt.Errorf("tokens: %w", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("tokens: %w", err)
	}
	f.read(path)
	return f.err
}

func (f *adminFile) refresh(path string) {
	if _, same, err := f.seen.same(path); err == nil && same {
		return
	}
	f.read(path)
}

func (f *adminFile) read(path string) {
	now, _, err := stamp{}.same(path)
	*f = adminFile{seen: now}
	if err == nil && now.info == nil {
		return
	}
	var text []byte
	if err == nil {
		text, err = readPrivate(path)
	}
	// A short one could be guessed; ours has 48 characters.
	secret := strings.TrimSpace(string(text))
	if err == nil && (!strings.HasPrefix(secret, "host_") || len(secret) < 40 || strings.ContainsAny(secret, " \t\r\n")) {
		err = errors.New("it is not one line that begins with host_, as long as the host makes it")
	}
	if err != nil {
		f.err = refusal("bad_tokens", fmt.Sprintf("the admin token in %s is not accepted: %v; mend that, or delete the file, and the next start makes a new one", path, err))
		return
	}
	f.secret, f.sum = secret, digestOf(secret)
}
