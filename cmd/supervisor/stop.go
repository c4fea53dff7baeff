package main

import (
	"context"
	"sync"
	"time"
)

// stopper is the wish to stop: none, gracefully, or fast, in that order and never back.
type stopper struct {
	mu        sync.Mutex
	wish      action
	requested chan struct{} // closed with the first wish

	hurry context.Context // ends with the wish to be fast
	fast  context.CancelFunc
}

func newStopper() *stopper {
	s := &stopper{requested: make(chan struct{})}
	s.hurry, s.fast = context.WithCancel(context.Background())
	return s
}

// stop wishes for a (stopGracefully or stopFast) and says whether that is news.
func (s *stopper) stop(a action) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a <= s.wish {
		return false
	}
	if s.wish == 0 {
		close(s.requested)
	}
	if s.wish = a; a == stopFast {
		s.fast()
	}
	return true
}

// begun says whether anybody has wished to stop.
func (s *stopper) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wish != 0
}

// deadline is a context that ends when there is no more time for requests to end: after limit (0 is no limit), or when
// somebody is in a hurry.
func (s *stopper) deadline(limit time.Duration) (context.Context, context.CancelFunc) {
	if limit > 0 {
		return context.WithTimeout(s.hurry, limit)
	}
	return context.WithCancel(s.hurry)
}
