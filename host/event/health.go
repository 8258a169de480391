package event

import "time"

// Report is one round of health checks.
type Report struct {
	OverallHealthy bool             `json:"overall_healthy"`
	Timestamp      time.Time        `json:"timestamp"`
	Checks         map[string]Check `json:"checks"`
}

// Check is the outcome of one health check.
type Check struct {
	Healthy    bool      `json:"healthy"`
	Critical   bool      `json:"critical"`
	DurationMS float64   `json:"duration_ms"`
	Timestamp  time.Time `json:"timestamp"`
	Details    *Value    `json:"details,omitempty"`
	Error      *Error    `json:"error,omitempty"`
}
