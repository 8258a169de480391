package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// servedFiles are the workflow files that arguments of host serve name: files,
// and folders for their workflow.toml or, where there is none, for every
// workflow file in them. Nothing named is this folder. A file that is named
// twice is served once.
func servedFiles(args []string) ([]string, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	var files []string
	seen := map[string]bool{}
	for _, arg := range args {
		found := []string{arg}
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			if found, err = filesOf(arg); err != nil {
				return nil, err
			}
		} else if _, err := workflowFile(arg); err != nil {
			return nil, err
		}
		for _, f := range found {
			if real := realPath(f); !seen[real] {
				seen[real] = true
				files = append(files, f)
			}
		}
	}
	return files, nil
}

// filesOf are the workflow files of a folder.
func filesOf(dir string) ([]string, error) {
	inside := filepath.Join(dir, "workflow.toml")
	if info, err := os.Stat(inside); err == nil && !info.IsDir() {
		return []string{inside}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usage("the folder %s cannot be read: %v", clean(dir), err)
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".toml" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".test.toml") || manifest(name) || e.IsDir() {
			continue
		}
		files = append(files, filepath.Join(dir, name))
	}
	if len(files) == 0 {
		return nil, &failure{exit: exitNotFound, message: fmt.Sprintf("the folder %s holds no workflow file", clean(dir)),
			hint: fmt.Sprintf("name a workflow file, or make one: host init %s", quoted(dir))}
	}
	slices.Sort(files)
	return files, nil
}

func realPath(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		return real
	}
	return file
}
