package plugin

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"wasmhost/host/event"
)

// mustRead is a block that the guest named, or the end of the call.
func (in *instance) mustRead(what string, offset uint64) []byte {
	data, err := in.kernel.read(offset)
	if err != nil {
		panic(badHandle("%s: offset %d is not the start of a block", what, offset))
	}
	return data
}

func (in *instance) mustWrite(data []byte) uint64 {
	offset, err := in.kernel.write(data)
	if err != nil {
		panic(err)
	}
	return offset
}

func (in *instance) configGet(nameAt uint64) uint64 {
	in.asked.Config++
	value, ok := in.config(string(in.mustRead("config_get", nameAt)))
	if !ok {
		return 0
	}
	return in.mustWrite([]byte(value))
}

// config is what a guest reads by key: what it may want to know about the
// call, its secrets, its configuration.
func (in *instance) config(key string) (string, bool) {
	m := &in.meta
	if what, ok := strings.CutPrefix(key, "host."); ok {
		switch what {
		case "run_id":
			return m.RunID, m.RunID != ""
		case "workflow":
			return m.Workflow, m.Workflow != ""
		case "node":
			return m.Node, m.Node != ""
		case "attempt":
			return strconv.Itoa(m.Attempt), m.Attempt != 0
		case "idempotency_key":
			return m.IdempotencyKey, m.IdempotencyKey != ""
		case "deadline_ms":
			return strconv.FormatInt(m.Deadline.UnixMilli(), 10), !m.Deadline.IsZero()
		}
		return "", false
	}
	if name, ok := strings.CutPrefix(key, "secret."); ok {
		if w := in.plugin.spec.withheld; w != nil && w.secrets[name] {
			in.tape.lack("the secret " + name)
		}
		value, ok := in.plugin.configSecrets[name]
		return value, ok
	}
	value, ok := in.plugin.config[key]
	return value, ok
}

func (in *instance) varGet(nameAt uint64) uint64 {
	in.asked.Vars++
	value, ok := in.vars[string(in.mustRead("var_get", nameAt))]
	in.kernel.release(nameAt)
	if !ok {
		return 0
	}
	return in.mustWrite(value)
}

func (in *instance) varSet(nameAt, valueAt uint64) {
	in.asked.Vars++
	name := string(in.mustRead("var_set", nameAt))
	in.kernel.release(nameAt)
	if in.varsShared {
		in.vars, in.varsShared = maps.Clone(in.vars), false
	}
	if old, ok := in.vars[name]; ok {
		in.varBytes -= int64(len(name) + len(old))
		delete(in.vars, name)
	}
	if valueAt == 0 {
		return
	}
	value := slices.Clone(in.mustRead("var_set", valueAt))
	in.kernel.release(valueAt)
	in.varBytes += int64(len(name) + len(value))
	if limit := in.plugin.limits.Vars; in.varBytes > limit {
		in.varBytes -= int64(len(name) + len(value))
		e := fault(event.System, codeVars, "var %q would make %d bytes of vars, and limits.vars allows %s", name, in.varBytes+int64(len(name)+len(value)), size(limit))
		e.OutcomeUnknown = true
		panic(e)
	}
	in.vars[name] = value
}

func (in *instance) logBlock(level string, offset uint64) {
	in.log.write(level, string(in.mustRead("log_"+level, offset)))
	in.kernel.release(offset)
}

// mergeConfig puts the workflow's values over the manifest's own.
func mergeConfig(own, given map[string]string) map[string]string {
	merged := make(map[string]string, len(own)+len(given))
	maps.Copy(merged, own)
	maps.Copy(merged, given)
	return merged
}
