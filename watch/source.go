package watch

import (
	"errors"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// notifier is what is needed of fsnotify.
type notifier interface {
	Add(dir string) error
	Remove(dir string) error
	WatchList() []string
	Close() error
}

// stream is a notifier with its channels, which it closes when it is closed.
type stream struct {
	notifier
	events <-chan fsnotify.Event
	errors <-chan error
}

func openInotify() (stream, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return stream{}, err
	}
	return stream{w, w.Events, w.Errors}, nil
}

// source collects events between the watcher's turns. Its own goroutine takes them at once, whatever the watcher
// is doing: the kernel's queue stays short during a long reading, and fsnotify, which delivers errors with its lock held,
// cannot block against a call of Add.
type source struct {
	stream
	ready   chan struct{} // holds one token when there is something to take; never closed
	stopped chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	events   map[string]fsnotify.Op
	overflow bool
	broken   error
}

// maxEvents is how many paths are remembered; beyond that everything is looked at.
const maxEvents = 1 << 14

func newSource(s stream) *source {
	src := &source{
		stream: s, ready: make(chan struct{}, 1), stopped: make(chan struct{}),
		events: map[string]fsnotify.Op{},
	}
	go src.pump()
	return src
}

func (s *source) pump() {
	defer close(s.stopped)
	events, errs := s.stream.events, s.stream.errors
	for events != nil || errs != nil {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			s.event(e)
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			s.failure(err)
		}
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
}

func (s *source) event(e fsnotify.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) >= maxEvents {
		s.overflow = true
		clear(s.events)
	}
	if !s.overflow && e.Name != "" {
		s.events[e.Name] |= e.Op
	}
}

func (s *source) failure(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, fsnotify.ErrEventOverflow):
		s.overflow = true
		clear(s.events)
	case recoverable(err):
		// Something about one watch: what it was about is read again.
		s.overflow = true
	default:
		s.broken = err
	}
}

// take returns and forgets what has come in. After an overflow anything may have happened.
func (s *source) take() (events map[string]fsnotify.Op, overflow bool, broken error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, overflow = s.events, s.overflow
	s.events, s.overflow = map[string]fsnotify.Op{}, false
	return events, overflow, s.broken
}

// close ends the goroutines, and returns when they have ended.
func (s *source) close() {
	_ = s.Close() // nothing can be done about it
	<-s.stopped
}
