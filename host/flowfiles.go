package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"wasmhost/host/workflow"
)

// hasNodes tells workflows from other files that are TOML.
var hasNodes = regexp.MustCompile(`(?m)^[ \t]*\[[ \t]*nodes[ \t]*[.\]]`)

// workflowFiles are the files that arguments stand for. A folder's *.toml that are
// something else, such as tests of workflows, do not count.
func workflowFiles(args []string) ([]string, error) {
	var files []string
	add := func(file string) error {
		abs, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		if !slices.Contains(files, abs) {
			files = append(files, abs)
		}
		return nil
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, refusal("not_found", fmt.Sprintf("%s cannot be served: %v", arg, errors.Unwrap(err)))
		}
		if !info.IsDir() {
			if err := add(arg); err != nil {
				return nil, err
			}
			continue
		}
		found, err := filepath.Glob(filepath.Join(arg, "*.toml"))
		if err != nil {
			return nil, err
		}
		n := 0
		for _, file := range found {
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				continue
			}
			text, err := workflow.ReadFile(file, workflow.MaxFile)
			if err != nil {
				return nil, refusal("not_found", fmt.Sprintf("%s cannot be read: %v; move it out of the folder, or name the files to be served", file, err))
			}
			if !strings.HasSuffix(file, ".test.toml") && hasNodes.Match(text) {
				n++
				if err := add(file); err != nil {
					return nil, err
				}
			}
		}
		if n == 0 {
			return nil, refusal("not_found", fmt.Sprintf("there is no workflow in the folder %s: no *.toml with [nodes]", arg))
		}
	}
	return files, nil
}

// filesOf are the files that a plan was made of.
func filesOf(p *workflow.Plan) []string {
	var files []string
	_ = eachPlan(p, func(p *workflow.Plan) error {
		for _, file := range append([]string{p.File}, p.Files...) {
			if abs, err := filepath.Abs(file); err == nil && !slices.Contains(files, abs) {
				files = append(files, abs)
			}
		}
		return nil
	})
	return files
}
