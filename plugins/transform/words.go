package main

import (
	"regexp"
	"strings"
)

// rewording is what the library says, and what that means to somebody who wrote
// an expression over JSON.
type rewording struct {
	says  *regexp.Regexp
	means string // $1… are the groups; those of kinds are put into words before
	kinds []int  // the groups that are kinds of values
}

// The library names values by their Go types. `%T`s with spaces in them are
// those of lists and objects.
const kind = `((?:\[\]|map\[string\])interface \{\}|\S+?)`

var rewordings = []rewording{
	{regexp.MustCompile(`^cannot get (keys|values) from ` + kind + `$`), `$1() needs an object and was given $2`, []int{2}},
	{regexp.MustCompile(`^cannot transform ` + kind + ` (?:to|from) pairs$`), `it does not work with $1`, []int{1}},
	{regexp.MustCompile(`^cannot (?:reverse|uniq|concat|flatten|take from|get first element from|get last element from) ` + kind + `$`), `it needs a list and was given $1`, []int{1}},
	{regexp.MustCompile(`^reflect: call of \S+ on zero Value$`), `it does not work with null`, nil},
	{regexp.MustCompile(`^reflect: call of reflect\.Value\.(?:Len|Index) on ` + kind + ` Value$`), `it needs a list and was given $1`, []int{1}},
	{regexp.MustCompile(`^cannot (?:fetch|get) (.+) from (?:<nil>|nil)$`), `$1 cannot be read, because what stands before it is null: ?. in place of . tolerates that`, nil},
	{regexp.MustCompile(`^cannot (?:fetch|get) (.+) from ` + kind + `$`), `$1 cannot be read of $2: an object has keys, a list has numbers from 0`, []int{2}},
	{regexp.MustCompile(`^index out of range: (-?\d+) \(array length is (\d+)\)$`), `there is no element $1: the list has $2, counted from 0`, nil},
	{regexp.MustCompile(`^invalid operation: - ` + kind + `$`), `- needs a number and was given $1`, []int{1}},
	{regexp.MustCompile(`^invalid operation: ` + kind + ` (\S+) ` + kind + `$`), `$2 does not work between $1 and $3`, []int{1, 3}},
	{regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types? ` + kind + ` and ` + kind + `\)$`), `$1 does not work between $2 and $3`, []int{2, 3}},
	{regexp.MustCompile(`^invalid operation: (\S+) \(mismatched type ` + kind + `\)$`), `$1 does not work with $2`, []int{2}},
	{asNumber, `$1() makes a number of a number or of a text of digits, and was given $2`, []int{2}},
	{regexp.MustCompile(`^invalid argument for (\w+) \(type ` + kind + `\)$`), `$1() does not take $2`, []int{2}},
	{regexp.MustCompile(`^invalid number of arguments(?: for \w+)? \(expected (.+), got (\d+)\)$`), `it takes $1 in its parentheses, and there are $2`, nil},
	{regexp.MustCompile(`^not enough arguments to call (\w+)$`), `$1() needs more in its parentheses`, nil},
	{regexp.MustCompile(`^too many arguments to call (\w+)$`), `$1() takes less in its parentheses`, nil},
	{regexp.MustCompile(`^operator "in" not defined on ` + kind + `$`), `in looks into a list or an object, and was given $1`, []int{1}},
	{regexp.MustCompile(`^cannot slice ` + kind + `$`), `only a list or a text has a part from one place to another`, nil},
	{regexp.MustCompile(`^cannot use ` + kind + ` as (?:argument|field name).*$`), `$1 cannot be used here`, []int{1}},
	{regexp.MustCompile(`^non-bool expression \(type ` + kind + `\) used as condition$`), `a condition is true or false, and this is $1`, []int{1}},
	{regexp.MustCompile(`^interface conversion: .* is ` + kind + `, not ` + kind + `$`), `it needs $2 and was given $1`, []int{1, 2}},
	{regexp.MustCompile(`^invalid operation: cannot call (?:non-function of type )?` + kind + `$`), `$1 is no function and cannot be called`, []int{1}},
	{regexp.MustCompile(`^reflect: .*$|^runtime error: .*$|^interface conversion: .*$`), `it does not work with values of these kinds`, nil},
	{regexp.MustCompile(`^unexpected token EOF$`), `it ends where something should follow`, nil},
	{regexp.MustCompile(`^unexpected token \w+\("(.*)"\)$`), `"$1" does not belong here`, nil},
	{regexp.MustCompile(`^unknown name (.+)$`), `there is no $1: an expression sees data, and functions whose answer depends on nothing but what they are given`, nil},
}

// kinds are Go types in the words of JSON.
var kinds = map[string]string{
	"<nil>": "null", "nil": "null", "string": "a text", "bool": "true or false", "json.Number": "a number of more than 64 bits",
	"int": "a number", "int64": "a number", "float64": "a number", "float": "a number", "uint8": "a number",
	"[]interface {}": "a list", "[]any": "a list", "[]int": "a list", "[]string": "a list", "slice": "a list", "array": "a list",
	"map[string]interface {}": "an object", "map[string]any": "an object", "map": "an object",
	"interface": "a value", "interface {}": "a value", "any": "a value", "unknown": "a value",
}

var goType = regexp.MustCompile(`(?:\[\]|map\[string\])interface \{\}|json\.Number|<nil>|interface \{\}|\bfloat64\b|\bint64\b`)

// asNumber is said of int() and float(), and of a key that should be a number.
var asNumber = regexp.MustCompile(`(?s)^invalid operation: (int|float)\((.*)\)$`)

// plain is a message of the library in plain words. What the list does not know
// stays, with Go's types put into words.
// at is the expression from where the mistake is.
func plain(message, at string) string {
	message, _, _ = strings.Cut(message, "\n")
	if m := asNumber.FindStringSubmatch(message); m != nil && !strings.HasPrefix(at, m[1]) {
		return "a list and a text have their elements by number, from 0, and not by " + inWords(m[2])
	}
	for _, r := range rewordings {
		m := r.says.FindStringSubmatch(message)
		if m == nil {
			continue
		}
		for _, i := range r.kinds {
			m[i] = inWords(m[i])
		}
		var said strings.Builder
		for text := r.means; text != ""; {
			before, after, found := strings.Cut(text, "$")
			said.WriteString(before)
			if !found {
				break
			}
			said.WriteString(m[after[0]-'0'])
			text = after[1:]
		}
		return said.String()
	}
	return goType.ReplaceAllStringFunc(message, inWords)
}

func inWords(goType string) string {
	if s, ok := kinds[goType]; ok {
		return s
	}
	return `"` + goType + `"`
}
