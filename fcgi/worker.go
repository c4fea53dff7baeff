package fcgi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxLog is the longest log message delivered in one piece, in bytes.
const maxLog = 1 << 20

// WorkerConn is the supervisor's end of a worker's socket pair. It belongs to the
// Backend, but from Acquire to Finish to the engine. Abort and Close may be called at any time.
type WorkerConn struct {
	Tag any // the Backend's own

	fd   int
	file *os.File
	raw  syscall.RawConn

	// Of the exchange in flight, or of Hello and WaitReady.
	stepFn func(uintptr) bool // step and pollOnce, made once
	pollFn func(uintptr) bool
	unsent []byte        // what step writes before it waits
	into   []byte        // what step reads into
	got    int           // what step has read; 0 is end of file
	errno  syscall.Errno // of step's last call
	rest   []byte        // read, but not used up yet
	log    []byte        // text of a LOG message that goes on

	mu      sync.Mutex
	aborted int   // status given to Abort, 0 while there was none
	kicked  bool  // the wait for the worker is to be begun anew
	stuck   *conn // where the exchange waits for the web server to read
}

var errAborted = errors.New("aborted")

// NewWorkerConn takes ownership of fd, also when it fails. It must be called before
// the other end is given to the worker: only from then on does the kernel attach the
// sender's pid to what is sent.
func NewWorkerConn(fd int) (*WorkerConn, error) {
	if err := errors.Join(
		unix.SetNonblock(fd, true),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1),
	); err != nil {
		closeFD(fd)
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	w := &WorkerConn{fd: fd, file: os.NewFile(uintptr(fd), "worker socket")}
	w.stepFn, w.pollFn = w.step, w.pollOnce
	var err error
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	return w, nil
}

// step is called by the netpoller's read loop. The first time it hands the request over and, since
// there cannot be an answer yet, asks to wait without having tried to read. An edge that came before is
// lost by that: what a worker says while idle is read along with its next answer, that it has
// died is seen by the write, and one that answered what nobody had asked is found by kick.
func (w *WorkerConn) step(uintptr) bool {
	if len(w.unsent) > 0 {
		n, errno := send(w.fd, w.unsent)
		w.unsent = w.unsent[n:]
		w.got, w.errno = 0, errno
		return errno != 0 || len(w.unsent) > 0
	}
	w.got, w.errno = recv(w.fd, w.into)
	return w.errno != syscall.EAGAIN
}

// Hello waits for the worker's HELLO and returns its pid, as the kernel attests it, in the
// supervisor's pid namespace.
func (w *WorkerConn) Hello(deadline time.Time) (pid int, err error) {
	defer w.deadline(deadline)()
	var (
		b     [512]byte
		n     int
		space [64]byte
		creds *unix.Ucred
	)
	for n < headerLen || n < decodeHeader(b[:]).size() {
		if n > 0 && (b[0] != version || n >= headerLen && !plausibleHello(b[:])) {
			return 0, errors.New("hello: garbage from worker")
		}
		var got, oobn, flags int
		var rerr error
		err := w.raw.Read(func(fd uintptr) bool {
			got, oobn, flags, _, rerr = unix.Recvmsg(int(fd), b[n:], space[:], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			return rerr != unix.EAGAIN && rerr != unix.EINTR
		})
		c, stray := credentials(space[:oobn])
		switch {
		case err != nil:
			return 0, fmt.Errorf("hello: %w", w.why(err))
		case rerr != nil:
			return 0, fmt.Errorf("hello: %w", rerr)
		case stray || flags&unix.MSG_CTRUNC != 0:
			return 0, errors.New("hello: unexpected control message")
		case got == 0:
			return 0, fmt.Errorf("hello: %w", errWorkerExit)
		}
		if creds == nil {
			creds = c
		}
		n += got
	}
	h := decodeHeader(b[:])
	switch {
	case b[0] != version || !plausibleHello(b[:]):
		return 0, errors.New("hello: garbage from worker")
	case creds == nil || creds.Pid <= 0:
		return 0, errors.New("hello: no pid from the kernel")
	}
	if v := binary.BigEndian.Uint32(b[headerLen:]); v != protocolVersion {
		return 0, fmt.Errorf("hello: worker speaks protocol version %d, not %d", v, protocolVersion)
	}
	w.rest = append(w.rest[:0], b[h.size():n]...)
	if err := unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 0); err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	return int(creds.Pid), nil
}

func plausibleHello(b []byte) bool {
	h := decodeHeader(b)
	return h.typ == TypeHello && h.id == 0 && h.content == 8
}

// credentials finds SCM_CREDENTIALS. Descriptors a worker sends along are closed; stray says that
// something was there that should not.
func credentials(oob []byte) (creds *unix.Ucred, stray bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, len(oob) > 0
	}
	for i := range msgs {
		if c, err := unix.ParseUnixCredentials(&msgs[i]); err == nil {
			creds = c
			continue
		}
		stray = true
		if fds, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			for _, fd := range fds {
				closeFD(fd)
			}
		}
	}
	return creds, stray
}

