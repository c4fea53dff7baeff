package recycle

const (
	// baselineWindow is how many measurements make a window, whose least one counts: a request that took a lot
	// and gave it back leaves no trace in it.
	baselineWindow = 8
	// maxBaselineWindows bounds the wait for a worker to settle: one that leaks from the first request never does.
	maxBaselineWindows = 8
	// lastingSamples is how many measurements in a row have to agree that memory is there to stay.
	lastingSamples = 4
	// Two windows agree when the later is above the earlier by no more than a sixteenth of it, or by slack bytes.
	slackFraction = 16
	slack         = 1 << 20
)

// History is the memory of one worker over its life so far, kept in a fixed number of bytes. Its zero value is ready for
// use. It is a value: Add returns a new one.
//
// How the baseline is found: the first WarmupRequests do not count. From there on measurements are taken in windows
// of eight, and of each the least one counts, so that one-off spikes do not. When a window's least is no longer noticeably
// above the one before (by a sixteenth, or 1 MiB if that is more), the worker is warm, and the lesser of the two
// is the baseline; it stays for the worker's life. A worker that is still filling caches keeps rising and is
// given more time, but no more than eight windows in all: then the last window's least is taken as it is, so that
// one that leaks from its first request is still caught, later, by its growth from there and by MaxMemory.
//
// Growth is confirmed: what counts against the baseline is the least of the latest four measurements.
type History struct {
	baseline uint64

	recent  [lastingSamples]uint64 // ring of the latest measurements
	next    uint8                  // where in recent the next one goes
	samples uint8                  // how many of recent are filled

	windowLeast uint64 // of the window that is being filled
	windowFill  uint8
	windows     uint8  // full ones
	previous    uint64 // least of the full window before; meaningless while windows is 0
}

// Add takes in one measurement: private memory in bytes after the request that made it requests in all. Zero bytes mean
// that the memory could not be read; nothing changes then. Not every request has to be measured.
func (h History) Add(private uint64, requests int64, p Policy) History {
	if private == 0 {
		return h
	}
	h.recent[h.next] = private
	h.next = (h.next + 1) % lastingSamples
	h.samples = min(h.samples+1, lastingSamples)
	if h.baseline != 0 || requests <= p.WarmupRequests {
		return h
	}

	if h.windowFill == 0 || private < h.windowLeast {
		h.windowLeast = private
	}
	if h.windowFill++; h.windowFill < baselineWindow {
		return h
	}
	h.windowFill = 0
	h.windows++
	switch {
	case h.windows > 1 && !noticeablyAbove(h.windowLeast, h.previous):
		h.baseline = min(h.windowLeast, h.previous)
	case h.windows == maxBaselineWindows:
		h.baseline = h.windowLeast
	}
	h.previous = h.windowLeast
	return h
}

// Private is the latest measurement in bytes; zero if there is none.
func (h History) Private() uint64 {
	return h.recent[(h.next+lastingSamples-1)%lastingSamples]
}

// Lasting is the least of the latest four measurements in bytes; zero until there are as many.
func (h History) Lasting() uint64 {
	if h.samples < lastingSamples {
		return 0
	}
	least := h.recent[0]
	for _, private := range h.recent[1:] {
		least = min(least, private)
	}
	return least
}

// Baseline is the worker's warmed-up private memory in bytes; zero until it is known. Once known it stays.
func (h History) Baseline() uint64 { return h.baseline }

// Fill sets the memory fields of s.
func (h History) Fill(s *Sample) {
	s.Private, s.Lasting, s.Baseline = h.Private(), h.Lasting(), h.Baseline()
}

func noticeablyAbove(later, earlier uint64) bool {
	return later > earlier && later-earlier > max(earlier/slackFraction, slack)
}
