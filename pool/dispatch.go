package pool

import (
	"time"

	"php-supervisor/fcgi"
)

// waiter is a request in the pool's queue. ch has room for one: whoever takes the waiter off the queue
// sends exactly one answer, a worker or nil, and never waits for it to be taken.
type waiter struct {
	ch     chan *Worker
	since  time.Time
	next   *waiter
	reason *fcgi.StatusError // why the answer is nil; written before the answer is sent
}

// queue holds the waiting requests, first in first out. It also keeps the waiters that are not
// in use, so that a warm queue allocates nothing.
type queue struct {
	head, tail *waiter
	len, max   int
	free       *waiter
	freeLen    int
}

const maxFreeWaiters = 1024

func (q *queue) push(now time.Time) *waiter {
	w := q.free
	if w != nil {
		q.free, w.next = w.next, nil
		q.freeLen--
	} else {
		w = &waiter{ch: make(chan *Worker, 1)}
	}
	w.since, w.reason = now, nil
	if q.tail == nil {
		q.head = w
	} else {
		q.tail.next = w
	}
	q.tail = w
	q.len++
	q.max = max(q.max, q.len)
	return w
}

// pop takes the oldest waiter off the queue; nil when there is none.
func (q *queue) pop() *waiter {
	w := q.head
	if w == nil {
		return nil
	}
	q.head = w.next
	if q.head == nil {
		q.tail = nil
	}
	w.next = nil
	q.len--
	return w
}

// recycle takes back a waiter whose answer has been read.
func (q *queue) recycle(w *waiter) {
	if q.freeLen < maxFreeWaiters {
		w.next = q.free
		q.free = w
		q.freeLen++
	}
}

// idleStack holds the idle workers, last in first out: the one whose caches are warm serves next,
// and the surplus ages at the bottom.
type idleStack []*Worker

func (s *idleStack) push(w *Worker) { *s = append(*s, w) }

func (s *idleStack) pop() *Worker {
	n := len(*s)
	if n == 0 {
		return nil
	}
	w := (*s)[n-1]
	(*s)[n-1] = nil
	*s = (*s)[:n-1]
	return w
}

func (s *idleStack) remove(w *Worker) {
	for i, x := range *s {
		if x == w {
			*s = append((*s)[:i], (*s)[i+1:]...)
			return
		}
	}
}
