package pluginsdk

// Level is how important a log line is.
type Level int32

// The levels, least important first.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// String returns debug, info, warn or error.
func (l Level) String() string {
	switch l {
	case LevelDebug:
		return "debug"
	case LevelInfo:
		return "info"
	case LevelWarn:
		return "warn"
	}
	return "error"
}

// Logs reports whether the host keeps lines of that level. Lines that it does
// not keep cost nothing but this question.
func (c Call) Logs(level Level) bool { return c.of.host.Logs(level) }

// Log writes one line to the log of the call. The host adds run, node and
// attempt, caps it and strips control characters.
func (c Call) Log(level Level, message string) {
	if c.Logs(level) {
		c.of.host.Log(level, message)
	}
}
