//go:build unix

package torture

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// oracle reads journals with the sqlite3 tool: another build of SQLite than the
// one that writes them, and none of the host's code.
type oracle struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	dir string // of the copies that it looks at
}

// errNoTool: there is no second build of SQLite on this machine.
var errNoTool = errors.New("the sqlite3 tool is missing: apt-get install sqlite3")

func newOracle(dir string) (*oracle, error) {
	tool, err := exec.LookPath("sqlite3")
	if err != nil {
		return nil, errNoTool
	}
	o := &oracle{cmd: exec.Command(tool, "-batch", "-json"), dir: dir}
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.cmd.Stderr = o.cmd.Stdout
	o.out = bufio.NewReader(out)
	return o, o.cmd.Start()
}

func (o *oracle) close() error {
	o.in.Close()
	return o.cmd.Wait()
}

const endOfAnswer = "that was the answer"

// ask runs statements and reads the rows that they give into rows, a pointer to
// a slice. What is not JSON is an error.
func (o *oracle) ask(statements string, rows any) error {
	if _, err := fmt.Fprintf(o.in, "%s\n.print %s\n", statements, endOfAnswer); err != nil {
		return err
	}
	var text strings.Builder
	for {
		line, err := o.out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("sqlite3: %w: %s", err, text.String())
		}
		if line == endOfAnswer+"\n" {
			break
		}
		text.WriteString(line)
	}
	if rows == nil || text.Len() == 0 {
		if text.Len() > 0 {
			return fmt.Errorf("sqlite3: %s", text.String())
		}
		return nil
	}
	if err := json.Unmarshal([]byte(text.String()), rows); err != nil {
		return fmt.Errorf("sqlite3: %w: %s", err, text.String())
	}
	return nil
}

// snapshot is what a journal holds.
type snapshot struct {
	runs map[string]*recorded
}

// recorded is a run in a journal.
type recorded struct {
	Status     string
	Generation int
	Records    int

	done     map[string]bool // calls that succeeded, by key
	answered map[string]bool // calls that were answered at all
	failed   map[string]int  // the last attempt that failed, by key
	again    map[string]int  // how often a person said so, by path
	approved int             // how often a person ended a node
	told     map[string]int  // how often a node succeeded, by path
	finished int             // how often the end was told
}

// look reads the journal in a folder as it was left there, and changes nothing.
// While another process has it open (shared), that process's view counts: a
// commit that the dead process wrote and did not live to announce is not one, and
// will be overwritten. Else the tool looks at a copy, and recovers what the next
// process will.
func (o *oracle) look(state string, shared bool) (*snapshot, error) {
	s := &snapshot{runs: map[string]*recorded{}}
	db := filepath.Join(state, "journal.db")
	open := ".open --readonly " + db
	if !shared {
		there, err := o.copy(db)
		if err != nil || !there {
			return s, err
		}
		open = ".open " + o.db()
	}
	defer func() { _ = o.ask(".open :memory:", nil) }()
	var whole []struct {
		Is string `json:"integrity_check"`
		N  int
	}
	if err := o.ask(open+"\nPRAGMA integrity_check;", &whole); err != nil {
		return nil, err
	}
	if len(whole) != 1 || whole[0].Is != "ok" {
		return nil, fmt.Errorf("PRAGMA integrity_check says %+v", whole)
	}
	whole = nil
	if err := o.ask("SELECT count(*) AS N FROM sqlite_master WHERE name = 'runs';", &whole); err != nil {
		return nil, err
	}
	if whole[0].N == 0 {
		return s, nil // it died while it made the tables
	}
	return s, o.read(s)
}

func (o *oracle) db() string { return filepath.Join(o.dir, "copy.db") }

// free reports whether nobody is in the middle of a transaction.
func (o *oracle) free(state string) bool {
	err := o.ask(".open "+filepath.Join(state, "journal.db")+"\nBEGIN IMMEDIATE;\nROLLBACK;", nil)
	_ = o.ask(".open :memory:", nil)
	return err == nil
}

// copy copies the database and its WAL, if there is a database.
func (o *oracle) copy(db string) (there bool, err error) {
	_ = os.Remove(o.db() + "-shm")
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(db + end)
		switch {
		case errors.Is(err, fs.ErrNotExist) && end == "":
			return false, nil // it died before there was one
		case errors.Is(err, fs.ErrNotExist):
			_ = os.Remove(o.db() + end)
			continue
		case err != nil:
			return false, err
		}
		if err := os.WriteFile(o.db()+end, data, 0o600); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (o *oracle) read(s *snapshot) error {
	var runs []struct {
		recorded
		ID string
	}
	if err := o.ask(`SELECT id AS ID, status AS Status, generation AS Generation,
		(SELECT count(*) FROM records WHERE at >> 28 = n) AS Records FROM runs;`, &runs); err != nil {
		return err
	}
	for i := range runs {
		r := &runs[i].recorded
		r.done, r.answered, r.failed, r.again, r.told = map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]int{}, map[string]int{}
		s.runs[runs[i].ID] = r
	}
	var lines []struct {
		ID, Key, Kind, Status, Verdict, Path, Type, Node string
		Mark, Attempt                                    int
	}
	// COALESCE: the tool writes null, which is not a string's nothing.
	if err := o.ask(`WITH r AS (SELECT at, key, mark, json(coalesce(CAST(note AS TEXT), '{}')) AS note, json(coalesce(CAST(event AS TEXT), '{}')) AS event FROM records)
		SELECT id AS ID, key AS Key, mark AS Mark, coalesce(note ->> '$.k', '') AS Kind, coalesce(note ->> '$.r.status', '') AS Status,
			coalesce(note ->> '$.d.verdict', '') AS Verdict, coalesce(note ->> '$.d.path', '') AS Path, coalesce(event ->> '$.type', '') AS Type,
			coalesce(event ->> '$.node', '') AS Node, coalesce(event ->> '$.attempt', 0) AS Attempt
		FROM r JOIN runs ON n = at >> 28 ORDER BY at;`, &lines); err != nil {
		return err
	}
	for _, l := range lines {
		r := s.runs[l.ID]
		switch {
		case l.Kind == "called":
			r.answered[l.Key] = true
			r.done[l.Key] = r.done[l.Key] || l.Status == "succeeded" || l.Status == "degraded"
		case l.Kind == "decided" && l.Verdict == "again":
			r.again[l.Path]++
		case l.Kind == "decided":
			r.approved++
		case l.Type == "node.attempt_failed":
			r.failed[l.Key] = max(r.failed[l.Key], l.Attempt)
		case l.Type == "node.succeeded":
			r.told[l.Node]++
		case l.Type == "run.finished":
			r.finished++
		}
	}
	return nil
}
