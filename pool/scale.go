package pool

import "time"

// Mode is php-fpm's pm: how a pool decides how many workers it has.
type Mode uint8

// The modes of php-fpm.
const (
	Static   Mode = iota // always MaxChildren
	Dynamic              // between MinSpare and MaxSpare idle ones, never more than MaxChildren
	OnDemand             // none until a request comes
)

func (m Mode) String() string {
	switch m {
	case Static:
		return "static"
	case Dynamic:
		return "dynamic"
	case OnDemand:
		return "ondemand"
	}
	return "unknown"
}

// Sizing is how many workers a pool may and should have; the names are php-fpm's.
type Sizing struct {
	Mode         Mode
	MaxChildren  int
	StartServers int           // dynamic: forked at start
	MinSpare     int           // dynamic: idle workers wanted at least
	MaxSpare     int           // dynamic: idle workers wanted at most
	MaxSpawnRate int           // most workers forked by one decision; 0 is no limit
	IdleTimeout  time.Duration // ondemand: an idle worker leaves after this long
}

// load is what a decision about a pool's size looks at. Starting workers count as idle ones to come.
type load struct {
	idle, busy, starting, waiting int
	replacing                     int // workers among idle, busy or starting that are above the size because their predecessor has still to leave
}

// initial is how many workers a new generation starts with.
func (s Sizing) initial() int {
	switch s.Mode {
	case Static:
		return s.MaxChildren
	case Dynamic:
		return min(max(s.StartServers, 1), s.MaxChildren)
	default:
		return 0
	}
}

// spawn is how many workers to fork now. It follows the queue, not a clock: a fork costs about a millisecond.
func (s Sizing) spawn(l load) int {
	total := l.idle + l.busy + l.starting - l.replacing
	var want int
	switch s.Mode {
	case Static:
		want = s.MaxChildren - total
	case Dynamic:
		want = max(s.MinSpare-l.idle-l.starting, l.waiting-l.starting)
	default:
		want = l.waiting - l.starting - l.idle
	}
	want = min(want, s.MaxChildren-total)
	if s.MaxSpawnRate > 0 {
		want = min(want, s.MaxSpawnRate)
	}
	return max(want, 0)
}

// surplus is how many idle workers to let go now. One at a time, as php-fpm does, so that a lull
// between two bursts does not empty the pool.
func (s Sizing) surplus(l load) int {
	if s.Mode == Dynamic && l.waiting == 0 && l.idle > s.MaxSpare {
		return 1
	}
	return 0
}
