package fcgi

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestRefusedClientIsClosedUnread(t *testing.T) {
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := tcp.Addr().String()
	f, err := tcp.File()
	tcp.Close()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(f)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan netip.Addr, 1)
	l.Allow = func(a netip.Addr) bool {
		asked <- a
		return false
	}
	logged := make(chan error, 1)
	s := &Server{Log: func(err error) { logged <- err }}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer func() {
		s.Close()
		<-served
	}()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v; want the connection closed", n, err)
	}
	if got, want := <-asked, netip.MustParseAddr("127.0.0.1"); got != want {
		t.Errorf("asked about %v, want %v", got, want)
	}
	var refused *DisallowedError
	if err := <-logged; !errors.As(err, &refused) {
		t.Errorf("logged %v, want a DisallowedError", err)
	}
}
