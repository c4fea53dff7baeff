package main

import (
	"context"
	"sync"
)

// reloader runs one reload at a time. Who asks during one gets the next, together with all others who do so: a reload
// that had begun before the question may have read the configuration before it was changed.
type reloader struct {
	do func(context.Context) error

	mu      sync.Mutex
	waiting []chan error  // each has room for the one result it gets
	wake    chan struct{} // has room for one; never closed
	ctx     context.Context
	cancel  context.CancelFunc
}

func newReloader(do func(context.Context) error) *reloader {
	r := &reloader{do: do, wake: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// ask returns where the result of the reload will be.
func (r *reloader) ask() <-chan error {
	result := make(chan error, 1)
	r.mu.Lock()
	r.waiting = append(r.waiting, result)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return result
}

// reload waits for a reload, as long as ctx and the reloader last.
func (r *reloader) reload(ctx context.Context) error {
	result := r.ask()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.ctx.Done():
		select { // it may have been done before
		case err := <-result:
			return err
		default:
			return errStopping
		}
	}
}

// execute and interrupt make it an actor.
func (r *reloader) execute() error {
	for {
		select {
		case <-r.wake:
		case <-r.ctx.Done():
			return nil
		}
		r.mu.Lock()
		waiting := r.waiting
		r.waiting = nil
		r.mu.Unlock()
		err := r.do(r.ctx)
		for _, w := range waiting {
			w <- err
		}
	}
}

func (r *reloader) interrupt() { r.cancel() }
