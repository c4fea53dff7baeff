package main

import (
	"errors"
	"sync/atomic"
	"testing"
)

func TestGroupEmpty(t *testing.T) {
	if err := (&group{}).run(); err != nil {
		t.Error(err)
	}
}

func TestGroupFirstReturnStopsAll(t *testing.T) {
	first := errors.New("first")
	var g group
	var ended atomic.Int32
	for range 3 {
		stop := make(chan struct{})
		g.add(func() error {
			<-stop
			ended.Add(1)
			return errors.New("interrupted")
		}, func() { close(stop) })
	}
	g.add(func() error { return first }, func() {})
	if err := g.run(); !errors.Is(err, first) {
		t.Errorf("got %v, want %v", err, first)
	}
	if n := ended.Load(); n != 3 {
		t.Errorf("run returned when %d of 3 had ended", n)
	}
}

func TestGroupEndsWithoutError(t *testing.T) {
	var g group
	stop := make(chan struct{})
	g.add(func() error { return nil }, func() {})
	g.add(func() error { <-stop; return errors.New("late") }, func() { close(stop) })
	if err := g.run(); err != nil {
		t.Errorf("got %v", err)
	}
}
