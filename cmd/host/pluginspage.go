package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"wasmhost/host/event"
)

// shortDigest is a digest as people compare it: "sha256:1f0c22ab9e04".
func shortDigest(d string) string {
	if d == "" {
		return "-"
	}
	return clean(d[:min(len(d), len("sha256:")+12)])
}

// writePlugins writes plugins as a table.
func writePlugins(w io.Writer, all []event.PluginInfo) error {
	rows := [][]string{{"PLUGIN", "VERSION", "SINCE", "CALLS", "FAILED", "P99", ""}}
	for i := range all {
		p := &all[i]
		row := []string{clean(p.Name), shortDigest(p.Digest), "-", "-", "-", "-", pluginRemark(p)}
		for _, v := range p.Versions {
			if v.State == event.VersionCurrent {
				copy(row[2:], []string{stamp(v.Since), strconv.FormatUint(v.Calls, 10), strconv.FormatUint(v.Failures, 10), latency(v.P99MS, v.Calls)})
			}
		}
		rows = append(rows, row)
	}
	return writeTable(w, rows, 0)
}

// latency is a time of calls, "-" where there were none.
func latency(ms float64, calls uint64) string {
	if calls == 0 {
		return "-"
	}
	return span(millis(ms))
}

// pluginRemark is what there is to know of a plugin beside its current version.
func pluginRemark(p *event.PluginInfo) string {
	var parts []string
	for _, v := range p.Versions {
		switch v.State {
		case event.VersionCanary, event.VersionShadow:
			parts = append(parts, fmt.Sprintf("%s %s", v.State, shortDigest(v.Digest)))
		case event.VersionCurrent:
			if v.From == "upload" {
				parts = append(parts, "uploaded")
			}
		}
	}
	if p.Pinned {
		parts = append(parts, "pinned")
	}
	if p.Error != nil {
		parts = append(parts, failureText(p.Error))
	}
	return strings.Join(parts, ", ")
}

// writePlugin writes what is known of a plugin.
func writePlugin(w io.Writer, p *event.PluginInfo) error {
	out := &page{w: w}
	out.field("plugin", clean(p.Name))
	out.field("workflow", clean(p.Workflow))
	source := clean(p.Source)
	if p.File != "" && p.File != p.Source {
		source += " (" + clean(p.File) + ")"
	}
	out.field("source", source)
	digest := clean(p.Digest)
	if digest == "" {
		digest = "none is loaded yet"
	}
	if p.Pinned {
		digest += " (pinned by the workflow file)"
	}
	out.field("version", digest)
	if p.Error != nil {
		out.field("error", failureText(p.Error))
	}
	if p.Recorded > 0 {
		out.field("recorded", counted(p.Recorded, "call"))
	}
	if t := p.LastTrial; t != nil {
		out.field("last trial", trialText(t))
		for _, d := range t.Differences {
			out.line("  %s of run %s: %s, and not %s", clean(d.Node), clean(d.Run), clean(d.New), clean(d.Old))
		}
	}
	out.line("")
	if len(p.Permissions) == 0 {
		out.line("may do nothing but compute")
	} else {
		out.line("may")
		for _, x := range p.Permissions {
			out.line("  %s", clean(x))
		}
	}
	if out.err != nil || len(p.Versions) == 0 {
		return out.err
	}
	out.line("")
	rows := [][]string{{"VERSION", "STATE", "FROM", "SINCE", "IN FLIGHT", "CALLS", "FAILED", "P50", "P99", ""}}
	for _, v := range p.Versions {
		remark := ""
		if v.State == event.VersionShadow {
			remark = fmt.Sprintf("%d differ", v.Differ)
		}
		rows = append(rows, []string{shortDigest(v.Digest), string(v.State), clean(v.From), stamp(v.Since), strconv.Itoa(v.InFlight),
			strconv.FormatUint(v.Calls, 10), strconv.FormatUint(v.Failures, 10), latency(v.P50MS, v.Calls), latency(v.P99MS, v.Calls), remark})
	}
	return writeTable(w, rows, 0)
}

// writeSwap writes the steps of a swap. Why it was refused is said after it, once.
func writeSwap(w io.Writer, r *event.SwapReport) error {
	out := &page{w: w}
	wide := 0
	for _, s := range r.Steps {
		wide = max(wide, cellsIn(clean(s.Name)))
	}
	for _, s := range r.Steps {
		mark := "ok    "
		if !s.OK {
			mark = "failed"
		}
		text := clean(s.Text)
		if r.Refused != nil && s.Text == r.Refused.Message {
			text = ""
		}
		if text != "" {
			text = "  " + text
		}
		out.line("%s", strings.TrimRight(pad(clean(s.Name), wide)+"  "+mark+text, " "))
	}
	if r.Replay != nil {
		for _, d := range r.Replay.Differ {
			out.line("  %s of run %s, given %s", clean(d.Node), clean(d.Run), short(clean(d.Input), 100))
			out.line("    - %s", short(clean(d.Old), 200))
			out.line("    + %s", short(clean(d.New), 200))
		}
	}
	return out.err
}

// swapped is what became of a swap, in a sentence.
func swapped(r *event.SwapReport) string {
	name, to := clean(r.Plugin), shortDigest(r.To)
	switch {
	case r.Unchanged:
		return fmt.Sprintf("plugin %s is %s already: nothing has changed", name, to)
	case r.Mode == event.SwapCanary:
		return fmt.Sprintf("plugin %s: %s is a canary beside %s, and gets every tenth call of idempotent nodes", name, to, shortDigest(r.From))
	case r.Mode == event.SwapShadow:
		return fmt.Sprintf("plugin %s: %s runs beside %s as a shadow, and never answers", name, to, shortDigest(r.From))
	}
	return fmt.Sprintf("plugin %s is %s now, was %s", name, to, shortDigest(r.From))
}

// trialText is how a canary or shadow came out, in a line.
func trialText(t *event.TrialResult) string {
	text := fmt.Sprintf("%s %s %s %s: %s", t.Mode, shortDigest(t.Digest), strings.ReplaceAll(t.Outcome, "_", " "), stamp(t.EndedAt), clean(t.Reason))
	if t.Mode == event.SwapShadow {
		return fmt.Sprintf("%s; %d of %s answered otherwise, %d not comparable", text, t.Differ, counted(t.Calls, "call"), t.Skipped)
	}
	return fmt.Sprintf("%s; %s, %d failed", text, counted(t.Calls, "call"), t.Failures)
}
