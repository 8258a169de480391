package workflow

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones are checked by reading, wherever that happens
)

// problem is what is wrong with the text of a value, at byte at of it.
type problem struct {
	code, message, hint string
	at, width           int
	anyHost             bool // right with Options.AllowAnyHost
}

func parseDuration(s string) (time.Duration, *problem) {
	d, err := time.ParseDuration(s)
	if err == nil {
		return d, nil
	}
	p := &problem{code: "bad_duration", message: fmt.Sprintf("%q is no duration", s), hint: `write "30s", "5m" or "1h30m"`}
	if _, numeric := strconv.ParseFloat(s, 64); numeric == nil {
		p.hint = fmt.Sprintf("it lacks a unit: %q?", s+"s")
	} else if n, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days < 100_000 {
			p.hint = fmt.Sprintf("there is no unit d: write %q", fmt.Sprint(days*24)+"h")
		}
	}
	return 0, p
}

// positive is a duration of more than nothing, notNegative one of at least
// nothing.
func positive(s string) *problem {
	d, p := parseDuration(s)
	if p == nil && d <= 0 {
		return &problem{code: "bad_duration", message: fmt.Sprintf("%q must be more than 0", s)}
	}
	return p
}

func notNegative(s string) *problem {
	d, p := parseDuration(s)
	if p == nil && d < 0 {
		return &problem{code: "bad_duration", message: fmt.Sprintf("%q must not be negative", s)}
	}
	return p
}

var sizeUnits = map[string]int64{
	"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

func parseSize(s string) (int64, *problem) {
	bad := func(hint string) (int64, *problem) {
		return 0, &problem{code: "bad_size", message: fmt.Sprintf("%q is no size", s), hint: hint}
	}
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return bad(`write "64MiB" or "256KiB"`)
	}
	unit := strings.TrimSpace(s[i:])
	factor, ok := sizeUnits[unit]
	if !ok {
		for name := range sizeUnits {
			if unit != "" && (strings.EqualFold(name, unit) || strings.EqualFold(name, unit+"B") || strings.EqualFold(name, unit+"iB") && len(unit) == 1) {
				return bad(`units are B, KiB, MiB, GiB (and KB, MB, GB)`)
			}
		}
		return bad(`units are B, KiB, MiB, GiB: "64MiB"`)
	}
	bytes := n * float64(factor)
	if bytes < 1 || bytes > math.MaxInt64/2 || bytes != math.Trunc(bytes) {
		return 0, &problem{code: "bad_size", message: fmt.Sprintf("%q must be a whole number of bytes, at least 1", s)}
	}
	return int64(bytes), nil
}

func checkSize(s string) *problem {
	_, p := parseSize(s)
	return p
}

// checkMemory bounds a memory by what a 32-bit module can have: 64 KiB, a page,
// to 4 GiB.
func checkMemory(s string) *problem {
	n, p := parseSize(s)
	if p == nil && (n < 64<<10 || n > 4<<30) {
		return &problem{code: "bad_size", message: fmt.Sprintf("a memory has between 64KiB and 4GiB, not %q", s)}
	}
	return p
}

// parseRate returns calls per second.
func parseRate(s string) (float64, *problem) {
	count, per, ok := strings.Cut(s, "/")
	n, err := strconv.ParseFloat(strings.TrimSpace(count), 64)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[strings.TrimSpace(per)]
	if !ok || err != nil || seconds == 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, &problem{code: "bad_rate", message: fmt.Sprintf("%q is no rate", s), hint: `write "20/s", "100/m" or "5000/h"`}
	}
	if n <= 0 {
		return 0, &problem{code: "bad_rate", message: fmt.Sprintf("the rate %q must be more than 0", s)}
	}
	return n / seconds, nil
}

func checkRate(s string) *problem {
	_, p := parseRate(s)
	return p
}

func checkRegexp(s string) *problem {
	if _, err := regexp.Compile(s); err != nil {
		return &problem{code: "bad_regexp", message: strings.TrimPrefix(err.Error(), "error parsing regexp: ")}
	}
	return nil
}

func checkTimezone(s string) *problem {
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		return &problem{code: "bad_timezone", message: fmt.Sprintf("there is no time zone %q", s), hint: `write "UTC" or a name like "Europe/Berlin"`}
	}
	return nil
}

func checkName(s string) *problem {
	if len(s) > 128 || !isName(s) {
		return &problem{code: "bad_name", message: fmt.Sprintf("%q is no name", s), hint: `names consist of letters, digits, "-" and "_", at most 128`}
	}
	return nil
}

// checkTitle is checkName for workflows, which may hold dots.
func checkTitle(s string) *problem {
	if len(s) > 128 || !isName(strings.ReplaceAll(s, ".", "")) {
		return &problem{code: "bad_name", message: fmt.Sprintf("%q is no name of a workflow", s), hint: `names consist of letters, digits, ".", "-" and "_", at most 128`}
	}
	return nil
}

func checkSHA256(s string) *problem {
	if b, err := hex.DecodeString(strings.TrimPrefix(s, "sha256:")); err != nil || len(b) != 32 {
		return &problem{code: "bad_digest", message: fmt.Sprintf("a sha256 has 64 hexadecimal digits, this has %d characters", len(s)), hint: "sha256sum prints it"}
	}
	return nil
}

