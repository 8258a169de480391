package workflow

// This file is the workflow file's grammar: every table, every key, its type,
// its default. The strict reader and the JSON Schema are both made from it.

// retryShape is the retry of calls. Its tables merge, so each may leave
// max_retries to another one; that none says it is found when they are merged.
var retryShape = newShape("a retry", with([]key{
	{name: "max_retries", typ: numberTyp, doc: "Calls after the first: attempts = 1 + max_retries. A retry has it, in this table or in one that it inherits from."},
}, waitKeys, []key{
	{name: "budget", typ: someTyp, doc: "Retries may add at most this share to the calls; 0.2 is 20 %."},
})...)

// runRetryShape is the retry of whole runs: it inherits nothing, and a budget,
// which weighs retries against calls, has nothing to weigh.
var runRetryShape = newShape("a retry of the run", with([]key{
	{name: "max_retries", typ: numberTyp, required: true, doc: "How often a failed run is tried again, such as 2."},
}, waitKeys)...).without("budget", "a budget is for the retries of calls: put it into [defaults], a policy or a node")

// waitKeys say what is retried, and when.
var waitKeys = []key{
	{name: "backoff", typ: enum("constant", "exponential", "jittered", "decorrelated"), def: "jittered", doc: "How the waits between attempts grow."},
	{name: "base_delay", typ: waitTyp, def: "1s", doc: "The first wait."},
	{name: "multiplier", typ: &typ{form: numberForm, what: "a number above 0", min: 0, max: 1000, above: true}, def: 2.0, doc: "By how much each wait is longer than the one before."},
	{name: "max_delay", typ: durationTyp, def: "60s", doc: "The longest wait."},
	{name: "jitter_ratio", typ: shareTyp, def: 0.1, doc: "The share of a jittered wait that is random."},
	{name: "on", typ: classesTyp, def: []any{"transient"}, doc: "The classes of errors that are retried."},
	{name: "retry_after", typ: waitTyp, def: "60s", doc: "The longest wait that a plugin's own retry-after hint may ask for; \"0s\" ignores hints."},
}

// policyKeys are the keys of [defaults], [policies.NAME], nodes and fallback
// entries.
var policyKeys = []key{
	{name: "timeout", typ: durationTyp, def: "30s", doc: "One attempt: the plugin is really ended after it."},
	{name: "deadline", typ: durationTyp, doc: "All attempts and waits together."},
	{name: "retry", typ: table(retryShape), doc: "When and how often a failed call is repeated."},
	{name: "breaker", typ: refTo("breakers"), doc: "The breaker that stops calls while they keep failing; shared by name."},
	{name: "rate_limit", typ: table(newShape("a rate limit",
		key{name: "rate", typ: rateTyp, doc: "Calls per time."},
		key{name: "burst", typ: countTyp, def: 1, doc: "Calls that may start at once after a pause."},
		key{name: "max_wait", typ: waitTyp, def: "10s", doc: "The longest wait for a turn; a call that would wait longer is refused."},
	)), doc: "How often calls may start."},
	{name: "concurrency", typ: countTyp, doc: "Calls at once."},
	{name: "hedge", typ: table(newShape("a hedge",
		key{name: "delay", typ: durationTyp, doc: "How long the first call may take before a second one starts."},
		key{name: "max", typ: &typ{form: integerForm, what: "a whole number", min: 1, max: 16}, def: 1, doc: "How many further calls may start."},
	)), doc: "Starts a second call when the first is slow; the first answer wins."},
}

func limitKeys(instances bool) []key {
	keys := []key{
		{name: "memory", typ: memoryTyp, def: "64MiB", doc: "The module's memory."},
		{name: "input", typ: sizeTyp, def: "8MiB", doc: "What a call may be given."},
		{name: "output", typ: sizeTyp, def: "8MiB", doc: "What a call may return."},
		{name: "log", typ: sizeTyp, def: "256KiB", doc: "What a call may log."},
		{name: "vars", typ: sizeTyp, doc: "What a plugin may keep in vars."},
		{name: "http_bytes", typ: sizeTyp, doc: "What a call may receive over HTTP."},
		{name: "http_requests", typ: countTyp, doc: "HTTP requests of a call."},
		{name: "files", typ: countTyp, doc: "Files that a call may have open at once."},
		{name: "steps", typ: bigTyp, doc: "Steps of work of a call, counted by the sandbox."},
	}
	if instances {
		keys = append(keys, key{name: "instances", typ: countTyp, doc: "Instances of the module at once."})
	}
	return keys
}

