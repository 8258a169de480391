package telemetry

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What an operator is given: rules, a dashboard and a page of the guide. All three
// speak of metrics, which must be there.
const operatorDir = "../../../docs/telemetry/"

func TestAlertsByPromtool(t *testing.T) {
	promtool(t, nil, "check", "rules", operatorDir+"alerts.yaml")
	promtool(t, nil, "test", "rules", operatorDir+"alerts_test.yaml")
}

var (
	metricName = regexp.MustCompile(`\b(wasmhost|go|process)_[a-z_]+\b`)
	labelNames = []*regexp.Regexp{regexp.MustCompile(`by \(([a-z, ]+)\)`), regexp.MustCompile(`[{,]([a-z]+)=~?"`), regexp.MustCompile(`\{\{(?: ?\$labels\.)?([a-z]+) ?\}\}`)}
)

// known are the labels of every name under which a metric can be asked for.
func known(t *testing.T) map[string][]string {
	t.Helper()
	families, _ := scrape(t, everything(t))
	all := map[string][]string{}
	for name, f := range families {
		labels := []string{"instance", "job"} // Prometheus's own
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		all[name] = labels
		if f.Metric[0].Histogram != nil {
			all[name+"_bucket"], all[name+"_sum"], all[name+"_count"] = append(slices.Clone(labels), "le"), labels, labels
		}
	}
	return all
}

// check compares what an expression names with what is there.
func check(t *testing.T, all map[string][]string, where, expression, legend string) {
	t.Helper()
	var labels []string
	for _, name := range metricName.FindAllString(expression, -1) {
		l, ok := all[name]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		labels = append(labels, l...)
	}
	for _, r := range labelNames {
		for _, m := range r.FindAllStringSubmatch(expression+legend, -1) {
			for name := range strings.SplitSeq(m[1], ",") {
				if name = strings.TrimSpace(name); len(labels) > 0 && !slices.Contains(labels, name) {
					t.Errorf("%s: no metric of %s has the label %s", where, expression, name)
				}
			}
		}
	}
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(operatorDir + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	type target struct{ Expr, LegendFormat string }
	var d struct {
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			Targets     []target
		}
		Templating struct {
			List []struct{ Type, Definition string }
		}
		Annotations struct{ List []target }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	all, used, ids := known(t), map[string]bool{}, map[int]bool{}
	type place struct{ x, y int }
	taken := map[place]string{}
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	ask := func(where, expression, legend string) {
		check(t, all, where, expression, legend)
		for _, name := range metricName.FindAllString(expression, -1) {
			used[name] = true
		}
		q, _ := json.Marshal(strings.ReplaceAll(expression, "$__rate_interval", "5m"))
		fmt.Fprintf(&rules, "  - record: panel_%d\n    expr: %s\n", len(rules.String()), q)
	}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[place{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[place{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			ask(p.Title, q.Expr, q.LegendFormat)
		}
	}
	for _, a := range d.Annotations.List {
		ask("annotation", a.Expr, "")
	}
	for _, v := range d.Templating.List {
		check(t, all, "variable", v.Definition, "")
	}
	for name := range all {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "wasmhost_") && !used[base] && !used[base+"_bucket"] {
			t.Errorf("%s is on no panel", name)
		}
	}
	file := t.TempDir() + "/dashboard.yaml"
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "rules", "--lint=none", file)
}

func TestAlertsNameWhatIsThere(t *testing.T) {
	text, err := os.ReadFile(operatorDir + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, rules := known(t), 0
	for i, rule := range strings.Split(string(text), "- alert: ") {
		if i > 0 {
			rules++
			name, _, _ := strings.Cut(rule, "\n")
			expression, after, _ := strings.Cut(rule, "labels: {")
			check(t, all, name, expression, after)
		}
	}
	if rules < 10 {
		t.Errorf("%d rules", rules)
	}
}

// TestGuide compares the table of the guide with what a scrape has.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../docs/guide/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(wasmhost_[a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = strings.TrimSpace(strings.ReplaceAll(m[2], "`", ""))
	}
	families, _ := scrape(t, everything(t))
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "wasmhost_") {
			continue
		}
		var labels []string
		for _, l := range families[name].Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		if got, ok := documented[name]; !ok || got != strings.Join(labels, ", ") {
			t.Errorf("%s has the labels %q, documented are %q", name, strings.Join(labels, ", "), got)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is documented and not there", name)
	}
}
