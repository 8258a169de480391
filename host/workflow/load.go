package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wasmhost/resilience"
)

// Options say what reading may use. The zero Options read files only.
type Options struct {
	// Inspector looks into modules; nil: only that local files exist is checked.
	Inspector Inspector
	// Getenv reads the environment, to check what comes from it; nil: it is not
	// looked at.
	Getenv func(string) (string, bool)
	// Builtins are the names behind builtin:, for hints; with no Inspector a name
	// that is not among them is an error. nil: unknown.
	Builtins []string
	// Unbuilt lets a module be missing that its plugin's build command can make.
	Unbuilt bool
	// AllowAnyHost accepts "*" as host of an http permission.
	AllowAnyHost bool
}

// maxNesting bounds how deep workflows may use workflows.
const maxNesting = 64

// Load reads a workflow file and everything that it names. The Plan is nil when
// any finding is an error. It may be called from several goroutines.
func Load(ctx context.Context, file string, o Options) (*Plan, []Finding) {
	text, err := ReadFile(file, MaxFile)
	if err != nil {
		return nil, []Finding{unreadable(file, err)}
	}
	return Parse(ctx, file, text, o)
}

// unreadable is the finding for a file that cannot be opened at all.
func unreadable(file string, err error) Finding {
	f := Finding{File: file, Line: 1, Col: 1, Severity: Error, Code: "unreadable"}
	f.Code, f.Message, f.Hint = whyUnreadable(file, "workflow file", err)
	return f
}

// whyUnreadable says why a file that is to be a kind of thing was not read.
func whyUnreadable(file, kind string, err error) (code, message, hint string) {
	if errors.Is(err, fs.ErrNotExist) {
		return "missing_file", fmt.Sprintf("there is no file %s", file), nearbyFile(file)
	}
	var (
		odd   *notAFile
		large *tooLarge
	)
	switch {
	case errors.As(err, &odd):
		return "unreadable", fmt.Sprintf("%s is %s", file, odd.what), "a " + kind + " is a regular file: look whether the path is right"
	case errors.As(err, &large):
		return "too_large", fmt.Sprintf("%s has %d bytes; a %s has at most %s", file, large.size, kind, bytesText(large.most)), ""
	}
	cause := err
	var p *fs.PathError
	if errors.As(err, &p) {
		cause = p.Err
	}
	return "unreadable", fmt.Sprintf("%s cannot be read: %v", file, cause), ""
}

// nearbyFile proposes a file of the same folder with a similar name.
func nearbyFile(file string) string {
	dir, name := filepath.Split(file)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if parent := filepath.Dir(filepath.Clean(dir)); parent != filepath.Clean(dir) {
			return fmt.Sprintf("there is no folder %s", filepath.Clean(dir))
		}
		return ""
	}
	if len(entries) > 1000 {
		return ""
	}
	return didYouMean(name, func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Name()) {
				return
			}
		}
	})
}

// Parse is Load with the text of the file given; what the file names is read
// from disk, relative to the folder of file.
func Parse(ctx context.Context, file string, text []byte, o Options) (*Plan, []Finding) {
	l := &loader{
		ctx: ctx, o: o, plans: map[string]*Plan{}, modules: map[string]inspection{}, breakers: map[string]breakerPlace{}, texts: map[string][]byte{},
	}
	plan := l.read(file, text, nil)
	findings := sortFindings(l.findings, l.files)
	l.quote(findings)
	if HasErrors(findings) {
		return nil, findings
	}
	return plan, findings
}

// loader reads one workflow with all those that it uses.
type loader struct {
	ctx      context.Context
	o        Options
	findings []Finding
	files    []string         // in the order of reading
	plans    map[string]*Plan // by canonical path
	modules  map[string]inspection
	breakers map[string]breakerPlace
	texts    map[string][]byte // of files, while they are read
}

// breakerPlace is the first definition of a breaker's key.
type breakerPlace struct {
	config resilience.BreakerConfig
	file   string
	line   int
}

func (l *loader) report(f Finding) { l.findings = append(l.findings, f) }

// canonical is what tells that two paths are the same file.
func canonical(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return filepath.Clean(file)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	return abs
}

// step is a workflow on the way from the root, for cycles.
type step struct {
	canonical, file string
}

// read builds the plan of one file's text. It returns a plan even when there
// are errors, so that what uses it can be checked too.
func (l *loader) read(file string, text []byte, stack []step) *Plan {
	l.files = append(l.files, file)
	l.texts[file] = text
	doc := parse(file, text, l.report)
	b := &builder{
		reader:     reader{document: doc, report: l.report, anyHost: l.o.AllowAnyHost},
		l:          l,
		dir:        filepath.Dir(file),
		stack:      append(slices.Clip(stack), step{canonical(file), file}),
		moduleKeys: map[string]string{},
		broken:     map[string]bool{},
		schemas:    map[string]*Schema{},
		hash:       sha256.New(),
		words:      newVocabulary(),
	}
	b.hash.Write(text)
	b.plan = &Plan{File: file, Dir: b.dir}
	l.plans[b.stack[len(b.stack)-1].canonical] = b.plan
	b.check()
	b.build()
	b.plan.Digest = "sha256:" + hex.EncodeToString(b.hash.Sum(nil))
	return b.plan
}

// use loads the workflow that v names: a sub-workflow or a fallback level. nil
// when it cannot be used.
func (b *builder) use(v *item) *Plan {
	if v == nil || v.kind != stringKind || strings.TrimSpace(v.text) == "" {
		return nil
	}
	file := v.text
	if !filepath.IsAbs(file) {
		file = filepath.Join(b.dir, filepath.FromSlash(file))
	}
	path := canonical(file)
	for i, s := range b.stack {
		if s.canonical == path {
			b.say(v, "cycle", "", "workflows use each other in a circle: %s", circle(b.stack[i:]))
			return nil
		}
	}
	if len(b.stack) >= maxNesting {
		b.say(v, "cycle", "", "workflows use workflows more than %d deep", maxNesting)
		return nil
	}
	if plan, ok := b.l.plans[path]; ok {
		b.hash.Write([]byte(plan.Digest))
		return plan
	}
	text, err := ReadFile(file, MaxFile)
	if err != nil {
		code, message, hint := whyUnreadable(file, "workflow file", err)
		b.say(v, code, hint, "%s", message)
		return nil
	}
	plan := b.l.read(file, text, b.stack)
	b.hash.Write([]byte(plan.Digest))
	return plan
}

func circle(stack []step) string {
	var s strings.Builder
	for _, step := range stack {
		s.WriteString(filepath.Base(step.file))
		s.WriteString(" → ")
	}
	return s.String() + filepath.Base(stack[0].file)
}
