package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// writeRuns writes runs as a table, no wider than so many columns (0: any).
func writeRuns(w io.Writer, runs []host.RunInfo, columns int) error {
	if len(runs) == 0 {
		return nil
	}
	rows := [][]string{{"RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK", ""}}
	for i := range runs {
		r := &runs[i]
		rows = append(rows, []string{clean(r.ID), clean(r.Workflow), stateOf(r), stamp(r.CreatedAt), took(r), remark(r)})
	}
	return writeTable(w, rows, columns)
}

// writeTable writes rows in columns as wide as their cells; the last one is cut
// where the line would be too long.
func writeTable(w io.Writer, rows [][]string, columns int) error {
	wide := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			wide[i] = max(wide[i], cellsIn(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(pad(cell, wide[i]))
		}
		text := strings.TrimRight(line.String(), " ")
		if columns > 0 {
			text = short(text, columns)
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}

// stamp is a time for people, in their zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// took is how long a run took, "-" while it has not ended.
func took(r *host.RunInfo) string {
	if !r.Status.Ended() {
		return "-"
	}
	return span(millis(r.DurationMS))
}

// remark is the one thing to know of a run beside its status.
func remark(r *host.RunInfo) string {
	switch {
	case r.Error != nil:
		text := failureText(r.Error)
		if r.Error.Node != "" {
			text = clean(r.Error.Node) + ": " + text
		}
		return text
	case isInterrupted(r):
		return "nobody works on it"
	case r.Status == event.Waiting:
		text := clean(r.Reason)
		if !r.WakeAt.IsZero() {
			text += ", until " + stamp(r.WakeAt)
		}
		return text
	case r.Status == event.Running:
		return clean(r.Owner)
	}
	return ""
}