var pluginShape = newShape("a plugin",
	key{name: "source", typ: &typ{form: stringForm, what: "a path, builtin:NAME, https://… or oci://…", check: checkSource, file: true}, required: true, doc: "Where the module is: a path relative to this file, builtin:NAME, https://… or oci://registry/name:tag."},
	key{name: "sha256", typ: &typ{form: stringForm, what: "64 hexadecimal digits", check: checkSHA256, pattern: `^(sha256:)?[0-9a-fA-F]{64}$`}, doc: "The module's digest; required for https and oci."},
	key{name: "abi", typ: enum("extism", "wasi"), doc: "How the host talks to the module; found out from it when not given."},
	key{name: "reset", typ: enum("call", "instance", "never"), def: "call", doc: "call: the initial state is restored for every call; instance: a new instance for every call; never: state survives."},
	key{name: "config", typ: mapOf(setting(textTyp)), doc: "Config values that the plugin reads: a string, or { env, default }."},
	key{name: "limits", typ: table(newShape("a plugin's limits", limitKeys(true)...)), doc: "What a call may use."},
	key{name: "allow", typ: table(newShape("a plugin's permissions",
		key{name: "http", typ: listOf(setting(originTyp)), doc: "Origins that the plugin may call."},
		key{name: "fs", typ: listOf(table(newShape("a mount",
			key{name: "path", typ: pathTyp, required: true, doc: "A folder of this machine, relative to this file."},
			key{name: "at", typ: &typ{form: stringForm, what: "an absolute path", check: checkMountPoint, pattern: `^/`}, required: true, doc: "Where the plugin sees it."},
			key{name: "mode", typ: enum("ro", "rw"), def: "ro", doc: "ro: read only; rw: may write."},
		))), doc: "Folders that the plugin may see."},
		key{name: "env", typ: listOf(envTyp), doc: "Environment variables that the plugin may read."},
		key{name: "secrets", typ: listOf(&typ{form: unionForm, what: "a name from [secrets], or a table", alts: []*typ{refTo("secrets"), table(newShape("a secret's use",
			key{name: "name", typ: refTo("secrets"), required: true, doc: "A key of [secrets]."},
			key{name: "header", typ: &typ{form: stringForm, what: "the name of a header", check: checkHeader}, doc: "The host puts the secret into this header; the plugin never sees it. Without: it is the config value secret.NAME."},
			key{name: "prefix", typ: &typ{form: stringForm, what: "a string", check: checkPrefix}, doc: "Text before the secret in the header, such as \"Bearer \"."},
			key{name: "to", typ: listOf(setting(originTyp)), doc: "Origins that get the header; default: the plugin's http origins."},
		))}}), doc: "Secrets that the plugin may use."},
	)), doc: "What the plugin may do; nothing by default."},
	key{name: "args", typ: listOf(textTyp), doc: "Arguments of a WASI program."},
	key{name: "public_key", typ: &typ{form: stringForm, what: "a minisign public key", check: checkPublicKey}, doc: "A minisign key. This version cannot check signatures, so it starts no run with a plugin that has one."},
	key{name: "record", typ: &typ{form: integerForm, what: "a whole number up to 1000", min: 0, max: 1000}, def: 0, doc: "Keep the last N calls for replay."},
	key{name: "build", typ: filledTyp, doc: "The command that --watch runs when the plugin's sources change."},
)

var breakerShape = newShape("a breaker",
	key{name: "failure_threshold", typ: countTyp, def: 5, doc: "Consecutive failures that open it; with window: failures within it."},
	key{name: "window", typ: durationTyp, doc: "How far back failures count."},
	key{name: "failure_rate", typ: someTyp, doc: "Instead of failure_threshold: the share of at least min_calls calls in the window (1m when not given)."},
	key{name: "min_calls", typ: countTyp, def: 10, doc: "With failure_rate: fewer calls than this never open it."},
	key{name: "recovery_timeout", typ: durationTyp, def: "60s", doc: "Time from opening to half_open."},
	key{name: "success_threshold", typ: countTyp, def: 1, doc: "Successes in half_open that close it."},
	key{name: "half_open_max", typ: countTyp, def: 1, doc: "Calls that half_open lets through at once."},
	key{name: "counts", typ: classesTyp, def: []any{"transient", "system", "unknown"}, doc: "Classes that count as failures."},
)

