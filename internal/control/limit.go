package control

import (
	"net"
	"sync"
)

// limited accepts so many connections at once; further ones wait in the socket's backlog.
type limited struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{} // closed by Close
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &metered{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// metered gives its slot back when it is closed.
type metered struct {
	net.Conn
	release func()
}

func (m *metered) Close() error {
	defer m.release()
	return m.Conn.Close()
}
