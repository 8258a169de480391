// Package workflow turns a workflow.toml and the files it names into a Plan,
// or into every reason why it cannot: findings with file, line and column. It
// also owns what a Plan holds that can be evaluated: expressions, templates
// and JSON Schemas.
//
// It is not the engine: it decides nothing about a run. It starts no plugin
// and opens no connection; what it must know of a module it asks an Inspector,
// which host hands in.
//
// The order of reading: text → document (a tree whose every key and value
// knows its place) → shapes (keys.go: which keys exist, of which type; the JSON
// Schema of workflow files is made from the same table) → Plan → warnings.
//
// # What the design leaves open
//
//   - A node that runs a sub-workflow takes needs, when, run_if, with, for_each,
//     max_parallel, min_success, deadline, output and fallback. Attempt policies
//     (timeout, retry, breaker, …) belong to the nodes inside it.
//   - An approval takes needs, when, run_if and deadline.
//   - deadline of [defaults] holds for nodes of every kind, as every node
//     inherits it.
//   - With for_each, output describes the answer for one item.
//   - A retry table says how often: max_retries must be given at some layer.
//     The retry of [run] inherits from no layer and has it itself; it takes no
//     budget, which would have no calls to weigh retries against.
//   - Who loads plugins refuses some origins and headers. They are findings
//     here, by the same rules (permission.go, checkHeader).
//   - rate_limit needs a rate (burst 1, max_wait 10s when not given), hedge a
//     delay (max 1). A health check has 5s.
//   - retry_after = "0s" ignores the hints of plugins.
//   - A constant fallback is no template.
//   - Breakers are shared by key over a workflow, its sub-workflows and levels:
//     the same key with other settings is an error.
//   - Only ?. tolerates null. A missing key is an error too, except behind ?.
//     and on the left of ??.
//   - Whole numbers that leave 64 bits become floats; dividing by zero is an
//     error.
package workflow
