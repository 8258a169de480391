package workflow

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSyntaxErrors bounds how often reading goes on behind a syntax error; what
// comes after that many is noise.
const maxSyntaxErrors = 50

// syntax reads TOML into a document. unstable.Parser gives one expression after
// the other with its place; which keys may be defined twice, and how tables
// grow, is decided here. After a syntax error reading goes on at the next line
// that looks like the start of an expression.
type syntax struct {
	*document
	report func(Finding)
	parser unstable.Parser
	base   uint32   // offset of the parser's text in the file
	table  *item    // where keys go
	path   []string // of table, for messages
}

// parse reads the text of a file. It always returns a document; what is wrong
// goes to report.
func parse(file string, text []byte, report func(Finding)) *document {
	if len(text) > MaxFile {
		report(Finding{File: file, Line: 1, Col: 1, Severity: Error, Code: "too_large",
			Message: fmt.Sprintf("the file has %d bytes; a workflow file has at most %s", len(text), bytesText(MaxFile))})
		text = nil
	}
	s := &syntax{document: newDocument(file, string(text)), report: report}
	s.table = s.root
	if text == nil {
		return s.document
	}
	data := []byte(s.text)
	if strings.HasPrefix(s.text, "\ufeff") { // a byte order mark: some editors write one
		s.base = 3
	}
	for range maxSyntaxErrors {
		s.parser.Reset(data[s.base:])
		last := s.base
		for s.parser.NextExpression() {
			last = s.expression(s.parser.Expression())
		}
		err := s.parser.Error()
		if err == nil {
			break
		}
		next, ok := s.syntaxError(err, last)
		if !ok {
			break
		}
		s.base = next
	}
	return s.document
}

func (s *syntax) say(at, end uint32, code, message, hint string) {
	f := Finding{File: s.file, Severity: Error, Code: code, Message: message, Hint: hint}
	f.Line, f.Col = s.place(at)
	f.width = width(s.text, at, end)
	s.report(f)
}

// syntaxError reports err and returns where to go on. last is where the last
// good expression ended.
func (s *syntax) syntaxError(err error, last uint32) (next uint32, ok bool) {
	var perr *unstable.ParserError
	if !errors.As(err, &perr) {
		s.say(last, last, "syntax", err.Error(), "")
		return 0, false
	}
	at := s.base
	if cap(perr.Highlight) > 0 {
		at += s.parser.Range(perr.Highlight).Offset
	}
	at = min(at, uint32(len(s.text)))
	lineStart := uint32(strings.LastIndexByte(s.text[:at], '\n') + 1)
	start := s.skipBlank(last)
	startLine := uint32(strings.LastIndexByte(s.text[:start], '\n') + 1)
	message, hint := syntaxMessage(perr.Message)
	if lineStart > startLine {
		line, _ := s.place(start)
		message = fmt.Sprintf("what begins in line %d is not closed: %s", line, message)
		hint = "close the array, table or string"
	}
	s.say(at, at+uint32(len(perr.Highlight)), "syntax", message, hint)
	if lineStart == startLine && strings.HasPrefix(s.text[start:], "[") {
		s.brokenHeader(start)
	}

	// An unclosed array or string is noticed lines after its start: at the next
	// expression, where reading goes on, or at the end, and then the lines below
	// its start are tried.
	from := lineStart
	switch {
	case lineStart <= startLine:
		from = s.nextLine(at)
	case s.nextLine(at) >= uint32(len(s.text)):
		from = s.nextLine(start)
	}
	for from < uint32(len(s.text)) && !startsExpression(s.text[from:]) {
		from = s.nextLine(from)
	}
	return from, from < uint32(len(s.text)) && from > s.base
}

// skipBlank goes on over empty lines and comments to the next expression.
func (s *syntax) skipBlank(at uint32) uint32 {
	for at < uint32(len(s.text)) {
		switch s.text[at] {
		case ' ', '\t', '\r', '\n':
			at++
		case '#':
			at = s.nextLine(at)
		default:
			return at
		}
	}
	return at
}

func (s *syntax) nextLine(at uint32) uint32 {
	if i := strings.IndexByte(s.text[at:], '\n'); i >= 0 {
		return at + uint32(i) + 1
	}
	return uint32(len(s.text))
}

// startsExpression reports whether text begins with a header or "key =".
func startsExpression(text string) bool {
	text = strings.TrimLeft(text, " \t")
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	if text == "" {
		return false
	}
	if text[0] == '[' {
		return strings.IndexByte(text, ']') > 0 && strings.IndexByte(text, ',') < 0
	}
	i := 0
	for i < len(text) && (text[i] == '_' || text[i] == '-' || text[i] == '.' || text[i] == '"' || text[i] == '\'' ||
		text[i] >= '0' && text[i] <= '9' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z') {
		i++
	}
	rest := strings.TrimLeft(text[i:], " \t")
	return i > 0 && strings.HasPrefix(rest, "=")
}

