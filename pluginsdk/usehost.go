package pluginsdk

import "sync"

// active is the host that a test has put around exports. An export has no
// parameters, so that the host cannot be handed to it.
var active struct {
	turn sync.Mutex // held from UseHost until its undo
	mu   sync.Mutex
	host Host
}

// UseHost makes h the host of every export that is called until undo is
// called. It waits for the undo of an earlier UseHost, so that tests that run
// in parallel take turns. Tests use it through pluginsdktest; plugins do not.
func UseHost(h Host) (undo func()) {
	active.turn.Lock()
	setActive(h)
	return func() {
		setActive(nil)
		active.turn.Unlock()
	}
}

func setActive(h Host) {
	active.mu.Lock()
	defer active.mu.Unlock()
	active.host = h
}

func currentHost() Host {
	active.mu.Lock()
	defer active.mu.Unlock()
	if active.host == nil {
		return outerHost()
	}
	return active.host
}
