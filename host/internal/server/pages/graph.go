package pages

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"slices"
	"strings"
)

const (
	graphNodes = 300     // a workflow with more is summarised, its graph is a link
	graphBytes = 2 << 20 // the same, however few they are
)

// What an inline graph may hold. Its style is in the style sheet, for a page has
// no inline ones, and the handlers and outside references that nobody draws are
// left out whoever draws it.
var (
	graphElements   = []string{"svg", "g", "path", "rect", "circle", "line", "text", "tspan", "title", "defs", "marker"}
	graphAttributes = []string{"class", "id", "role", "aria-label", "width", "height", "viewBox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "d",
		"data-level", "data-node", "data-prefix", "data-from", "data-to", "marker-end", "refX", "refY", "markerWidth", "markerHeight", "markerUnits", "orient", "transform"}
)

var errGraph = errors.New("the graph cannot be shown in the page")

// inline makes a drawing part of a page: only what a graph consists of, and every
// node a link to where link says.
func inline(svg []byte, link func(level, node string) string) (template.HTML, error) {
	if len(svg) > graphBytes {
		return "", errGraph
	}
	var out strings.Builder
	d := xml.NewDecoder(bytes.NewReader(svg))
	skip := 0 // depth inside of what is left out
	var closers []string
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("%w: %v", errGraph, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if skip > 0 || !slices.Contains(graphElements, t.Name.Local) {
				skip++
				continue
			}
			open, shut := "", "</"+t.Name.Local+">"
			if t.Name.Local == "g" && link != nil {
				level, node := attribute(t, "data-level"), attribute(t, "data-node")
				if to := ""; node != "" {
					if to = link(level, node); to != "" {
						open, shut = `<a href="`+html.EscapeString(to)+`">`, shut+"</a>"
					}
				}
			}
			out.WriteString(open + "<" + t.Name.Local)
			for _, a := range t.Attr {
				if a.Name.Space != "" && a.Name.Space != "xmlns" || !slices.Contains(graphAttributes, a.Name.Local) {
					continue
				}
				if a.Name.Local == "marker-end" && !strings.HasPrefix(a.Value, "url(#") {
					continue
				}
				value := a.Value
				if t.Name.Local == "svg" && a.Name.Local == "role" && link != nil {
					value = "group" // its nodes are links
				}
				fmt.Fprintf(&out, ` %s="%s"`, a.Name.Local, html.EscapeString(visible(value)))
			}
			out.WriteByte('>')
			closers = append(closers, shut)
		case xml.EndElement:
			if skip > 0 {
				skip--
				continue
			}
			out.WriteString(closers[len(closers)-1])
			closers = closers[:len(closers)-1]
		case xml.CharData:
			if skip == 0 {
				out.WriteString(html.EscapeString(visible(string(t))))
			}
		}
	}
	return template.HTML(out.String()), nil
}

// drawn reports whether a drawing has the node.
func drawn(svg []byte, level, node string) bool {
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		t, err := d.Token()
		if err != nil {
			return false
		}
		e, ok := t.(xml.StartElement)
		if ok && node != "" && attribute(e, "data-node") == node && topLevel(attribute(e, "data-level")) == topLevel(level) {
			return true
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
