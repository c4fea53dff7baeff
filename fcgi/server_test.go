package fcgi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeptAliveConnectionServesOneRequestAfterTheOther(t *testing.T) {
	p := newPool(t, 1, serveHello)
	_, path := serve(t, p, nil)
	c := dial(t, path)
	for id := uint16(1); id < 20; id++ {
		c.send(get(id, true))
		if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(id)); diff != "" {
			t.Fatalf("request %d: %s", id, diff)
		}
	}
}

func TestConnectionIsClosedAfterARequestThatDoesNotKeepIt(t *testing.T) {
	p := newPool(t, 1, serveHello)
	_, path := serve(t, p, nil)
	for range 20 {
		c := dial(t, path)
		c.send(get(1, false))
		if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
			t.Fatal(diff)
		}
		c.closed()
	}
}
