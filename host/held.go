package host

import (
	"context"
	"path/filepath"
)

// A workflow that runs share is loaded once, and unloaded when the last of them
// has left it: the runs that are started, resumed and retried by a process that
// serves would otherwise have a copy each. Which one a run needs is said by its
// file and the digest of its content.
type heldKey struct{ file, digest string }

func keyOf(w *Workflow) heldKey {
	file, err := filepath.Abs(w.plan.File)
	if err != nil {
		file = w.plan.File
	}
	return heldKey{file, w.plan.Digest}
}

// keep makes w shared, or finds the one of the same content that is shared
// already: w is unloaded then. Release what it returns.
func (h *Host) keep(ctx context.Context, w *Workflow) *Workflow {
	key := keyOf(w)
	h.mu.Lock()
	there := h.held[key]
	if there == nil {
		there, h.held[key] = w, w
	}
	there.users++
	h.mu.Unlock()
	if there != w {
		h.Unload(ctx, w)
	}
	return there
}

// borrow finds a shared workflow, or returns nil. Release it.
func (h *Host) borrow(key heldKey) *Workflow {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.held[key]
	if w != nil {
		w.users++
	}
	return w
}

// retain borrows w once more, which the caller has.
func (h *Host) retain(w *Workflow) {
	h.mu.Lock()
	w.users++
	h.mu.Unlock()
}

// release gives a shared workflow back.
func (h *Host) release(ctx context.Context, w *Workflow) {
	h.mu.Lock()
	w.users--
	last := w.users == 0
	if last {
		delete(h.held, keyOf(w))
	}
	h.mu.Unlock()
	if last {
		h.Unload(ctx, w)
	}
}
