package event

import "time"

// BreakerInfo is a breaker of a root workflow.
type BreakerInfo struct {
	Workflow string `json:"workflow"`
	BreakerState
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}
