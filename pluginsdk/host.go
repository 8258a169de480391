package pluginsdk

// Host is what lies around a plugin. Inside a module it is the Extism ABI; in
// an ordinary program it is whatever the test gives to [UseHost]. Plugins use
// [Call] and never see it.
//
// A Host is used by one call at a time.
type Host interface {
	// Input is the call's input; empty when there is none.
	Input() []byte
	// Output sets the call's output. The last one counts.
	Output(output []byte)
	// Fail sets the call's error text. The last one counts.
	Fail(text []byte)

	// Config returns the setting of that name. An empty value counts as none:
	// the ABI cannot tell them apart.
	Config(key string) (value string, ok bool)
	// Var returns the variable of that name, SetVar sets it; an empty value
	// removes it.
	Var(key string) (value []byte, ok bool)
	SetVar(key string, value []byte)

	// Logs reports whether lines of that level are kept; Log writes one.
	Logs(level Level) bool
	Log(level Level, message string)

	// HTTP sends a request and returns the answer whatever its status. An error
	// means that there was no answer, on a host that does not end the call then.
	HTTP(request *Request) (*Response, error)
}