// WaitReady waits for READY, after Hello. LOG messages before it go to log; nil discards them.
func (w *WorkerConn) WaitReady(deadline time.Time, log func(severity uint8, text []byte)) error {
	defer w.deadline(deadline)()
	buf := getBuffer()
	defer putBuffer(buf)
	n := copy(buf[:], w.rest)
	w.rest = w.rest[:0]
	for ready := false; ; {
		at := 0
		for n-at >= headerLen && n-at >= decodeHeader(buf[at:n]).size() {
			b := buf[at:n]
			h := decodeHeader(b)
			switch {
			case b[0] != version || h.id != 0:
				return errors.New("wait for READY: garbage from worker")
			case h.typ == TypeReady && !ready:
				ready = true
			case h.typ == TypeLog:
				severity, text, done, err := w.logText(b[headerLen : headerLen+h.content])
				if done && log != nil {
					log(severity, text)
				}
				if err != nil {
					return fmt.Errorf("wait for READY: %w", err)
				}
			case h.typ < TypeLog:
				return fmt.Errorf("wait for READY: garbage from worker: record of type %d", h.typ)
			}
			at += h.size()
		}
		n = copy(buf[:], buf[at:n])
		if n > 0 && buf[0] != version {
			return fmt.Errorf("wait for READY: %w", errWorkerVersion)
		}
		if ready {
			w.rest = append(w.rest, buf[:n]...)
			return nil
		}
		w.into = buf[n:]
		err := w.read()
		w.into = nil
		if err != nil {
			return fmt.Errorf("wait for READY: %w", err)
		}
		n += w.got
	}
}

// read waits for step to write w.unsent, if there is any, and to read something.
// A nil error with bytes unsent is a worker whose socket is full.
func (w *WorkerConn) read() error {
	for {
		err := w.raw.Read(w.stepFn)
		if err == nil {
			break
		}
		if !w.unkick() {
			return w.why(err)
		}
	}
	switch {
	case len(w.unsent) > 0 && (w.errno == 0 || w.errno == syscall.EAGAIN):
		return nil
	case w.errno != 0:
		return sockError("worker", w.errno)
	case w.got == 0:
		return errWorkerExit
	}
	return nil
}

// poll reads what is there already, without waiting. Nothing read and no error: nothing is there.
func (w *WorkerConn) poll() error {
	err := w.raw.Read(w.pollFn)
	switch {
	case err != nil:
		return w.why(err)
	case w.errno == syscall.EAGAIN:
		return nil
	case w.errno != 0:
		return sockError("worker", w.errno)
	case w.got == 0:
		return errWorkerExit
	}
	return nil
}

func (w *WorkerConn) pollOnce(uintptr) bool {
	w.got, w.errno = recv(w.fd, w.into)
	return true
}

// tell sends a small record if it fits, from another goroutine than the one that reads.
func (w *WorkerConn) tell(record []byte) (sent bool) {
	_ = w.raw.Control(func(fd uintptr) {
		n, errno := send(int(fd), record)
		// Part of a record would spoil the stream; a socket that takes none of it, or is
		// broken, does no harm.
		sent = errno == 0 && n == len(record)
	})
	return sent
}

// kick makes the exchange read again if there is something to be read: see step for how that can
// go unnoticed. From another goroutine.
func (w *WorkerConn) kick() {
	var b [1]byte
	waits := false
	_ = w.raw.Control(func(fd uintptr) {
		_, errno := peek(int(fd), b[:])
		waits = errno != syscall.EAGAIN
	})
	if !waits {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted == 0 {
		w.kicked = true
		_ = w.file.SetReadDeadline(longAgo)
	}
}

// unkick takes back a kick. False: there was none, or there was an Abort, too.
func (w *WorkerConn) unkick() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.kicked || w.aborted != 0 {
		return false
	}
	w.kicked = false
	return w.file.SetReadDeadline(time.Time{}) == nil
}

// why turns the error of a wait that was cut short by Abort into errAborted.
func (w *WorkerConn) why(err error) error {
	if w.abortStatus() != 0 {
		return errAborted
	}
	return err
}

func (w *WorkerConn) abortStatus() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.aborted
}

// logText takes the content of a LOG record. With done, text is a message to be
// delivered before the next call.
func (w *WorkerConn) logText(content []byte) (severity uint8, text []byte, done bool, err error) {
	if len(content) < 2 {
		return 0, nil, false, errWorkerLog
	}
	severity, flags, text := content[0], content[1], content[2:]
	if flags&logContinued == 0 && len(w.log) == 0 {
		return severity, text, true, nil
	}
	w.log = append(w.log, text...)
	if flags&logContinued != 0 && len(w.log)+maxContent <= maxLog {
		return severity, nil, false, nil
	}
	text = w.log
	w.log = w.log[:0]
	return severity, text, true, nil
}

// deadline sets one for reads and writes, and returns what takes it back. It does not
// undo an Abort.
func (w *WorkerConn) deadline(t time.Time) (clear func()) {
	w.setDeadline(t)
	return func() { w.setDeadline(time.Time{}) }
}

func (w *WorkerConn) setDeadline(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted == 0 {
		_ = w.file.SetDeadline(t)
	}
}

// Abort ends the request in flight from another goroutine: it is answered with status
// when its response has not begun, and cut off otherwise; Finish with Lost follows at
// once. On an idle worker the next use is lost. The worker itself is not touched.
func (w *WorkerConn) Abort(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted != 0 {
		return
	}
	if status == 0 {
		status = 502
	}
	w.aborted = status
	if w.stuck != nil {
		w.stuck.cut()
	}
	_ = w.file.SetDeadline(longAgo)
}

// stick notes that the exchange waits for c's web server to read. False after Abort.
func (w *WorkerConn) stick(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted != 0 && c != nil {
		return false
	}
	w.stuck = c
	return true
}

// CloseWrite lets the worker see the end of file: an idle one leaves.
func (w *WorkerConn) CloseWrite() error {
	var err error
	if cerr := w.raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("shutdown", err)
}

// Close closes the socket. A request in flight is lost by that.
func (w *WorkerConn) Close() error { return w.file.Close() }
