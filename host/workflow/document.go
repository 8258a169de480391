package workflow

import (
	"iter"
	"sort"
	"strings"
	"unicode/utf8"
)

// kind is the TOML type of an item.
type kind uint8

const (
	noKind kind = iota
	tableKind
	arrayKind
	stringKind
	integerKind
	floatKind
	boolKind
	dateKind
)

// String names the kind as a message does, with its article.
func (k kind) String() string {
	return [...]string{"nothing", "a table", "an array", "a string", "an integer", "a number", "a boolean", "a date"}[k]
}

// flavor says how a table or an array came to be, which decides what may still
// be added to it.
type flavor uint8

const (
	implicit flavor = iota // a table that a longer header or key implied
	explicit               // a table with a header of its own
	dotted                 // a table made by a dotted key
	inline                 // { … } or [ … ]: closed
	tables                 // an array made by [[headers]]
)

// item is one value of a TOML file with its place.
type item struct {
	kind   kind
	flavor flavor
	// at and end are byte offsets: of the value, or of the header of a table.
	at, end uint32
	// text is a string's value, or a scalar as it is written.
	text    string
	entries []entry
	index   map[string]int32 // by key, once there are many entries
	items   []*item
}

// entry is a key of a table, its place and its value.
type entry struct {
	key     string
	at, end uint32
	item    *item
}

// indexFrom is the number of entries from which a table keeps an index.
const indexFrom = 9

// find returns the entry of key, nil when there is none.
func (t *item) find(key string) *entry {
	if t == nil {
		return nil
	}
	if t.index != nil {
		if i, ok := t.index[key]; ok {
			return &t.entries[i]
		}
		return nil
	}
	for i := range t.entries {
		if t.entries[i].key == key {
			return &t.entries[i]
		}
	}
	return nil
}

// get returns the value of key, nil when there is none.
func (t *item) get(key string) *item {
	if e := t.find(key); e != nil {
		return e.item
	}
	return nil
}

// table is get for a value that is a table; anything else is nil, because the
// reader has complained already.
func (t *item) table(key string) *item {
	if v := t.get(key); v != nil && v.kind == tableKind {
		return v
	}
	return nil
}

func (t *item) add(e entry) {
	t.entries = append(t.entries, e)
	switch {
	case t.index != nil:
		t.index[e.key] = int32(len(t.entries) - 1)
	case len(t.entries) == indexFrom:
		t.index = make(map[string]int32, 2*indexFrom)
		for i := range t.entries {
			t.index[t.entries[i].key] = int32(i)
		}
	}
}

// count is the number of keys; of nil it is 0.
func (t *item) count() int {
	if t == nil {
		return 0
	}
	return len(t.entries)
}

// keys are the keys in the order of the file.
func (t *item) keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		if t == nil {
			return
		}
		for i := range t.entries {
			if !yield(t.entries[i].key) {
				return
			}
		}
	}
}

// document is the text of one file as a tree.
type document struct {
	file  string
	text  string
	lines []uint32 // offsets at which lines start
	root  *item
	// lostHeader is true when a broken header swallowed a table, so that a name
	// that is missing may only be missing from the tree.
	lostHeader bool
}

func newDocument(file, text string) *document {
	d := &document{file: file, text: text, lines: []uint32{0}, root: &item{kind: tableKind, flavor: explicit}}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' {
			d.lines = append(d.lines, uint32(i+1))
		}
	}
	return d
}

// place turns a byte offset into a line and a column, both from 1; the column
// counts characters.
func (d *document) place(offset uint32) (line, col int) {
	offset = min(offset, uint32(len(d.text)))
	i := sort.Search(len(d.lines), func(i int) bool { return d.lines[i] > offset }) - 1
	return i + 1, utf8.RuneCountInString(d.text[d.lines[i]:offset]) + 1
}

// raw is the item as it is written, quotes included.
func (d *document) raw(v *item) string {
	if v.end <= v.at || int(v.end) > len(d.text) {
		return ""
	}
	return d.text[v.at:v.end]
}

// inString turns an offset into a string's value into one into the file,
// through quotes and escapes.
func (d *document) inString(v *item, offset int) uint32 {
	return v.at + uint32(rawOffset(d.raw(v), offset))
}

// rawOffset returns where byte n of a TOML string's value stands in the string
// as it is written.
func rawOffset(raw string, n int) int {
	i, multi, basic := 0, false, strings.HasPrefix(raw, `"`)
	switch {
	case strings.HasPrefix(raw, `"""`), strings.HasPrefix(raw, `'''`):
		i, multi = 3, true
		if strings.HasPrefix(raw[i:], "\r\n") {
			i += 2
		} else if strings.HasPrefix(raw[i:], "\n") {
			i++
		}
	case raw == "":
		return 0
	default:
		i = 1
	}
	for i < len(raw) {
		if !basic || raw[i] != '\\' || i+1 >= len(raw) {
			if n <= 0 {
				return i
			}
			n--
			i++
			continue
		}
		size, width := 2, 1
		switch c := raw[i+1]; {
		case c == 'x':
			size, width = 4, hexWidth(raw, i+2, 2)
		case c == 'u':
			size, width = 6, hexWidth(raw, i+2, 4)
		case c == 'U':
			size, width = 10, hexWidth(raw, i+2, 8)
		case multi && (c == '\n' || c == '\r' || c == ' ' || c == '\t'):
			// A backslash at a line's end swallows the space up to the next text.
			j := i + 1
			for j < len(raw) && strings.IndexByte(" \t\r\n", raw[j]) >= 0 {
				j++
			}
			i = j
			continue
		}
		if n < width {
			return i
		}
		n -= width
		i += size
	}
	return len(raw)
}

// hexWidth is how many bytes of UTF-8 the escape \u or \U stands for.
func hexWidth(raw string, at, digits int) int {
	var r rune
	for _, c := range []byte(raw[min(at, len(raw)):min(at+digits, len(raw))]) {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r |= rune(c|0x20-'a') + 10
		}
	}
	if n := utf8.RuneLen(r); n > 0 {
		return n
	}
	return 1
}
