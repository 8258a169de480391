package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

// starter holds what `host init` writes. Go would take a go.mod for the border
// of a module, so files that it knows carry the suffix .txt here.
//
//go:embed starter
var starter embed.FS

func (a *app) initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", ArgsUsage: "[DIR]", Usage: "make a workflow and a plugin to start from",
		Description: "Existing files are never overwritten: when one is in the way, nothing is written.",
		Action:      a.action(0, 1, forms, a.init),
	}
}

func (a *app) init() error {
	dir := a.c.Args().First()
	if dir == "" {
		dir = "."
	}
	type file struct{ name, text string }
	var files []file
	err := fs.WalkDir(starter, "starter", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := starter.ReadFile(p)
		files = append(files, file{strings.TrimSuffix(strings.TrimPrefix(p, "starter/"), ".txt"), string(text)})
		return err
	})
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usage("%s is a file, not a folder", clean(dir)).with("name a folder that is new or empty")
	}
	var inTheWay []string
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.name))); err == nil {
			inTheWay = append(inTheWay, f.name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return usage("%s cannot be looked at: %v", clean(filepath.Join(dir, f.name)), err)
		}
	}
	if len(inTheWay) > 0 {
		return usage("%s already holds %s; nothing was written", clean(dir), strings.Join(inTheWay, ", ")).
			with("name another folder: host init " + quoted(otherFolder(dir)))
	}
	for _, f := range files {
		to := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("the folder for %s cannot be made: %w", path.Base(f.name), err)
		}
		// O_EXCL: somebody may have made it since we looked.
		out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w", to, err)
		}
		_, err = out.WriteString(f.text)
		if err = errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("%s cannot be written: %w", to, err)
		}
	}
	switch a.format {
	case "json", "jsonl":
		names := make([]string, len(files))
		for i, f := range files {
			names[i] = f.name
		}
		return writeJSON(a.out, map[string]any{"dir": dir, "files": names}, a.format == "json")
	case "text":
		for _, f := range files {
			fmt.Fprintln(a.out, filepath.Join(dir, filepath.FromSlash(f.name)))
		}
		a.say("next: host run %s", filepath.Join(dir, "workflow.toml"))
	}
	return nil
}

// otherFolder is a folder that is not there yet.
func otherFolder(dir string) string {
	if dir == "." {
		dir = "my-flow"
		if _, err := os.Lstat(dir); err != nil {
			return dir
		}
	}
	return unused(filepath.Clean(dir), "")
}
