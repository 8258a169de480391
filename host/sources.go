package host

import (
	"context"

	"wasmhost/host/event"
	"wasmhost/host/internal/telemetry"
)

// sources are what a scrape asks for.
func (s *served) sources() telemetry.Sources {
	return telemetry.Sources{
		Live: s.liveRuns,
		Breakers: func() []event.BreakerInfo {
			var all []event.BreakerInfo
			for _, name := range s.flows.names() {
				for _, b := range s.shared.Breakers(name) {
					all = append(all, event.BreakerInfo{Workflow: name, BreakerState: b})
				}
			}
			return all
		},
		Health: func() []event.HealthInfo {
			all, _ := s.Health(context.Background()) // it has no error
			return all
		},
		Schedules: func() []event.ScheduleInfo { return s.scheduler.List() },
		Plugins: func() []telemetry.Instances {
			var all []telemetry.Instances
			for _, p := range s.runtime.Stats().Plugins {
				all = append(all, telemetry.Instances{Plugin: p.Name, Ready: p.Ready, Working: p.Working, Waiting: p.Waiting})
			}
			return all
		},
		Modules: func() telemetry.Modules {
			now := s.runtime.Stats()
			return telemetry.Modules{Count: now.Compiled, Bytes: now.CompiledBytes}
		},
		Journal: func() telemetry.Journal {
			now := s.journal.Stats()
			return telemetry.Journal{Backlog: now.Backlog, Bytes: now.Bytes, WALBytes: now.LogBytes, Commits: now.Commits, Records: now.Records, Failed: now.Failed}
		},
	}
}

// liveRuns counts the runs that this process works on, by root workflow.
func (s *served) liveRuns() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := map[string]int{}
	for _, r := range s.runs {
		live[r.workflow.plan.Name]++
	}
	return live
}