var fallbackShape = newShape("a fallback", with([]key{
	{name: "plugin", typ: refTo("plugins"), doc: "Who is asked next."},
	{name: "function", typ: filledTyp, def: "run", doc: "The function that is called; a WASI command is called as a program, by run or _start."},
	{name: "with", typ: valueTyp, doc: "What it is given; default: what the node is given."},
	{name: "policy", typ: refTo("policies"), doc: "A policy of its own; the node's is not inherited."},
	{name: "value", typ: valueTyp, doc: "A constant instead of a call: it always answers."},
}, policyKeys)...)

var nodeShape = newShape("a node", with([]key{
	{name: "plugin", typ: refTo("plugins"), doc: "The plugin that the node calls."},
	{name: "function", typ: filledTyp, def: "run", doc: "The function that is called; a WASI command is called as a program, by run or _start."},
	{name: "workflow", typ: workflowTyp, doc: "A sub-workflow that the node runs, instead of a plugin."},
	{name: "approval", typ: filledTyp, doc: "A question to a person, instead of a plugin: the node waits for the answer."},
	{name: "needs", typ: listOf(refTo("nodes")), doc: "Nodes that must have ended before."},
	{name: "run_if", typ: enum("succeeded", "failed", "done"), def: "succeeded", doc: "Which ends of its needs let it run; failed is an error edge."},
	{name: "when", typ: exprTyp, doc: "A condition: skipped unless true."},
	{name: "with", typ: valueTyp, doc: "What the node is given; strings may hold {{ expressions }}."},
	{name: "for_each", typ: valueTyp, doc: "A list: one call per item, with item and index in with."},
	{name: "max_parallel", typ: countTyp, doc: "Items at once; default: as many as the run allows."},
	{name: "min_success", typ: shareTyp, def: 1.0, doc: "The share of items that must succeed."},
	{name: "policy", typ: refTo("policies"), doc: "A named bundle of policy keys."},
	{name: "idempotent", typ: boolTyp, def: true, doc: "false: never repeated when the outcome is unknown."},
	{name: "output", typ: schemaTyp, doc: "The JSON Schema of the output (with for_each: of each item's)."},
	{name: "fallback", typ: manyTables(fallbackShape), doc: "Who is asked, in order, when the node fails."},
}, policyKeys)...)

