//go:build unix

package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// Pairs lets two processes use one state folder at the same time: with runs of
// their own, and with the same run, which one of them works on while the other
// follows it and gets the same result. Sometimes one of the two is killed, and
// the other ends the run. TORTURE_PAIRS is how many times (4).
func Pairs(t *testing.T, open Opener) {
	seed := uint64(number("TORTURE_SEED", 1))
	l, end := alone(t, open, seed)
	defer end()
	killed := 0
	for n := range number("TORTURE_PAIRS", 4) {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		kinds := []string{"chain", "fan", "items", "sub", "subs", "retries", "rounds", "levels"}
		p := l.part
		p.Jobs = []Job{{ID: fmt.Sprintf("pair-%06d", n), Kind: kinds[random.IntN(len(kinds))], Seed: random.Uint64()}}
		both := []part{p, p}
		for i := range both {
			both[i].Jobs = append(slices.Clone(p.Jobs), Job{ID: fmt.Sprintf("own%d-%06d", i, n), Kind: kinds[random.IntN(len(kinds))], Seed: random.Uint64()})
		}
		fates := make([]fate, 2)
		if n%2 == 1 {
			fates[0] = chance(random, 2)
		}
		l.lives = nil
		lives, errs := make([]*life, 2), make([]error, 2)
		var wg sync.WaitGroup
		for i := range both {
			wg.Go(func() { lives[i], errs[i] = l.live(both[i], fates[i]) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("seed %d, pair %d, %s: %v", seed, n, fates[0], err)
		}
		l.lives = lives
		for _, v := range lives {
			v.after = &snapshot{} // the other one was at work: what this one left is not known
		}
		jobs := both[1].Jobs
		switch first, second := lives[0].results[p.Jobs[0].ID], lives[1].results[p.Jobs[0].ID]; {
		case lives[0].killed:
			killed++
		case first == nil || second == nil || string(first.Output.JSON()) != string(second.Output.JSON()) || first.Status != second.Status || !first.FinishedAt.Equal(second.FinishedAt):
			t.Errorf("seed %d, pair %d: one process has the result %+v, the other %+v", seed, n, first, second)
		default:
			jobs = append(jobs, both[0].Jobs[1])
		}
		snapshot, err := l.oracle.look(p.State, false)
		if err != nil {
			t.Fatalf("seed %d, pair %d, %s: %v", seed, n, fates[0], err)
		}
		for _, j := range jobs {
			result := lives[1].results[j.ID]
			if result == nil {
				result = lives[0].results[j.ID]
			}
			l.over(j, result, lives, snapshot)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d pairs, of which one was killed in %d; %d calls more than without kills", number("TORTURE_PAIRS", 4), killed, l.counts.Extra)
}
