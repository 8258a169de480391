// Package torture kills processes that run workflows, at every point around a
// write of the journal, and looks at what is left: everything acknowledged is
// there, nothing done is done again, every run ends. It also takes runs away from
// processes that were stopped, and lets disks fill up.
//
// It is used by tests only: a campaign runs in the tests of package host, whose
// binary, started again with a part to play, is also the process that is killed.
// So the hook around writes, which only those tests can reach, needs no way in
// from production. What plugins did is counted by a server outside of those
// processes; what the journal holds is read by the sqlite3 tool, another build of
// SQLite than the host's.
package torture