// syntaxMessage says what the parser found in plainer words.
func syntaxMessage(message string) (plain, hint string) {
	switch {
	case strings.Contains(message, "strings must be quoted"):
		return message, `write durations, sizes and rates in quotes: "30s", "64MiB", "20/s"`
	case strings.Contains(message, "at start of value"):
		return message, "text needs quotes"
	case strings.Contains(message, "expected newline but got"):
		return "nothing may follow here on the same line", ""
	case strings.Contains(message, "cannot have new lines"):
		return "the string is not closed on its line", "close it with the quote that it began with, or use triple quotes"
	}
	return message, ""
}

// headerStart is what can still be read of a header that is broken.
var headerStart = regexp.MustCompile(`^(\[\[?)[ \t]*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)[ \t]*\]?[ \t]*(?:#[^\n]*|\r?\n|$)`)

// brokenHeader goes on as if a header lacked nothing but its bracket. Where
// more than that is wrong, the keys below it belong to a table that nobody
// knows: they are dropped, and names that are missing are not complained about.
func (s *syntax) brokenHeader(at uint32) {
	m := headerStart.FindStringSubmatchIndex(s.text[at:])
	if m == nil {
		s.lostHeader = true
		s.table, s.path = &item{kind: tableKind, flavor: explicit}, nil
		return
	}
	var parts []entry
	from := at + uint32(m[4])
	for name := range strings.SplitSeq(s.text[from:at+uint32(m[5])], ".") {
		parts = append(parts, entry{key: name, at: from, end: from + uint32(len(name))})
		from += uint32(len(name)) + 1
	}
	s.header(parts, m[3]-m[2] == 2)
}

// expression adds one header or key to the tree; it returns where it ended.
func (s *syntax) expression(n *unstable.Node) uint32 {
	it := n.Key()
	var parts []entry
	for it.Next() {
		k := it.Node()
		at := s.base + k.Raw.Offset
		parts = append(parts, entry{key: string(k.Data), at: at, end: at + k.Raw.Length})
	}
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		s.header(parts, n.Kind == unstable.ArrayTable)
		return s.nextLine(parts[len(parts)-1].end)
	default:
		s.keyValue(s.table, parts, n)
		return s.base + n.Raw.Offset + n.Raw.Length
	}
}

// header opens the table that [a.b] or [[a.b]] names.
func (s *syntax) header(parts []entry, array bool) {
	t := s.root
	s.path = s.path[:0]
	last := len(parts) - 1
	at, end := parts[0].at, parts[last].end
	for at > 0 && s.text[at-1] != '\n' && s.text[at] != '[' {
		at--
	}
	if array && at > 0 && s.text[at-1] == '[' {
		at--
	}
	for end < uint32(len(s.text)) && s.text[end] != '\n' && s.text[end] != '\r' && s.text[end] != '#' && s.text[end-1] != ']' {
		end++
	}
	if array && end < uint32(len(s.text)) && s.text[end] == ']' {
		end++
	}
	for i := range parts {
		p := &parts[i]
		s.path = append(s.path, p.key)
		e := t.find(p.key)
		if i < last {
			if e == nil {
				p.item = &item{kind: tableKind, flavor: implicit, at: at, end: end}
				t.add(*p)
				t = p.item
				continue
			}
			next := e.item
			if next.kind == arrayKind && next.flavor == tables {
				next = next.items[len(next.items)-1]
			}
			if next.kind != tableKind || next.flavor == inline {
				s.clash(p, e, "is not a table that can be added to")
				s.table = &item{kind: tableKind, flavor: explicit}
				return
			}
			t = next
			continue
		}
		fresh := &item{kind: tableKind, flavor: explicit, at: at, end: end}
		switch {
		case e == nil && array:
			p.item = &item{kind: arrayKind, flavor: tables, at: at, end: end, items: []*item{fresh}}
			t.add(*p)
		case e == nil:
			p.item = fresh
			t.add(*p)
		case array && e.item.kind == arrayKind && e.item.flavor == tables:
			e.item.items = append(e.item.items, fresh)
		case !array && e.item.kind == tableKind && e.item.flavor == implicit:
			fresh = e.item
			fresh.flavor, fresh.at, fresh.end = explicit, at, end
			e.at, e.end = p.at, p.end
		default:
			s.clash(p, e, "is defined already")
			if e.item.kind == tableKind && !array {
				fresh = e.item // what follows is checked all the same
			}
		}
		s.table = fresh
	}
}

