package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// approvalKeys are all that an approval node may carry.
var approvalKeys = []string{"approval", "needs", "when", "run_if", "deadline"}

// attemptKeys are the policies of an attempt: a sub-workflow has none, its nodes
// have.
var attemptKeys = []string{"function", "policy", "idempotent", "timeout", "retry", "breaker", "rate_limit", "concurrency", "hedge"}

// valueKeys are all that a constant fallback may carry.
var valueKeys = []string{"value"}

// nodes reads the nodes, in an order in which every node comes after what it
// needs.
func (b *builder) nodes(t *item) {
	if t == nil {
		return
	}
	if len(t.entries) == 0 && !b.lostHeader {
		b.say(t, "missing_key", "", "a workflow needs at least one node")
	}
	b.order(t)
	for i := range b.plan.Nodes {
		b.node(&b.plan.Nodes[i], b.entries[i])
	}
	for i := range b.plan.Nodes {
		b.data(&b.plan.Nodes[i], b.entries[i].item)
	}
}

// node reads everything of a node but its expressions.
func (b *builder) node(n *Node, e *entry) {
	t := e.item
	n.MinSuccess, n.Idempotent = 1, t.boolean("idempotent", true)
	n.Line, _ = b.place(e.at)
	switch which := b.exactlyOne(e, "node "+strconv.Quote(e.key), "plugin", "workflow", "approval"); which {
	case "workflow":
		n.Kind = WorkflowNode
		b.onlyHere(t, attemptKeys, func(key string) (string, string) {
			return fmt.Sprintf("a node that runs a sub-workflow takes no %s", key), "put it into the nodes of the sub-workflow"
		})
		n.Sub = b.use(t.get("workflow"))
	case "approval":
		n.Kind = ApprovalNode
		n.Approval, _ = t.str("approval")
		if strings.Contains(n.Approval, "{{") {
			b.say(t.get("approval"), "plain_text", "with, for_each and output.value take expressions; a question is plain text", "an approval's text is shown as it stands, with its {{ }}")
		}
		for i := range t.entries {
			k := &t.entries[i]
			if nodeShape.byID[k.key] != nil && !slices.Contains(approvalKeys, k.key) && k.key != "plugin" && k.key != "workflow" {
				b.sayAt(k.at, k.end, "misplaced_key", "an approval takes "+strings.Join(approvalKeys, ", "), "an approval takes no %s", k.key)
			}
		}
	}
	if s, ok := t.str("run_if"); ok {
		n.RunIf = map[string]RunIf{"failed": IfFailed, "done": IfDone}[s]
		if n.RunIf == IfFailed && len(n.Needs) == 0 && t.get("needs") == nil {
			b.say(t.get("run_if"), "contradiction", "name the node whose failure it handles in needs", "the node runs after a failure, but needs no node that could fail")
		}
	}
	if k, ok := t.integer("max_parallel"); ok && k > 0 {
		n.MaxParallel = int(k)
	}
	if f, ok := t.float("min_success"); ok {
		n.MinSuccess = f
	}
	if t.get("for_each") == nil {
		for _, key := range []string{"max_parallel", "min_success"} {
			if k := t.find(key); k != nil && n.Kind != ApprovalNode {
				b.sayAt(k.at, k.end, "contradiction", "add for_each, or leave it away", "%s goes with for_each, which is not given", key)
			}
		}
	}
	n.Output = b.schema(t.get("output"), "nodes."+e.key+".output")

	r := b.policy(t)
	n.Deadline = r.Deadline
	if n.Kind == PluginNode {
		b.answerer(&n.Primary, t, r)
		if t.get("for_each") != nil {
			n.Primary.Policy.Deadline = 0 // it spans all items, see Node.Deadline
		}
		b.fitting(n, t, t, r)
	}
	for i, f := range t.tables("fallback") {
		b.fallback(n, t, f, i)
	}
}

// onlyHere reports keys that do not belong to this kind of node.
func (b *builder) onlyHere(t *item, not []string, why func(key string) (message, hint string)) {
	for _, key := range not {
		if k := t.find(key); k != nil {
			message, hint := why(key)
			b.sayAt(k.at, k.end, "misplaced_key", hint, "%s", message)
		}
	}
}

// answerer reads who is asked, and how.
func (b *builder) answerer(a *Answerer, t *item, r *resolved) {
	a.Plugin, _ = t.str("plugin")
	a.Function = "run"
	at := t.get("plugin")
	f := t.get("function")
	if f != nil && f.kind == stringKind {
		a.Function, at = f.text, f
	}
	a.Policy = r.Policy
	b.used[a.Plugin] = true
	if at != nil && a.Plugin != "" {
		b.callable(a.Plugin, a.Function, at)
	}
}

