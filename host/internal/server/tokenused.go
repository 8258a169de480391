package server

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// When tokens were last used is kept beside tokens.json, so that using one never
// writes the file that says who may do what. Losing it harms nobody.

func (t *Tokens) usedPath() string { return filepath.Join(t.dir, "tokens.used.json") }

// touch notes that a token is used now. The file is written once a minute at most.
func (t *Tokens) touch(sum digest) {
	now := t.now()
	if now.Sub(t.used[sum]) < time.Minute && !t.used[sum].IsZero() {
		return
	}
	t.used[sum] = now.UTC().Truncate(time.Second)
	if now.Sub(t.usedSeen) < time.Minute && !t.usedSeen.IsZero() {
		return
	}
	t.usedSeen = now
	kept := map[string]time.Time{}
	for _, r := range t.file.rows {
		if at := t.used[r.sum]; !at.IsZero() {
			kept[hex.EncodeToString(r.sum[:])] = at
		}
	}
	if text, err := json.Marshal(kept); err == nil {
		_ = writeFile(t.usedPath(), text)
	}
}

// readUsed takes in what another process noted.
func (t *Tokens) readUsed() {
	text, err := os.ReadFile(t.usedPath())
	if err != nil {
		return
	}
	var kept map[string]time.Time
	if json.Unmarshal(text, &kept) != nil {
		return
	}
	for name, at := range kept {
		var sum digest
		if b, err := hex.DecodeString(name); err == nil && copy(sum[:], b) == len(sum) && at.After(t.used[sum]) {
			t.used[sum] = at
		}
	}
}