// keyValue adds a.b = value to t.
func (s *syntax) keyValue(t *item, parts []entry, n *unstable.Node) {
	depth := len(s.path)
	defer func() { s.path = s.path[:depth] }()
	last := len(parts) - 1
	for i := range parts[:last] {
		p := &parts[i]
		s.path = append(s.path, p.key)
		e := t.find(p.key)
		if e == nil {
			p.item = &item{kind: tableKind, flavor: dotted, at: p.at, end: p.end}
			t.add(*p)
			t = p.item
			continue
		}
		if e.item.kind != tableKind || e.item.flavor != dotted {
			s.clash(p, e, "is defined already; a dotted key cannot add to it")
			return
		}
		t = e.item
	}
	p := parts[last]
	s.path = append(s.path, p.key)
	p.item = s.value(n.Value(), s.valueStart(p.end))
	if end := s.base + n.Raw.Offset + n.Raw.Length; n.Raw.Length > 0 {
		for end > p.item.at && (s.text[end-1] == ' ' || s.text[end-1] == '\t') {
			end--
		}
		p.item.end = end
	}
	if e := t.find(p.key); e != nil {
		s.clash(&p, e, "is given already")
		return
	}
	t.add(p)
}

// clash reports the key at the end of the present path.
func (s *syntax) clash(p, earlier *entry, what string) {
	line, _ := s.place(earlier.at)
	s.say(p.at, p.end, "duplicate_key", fmt.Sprintf("%s %s, in line %d", strings.Join(s.path, "."), what, line), "")
}

// valueStart skips from the end of a key over "=" to its value.
func (s *syntax) valueStart(at uint32) uint32 {
	for at < uint32(len(s.text)) && strings.IndexByte(" \t=", s.text[at]) >= 0 {
		at++
	}
	return at
}

// value turns a node into an item. at is used where the parser gives no place.
func (s *syntax) value(n *unstable.Node, at uint32) *item {
	v := &item{at: at, end: at + 1}
	if n.Raw.Length > 0 {
		v.at = s.base + n.Raw.Offset
		v.end = v.at + n.Raw.Length
	}
	switch n.Kind {
	case unstable.String:
		v.kind, v.text = stringKind, string(n.Data)
	case unstable.Integer:
		v.kind, v.text = integerKind, string(n.Data)
	case unstable.Float:
		v.kind, v.text = floatKind, string(n.Data)
	case unstable.Bool:
		v.kind, v.text = boolKind, string(n.Data)
	case unstable.LocalDate, unstable.LocalTime, unstable.LocalDateTime, unstable.DateTime:
		v.kind, v.text = dateKind, string(n.Data)
		// The parser knows the form of dates only, not that February has no 30th.
		var date map[string]any
		if err := toml.Unmarshal([]byte("date = "+v.text), &date); err != nil {
			s.say(v.at, v.end, "syntax", v.text+" is no date", "")
		}
	case unstable.Array:
		v.kind, v.flavor = arrayKind, inline
		for it := n.Children(); it.Next(); {
			v.items = append(v.items, s.value(it.Node(), at))
		}
		if n := len(v.items); n > 0 {
			v.end = s.closed(v.items[n-1].end)
		}
	case unstable.InlineTable:
		v.kind, v.flavor = tableKind, dotted // closed below, when it is complete
		for it := n.Children(); it.Next(); {
			kv := it.Node()
			var parts []entry
			for keys := kv.Key(); keys.Next(); {
				k := keys.Node()
				at := s.base + k.Raw.Offset
				parts = append(parts, entry{key: string(k.Data), at: at, end: at + k.Raw.Length})
			}
			s.keyValue(v, parts, kv)
		}
		closeInline(v)
		if n := len(v.entries); n > 0 {
			v.end = s.closed(v.entries[n-1].item.end)
		}
	}
	return v
}

// closed is the end of an array or inline table whose last value ends at at:
// the parser does not say it.
func (s *syntax) closed(at uint32) uint32 {
	for at < uint32(len(s.text)) {
		switch s.text[at] {
		case ' ', '\t', '\r', '\n', ',':
			at++
		case '#':
			at = s.nextLine(at)
		case ']', '}':
			return at + 1
		default:
			return at
		}
	}
	return at
}

// closeInline marks an inline table and those that its dotted keys made: none
// of them can grow from outside.
func closeInline(t *item) {
	t.flavor = inline
	for i := range t.entries {
		if v := t.entries[i].item; v.kind == tableKind && v.flavor == dotted {
			closeInline(v)
		}
	}
}

// width is how many characters of one line the bytes [at, end) cover.
func width(text string, at, end uint32) int {
	n := 0
	for i := at; i < end && int(i) < len(text) && text[i] != '\n'; i++ {
		if text[i]&0xc0 != 0x80 {
			n++
		}
	}
	return n
}
