package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wasmhost/host/event"
)

// Description is what a plugin says of itself, in a custom section or an
// export called describe.
type Description struct {
	Name      string              `json:"name,omitempty"`
	Version   string              `json:"version,omitempty"`
	Functions map[string]Function `json:"functions,omitempty"`
	// Allow is what it asks for; nil: it does not say. It gets what the workflow
	// grants as well, and nothing more.
	Allow *Asked `json:"allow,omitempty"`
}

// Function describes one export. Input and Output are JSON Schemas, empty
// where the plugin does not say.
type Function struct {
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"input,omitempty"`
	Output      json.RawMessage `json:"output,omitempty"`
}

// Asked are the permissions a plugin asks for itself.
type Asked struct {
	HTTP []string `json:"http,omitempty"`
}

const (
	describeName = "describe"
	// describeTime is how long an export describe may take.
	describeTime = 2 * time.Second
)

func parseDescription(text []byte) (*Description, error) {
	var d Description
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("what the plugin says of itself is not the JSON it should be: %w", err)
	}
	return &d, nil
}

// binary are the functions whose output is bytes and no text: those whose output
// schema says contentEncoding base64, which is how the host hands them on.
func (d *Description) binary() map[string]bool {
	var all map[string]bool
	for name, f := range d.Functions {
		var schema struct {
			ContentEncoding string `json:"contentEncoding"`
		}
		if json.Unmarshal(f.Output, &schema) == nil && strings.EqualFold(schema.ContentEncoding, "base64") {
			if all == nil {
				all = map[string]bool{}
			}
			all[name] = true
		}
	}
	return all
}

// describe is the plugin's description, nil when it has none. The custom
// section is read; without one the export is called, with no permissions, no
// configuration and no secrets.
func (r *Runtime) describe(ctx context.Context, img *image, s *Spec) (*Description, *event.Error) {
	bad := func(err error) *event.Error { return fault(event.Permanent, codeBadModule, "%v", err) }
	if text, ok := img.main().info.CustomData(describeName); ok {
		d, err := parseDescription(text)
		if err != nil {
			return nil, bad(err)
		}
		return d, nil
	}
	f, ok := img.main().exports()[describeName]
	if !ok || !callable(f) {
		return nil, nil
	}
	kept := ""
	if r.cfg.CacheDir != "" { // the answer belongs to the digest
		kept = filepath.Join(r.cfg.CacheDir, "described", strings.TrimPrefix(img.digest, "sha256:")+".json")
		if text, err := os.ReadFile(kept); err == nil {
			if d, err := parseDescription(text); err == nil {
				return d, nil
			}
		}
	}
	bare := Spec{Name: s.Name, Limits: s.Limits, Reset: ResetInstance}
	p, failed := r.assemble(ctx, bare, img)
	if failed != nil {
		return nil, failed
	}
	defer p.Close(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	a, err := p.Call(ctx, Call{Function: describeName})
	if err != nil {
		e := *err.(*event.Error)
		e.Message = "describe: " + e.Message
		return nil, &e
	}
	d, err := parseDescription(a.Output)
	if err != nil {
		return nil, bad(err)
	}
	if kept != "" {
		_ = writeWhole(kept, a.Output) // it can be asked for again
	}
	return d, nil
}

// ask narrows the network to what the plugin itself asks for.
func (n *network) ask(d *Description) error {
	if d == nil || d.Allow == nil {
		return nil
	}
	n.asked = []origin{}
	for _, text := range d.Allow.HTTP {
		o, err := parseOrigin(text)
		if err != nil {
			return fmt.Errorf("the plugin asks for http permissions that cannot be read: %w", err)
		}
		n.asked = append(n.asked, o)
	}
	return nil
}

// origins are those that the workflow grants and the plugin asks for.
func (n *network) origins() []origin {
	if n.asked == nil {
		return n.rules
	}
	var list []origin
	for _, r := range n.rules {
		for _, a := range n.asked {
			if both, ok := r.intersect(a); ok {
				list = append(list, both)
			}
		}
	}
	return list
}

// granted are the origins in words.
func (n *network) granted() []string {
	list := []string{}
	for _, o := range n.origins() {
		list = append(list, o.String())
	}
	return list
}

// intersect is what lies in both, if anything does.
func (o origin) intersect(b origin) (origin, bool) {
	if b.any || b.below && !o.any && !o.below {
		o, b = b, o
	}
	switch { // o is the wider one, if one is
	case o.any:
		if o.scheme != "" && b.scheme != "" && o.scheme != b.scheme || o.port != "" && b.port != "" && o.port != b.port {
			return origin{}, false
		}
		if b.scheme == "" {
			b.scheme = o.scheme
		}
		if b.port == "" {
			b.port = o.port
		}
		return b, true
	case o.scheme != b.scheme || o.port != b.port:
		return origin{}, false
	case o.below && b.below:
		if o.host == b.host || o.names(b.host) {
			return b, true
		}
		return o, b.names(o.host)
	}
	return b, o.names(b.host)
}