// fileShape is the whole file.
var fileShape = newShape("a workflow",
	key{name: "version", typ: &typ{form: integerForm, what: "1", min: 1, max: 1}, def: 1, doc: "The version of the file format."},
	key{name: "name", typ: &typ{form: stringForm, what: "a name", check: checkTitle, pattern: `^[A-Za-z0-9._-]{1,128}$`}, doc: "The workflow's name; default: the file's, without its ending."},
	key{name: "description", typ: textTyp, doc: "What it is for."},
	key{name: "input", typ: table(newShape("the input",
		key{name: "schema", typ: schemaTyp, doc: "The JSON Schema that inputs must fit: a path or an inline table."},
		key{name: "default", typ: valueTyp, doc: "The input when none is given."},
	)), doc: "What a run takes."},
	key{name: "run", typ: table(newShape("the run",
		key{name: "concurrency", typ: countTyp, doc: "Plugin calls at once; default 2 x cores."},
		key{name: "deadline", typ: durationTyp, doc: "The whole run, fallback workflows included."},
		key{name: "on_failure", typ: enum("stop", "continue"), def: "stop", doc: "stop: cancel the rest at once; continue: independent branches finish."},
		key{name: "health_gate", typ: enum("critical", "off"), def: "critical", doc: "The checks that must pass before the first node starts."},
		key{name: "retry", typ: table(runRetryShape), doc: "Retries of the whole workflow; succeeded nodes are kept."},
	)), doc: "How the whole runs."},
	key{name: "defaults", typ: table(newShape("the defaults", with(policyKeys, []key{
		{name: "limits", typ: table(newShape("the default limits", limitKeys(false)...)), doc: "Limits of every plugin."},
	})...)), doc: "What every node inherits; the nearest wins: node, policy, defaults, built-in."},
	key{name: "secrets", typ: mapOf(table(newShape("a secret",
		key{name: "env", typ: envTyp, doc: "The environment variable that holds it."},
		key{name: "file", typ: filledTyp, doc: "The file that holds it."},
		key{name: "optional", typ: boolTyp, def: false, doc: "true: a run may start without it."},
	))), doc: "Secrets, given by reference only."},
	key{name: "plugins", typ: mapOf(table(pluginShape)), doc: "The modules that nodes call."},
	key{name: "policies", typ: mapOf(table(newShape("a policy", policyKeys...))), doc: "Named bundles of policy keys."},
	key{name: "breakers", typ: mapOf(table(breakerShape)), doc: "Circuit breakers, shared by name."},
	key{name: "classify", typ: manyTables(newShape("a rule",
		key{name: "class", typ: classTyp, required: true, doc: "The class of errors that the rule matches."},
		key{name: "code", typ: listOf(&typ{form: unionForm, what: "a string or a whole number", alts: []*typ{textTyp, {form: integerForm, what: "a whole number", min: math32min, max: math32max}}}), doc: "Codes that it matches."},
		key{name: "match", typ: &typ{form: stringForm, what: "a regular expression", check: checkRegexp}, doc: "A regular expression on the message."},
	)), doc: "Rules for the class of errors; the first match wins."},
	key{name: "health", typ: mapOf(table(newShape("a health check",
		key{name: "plugin", typ: refTo("plugins"), required: true, doc: "The plugin that is asked."},
		key{name: "function", typ: filledTyp, def: "health", doc: "The function that is called; a WASI command is called as a program, by run or _start."},
		key{name: "critical", typ: boolTyp, def: true, doc: "false: reported, never blocks a run."},
		key{name: "every", typ: durationTyp, doc: "A healthy result younger than this is used again instead of asking."},
		key{name: "timeout", typ: durationTyp, def: "5s", doc: "How long the check may take."},
	))), doc: "Checks that run before the first node."},
	key{name: "nodes", typ: mapOf(table(nodeShape)), required: true, doc: "The steps."},
	key{name: "output", typ: table(newShape("the output",
		key{name: "value", typ: valueTyp, required: true, doc: "The run's output; default: the outputs of the nodes nobody needs."},
	)), doc: "What a run returns."},
	key{name: "fallback", typ: manyTables(newShape("a fallback workflow",
		key{name: "workflow", typ: workflowTyp, required: true, doc: "The workflow that is tried when the run fails."},
		key{name: "priority", typ: &typ{form: integerForm, what: "a whole number", min: math32min, max: math32max}, def: 1, doc: "Lower is tried first; file order on ties."},
		key{name: "on", typ: classesTyp, doc: "The classes of failures for which it is tried; default: every class."},
	)), doc: "Workflows that are tried when the run fails."},
	key{name: "schedule", typ: manyTables(newShape("a schedule",
		key{name: "cron", typ: &typ{form: stringForm, what: "a cron expression", check: checkCron}, required: true, doc: "When runs start: minute, hour, day of month, month, day of week."},
		key{name: "timezone", typ: &typ{form: stringForm, what: "a time zone", check: checkTimezone}, def: "UTC", doc: "The IANA name of the time zone."},
		key{name: "overlap", typ: enum("skip", "queue", "allow"), def: "skip", doc: "When the run before still goes on: skip leaves the time out, queue waits for it, allow starts beside it."},
		key{name: "catch_up", typ: waitTyp, doc: "Starts that were missed while no server ran are made up for when they are younger than this; default: none is."},
	)), doc: "Runs that start by the clock."},
	key{name: "webhook", typ: table(newShape("a webhook",
		key{name: "path", typ: &typ{form: stringForm, what: "a path", check: checkHook}, required: true, doc: "Where it is: POST /hooks/PATH."},
		key{name: "auth", typ: table(newShape("a webhook's auth",
			key{name: "hmac", typ: refTo("secrets"), doc: "The secret that signs bodies (HMAC-SHA256)."},
			key{name: "header", typ: &typ{form: stringForm, what: "the name of a header", check: checkHeader}, def: "X-Signature", doc: "The header that carries the signature."},
			key{name: "bearer", typ: refTo("secrets"), doc: "The secret that callers send as bearer token."},
		)), required: true, doc: "How callers prove who they are."},
	)), doc: "Runs that start by an HTTP request."},
	key{name: "alert", typ: manyTables(newShape("an alert",
		key{name: "url", typ: &typ{form: stringForm, what: "a URL", check: checkURL, pattern: `^https?://`}, required: true, doc: "Where changes are POSTed."},
		key{name: "on", typ: listOf(&typ{form: stringForm, what: `"health", "breaker" or "success_rate < N"`, check: checkAlert}), required: true, doc: "health, breaker, or success_rate < N."},
	)), doc: "Who is told of changes."},
)

const (
	math32min = -1 << 31
	math32max = 1<<31 - 1
)
