package pages

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wasmhost/host/event"
)

const nodesShown = 100

// nodeRow is a node in the table of a run.
type nodeRow struct {
	Level string // of the fallback levels: "0", "1"
	Path  string
	ID    string
	Depth int
	*event.NodeResult
	Items string // "3 of 5 items succeeded"
	Why   string // why it was skipped, fell back, failed or waits
	To    string
}

// nodeTable is a part of a run's nodes.
type nodeTable struct {
	Rows    []nodeRow
	All     int // nodes of the run
	Matched int
	Counts  []nodeCount
	Status  event.Status
	Search  string
	Prev    string
	Next    string
	First   int // of the rows, from 1
	Last    int
	Long    bool // long enough for a search field
}

type nodeCount struct {
	Status event.Status
	Count  int
	To     string
	On     bool
}

func nodeAt(run, level, path string) string {
	q := url.Values{"node": {path}}
	if level != "" && level != "0" {
		q.Set("level", level)
	}
	return "/runs/" + url.PathEscape(run) + "/node?" + q.Encode()
}

// rowsOf lists the nodes of a result in the order of their names, sub-workflows
// below the node that runs them; items have their own page.
func rowsOf(run string, r *event.Result) []nodeRow {
	var rows []nodeRow
	var add func(level, prefix string, depth int, nodes event.NodeMap)
	add = func(level, prefix string, depth int, nodes event.NodeMap) {
		ids := make([]string, 0, len(nodes))
		for id, n := range nodes {
			if n != nil {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, natural)
		for _, id := range ids {
			n := nodes[id]
			row := nodeRow{Level: level, Path: prefix + id, ID: id, Depth: depth, NodeResult: n, Why: whyNode(n), Items: itemsOf(n)}
			row.To = nodeAt(run, level, row.Path)
			rows = append(rows, row)
			if n.Run != nil && depth < 8 {
				add(level, row.Path+"/", depth+1, n.Run.Nodes)
			}
		}
	}
	add(strconv.Itoa(r.Level), "", 0, r.Nodes)
	return rows
}

// natural orders names with numbers as people do: n2 before n10.
func natural(a, b string) int {
	for a != "" && b != "" {
		if digit(a[0]) && digit(b[0]) {
			i, j := 0, 0
			for i < len(a) && digit(a[i]) {
				i++
			}
			for j < len(b) && digit(b[j]) {
				j++
			}
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func itemsOf(n *event.NodeResult) string {
	if len(n.Items) == 0 {
		return ""
	}
	good := 0
	for _, i := range n.Items {
		if i.Kept() {
			good++
		}
	}
	return number(good) + " of " + plural(len(n.Items), "item")
}

// whyNode says what is out of the ordinary about a node.
func whyNode(n *event.NodeResult) string {
	var parts []string
	if n.AnsweredBy != "" && n.AnsweredBy != "primary" {
		s := "answered by " + n.AnsweredBy
		if len(n.Errors) > 0 && n.Errors[0] != nil {
			s += ", because " + n.Errors[0].Error()
		}
		parts = append(parts, s)
	}
	if n.Reason != "" {
		parts = append(parts, n.Reason)
	}
	if n.Error != nil && n.Status != event.Succeeded {
		parts = append(parts, n.Error.Error())
	}
	if len(n.Warnings) > 0 && n.Warnings[0] != nil {
		parts = append(parts, "warning: "+n.Warnings[0].Message)
	}
	return line(strings.Join(parts, " · "))
}

// tableOf is the part of the nodes that the address asks for.
func tableOf(run string, rows []nodeRow, q url.Values) nodeTable {
	t := nodeTable{All: len(rows), Status: event.Status(q.Get("nodes")), Search: strings.TrimSpace(q.Get("find")), Long: len(rows) > 20}
	to := func(status event.Status, from int) string {
		v := url.Values{}
		if status != "" {
			v.Set("nodes", string(status))
		}
		if t.Search != "" {
			v.Set("find", t.Search)
		}
		if from > 0 {
			v.Set("from", strconv.Itoa(from))
		}
		s := "/runs/" + url.PathEscape(run)
		if len(v) > 0 {
			s += "?" + v.Encode()
		}
		return s + "#nodes"
	}
	counts := map[event.Status]int{}
	var matched []nodeRow
	for _, r := range rows {
		counts[r.Status]++
		if t.Status != "" && r.Status != t.Status || t.Search != "" && !strings.Contains(strings.ToLower(r.Path), strings.ToLower(t.Search)) {
			continue
		}
		matched = append(matched, r)
	}
	t.Counts = append(t.Counts, nodeCount{Count: t.All, To: to("", 0), On: t.Status == ""})
	for _, s := range nodeStatuses {
		if counts[s] > 0 || t.Status == s {
			t.Counts = append(t.Counts, nodeCount{s, counts[s], to(s, 0), t.Status == s})
		}
	}
	t.Matched = len(matched)
	from, _ := strconv.Atoi(q.Get("from"))
	from = max(0, min(from, len(matched)))
	end := min(from+nodesShown, len(matched))
	t.Rows, t.First, t.Last = matched[from:end], from+1, end
	if from > 0 {
		t.Prev = to(t.Status, max(0, from-nodesShown))
	}
	if end < len(matched) {
		t.Next = to(t.Status, end)
	}
	return t
}

var nodeStatuses = []event.Status{event.Running, event.Waiting, event.Failed, event.Degraded, event.Succeeded, event.Skipped, event.Cancelled, event.Pending}

// find is the result of a node by its path, of an item, or of one in a
// sub-workflow.
func find(r *event.Result, level, path string) *event.NodeResult {
	nodes := r.Nodes
	if i, err := strconv.Atoi(level); err == nil && level != "" && i != r.Level && i >= 0 && i < len(r.Levels) {
		nodes = r.Levels[i].Nodes
	}
	for {
		head, rest, inside := strings.Cut(path, "/")
		n := nodes[head]
		if at := strings.LastIndexByte(head, '['); n == nil && at > 0 && strings.HasSuffix(head, "]") {
			i, err := strconv.Atoi(head[at+1 : len(head)-1])
			whole := nodes[head[:at]]
			if err != nil || whole == nil || i < 0 || i >= len(whole.Items) {
				return nil
			}
			n = whole.Items[i]
		}
		if n == nil || !inside {
			return n
		}
		if n.Run == nil {
			return nil
		}
		nodes, path = n.Run.Nodes, rest
	}
}
