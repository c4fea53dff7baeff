package recycle

import (
	"fmt"
	"time"
)

// Reason is why a worker is to leave. It is comparable and fit for a label of a metric; the numbers are in
// [Reason.Detail].
type Reason uint8

const (
	None Reason = iota
	MaxRequests
	MaxMemory
	MaxGrowth
	MaxLifetime
	MaxIdle
)

// Reasons are all there are but [None], in the order of [Judge].
var Reasons = [...]Reason{MaxRequests, MaxMemory, MaxGrowth, MaxLifetime, MaxIdle}

// String is the reason in an operator's words: the limit, by the name of its setting, and what happened to it.
func (r Reason) String() string {
	switch r {
	case None:
		return "none"
	case MaxRequests:
		return "max_requests reached"
	case MaxMemory:
		return "max_memory exceeded"
	case MaxGrowth:
		return "max_memory_growth exceeded"
	case MaxLifetime:
		return "max_lifetime reached"
	case MaxIdle:
		return "process_idle_timeout reached"
	}
	return "unknown reason"
}

// Label is the reason as one word, for metrics and JSON.
func (r Reason) Label() string {
	switch r {
	case None:
		return "none"
	case MaxRequests:
		return "max_requests"
	case MaxMemory:
		return "max_memory"
	case MaxGrowth:
		return "max_memory_growth"
	case MaxLifetime:
		return "max_lifetime"
	case MaxIdle:
		return "process_idle_timeout"
	}
	return "unknown"
}

// Detail is the numbers behind the reason, with units, from the arguments that were given to [Judge]; empty for
// [None].
func (r Reason) Detail(s Sample, p Policy, now time.Time) string {
	switch r {
	case MaxRequests:
		return fmt.Sprintf("%d of %d requests", s.Requests, p.MaxRequests)
	case MaxMemory:
		return fmt.Sprintf("%s private memory, limit %s, after %d requests", size(s.Private), size(p.MaxMemory), s.Requests)
	case MaxGrowth:
		return fmt.Sprintf("%s private memory, %s above the baseline of %s, limit %s, after %d requests",
			size(s.Baseline+s.grown()), size(s.grown()), size(s.Baseline), size(p.MaxGrowth), s.Requests)
	case MaxLifetime:
		return fmt.Sprintf("%s old, limit %s", length(since(s.Started, now)), length(p.MaxLifetime))
	case MaxIdle:
		return fmt.Sprintf("idle for %s, limit %s", length(since(s.IdleSince, now)), length(p.MaxIdle))
	}
	return ""
}

func since(from, now time.Time) time.Duration {
	return max(now.Sub(from), 0)
}

// length is a duration as an operator reads it: whole seconds once there are some.
func length(d time.Duration) string {
	if d >= 10*time.Second {
		d = d.Round(time.Second)
	} else {
		d = d.Round(time.Millisecond)
	}
	return d.String()
}

// size is a number of bytes in the greatest unit that leaves something before the point.
func size(bytes uint64) string {
	const unit = 1024
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, name := float64(bytes), byte(0)
	for _, name = range []byte("KMGTPE") {
		value /= unit
		if value < unit-0.05 { // 1023.95 would print as 1024.0
			break
		}
	}
	return fmt.Sprintf("%.1f %ciB", value, name)
}
