package workflow

import (
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// Plan is a checked workflow with everything resolved: policies merged, names
// turned into indexes, expressions compiled, sub-workflows and fallback levels
// loaded. It is immutable and safe for concurrent use.
type Plan struct {
	Name        string
	Description string
	// File is the path as it was given, Dir its folder, Digest the SHA-256 over
	// the file and every workflow and schema file that it names, "sha256:…".
	File, Dir, Digest string
	// Files are the schema files that Digest covers besides, as paths.
	Files []string

	Input    Input
	Run      Run
	Secrets  map[string]Secret
	Plugins  map[string]*Plugin
	Policies map[string]*Policy // the named ones
	Breakers map[string]resilience.BreakerConfig
	Classify []resilience.Rule
	Health   []Check // in file order

	// Nodes are in an order in which every node comes after what it needs.
	Nodes []Node
	// Output is nil when the file has no [output]: the outputs of the nodes that
	// nobody needs (one: its output; several: an object by id).
	Output *Template
	// Levels are the fallback workflows in the order in which they are tried;
	// the primary is not among them.
	Levels []Level

	Schedules []Schedule
	Webhook   *Webhook
	Alerts    []Alert
}

// Input says what a run takes.
type Input struct {
	Schema     *Schema // nil: anything
	Default    event.Value
	HasDefault bool
}

// Run is the [run] table.
type Run struct {
	Concurrency int              // plugin calls in flight; always > 0
	Deadline    time.Duration    // 0: none
	Continue    bool             // on_failure = "continue"
	HealthGate  bool             // health_gate = "critical"
	Retry       resilience.Retry // without a Budget
}

// Secret is where a value that nobody may see comes from.
type Secret struct {
	Name, Env, File string
	Optional        bool
}

// Setting is a string, given as it is or taken from the environment.
type Setting struct {
	Value      string
	Env        string // "" when Value is meant
	Default    string
	HasDefault bool
}

// Plugin is a [plugins.NAME] table.
type Plugin struct {
	Name   string
	Source string // as written; relative paths are relative to Plan.Dir
	SHA256 string // lower-case hex, "" when not given
	ABI    string // extism, wasi or "" (found out)
	Reset  string // call, instance or never
	Config map[string]Setting
	Limits Limits // merged with [defaults]
	Allow  Allow
	Args   []string

	// PublicKey is a minisign key, "" when not given. Nothing here verifies
	// signatures: who starts runs must refuse a plugin that has one.
	PublicKey string
	Record    int
	Build     string
}

// Limits bound one call; 0 means the built-in limit.
type Limits struct {
	Memory       int64 // bytes
	Input        int64
	Output       int64
	Log          int64
	Vars         int64
	HTTPBytes    int64
	HTTPRequests int
	Files        int
	Steps        int64
	Instances    int
}

// Allow is what a plugin may do; nothing by default.
type Allow struct {
	HTTP    []Setting
	FS      []Mount
	Env     []string
	Secrets []SecretUse
}

// Mount shows a folder of the host to a plugin.
type Mount struct {
	Path, At string
	Write    bool // mode = "rw"
}

// SecretUse gives a secret to a plugin: as the config value secret.NAME, or,
// with a Header, only into its requests to the origins To (nil: the plugin's
// http origins).
type SecretUse struct {
	Name, Header, Prefix string
	To                   []Setting
}

// Check is a [health.NAME] table.
type Check struct {
	Name, Plugin, Function string
	Critical               bool
	Every                  time.Duration // 0: results are not reused
	Timeout                time.Duration
}

// Kind is what a node is.
type Kind uint8

const (
	PluginNode Kind = iota
	WorkflowNode
	ApprovalNode
)

// RunIf says which ends of its needs let a node run.
type RunIf uint8

const (
	IfSucceeded RunIf = iota
	IfFailed
	IfDone
)

// Node is one step.
type Node struct {
	ID    string
	Index int // its place in Plan.Nodes
	Line  int // of Plan.File, 0 for a plan that was built in Go
	Kind  Kind

	Needs      []int
	Dependents []int
	RunIf      RunIf
	When       *Expr // nil: always

	ForEach     *Template // nil: one call
	MaxParallel int       // 0: as many as the run allows
	MinSuccess  float64   // 1 when not given

	// Primary is who is asked first; for a sub-workflow its With counts only.
	Primary   Answerer
	Fallbacks []Answerer
	// Idempotent is false for a node that must not be repeated when nobody knows
	// whether its work was done.
	Idempotent bool
	Output     *Schema // nil: anything

	// Sub is the workflow of a WorkflowNode, Approval the question of an
	// ApprovalNode.
	Sub      *Plan
	Approval string
	// Deadline is the node's own deadline: it spans all items of a for_each, an
	// approval's wait, a sub-workflow's run. For a plugin node without for_each
	// it equals Primary.Policy.Deadline, which the stack enforces; with for_each
	// Primary.Policy.Deadline is 0.
	Deadline time.Duration
}

// Answerer is a plugin with its policy, or a constant.
type Answerer struct {
	Plugin   string
	Function string
	// With is nil for the default input: the item under for_each, else the run's
	// input without needs, the output of a single need, an object of the outputs
	// by node id of several.
	With    *Template
	IsValue bool
	Value   event.Value
	Policy  Policy
}

// Policy is the resolved bundle of policy keys of one answerer.
type Policy struct {
	// Name of the [policies.NAME] that it came from, "" for none. What is shared
	// (budget, rate limit, bulkhead) is shared by this name unless the node
	// overrides that very key.
	Name     string
	Timeout  time.Duration // > 0: the built-in timeout is 30s
	Deadline time.Duration // 0: none
	Retry    resilience.Retry
	Breaker  string // key, "" for none

	RateLimit   *resilience.RateLimit
	Concurrency int // 0: no bulkhead
	Hedge       *resilience.Hedge

	// OwnBudget, OwnRate and OwnConcurrency are true when the node (or fallback
	// entry) itself set the key, so that it is not shared by Name.
	OwnBudget, OwnRate, OwnConcurrency bool
}

// Level is a [[fallback]] workflow.
type Level struct {
	Plan     *Plan
	Priority int
	On       []resilience.Class // nil: every class
}

// Schedule is a [[schedule]] table.
type Schedule struct {
	Cron, Timezone, Overlap string
	CatchUp                 time.Duration // 0: what was missed is not made up for

	times *cronTimes // nil: not read yet
}

// Webhook is the [webhook] table.
type Webhook struct {
	Path                 string
	HMAC, Header, Bearer string // names of secrets, and of the signature's header
}

// Alert is an [[alert]] table.
type Alert struct {
	URL string
	On  []AlertOn
}

// AlertOn is a change that somebody wants to be told of.
type AlertOn struct {
	What  string  // health, breaker or success_rate
	Below float64 // of a success_rate: the percentage
}

// The changes that there are alerts of.
const (
	AlertHealth      = "health"
	AlertBreaker     = "breaker"
	AlertSuccessRate = "success_rate"
)
