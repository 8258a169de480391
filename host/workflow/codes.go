package workflow

// CodeInfo explains a code of findings.
type CodeInfo struct {
	// About is the paragraph that `host explain CODE` prints.
	About string
	// Module marks findings about a module that was read and refused: with
	// nothing else wrong, `host validate` exits 8 instead of 3.
	Module bool
	// Warning marks findings that do not stop a workflow, except with --strict.
	Warning bool
}

// Codes are the codes of all findings. Codes are stable: tools match them.
var Codes = map[string]CodeInfo{
	"syntax":        {About: `The file is not valid TOML at this place. Reading goes on behind it, so that the rest is checked too. Often a value lacks its quotes: durations, sizes and rates are strings ("30s", "64MiB", "20/s").`},
	"too_large":     {About: `A workflow file has at most 16 MiB and a schema at most 4 MiB. What is larger was hardly written as one: split it into sub-workflows, or look whether the path is right.`},
	"unreadable":    {About: `The file cannot be read: it is a folder, or its permissions do not allow it.`},
	"duplicate_key": {About: `A key or a table is given twice. TOML allows each once; the message names the line of the first.`},
	"unknown_key":   {About: `The table has no such key. Reading is strict, so that a misspelt key is never silently ignored. "host schema" prints every key with its type, editors complete them from it.`},
	"missing_key":   {About: `A key that the table cannot do without is not there.`},
	"misplaced_key": {About: `The key exists, but not for a node of this kind. Nodes that run a sub-workflow carry no attempt policies (timeout, retry, breaker, rate_limit, concurrency, hedge, idempotent): these belong to the nodes inside it. Approval nodes carry only needs, when, run_if and deadline.`},
	"wrong_type":    {About: `The value has another TOML type than the key takes.`},
	"contradiction": {About: `Two settings cannot both hold: a node with a plugin and a workflow, a breaker with a threshold and a rate, a hedge on work that must not be done twice, a key that another one makes meaningless.`},
	"bad_value":     {About: `The value is none that the key takes.`},
	"bad_name":      {About: `Names of nodes, plugins, policies, breakers, secrets and checks consist of letters, digits, "-" and "_", at most 128 of them: they show up in paths, URLs, metrics and expressions. A workflow's name may hold dots too.`},
	"bad_number":    {About: `The number is outside the range that the key takes.`},
	"bad_duration":  {About: `A duration is a string of numbers with units: "200ms", "30s", "5m", "1h30m", "24h". Units are ns, us, ms, s, m and h.`},
	"bad_size":      {About: `A size is a string with a number and a unit: "512B", "256KiB", "64MiB", "1GiB", or decimal: "64MB".`},
	"bad_rate":      {About: `A rate is a string with a number and a time: "20/s", "100/m", "0.5/s", "5000/h".`},
	"bad_regexp":    {About: `The regular expression cannot be compiled. The syntax is Go's (RE2): there are no look-arounds and no back-references.`},
	"bad_cron":      {About: `A cron expression has five fields: minute, hour, day of month, month, day of week. Each is *, a number, a range (1-5), a list (1,15), with an optional step (*/15); months and weekdays may be names. @hourly, @daily, @weekly, @monthly and @yearly are known too.`},
	"bad_timezone":  {About: `The time zone is none of the IANA database. Examples: "UTC", "Europe/Berlin", "America/New_York".`},
	"bad_origin":    {About: `An http permission is an origin: scheme://host, with :port where it is not the scheme's own. Of a longer URL only the origin counts.`},
	"bad_glob":      {About: `In an http permission "*" stands for one or more whole labels at the beginning of the host: "https://*.example.com". At least two labels follow it: "https://*.com" would be everybody. It stands nowhere else, and never alone: a plugin that may call any host is only allowed with --allow-any-host.`},
	"bad_source":    {About: `A plugin's source is a path relative to the workflow, builtin:NAME, https://…, or oci://registry/name:tag.`},
	"bad_digest":    {About: `A sha256 is 64 hexadecimal digits. "sha256sum plugin.wasm" prints it.`},
	"bad_key":       {About: `A minisign public key is the second line of the .pub file: it begins with RW and has 56 characters. Only its form is looked at: this version cannot check signatures, and starts no run with a plugin that has a key.`},
	"bad_path":      {About: `The path is none that can be used here: inside a plugin, mounts stand at absolute paths; schemas lie in the workflow's folder.`},
	"bad_schema":    {About: `The JSON Schema is no valid one (draft 2020-12, unless $schema says otherwise), or it refers to something outside the workflow's folder. Schemas are never fetched from the network.`},

	"bad_expression":  {About: `The expression cannot be compiled or its types do not fit. Expressions are those of expr-lang.org, with a small set of functions, over input, nodes.ID.output|error|status, run.id, run.workflow, item and index. Types come from the schemas of the input and of the nodes' outputs, where there are any.`},
	"schema_mismatch": {About: `A value that is written in the workflow (a default input, a constant fallback, a constant "with") does not fit the schema that it has to fit.`},

	"unknown_node":    {About: `No node of this file has that id.`},
	"unknown_plugin":  {About: `The file has no [plugins.NAME] table of that name. Sub-workflows have plugins of their own; they do not see those of the workflow that uses them.`},
	"unknown_policy":  {About: `The file has no [policies.NAME] table of that name.`},
	"unknown_breaker": {About: `The file has no [breakers.NAME] table of that name. Breakers are named, so that nodes can share them.`},
	"unknown_secret":  {About: `The file has no such key in [secrets].`},
	"unknown_builtin": {About: `There is no plugin of that name in this host. The message proposes the nearest name, or lists those that are built in; "host call builtin:NAME" tries one.`},
	"not_upstream":    {About: `An expression may only name nodes that have ended when it is evaluated: those that the node needs, and those that they need. Add the node to "needs".`},
	"cycle":           {About: `Nodes need each other in a circle, or workflows use each other in one, as sub-workflow or as fallback level. Neither could ever start; the message shows the circle.`},
	"missing_file":    {About: `The file does not exist. Paths are relative to the workflow file that names them.`},

	"missing_digest":     {About: `A module that comes from elsewhere (https, oci) must be named by its sha256, so that what runs is what was reviewed.`},
	"digest_mismatch":    {About: `The module is not the one that sha256 names: it was changed, or the digest belongs to another build.`, Module: true},
	"bad_module":         {About: `The file is no WebAssembly module, or a damaged one.`, Module: true},
	"unsupported_module": {About: `The module is WebAssembly, but not of a sort that runs here: a component (WASIp2), or one that needs garbage collection, threads or 64-bit memory. Build a core module instead, for instance with the target wasm32-wasip1.`, Module: true},
	"bad_signature":      {About: `Reserved for modules that public_key did not sign. This version cannot check signatures: it refuses to start a run with a plugin that has a public_key, with the error code unsupported. Pin the module with sha256 instead.`, Module: true},
	"missing_export":     {About: `The module does not export the function that is called. The message lists what it exports; "host call SOURCE FUNCTION" calls one, "host plan FILE" shows what every node calls. A WASI command is called by "run".`},
	"not_found":          {About: `The module is not where its source says.`},
	"fetch_failed":       {About: `The module could not be fetched.`},
	"breaker_conflict":   {About: `A breaker is shared by its key within a run: by the workflow, its sub-workflows and its fallback levels. Two files that define the same key must define it alike.`},

	"retry_exceeds_deadline": {Warning: true, About: `The retries cannot all happen: with every attempt running into its timeout, the attempts and the waits between them take longer than the deadline leaves. The message shows the sum. Raise the deadline, or lower max_retries, timeout or max_delay.`},
	"breaker_never_trips":    {Warning: true, About: `The breaker can never open: nothing uses it, no class counts as a failure, or so few calls fit its window that its threshold is out of reach.`},
	"retry_not_idempotent":   {Warning: true, About: `With idempotent = false a call whose outcome is unknown (timed out, cut off) is never repeated, whatever retry says. Only errors that the plugin itself returned are retried. Leave retry away, or set idempotent = true if repeating does no harm.`},
	"unreachable_fallback":   {Warning: true, About: `A constant always answers, so the fallbacks after it are never asked. Move it to the end.`},
	"unreachable_error_edge": {Warning: true, About: `The node runs only after a failure, but none of the nodes that it needs can fail: each has a constant as its last resort.`},
	"health_gate_off":        {Warning: true, About: `The check is critical, but with health_gate = "off" no check keeps a run from starting. Set critical = false, or health_gate = "critical".`},
	"plain_text":             {Warning: true, About: `The text holds {{ }}, but it is not a template: it is shown as it stands. Only with, for_each and output.value take expressions; the question of an approval is plain text. Who answers finds the outputs of the nodes before it in "host runs show ID -o json" and on the run's page.`},
	"unused_permission":      {Warning: true, About: `Nothing can use the network permission: no node and no check uses the plugin, its module makes no HTTP requests, or its own list does not ask for that origin. Permissions that nobody needs are best not given.`},
}
