package schedule

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"wasmhost/host/workflow"
)

// A schedule has no name. It is known by what it says, not by its place in the
// file: a schedule that is put before it must not make it another one, whose
// missed times nobody knows and whose runs have other ids.

// keys names the schedules of a workflow: cron expression and time zone, and a
// number for one that says the same again.
func keys(list []workflow.Schedule) []string {
	seen := map[string]int{}
	names := make([]string, len(list))
	for i, s := range list {
		zone := s.Timezone
		if zone == "" {
			zone = "UTC"
		}
		key := strings.Join(strings.Fields(s.Cron), " ") + " " + zone
		if seen[key]++; seen[key] > 1 {
			key += " #" + strconv.Itoa(seen[key])
		}
		names[i] = key
	}
	return names
}

// longestName leaves room for the rest of a run's id, which has 128 characters at
// most.
const longestName = 100

// runID is the id of the run of one due time: WORKFLOW-20060102T150405Z-xxxxxx,
// whose end tells schedules apart that are due at the same time. Whoever computes
// it again, after a crash or in another process, gets the same run.
func runID(name, key string, due time.Time) string {
	sum := sha256.Sum256([]byte(name + "\x00" + key))
	if len(name) > longestName {
		name = name[:longestName]
	}
	return name + "-" + due.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(sum[:3])
}
