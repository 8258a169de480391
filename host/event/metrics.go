package event

// Metrics counts runs and what their nodes did. A run is counted once, when it
// ends: total = successful + failed + refused + cancelled, and a degraded run
// is a successful one.
type Metrics struct {
	TotalExecutions      int `json:"total_executions"`
	SuccessfulExecutions int `json:"successful_executions"`
	FailedExecutions     int `json:"failed_executions"`
	RefusedExecutions    int `json:"refused_executions"`
	CancelledExecutions  int `json:"cancelled_executions"`
	// SuccessRatePercent is successful / (successful + failed), 100 when there
	// is none of either.
	SuccessRatePercent float64 `json:"success_rate_percent"`
	// CircuitBreakerState is closed, open or half_open, by breaker key.
	CircuitBreakerState map[string]string `json:"circuit_breaker_state"`
	// Nodes are the counts by node path.
	Nodes map[string]*NodeMetrics `json:"nodes,omitempty"`
}

// NodeMetrics counts what one node did, over all runs.
type NodeMetrics struct {
	Attempts   int `json:"attempts"`
	Retries    int `json:"retries"`
	Rejections int `json:"rejections"` // by a breaker or a limiter, no attempt made
	Fallbacks  int `json:"fallbacks"`
	// LatencyMS holds quantiles of the attempts' duration: p50, p90, p99, max.
	LatencyMS map[string]float64 `json:"latency_ms,omitempty"`
}

// BreakerState is a breaker as it is shown, stored and restored.
type BreakerState struct {
	Key   string `json:"key"`
	State string `json:"state"` // closed, open or half_open
	// Failures counts towards the threshold; OpenForMS is what is left of the
	// open state.
	Failures  int    `json:"failures"`
	OpenForMS int64  `json:"open_for_ms,omitempty"`
	LastError *Error `json:"last_error,omitempty"`
}