func checkPublicKey(s string) *problem {
	// The decoder would skip line ends.
	if b, err := base64.StdEncoding.DecodeString(s); err != nil || len(b) != 42 || len(s) != 56 || string(b[:2]) != "Ed" {
		return &problem{code: "bad_key", message: "this is no minisign public key", hint: "take the line that begins with RW from the .pub file"}
	}
	return nil
}

func checkEnv(s string) *problem {
	if s == "" || strings.ContainsAny(s, "=\x00 ") {
		return &problem{code: "bad_value", message: fmt.Sprintf("%q cannot be the name of an environment variable", s)}
	}
	return nil
}

func checkMountPoint(s string) *problem {
	if !path.IsAbs(s) || path.Clean(s) != s {
		return &problem{code: "bad_path", message: fmt.Sprintf("%q must be an absolute path", s), hint: "for instance " + strconv.Quote(path.Clean("/"+s))}
	}
	return nil
}

func checkNotEmpty(s string) *problem {
	if strings.TrimSpace(s) == "" {
		return &problem{code: "bad_value", message: "this must not be empty"}
	}
	return nil
}

func checkHook(s string) *problem {
	if s == "" || path.Clean("/"+s) != "/"+s || strings.ContainsAny(s, "?#%{} \\") {
		return &problem{code: "bad_value", message: fmt.Sprintf("%q is no path of a hook", s), hint: `write it as it stands behind /hooks/: "analyse"`}
	}
	return nil
}

func checkHeader(s string) *problem {
	if !isToken(s) {
		return &problem{code: "bad_value", message: fmt.Sprintf("%q is no name of an HTTP header", s)}
	}
	if ownHeader(s) {
		return &problem{code: "bad_value", message: fmt.Sprintf("the header %q belongs to the connection, no secret can be put into it", s), hint: `secrets travel in headers like "Authorization" or "X-Api-Key"`}
	}
	return nil
}

// ownHeader tells the headers that the host sets itself. It is the rule by
// which plugins are loaded (host/internal/plugin, forbiddenHeader): a file that
// breaks it could be read and never run.
func ownHeader(name string) bool {
	switch name = strings.ToLower(name); name {
	case "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "http2-settings":
		return true
	}
	return strings.HasPrefix(name, "proxy-")
}

// checkPrefix looks at the text before a secret in a header.
func checkPrefix(s string) *problem {
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return &problem{code: "bad_value", message: "the value of a header has no line ends and no control characters"}
	}
	return nil
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func checkURL(s string) *problem {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return &problem{code: "bad_value", message: fmt.Sprintf("%q is no http(s) URL", s)}
	}
	return nil
}

var alertRate = regexp.MustCompile(`^success_rate\s*<\s*(\d+(?:\.\d+)?)$`)

func checkAlert(s string) *problem {
	_, p := parseAlert(s)
	return p
}

func parseAlert(s string) (AlertOn, *problem) {
	if s == AlertHealth || s == AlertBreaker {
		return AlertOn{What: s}, nil
	}
	if m := alertRate.FindStringSubmatch(s); m != nil {
		switch n, err := strconv.ParseFloat(m[1], 64); {
		case err != nil || n > 100:
			return AlertOn{}, &problem{code: "bad_number", message: "a success rate is a percentage, at most 100"}
		case n == 0:
			return AlertOn{}, &problem{code: "bad_number", message: "no success rate is below 0"}
		default:
			return AlertOn{What: AlertSuccessRate, Below: n}, nil
		}
	}
	hint := didYouMean(s, slices.Values([]string{AlertHealth, AlertBreaker}))
	if hint == "" {
		hint = `there are "health", "breaker" and "success_rate < 95"`
	}
	return AlertOn{}, &problem{code: "bad_value", message: fmt.Sprintf("%q is nothing to be alerted of", s), hint: hint}
}

// checkSource looks at the form of a plugin's source.
func checkSource(s string) *problem {
	scheme, rest, ok := strings.Cut(s, ":")
	bad := func(message, hint string) *problem {
		return &problem{code: "bad_source", message: message, hint: hint}
	}
	switch {
	case strings.TrimSpace(s) == "":
		return bad("the source is empty", "")
	case !ok || len(scheme) == 1: // a path, also C:\…
		return nil
	case scheme == "builtin":
		if !isName(rest) {
			return bad(fmt.Sprintf("%q is no name of a builtin", rest), `write "builtin:agent"`)
		}
	case scheme == "https" || scheme == "oci":
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
			return bad(fmt.Sprintf("%q is no address of a module", s), "")
		}
		if u.User != nil {
			return bad("an address holds no user name and no password", "")
		}
	case scheme == "http":
		return bad("modules are not fetched over plain http", `write "https://…"`)
	case strings.HasPrefix(rest, "//"):
		return bad(fmt.Sprintf("modules are not fetched over %s", scheme), "a source is a path, builtin:NAME, https://… or oci://…")
	default:
		if near := near(scheme, slices.Values([]string{"builtin", "https", "oci"})); near != "" {
			return bad(fmt.Sprintf("there are no sources of sort %q", scheme), fmt.Sprintf("did you mean %q?", near+":"+rest))
		}
	}
	return nil
}
