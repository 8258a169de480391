package enginetest

import (
	"container/heap"
	"iter"
	"time"
)

// clockwork is the model's time: what happens next, one thing after the other,
// on one goroutine.
type clockwork struct {
	now  time.Duration
	seq  int
	todo agenda
	// order is the order of what happens at one instant, by number: nil is that
	// in which it came up.
	order func(seq int) int
}

type entry struct {
	at  time.Duration
	seq int
	do  func()
}

type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func (c *clockwork) after(d time.Duration, do func()) {
	c.seq++
	seq := c.seq
	if c.order != nil {
		seq = c.order(seq)
	}
	heap.Push(&c.todo, entry{c.now + d, seq, do})
}

// run goes on until nothing is left to do.
func (c *clockwork) run() {
	for len(c.todo) > 0 {
		e := heap.Pop(&c.todo).(entry)
		c.now = e.at
		e.do()
	}
}

// actor is a course of events that is written as a function: it runs until it
// waits, and goes on when it is woken.
type actor struct {
	c     *clockwork
	next  func() (struct{}, bool)
	wait  func(struct{}) bool
	waits int // number of the wait; a wake for an earlier one is void
	cut   bool

	parked bool
}

func (c *clockwork) start(f func(a *actor)) *actor {
	a := c.actor(f)
	c.after(0, func() { a.next() })
	return a
}

// startNow runs the actor until its first wait.
func (c *clockwork) startNow(f func(a *actor)) { c.actor(f).next() }

func (c *clockwork) actor(f func(a *actor)) *actor {
	a := &actor{c: c}
	a.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		a.wait = yield
		f(a)
	})
	return a
}

// park waits until woken.
func (a *actor) park() {
	a.waits++
	a.parked = true
	a.wait(struct{}{})
	a.parked = false
}

// unpark lets a parked actor go on before anything else happens.
func (a *actor) unpark() {
	if a.parked {
		a.waits++
		a.next()
	}
}

func (a *actor) wakeAfter(d time.Duration) {
	n := a.waits
	a.c.after(d, func() {
		if a.waits == n {
			a.waits++
			a.next()
		}
	})
}

// sleep waits for a time, or until the actor is cut; it reports the latter.
func (a *actor) sleep(d time.Duration) bool {
	if a.cut {
		return true
	}
	a.waits++
	a.wakeAfter(d)
	a.wait(struct{}{})
	return a.cut
}

// stop cuts the actor: what it waits for ends at once.
func (a *actor) stop() {
	if !a.cut {
		a.cut = true
		a.wakeAfter(0)
	}
}