// fitting checks a resolved policy against the node that uses it. own is the
// table that carries the keys, node the node's.
func (b *builder) fitting(n *Node, own, node *item, r *resolved) {
	b.complete(r)
	if r.Breaker != "" {
		b.breakerUse[r.Breaker] = append(b.breakerUse[r.Breaker], &r.Policy)
	}
	b.retriesFit(n, r)
	if n.Idempotent {
		return
	}
	line, _ := b.place(node.find("idempotent").at)
	if r.Hedge != nil {
		const hint = "leave the hedge away, or set idempotent = true if two calls at once do no harm"
		if own.get("hedge") != nil {
			b.say(r.hedge, "contradiction", hint, "a hedge calls twice, but node %q must not be repeated (idempotent = false, line %d)", n.ID, line)
		} else {
			line, _ := b.place(r.hedge.at)
			b.say(node.get("idempotent"), "contradiction", hint, "node %q must not be repeated, but the hedge that it inherits (line %d) calls twice", n.ID, line)
		}
	}
	if r.Retry.MaxRetries > 0 {
		at := r.maxRetries
		if own.table("retry").get("max_retries") == nil {
			at = node.get("idempotent")
		}
		b.say(at, "retry_not_idempotent", "", "node %q has idempotent = false: it is retried (max_retries = %d) only after errors that the plugin itself returned, never when the outcome is unknown", n.ID, r.Retry.MaxRetries)
	}
}

// fallback reads entry i of a node's fallbacks.
func (b *builder) fallback(n *Node, node, t *item, i int) {
	e := entry{key: strconv.Itoa(i), at: t.at, end: t.end, item: t}
	var a Answerer
	switch b.exactlyOne(&e, fmt.Sprintf("fallback %d of node %q", i, n.ID), "plugin", "value") {
	case "value":
		a.IsValue = true
		v := t.get("value")
		a.Value, _ = b.constant(v)
		if at := firstTemplate(v); at != nil {
			b.say(at, "bad_expression", "a plugin such as builtin:transform can answer with a computed value", "a constant is taken as it is, {{ … }} in it is not evaluated")
		}
		b.fits(v, n.Output, a.Value, "the constant does not fit the node's output schema")
		for j := range t.entries {
			k := &t.entries[j]
			if fallbackShape.byID[k.key] != nil && !slices.Contains(valueKeys, k.key) && k.key != "plugin" {
				b.sayAt(k.at, k.end, "contradiction", "", "a constant is not called, so %s has no meaning", k.key)
			}
		}
	case "plugin":
		r := b.policy(t)
		b.answerer(&a, t, r)
		b.fitting(n, t, node, r)
	}
	if len(n.Fallbacks) > 0 && n.Fallbacks[len(n.Fallbacks)-1].IsValue {
		b.say(t, "unreachable_fallback", "move the constant to the end", "fallback %d of node %q is never asked: the constant before it always answers", i, n.ID)
	}
	n.Fallbacks = append(n.Fallbacks, a)
}

// firstTemplate finds a string with {{ in a value.
func firstTemplate(v *item) *item {
	if v == nil {
		return nil
	}
	if v.kind == stringKind && strings.Contains(v.text, "{{") {
		return v
	}
	for _, e := range v.items {
		if at := firstTemplate(e); at != nil {
			return at
		}
	}
	for i := range v.entries {
		if at := firstTemplate(v.entries[i].item); at != nil {
			return at
		}
	}
	return nil
}

// data reads a node's expressions.
func (b *builder) data(n *Node, t *item) {
	s := site{b: b, node: n.Index}
	n.When = s.condition(t.get("when"))
	if n.Kind == ApprovalNode {
		return
	}
	if v := t.get("for_each"); v != nil {
		list, of := s.list(v)
		n.ForEach = list
		s.inItem, s.item = true, of
	}
	n.Primary.With = s.template(t.get("with"))
	for i, f := range t.tables("fallback") {
		if i >= len(n.Fallbacks) || n.Fallbacks[i].IsValue {
			continue
		}
		a := &n.Fallbacks[i]
		if a.With = s.template(f.get("with")); f.get("with") == nil {
			a.With = n.Primary.With
		}
		b.accepts(a, f.get("with"))
	}
	b.accepts(&n.Primary, t.get("with"))
	if value, ok := n.Primary.With.Constant(); ok && n.Sub != nil {
		b.fits(t.get("with"), n.Sub.Input.Schema, value, "the sub-workflow's input does not fit its schema")
	}
}

// accepts checks a constant "with" against what the function says it takes.
func (b *builder) accepts(a *Answerer, v *item) {
	value, ok := a.With.Constant()
	m := b.module(a.Plugin)
	if !ok || m == nil || v == nil {
		return
	}
	b.fits(v, m.inputs[a.Function], value, fmt.Sprintf("plugin %s does not take this", a.Plugin))
}

func (b *builder) output(t *item) {
	if t == nil {
		return
	}
	s := site{b: b, node: len(b.plan.Nodes)}
	b.plan.Output = s.template(t.get("value"))
}
