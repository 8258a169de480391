package journal

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"time"
)

// poll looks for what other processes (and this one) have written: commands for
// the runs that are owned here, breakers, and runs that somebody has taken away.
type poll struct {
	j        *Journal
	conn     *conn
	version  int64 // of the data, when last looked at
	breakers int64 // the last version that was told
}

// poller opens its connection and returns the loop.
func (j *Journal) poller() (func(), error) {
	c, err := j.dialReader(context.Background())
	if err != nil {
		return nil, err
	}
	p := &poll{j: j, conn: c, version: -1}
	if p.breakers, err = c.one("SELECT max(version) FROM breakers"); err != nil {
		_ = c.close()
		return nil, err
	}
	return p.loop, nil
}

func (p *poll) loop() {
	tick := time.NewTicker(p.j.o.Poll)
	defer tick.Stop()
	defer p.hangUp()
	for {
		asked := false
		select {
		case <-p.j.stop:
			return
		case <-tick.C:
		case <-p.j.look: // a command, or a run that may have some
			asked = true
		}
		// What cannot be read now is read at the next tick, and the writer, whose
		// word counts, tells everybody what is wrong.
		if err := p.round(asked); err != nil {
			p.hangUp()
		}
	}
}

func (p *poll) hangUp() {
	if p.conn != nil {
		_ = p.conn.close()
		p.conn = nil
	}
}

func (p *poll) round(asked bool) (err error) {
	if p.conn == nil {
		if p.conn, err = p.j.dialReader(context.Background()); err != nil {
			return err
		}
		p.version = -1
	}
	if asked {
		return p.commands()
	}
	version, err := p.conn.one("PRAGMA data_version")
	if err != nil || version == p.version {
		return err
	}
	if err := p.lost(); err != nil {
		return err
	}
	if err := p.commands(); err != nil {
		return err
	}
	if p.j.o.OnBreaker != nil {
		if err := p.changed(); err != nil {
			return err
		}
	}
	p.version = version
	return nil
}

// mine are the writers of the runs owned here, before anything is read.
func (p *poll) mine() map[int64]*Writer {
	p.j.ownedMu.Lock()
	defer p.j.ownedMu.Unlock()
	return maps.Clone(p.j.owned)
}

// lost finds the runs that somebody has taken, so that their engines stop even
// when they have nothing to write.
func (p *poll) lost() error {
	for n, w := range p.mine() {
		fence, err := p.conn.one("SELECT fence FROM runs WHERE n = ? AND owner = ?", n, p.j.owner.id)
		if err != nil {
			return err
		}
		w.mu.Lock()
		ended := w.ended
		w.mu.Unlock()
		if fence != w.fence && !ended && w.poison(ErrLost) {
			p.j.disown(w)
		}
	}
	return nil
}

func (p *poll) commands() error {
	if p.j.o.OnCommand == nil {
		return nil
	}
	mine := p.mine()
	var list []Command
	var to []*Writer
	err := p.conn.query(func(row []driver.Value) error {
		var c Command
		var n, at int64
		if err := assign(row, &c.ID, &n, &c.Run, &c.Kind, &c.Data, &c.By, &at); err != nil {
			return err
		}
		c.At = timeOf(at)
		if w := mine[n]; w != nil && w.told < c.ID {
			list, to = append(list, c), append(to, w)
		}
		return nil
	}, `SELECT c.id, c.run, r.id, c.kind, c.data, c.sender, c.at FROM commands c INDEXED BY commands_open JOIN runs r ON r.n = c.run
		WHERE c.taken = 0 AND r.owner = ? ORDER BY c.id`, p.j.owner.id)
	if err != nil {
		return err
	}
	for i, c := range list {
		to[i].told = c.ID
		p.j.o.OnCommand(c)
	}
	return nil
}

func (p *poll) changed() error {
	var list []Breaker
	last := p.breakers
	err := p.conn.query(func(row []driver.Value) error {
		b, err := readBreaker(row)
		if err != nil {
			return err
		}
		var owner int64
		if err := assign(row[6:], &owner); err != nil {
			return err
		}
		last = max(last, b.Version)
		if owner != p.j.owner.id {
			list = append(list, b)
		}
		return nil
	}, "SELECT root, key, state, at, sender, version, owner FROM breakers WHERE version > ?", p.breakers)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b Breaker) int { return int(a.Version - b.Version) })
	p.breakers = last
	for _, b := range list {
		p.j.o.OnBreaker(b)
	}
	return nil
}
