package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The messages of the control socket between the supervisor and a zygote; docs/PROTOCOL.md has them byte by byte.
const (
	msgConfig      = 'C'
	msgSpawn       = 'S'
	msgReady       = 'R'
	msgSpawnFailed = 'F'

	controlHeader    = 8       // type, three zero bytes, a number
	maxControlConfig = 200_000 // bytes; below the default send buffer, so that it can wait there for the zygote
	maxControlIn     = 4096    // bytes; what a zygote may send in one message
)

// Directive is one setting handed to the zygote. Keys and values hold no NUL byte.
type Directive struct{ Key, Value string }

// encodeConfig makes the CONFIG message.
func encodeConfig(ds []Directive) ([]byte, error) {
	msg := []byte{msgConfig}
	for _, d := range ds {
		if strings.IndexByte(d.Key, 0) >= 0 || strings.IndexByte(d.Value, 0) >= 0 {
			return nil, fmt.Errorf("setting %q holds a NUL byte", d.Key)
		}
		msg = append(append(append(append(msg, d.Key...), 0), d.Value...), 0)
	}
	if len(msg) > maxControlConfig {
		return nil, fmt.Errorf("settings of %d bytes are more than the %d that can be handed to a zygote; shorten env[] and php_value[]", len(msg), maxControlConfig)
	}
	return msg, nil
}

// control is the supervisor's end of a zygote's control socket.
type control struct {
	f   *os.File // non-blocking, in the netpoller
	buf [maxControlIn]byte
}

// newControl makes a pair and returns the supervisor's end and the descriptor for the zygote, which the caller closes.
func newControl() (*control, int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("control socket pair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, -1, fmt.Errorf("control socket pair: %w", err)
	}
	return &control{f: os.NewFile(uintptr(fds[0]), "control")}, fds[1], nil
}

func (c *control) close() error { return c.f.Close() }

// send writes one message with its descriptors, which stay the caller's.
func (c *control) send(msg []byte, fds []int, deadline time.Time) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := c.f.SetWriteDeadline(deadline); err != nil {
		return err
	}
	rc, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = rc.Write(func(fd uintptr) bool {
		for {
			sendErr = unix.Sendmsg(int(fd), msg, oob, nil, unix.MSG_NOSIGNAL)
			if sendErr != unix.EINTR {
				return sendErr != unix.EAGAIN
			}
		}
	})
	return errors.Join(err, sendErr)
}

// spawn asks the zygote for a worker on sock whose standard output and standard error are as given.
func (c *control) spawn(id uint32, sock, stdout, stderr int, deadline time.Time) error {
	msg := binary.BigEndian.AppendUint32([]byte{msgSpawn, 0, 0, 0}, id)
	return c.send(msg, []int{sock, stdout, stderr}, deadline)
}

// zygoteMessage is what a zygote says.
type zygoteMessage struct {
	kind   byte       // msgReady or msgSpawnFailed
	number uint32     // READY: its pid as it sees it; SPAWN_FAILED: the worker's id
	errno  unix.Errno // SPAWN_FAILED
	php    string     // READY: PHP_VERSION
}

// receive waits for one message. io.EOF when the zygote has gone.
func (c *control) receive() (zygoteMessage, error) {
	n, err := c.f.Read(c.buf[:])
	if err != nil {
		return zygoteMessage{}, err
	}
	return decodeZygoteMessage(c.buf[:n])
}

// decodeZygoteMessage checks a message: a zygote runs the pool's code and is not trusted.
func decodeZygoteMessage(b []byte) (zygoteMessage, error) {
	if len(b) < controlHeader {
		return zygoteMessage{}, fmt.Errorf("control message of %d bytes, shorter than its header of %d", len(b), controlHeader)
	}
	m := zygoteMessage{kind: b[0], number: binary.BigEndian.Uint32(b[4:])}
	rest := b[controlHeader:]
	switch m.kind {
	case msgReady:
		if len(rest) > 64 {
			return zygoteMessage{}, fmt.Errorf("control message READY with a PHP version of %d bytes", len(rest))
		}
		m.php = strings.ToValidUTF8(string(rest), "?")
	case msgSpawnFailed:
		if len(rest) != 4 {
			return zygoteMessage{}, fmt.Errorf("control message SPAWN_FAILED of %d bytes, want %d", len(b), controlHeader+4)
		}
		m.errno = unix.Errno(binary.BigEndian.Uint32(rest))
	default:
		return zygoteMessage{}, fmt.Errorf("control message of unknown type %#x", m.kind)
	}
	return m, nil
}
