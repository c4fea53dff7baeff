package fcgi

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dialFrom dials a tcp address from an address of the loopback network.
func dialFrom(t *testing.T, from string, to net.Addr) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &client{nc, t}
}

// listen listens on a network that each machine has, but for IPv6.
func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	switch {
	case err != nil && strings.HasPrefix(address, "["):
		t.Skip("no IPv6: ", err)
	case err != nil:
		t.Fatal(err)
	}
	return l
}

// TestPeerOutlivesTheConnection: a request that is still being finished has its own client's address, although its
// connection's goroutine serves another one already.
func TestPeerOutlivesTheConnection(t *testing.T) {
	release := make(chan struct{})
	p := newPool(t, 2, after(func(w *fakeWorker, r *fakeRequest) error {
		if r.params["REQUEST_METHOD"] == "GET" {
			return w.send(stdout(r.id, hello), end(r.id), idle())
		}
		if err := w.send(stdout(r.id, hello), end(r.id)); err != nil {
			return err
		}
		<-release
		return w.send(idle())
	}))
	asked := make(chan string, 3)
	p.acquire = func(r *Request) error {
		asked <- r.Peer().String()
		return nil
	}
	l := listen(t, "tcp4", "127.0.0.1:0")
	s := serveOn(t, p, l, nil)
	want := answered{Out: hello, Ended: true}

	c := dialFrom(t, "127.0.0.2", l.Addr())
	c.send(post(1, false, ""))
	if diff := cmp.Diff(want, c.answer(1)); diff != "" {
		t.Fatal(diff)
	}
	c.closed()
	eventually(t, "the goroutine is free", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.parked) == 1
	})
	c = dialFrom(t, "127.0.0.3", l.Addr())
	for id := uint16(1); id < 3; id++ {
		c.send(get(id, true))
		if diff := cmp.Diff(want, c.answer(id)); diff != "" {
			t.Fatal(diff)
		}
	}
	p.results(2)
	close(release)
	var got []string
	for _, f := range p.results(1) {
		got = append(got, f.Peer)
	}
	if diff := cmp.Diff([]string{"127.0.0.3", "127.0.0.3", "127.0.0.2"}, got); diff != "" {
		t.Errorf("in Finish: %s", diff)
	}
	got = []string{<-asked, <-asked, <-asked}
	if diff := cmp.Diff([]string{"127.0.0.2", "127.0.0.3", "127.0.0.3"}, got); diff != "" {
		t.Errorf("in Acquire: %s", diff)
	}
}

func TestPeer(t *testing.T) {
	for name, tt := range map[string]struct{ network, address, from, want string }{
		"IPv4":            {"tcp4", "127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
		"IPv6":            {"tcp6", "[::1]:0", "::1", "::1"},
		"IPv4 over IPv6":  {"tcp", "[::]:0", "127.0.0.1", "127.0.0.1"},
		"unix":            {"unix", "", "", netip.Addr{}.String()},
		"another of IPv4": {"tcp4", "127.0.0.1:0", "127.8.8.8", "127.8.8.8"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 1, serveHello)
			var c *client
			if tt.network == "unix" {
				_, path := serve(t, p, nil)
				c = dial(t, path)
			} else {
				l := listen(t, tt.network, tt.address)
				serveOn(t, p, l, nil)
				to := l.Addr().(*net.TCPAddr)
				if to.IP.IsUnspecified() {
					to = &net.TCPAddr{IP: net.ParseIP(tt.from), Port: to.Port}
				}
				c = dialFrom(t, tt.from, to)
			}
			c.send(get(1, true))
			c.answer(1)
			if got := p.results(1)[0].Peer; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
