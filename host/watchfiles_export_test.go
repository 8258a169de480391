package host

import "context"

// WatchFiles watches what a Host serves, as Serve does without NoWatch.
func (h *Host) WatchFiles(ctx context.Context) { h.served.Load().watchFiles(ctx) }
