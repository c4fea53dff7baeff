package watch

import "time"

// debouncer turns bursts into single firings: C delivers once it has been quiet since the last touch, but no later
// than limit after the first one. It belongs to one goroutine, which calls settled after it has received from C and is
// done with the burst.
type debouncer struct {
	quiet, limit time.Duration
	timer        *time.Timer
	first        time.Time // of this burst; zero between bursts
}

func newDebouncer(quiet, limit time.Duration) *debouncer {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &debouncer{quiet: quiet, limit: max(limit, quiet), timer: timer}
}

// C delivers when a burst is over. Nobody closes it.
func (d *debouncer) C() <-chan time.Time { return d.timer.C }

// touch begins a burst or prolongs it.
func (d *debouncer) touch() {
	now := time.Now()
	if d.first.IsZero() {
		d.first = now
	}
	d.timer.Reset(max(min(d.quiet, d.first.Add(d.limit).Sub(now)), 0))
}

// active says that a burst is going on.
func (d *debouncer) active() bool { return !d.first.IsZero() }

// late says that the burst has lasted for the limit: it is not to be prolonged again.
func (d *debouncer) late() bool {
	return d.active() && time.Since(d.first) >= d.limit
}

// settled ends the burst.
func (d *debouncer) settled() {
	d.timer.Stop()
	d.first = time.Time{}
}
