package request

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Record types and sizes (sections 3.3 and 8 of the specification).
const (
	headerLen      = 8
	typeEndRequest = 3
	typeStdout     = 6
)

// wire is the connection as gofast sees it. It watches the records that come in, so that the end of the response is
// known for certain, and hides two things from gofast: failures to write, which gofast would mix into the application's
// standard error, and the response's head, in front of which it puts one that gofast accepts.
type wire struct {
	net.Conn
	in *bufio.Reader // of the one goroutine that reads

	decoy  []byte // still to be read before the first byte from the server
	header [headerLen]byte
	have   int // bytes of header
	left   int // bytes of content and padding to come
	body   []byte

	mu       sync.Mutex
	ended    bool
	end      End
	readErr  error // nil for a plain end of file
	writeErr error
}

// decoyHead is what gofast takes for the response's head; the real one follows as if it were body.
const decoyHead = "Status: 200 OK\r\nContent-Type: message/x-cgi\r\n\r\n"

func newWire(c net.Conn) *wire {
	d := []byte{1, typeStdout, 0, 1, 0, byte(len(decoyHead)), 0, 0}
	return &wire{Conn: c, in: bufio.NewReaderSize(c, 16<<10), decoy: append(d, decoyHead...)}
}

// Read passes the records on as they are. After END_REQUEST it says end of file.
func (w *wire) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(w.decoy) > 0 {
		n := copy(p, w.decoy)
		w.decoy = w.decoy[n:]
		return n, nil
	}
	if w.done() {
		return 0, io.EOF
	}
	if w.have < headerLen {
		n, err := w.in.Read(p[:min(len(p), headerLen-w.have)])
		copy(w.header[w.have:], p[:n])
		if w.have += n; w.have == headerLen {
			w.left = int(binary.BigEndian.Uint16(w.header[4:])) + int(w.header[6])
			w.body = w.body[:0]
			w.recordEnded()
		}
		return n, w.noteRead(err)
	}
	n, err := w.in.Read(p[:min(len(p), w.left)])
	if w.header[1] == typeEndRequest && len(w.body) < headerLen {
		w.body = append(w.body, p[:n]...)
	}
	w.left -= n
	w.recordEnded()
	return n, w.noteRead(err)
}

func (w *wire) recordEnded() {
	if w.left > 0 {
		return
	}
	w.have = 0
	if w.header[1] != typeEndRequest {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.body) < headerLen {
		w.readErr = fmt.Errorf("END_REQUEST of %d bytes", len(w.body))
		return
	}
	w.ended = true
	w.end = End{AppStatus: binary.BigEndian.Uint32(w.body), ProtocolStatus: w.body[4]}
}

func (w *wire) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func (w *wire) noteRead(err error) error {
	if err != nil && err != io.EOF {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.readErr = err
	}
	return err
}

// Write never fails: a server may well answer and leave before it has read the whole body.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	gone := w.ended || w.writeErr != nil
	w.mu.Unlock()
	if gone {
		return len(p), nil
	}
	if _, err := w.Conn.Write(p); err != nil {
		w.mu.Lock()
		w.writeErr = err
		w.mu.Unlock()
	}
	return len(p), nil
}

// why is the reason of a response that was cut off, as the end of a sentence. The caller holds mu.
func (w *wire) why() string {
	switch {
	case w.readErr != nil:
		return ": " + w.readErr.Error()
	case w.writeErr != nil:
		return ": " + w.writeErr.Error()
	}
	return ""
}
