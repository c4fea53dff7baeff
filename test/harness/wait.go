package harness

import (
	"fmt"
	"testing"
	"time"
)

// Patience is how long anything may take that has no reason to take long. It is generous because
// the machines that run tests are small and busy; nothing is measured by it.
const Patience = 30 * time.Second

// Wait looks at a condition until it holds. It returns an error when the condition does, or when
// Patience has run out; what names the condition in that error.
func Wait(what string, condition func() (bool, error)) error {
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := condition()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s: not seen within %v", what, Patience)
		}
		<-tick.C
	}
}

// MustWait is Wait for a test that can't go on without.
func MustWait(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if err := Wait(what, func() (bool, error) { return condition(), nil }); err != nil {
		t.Fatal(err)
	}
}
