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
package workflow
