package workflow

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MaxFile bounds a workflow file: what is larger is a mistake, not a workflow.
// A hundred thousand nodes with a policy, a condition and an input each fit.
const MaxFile = 16 << 20

// notAFile is the error for what has no content of its own.
type notAFile struct{ path, what string }

func (e *notAFile) Error() string { return e.path + " is " + e.what }

// tooLarge is the error for a file of more bytes than are read.
type tooLarge struct {
	path       string
	size, most int64
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("%s has %d bytes, and at most %s are read of it", e.path, e.size, bytesText(e.most))
}

// ReadFile reads a regular file of up to most bytes. Anything else (a named
// pipe, a device, a socket, a folder) is refused without waiting for it: some of
// them have no end, and some no beginning.
func ReadFile(file string, most int64) ([]byte, error) {
	return readRegular(file, most, os.Stat, func(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|nonblock, 0) })
}

// readRegular reads by way of stat and open. What the name leads to is looked at
// before it is opened, as opening a device can do something, and afterwards, as
// it may lead elsewhere by then.
func readRegular(file string, most int64, stat func(string) (fs.FileInfo, error), open func(string) (*os.File, error)) ([]byte, error) {
	info, err := stat(file)
	if err != nil {
		return nil, err
	}
	if err := readable(file, info, most); err != nil {
		return nil, err
	}
	f, err := open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := readable(file, info, most); err != nil {
		return nil, err
	}
	text := make([]byte, 0, info.Size()+1)
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n, err := f.Read(text[len(text):min(int64(cap(text)), most+1)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)) > most: // it has grown
			return nil, &tooLarge{file, int64(len(text)), most}
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		}
	}
}

func readable(file string, info fs.FileInfo, most int64) error {
	if what := unlikeFile(info.Mode()); what != "" {
		return &notAFile{file, what}
	}
	if info.Size() > most {
		return &tooLarge{file, info.Size(), most}
	}
	return nil
}

// unlikeFile says what it is that is no regular file, "" for one.
func unlikeFile(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}

// bytesText writes a limit: those of files are whole MiB.
func bytesText(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
